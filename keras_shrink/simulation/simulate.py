"""The verb: `simulate` makes a Keras model that answers as the device does."""

from __future__ import annotations

import base64
import re
import warnings

import keras
import tensorflow as tf

import tflite_export
from keras_shrink.simulation.kernels.pointwise import dequantized, quantized
from keras_shrink.simulation.program import Program


def simulate(model, representative_data=None, *, dequantize=True):
    """Returns a `keras.Model` that computes the integers of TFLM bit for bit, in batches.

    Use it to evaluate what will run on the device, whatever the operators: `evaluate` of a quantized Keras
    model rounds as the device does, but for layers used at several places and the activations within steps
    of recurrent layers, where now and then a value falls on the neighbouring step. The model is converted,
    and every operator of the file is computed with the integer arithmetic of TFLM's reference kernels,
    several times faster than TFLM itself.

    Each sample starts from the file's initial state where it keeps state. The result has no weights to
    train. It can be saved; it holds the file.

    Args:
        model: A quantized `keras.Model`; or a `.tflite` from anywhere: bytes, a path or what
            `tflite_export.convert` returned.
        representative_data: For a float Keras model only: as `tflite_export.convert` takes it.
        dequantize: Whether outputs are real numbers, `scale * (q - zero_point)`, as those of a Keras
            model are, instead of the integers. Defaults to True.

    Returns:
        A model with the inputs and outputs of the one given, compiled alike if that was compiled.

    Raises:
        ModelError: If operators of the file are not supported; the message names all of them.
        ValueError: As `tflite_export.convert`; and if the file comes with representative data.

    Example:
    >>> import keras, numpy as np, keras_shrink as ks
    >>> x = np.random.rand(100, 4)
    >>> qat = ks.calibrate(keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)]), x)
    >>> device = ks.simulate(qat)
    >>> bool(np.abs(device.predict(x, verbose=0) - qat.predict(x, verbose=0)).max() < 0.1)
    True
    """
    if not isinstance(model, keras.Model):
        if representative_data is not None:
            raise ValueError(
                "A .tflite file brings its own ranges. Received: representative_data. Leave it out, or pass "
                "the Keras model."
            )
        return _wired(IntegerGraph(tflite_export.read(model).content, dequantize))
    with warnings.catch_warnings():
        # It concerns the caller of an interpreter; here every sample starts afresh.
        warnings.filterwarnings("ignore", message="The file computes LSTM layers")
        content = tflite_export.convert(model, representative_data).bytes
    return _wired(IntegerGraph(content, dequantize), model)


def _wired(layer, model=None):
    """A functional model around the layer, with the interface of a Keras model or that of the file."""
    specs = [(name, tuple(t.shape[1:]), layer.accepts(t)) for name, t in layer.tensors_in.items()]
    names = [name for name, _, _ in specs] if model is None else [x.name for x in model.inputs]
    inputs = [
        keras.Input(shape, dtype=dtype, name=re.sub(r"[^\w.]", "_", name))
        for name, (_, shape, dtype) in zip(names, specs, strict=True)
    ]
    outputs = layer(inputs)
    if model is None or isinstance(model, keras.Sequential):
        ends = [x[0] if len(x) == 1 else x for x in (inputs, outputs)]
    else:
        ends = [keras.tree.pack_sequence_as(*x) for x in ((model.input, inputs), (model.output, outputs))]
    result = keras.Model(*ends, name="simulated" if model is None else model.name)
    if model is not None and model.compiled:
        result.compile_from_config(model.get_compile_config())
    return result


@keras.saving.register_keras_serializable("keras_shrink")
class IntegerGraph(keras.layers.Layer):
    """A `.tflite` file as a layer: real numbers in, integers within, real numbers or integers out.

    Args:
        tflite: The file's bytes, or those in base64.
        dequantize: Whether outputs are real numbers. Defaults to True.
    """

    def __init__(self, tflite, dequantize=True, **kwargs):
        super().__init__(**{"trainable": False, "dtype": "float32", **kwargs})
        content = base64.b64decode(tflite) if isinstance(tflite, str) else tflite
        self.dequantize = dequantize
        self._program = Program(tflite_export.read(content))
        graph = self._program.graph
        self.tensors_in, self.tensors_out = graph.named("inputs"), graph.named("outputs")
        odd = [name for name, t in self.tensors_in.items() if t.shape[:1] != (1,)]
        if odd:
            raise ValueError(
                "Inputs need a leading dimension of 1, in whose place samples come. Received: inputs "
                f"{ {name: self.tensors_in[name].shape for name in odd} }. Export it with a batch of 1."
            )
        self.built = True

    @staticmethod
    def accepts(tensor):
        """Returns what an input takes: float32 where it is quantized, else its own type."""
        return tensor.dtype if tensor.quantization is None else "float32"

    def call(self, inputs):
        """Returns the outputs, a list in the order of the signature."""
        by_index = {
            tensor.index: self._to_grid(x, tensor)[:, None]
            for x, tensor in zip(inputs, self.tensors_in.values(), strict=True)
        }
        graph = self._program.graph
        results = dict(
            zip(graph.main.outputs, self._program([by_index[i] for i in graph.main.inputs]), strict=True)
        )
        return [self._from_grid(results[tensor.index], tensor) for tensor in self.tensors_out.values()]

    def _to_grid(self, x, tensor):
        if tensor.quantization is None:
            return tf.cast(x, tensor.dtype)
        q = tensor.quantization
        return quantized(x, q.scale[0], int(q.zero_point[0]), tensor.dtype)

    def _from_grid(self, values, tensor):
        values = tf.reshape(values, (-1, *_per_sample(tensor)))
        if tensor.quantization is None or not self.dequantize:
            return values
        q = tensor.quantization
        return dequantized(values, q.scale[0], int(q.zero_point[0]))

    def compute_output_spec(self, inputs):
        """Shapes and types as the file has them."""
        return [
            keras.KerasTensor(
                (None, *_per_sample(t)), "float32" if self.dequantize and t.quantization else t.dtype
            )
            for t in self.tensors_out.values()
        ]

    def get_config(self):
        """The file in base64."""
        content = base64.b64encode(self._program.graph.content).decode("ascii")
        return {**super().get_config(), "tflite": content, "dequantize": self.dequantize}


def _per_sample(tensor):
    """The shape without the leading 1 that stands for the samples."""
    return tensor.shape[1:] if tensor.shape[:1] == (1,) else tensor.shape
