"""A `.tflite` graph as a sequence of TensorFlow functions."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.kernel import Evaluation, Operands, kernels
from tflite_export.c.emit import Node, UnsupportedError, emitters, live_ops, variable_states
from tflite_export.errors import ModelError
from tflite_export.graph import Graph

_SAME_BYTES = ("RESHAPE", "SQUEEZE", "EXPAND_DIMS")


class Program:
    """Evaluates a graph for many samples at once, each as one invocation from the initial state.

    Args:
        graph: What `tflite_export.read` returned.

    Raises:
        ModelError: If operators are not supported; the message lists all of them.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self._constants = {t.index: t.data for t in graph.main.tensors if t.data is not None}
        self._steps = []
        refused = []
        states = variable_states(graph.main)
        variables: dict = {}
        registry = kernels()
        for op in live_ops(graph.main, emitters()):
            node = Node(op, graph, self._constants, variables, states)
            if op.code in _SAME_BYTES and op.inputs[0] in self._constants:
                self._constants[op.outputs[0]] = self._constants[op.inputs[0]].reshape(node.output().shape)
                continue
            try:
                if op.code not in registry:
                    raise UnsupportedError("no kernel for it")
                self._steps.append((node, registry[op.code](node)))
            except UnsupportedError as error:
                refused.append(f"{op.code} (operator {op.index}): {error}")
        if refused:
            raise ModelError(
                "This model cannot be simulated. What stands in the way:\n  " + "\n  ".join(refused) + "\n"
                f"Operators with kernels: {', '.join(sorted(registry))}."
            )

    def __call__(self, inputs):
        """Returns the outputs, each of shape `(samples, *shape in the file)` and of the file's type.

        Args:
            inputs: Integer tensors (float where the file's input is), one for each input of the file, of
                shape `(samples, *shape in the file)`.
        """
        evaluation = Evaluation(
            tf.shape(inputs[0])[0], dict(zip(self.graph.main.inputs, inputs, strict=True))
        )
        for node, run in self._steps:
            results = run(Operands(node, evaluation))
            if not isinstance(results, (tuple, list)):
                results = [results]
            evaluation.tensors.update(zip(node.op.outputs, results, strict=True))
        return [self._output(index, evaluation) for index in self.graph.main.outputs]

    def _output(self, index, evaluation):
        tensor = self.graph.main.tensors[index]
        if index in self._constants:
            value = tf.constant(np.ascontiguousarray(self._constants[index]))
            return tf.broadcast_to(value, tf.concat([evaluation.samples[None], tensor.shape], 0))
        return tf.reshape(evaluation.tensors[index], (-1, *tensor.shape))
