"""LSTM layers handed to the converter as one operator, since it crashes on their loop.

While the model is traced, each such layer is a stand-in: a function that is kept in one piece. In the graph
that goes to the converter, a call of Keras's own shape takes the stand-in's place: the loop, annotated as an
LSTM with its weights as arguments, which the converter turns into UNIDIRECTIONAL_SEQUENCE_LSTM.
"""

from __future__ import annotations

import contextlib
import re
import uuid
from collections.abc import Iterator
from typing import Any

_NAME = "fused_lstm_stand_in"


@contextlib.contextmanager
def fused_lstms(model: Any) -> Iterator[list[Any]]:
    """Lets LSTM layers be traced as stand-ins; the model is as before afterwards.

    Args:
        model: A Keras model. Layers with other activations than Keras's own, states, masks, or running
            backwards are left as they are.

    Yields:
        A list that fills with the calls as they are traced, for `insert_lstms`.
    """
    import keras

    layers = [layer for layer in model._flatten_layers() if can_fuse(layer)]
    traced: list[Any] = []
    try:
        for layer in layers:
            # Past Keras's own bookkeeping of attributes, so that the model stays as it is.
            object.__setattr__(layer, "call", _stand_in(layer, traced, keras.layers.LSTM.call))
        yield traced
    finally:
        for layer in layers:
            object.__delattr__(layer, "call")


def can_fuse(layer: Any) -> bool:
    """Says whether a layer is a rolled LSTM of the kind that TFLM's operator computes."""
    import keras

    return (
        type(layer) is keras.layers.LSTM
        and not (layer.unroll or layer.stateful or layer.return_state or layer.go_backwards)
        and "call" not in layer.__dict__
        and layer.activation is keras.activations.tanh
        and layer.recurrent_activation is keras.activations.sigmoid
        and layer.cell.dtype_policy.compute_dtype == "float32"
    )


def insert_lstms(graph: bytes, traced: list[Any]) -> bytes:
    """Returns a serialized GraphDef with the annotated loops in place of the stand-ins."""
    import tensorflow as tf

    if not traced:
        return graph
    result = tf.compat.v1.GraphDef()
    result.ParseFromString(graph)
    moved = {}
    for node in list(result.node):
        found = re.search(rf"{_NAME}_(\d+)_", node.attr["f"].func.name if "f" in node.attr else "")
        if found:
            layer, steps = traced[int(found[1])]
            _insert(result, node, layer, steps)
            if layer.return_sequences:
                moved[node.name] = f"{node.name}:1"
    for node in result.node:
        for position, source in enumerate(node.input):
            name = source.removesuffix(":0")
            if name in moved:
                node.input[position] = moved[name]
    return result.SerializeToString()


def _stand_in(layer, traced, plain):
    """Returns what replaces the layer's `call`."""
    import tensorflow as tf

    def call(sequences, initial_state=None, mask=None, training=False):
        if mask is not None or initial_state is not None or sequences.shape[0] is None:
            return plain(layer, sequences, initial_state=initial_state, mask=mask, training=training)
        steps = [sequences.shape[1]] if layer.return_sequences else []

        def body(x):
            return tf.broadcast_to(tf.reduce_sum(x), [x.shape[0], *steps, layer.units])

        body.__name__ = f"{_NAME}_{len(traced)}"
        traced.append((layer, sequences.shape[1]))
        return tf.function(body, autograph=False, experimental_attributes={"_noinline": True})(sequences)

    return call


def _insert(graph, node, layer, steps):
    """Turns the call of a stand-in into that of the annotated loop."""
    import tensorflow as tf

    units = layer.units
    depth = layer.cell.kernel.shape[0]
    shapes = [(1, steps, depth), (1, units), (1, units), (depth, 4 * units), (units, 4 * units), (4 * units,)]
    signature = [tf.TensorSpec(shape, tf.float32) for shape in shapes]
    attributes = {
        "api_implements": f"lstm_{uuid.uuid4()}",
        "api_preferred_device": "CPU",
        "go_backwards": False,
        "time_major": False,
    }
    loop = tf.function(_loop, autograph=False, experimental_attributes=attributes)
    outer = tf.function(lambda *a: loop(*a), input_signature=signature, autograph=False)
    wrapped = outer.get_concrete_function().graph.as_graph_def()
    (call,) = [inner for inner in wrapped.node if "PartitionedCall" in inner.op]
    graph.library.function.extend(wrapped.library.function)
    bias = layer.cell.bias.numpy() if layer.use_bias else tf.zeros(4 * units).numpy()
    values = [tf.zeros((1, units)).numpy()] * 2
    values += [layer.cell.kernel.numpy(), layer.cell.recurrent_kernel.numpy(), bias]
    source = node.input[0]
    del node.input[:]
    node.input.append(source)
    for position, value in enumerate(values):
        constant = graph.node.add(op="Const", name=f"{node.name}/weight_{position}")
        constant.attr["dtype"].type = tf.float32.as_datatype_enum
        constant.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(value))
        node.input.append(constant.name)
    node.op = call.op
    node.attr.clear()
    for key in ("f", "Tin", "Tout"):
        node.attr[key].CopyFrom(call.attr[key])


def _loop(inputs, hidden, cell, kernel, recurrent, bias):
    """The layer as Keras computes it, with the outputs that the converter expects of an LSTM."""
    import tensorflow as tf

    sequence = tf.transpose(inputs, (1, 0, 2))
    count = sequence.shape[0]
    read = tf.TensorArray(tf.float32, size=count).unstack(sequence)
    written = tf.TensorArray(tf.float32, size=count)

    def step(time, written, hidden, cell):
        gates = tf.matmul(read.read(time), kernel) + tf.matmul(hidden, recurrent) + bias
        opened, kept, new, shown = tf.split(gates, 4, axis=1)
        cell = tf.sigmoid(kept) * cell + tf.sigmoid(opened) * tf.tanh(new)
        hidden = tf.sigmoid(shown) * tf.tanh(cell)
        return time + 1, written.write(time, hidden), hidden, cell

    start = (0, written, hidden, cell)
    _, written, hidden, cell = tf.while_loop(lambda time, *_: time < count, step, start)
    outputs = tf.transpose(written.stack(), (1, 0, 2))
    return outputs[:, -1], outputs, hidden, cell, tf.constant(0.0)
