"""How good a model is: the Keras model, or the file as the device computes it."""

from __future__ import annotations

import numpy as np

from tflite_export import interpreters, samples, tflm
from tflite_export.affine import dequantize_array, quantize_array
from tflite_export.c import native
from tflite_export.errors import ModelError
from tflite_export.read import read


def accuracy(labels, outputs) -> float:
    """Returns the share of samples whose most likely class is the right one.

    Args:
        labels: Class numbers of shape `(samples,)` or `(samples, 1)`, or one-hot rows; for sequences one
            more axis of steps.
        outputs: Probabilities or logits, classes on the last axis; a single output is the probability
            of class 1.

    Raises:
        ValueError: If the shapes do not belong together.

    Example:
    >>> accuracy(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
    0.5
    """
    labels, outputs = np.asarray(labels), np.asarray(outputs)
    classes = outputs.shape[-1] if outputs.ndim > 1 else 1
    if classes == 1:
        predicted = outputs.reshape(len(outputs), -1) > 0.5
    else:
        predicted = outputs.argmax(axis=-1).reshape(len(outputs), -1)
        if labels.shape == outputs.shape:
            labels = labels.argmax(axis=-1)
    if labels.size != predicted.size:
        raise ValueError(
            f"labels must be class numbers, or one-hot like the outputs of shape {outputs.shape}. "
            f"Received: labels of shape {labels.shape}. For another task pass a function as metric."
        )
    return float(np.mean(predicted == labels.reshape(predicted.shape)))


def as_metric(metric):
    """Returns the function `(labels, outputs) -> float` meant by `"accuracy"` or by such a function.

    Raises:
        ValueError: If it is neither.
    """
    if metric == "accuracy":
        return accuracy
    if not callable(metric):
        raise ValueError(
            "metric must be 'accuracy' or a function (labels, outputs) -> float, higher for better. "
            f"Received: metric={metric!r}."
        )
    return metric


def as_pair(data):
    """Returns `(inputs, labels)` from what a user passed as data with labels.

    Raises:
        ValueError: If it is not a pair of arrays of one length.
    """
    if not isinstance(data, tuple) or len(data) != 2:
        raise ValueError(
            f"data must be a pair (inputs, labels) of arrays. Received: {type(data).__name__}"
            + (f" of length {len(data)}." if isinstance(data, tuple | list) else ".")
        )
    inputs, labels = data
    parts = list(inputs.values()) if isinstance(inputs, dict) else inputs
    lengths = {len(part) for part in (parts if isinstance(parts, list | tuple) else [parts])} | {len(labels)}
    if len(lengths) > 1 or 0 in lengths:
        raise ValueError(
            f"inputs and labels must have as many samples, at least one. Received: {sorted(lengths)}."
        )
    return inputs, labels


def keras_score(model, data, metric="accuracy", *, batch_size=256) -> float:
    """Returns what `metric` says of a Keras model on `data`, a pair `(inputs, labels)`."""
    inputs, labels = as_pair(data)
    return scored(metric, labels, keras_outputs(model, inputs, batch_size=batch_size))


def keras_outputs(model, inputs, *, batch_size=256):
    """Returns a Keras model's outputs for all inputs as a flat list of arrays."""
    batches = samples.batches(samples.specs_of(model), inputs, batch_size, what="data")
    outputs = [samples.predict(model, batch) for batch in batches]
    return [np.concatenate(parts) for parts in zip(*outputs, strict=True)]


def device_score(tflite, data, metric="accuracy") -> float:
    """Returns what `metric` says of a file on `data`, computed with the device's integer arithmetic.

    Args:
        tflite: Bytes, path or conversion result.
        data: A pair `(inputs, labels)`; inputs as the Keras model takes them, in real values.
        metric: `"accuracy"` or a function `(labels, outputs) -> float` that gets real values.

    Raises:
        ValueError: If the data does not fit the model.
    """
    inputs, labels = as_pair(data)
    return scored(metric, labels, device_outputs(tflite, inputs))


def device_outputs(tflite, inputs):
    """Returns a file's outputs in real values, one float32 array for each, as the device computes them.

    Integer models run as compiled C, which has TFLM's bits at a hundred times its speed, else in TFLM;
    float models run in the LiteRT interpreter.
    """
    graph = read(tflite)
    (parts,) = samples.batches(samples.specs_of_file(graph), inputs, 1 << 30, what="data")
    on_grid = {
        tensor.index: quantize_array(part, tensor) if tensor.quantization is not None else part
        for part, tensor in zip(parts, graph.named("inputs").values(), strict=True)
    }
    results = _run(graph, [on_grid[tensor.index] for tensor in graph.inputs])
    by_index = {tensor.index: result for tensor, result in zip(graph.outputs, results, strict=True)}
    return [_real(by_index[tensor.index], tensor) for tensor in graph.named("outputs").values()]


def _real(values, tensor):
    values = values.reshape(len(values), *tensor.shape[1:])
    return dequantize_array(values, tensor) if tensor.quantization is not None else values


def _run(graph, arrays):
    if any(tensor.dtype.startswith("float") for tensor in graph.main.tensors):
        return interpreters.run(graph, arrays, fresh=True)
    try:
        return native.run(graph, arrays, fresh=True)
    except (ModelError, RuntimeError):  # an operator without C, or no compiler here
        return tflm.run(graph, [array[:, np.newaxis] for array in arrays], fresh=True)


def scored(metric, labels, outputs) -> float:
    """Returns what `metric` says of a flat list of outputs.

    Example:
    >>> scored("accuracy", np.array([1]), [np.array([[0.1, 0.9]])])
    1.0
    """
    return float(as_metric(metric)(labels, outputs[0] if len(outputs) == 1 else outputs))


def name_of(metric) -> str:
    """Returns what to call a metric that `as_metric` takes.

    Example:
    >>> name_of("accuracy"), name_of(accuracy), name_of(lambda labels, outputs: 0.0)
    ('accuracy', 'accuracy', '<lambda>')
    """
    return metric if isinstance(metric, str) else getattr(metric, "__name__", "score")
