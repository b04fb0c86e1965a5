"""Proves that TensorFlow Lite Micro computes what was promised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tflite_export import interpreters, tflm
from tflite_export import samples as sample_arrays
from tflite_export.affine import dequantize_array, quantize_array
from tflite_export.c import native
from tflite_export.errors import ModelError
from tflite_export.graph import Tensor
from tflite_export.read import read

DEFAULT_TOLERANCE_STEPS = 2.0


@dataclass(frozen=True)
class Difference:
    """How one output differs between TFLM and another way to compute it.

    Attributes:
        output: Name of the output.
        elements: Number of elements compared, over all samples.
        differing: How many of them differ.
        max_steps: Largest difference, in steps of the output's scale.
        mean_steps: Mean absolute difference, in steps.
        same_class: Share of samples with the same largest element; None where the output is not a
            vector of at least two elements.
    """

    output: str
    elements: int
    differing: int
    max_steps: float
    mean_steps: float
    same_class: float | None


@dataclass(frozen=True)
class Verification:
    """What `verify` found.

    Attributes:
        samples: Number of samples run.
        interpreter: Where the LiteRT interpreter came from.
        litert: TFLM against LiteRT, for each output. LiteRT's fast kernels round differently by
            design, so a difference here is rounding and no failure.
        compiled_c: TFLM against the standalone C, compiled and run here, for each output: must be
            equal. None where that cannot be run.
        without_c: Why `compiled_c` is None, else empty.
        keras: TFLM against the Keras model, for each output; None where no model was given.
    """

    samples: int
    interpreter: str
    litert: tuple[Difference, ...]
    compiled_c: tuple[Difference, ...] | None
    without_c: str
    keras: tuple[Difference, ...] | None

    def within(self, tolerance_steps: float = DEFAULT_TOLERANCE_STEPS) -> bool:
        """Returns whether the C is equal and the Keras model at most so many steps away on average."""
        if any(difference.differing for difference in self.compiled_c or ()):
            return False
        return all(difference.mean_steps <= tolerance_steps for difference in self.keras or ())


def verify(tflite, samples, model=None) -> Verification:
    """Runs a model on TFLM and LiteRT (and in Keras) and says how far the outputs are apart.

    Every sample starts from the initial state, as in Keras, where the file keeps state (LSTM).

    Args:
        tflite: Bytes, path, or what `convert` returned.
        samples: Inputs with the batch first, float as the Keras model takes them or already integers;
            a list of arrays for several inputs, in the order of the signature.
        model: The Keras model that was converted. Its outputs are put on the integer grid of the
            file's outputs and compared. Defaults to none.

    Raises:
        ModelError: If TFLM or LiteRT refuses the file.
        ValueError: If the samples do not fit the inputs.

    Example:
    >>> result = verify("model.tflite", np.random.default_rng(0).random((5, 8, 8, 1)))
    >>> result.compiled_c[0].differing
    0
    """
    graph = read(tflite)
    names_in, names_out = graph.named("inputs"), graph.named("outputs")
    given = _whole(sample_arrays.specs_of_file(graph), samples)
    order = [list(names_in.values()).index(tensor) for tensor in graph.inputs]
    integers = [_to_grid(given[i], tensor) for i, tensor in zip(order, graph.inputs, strict=True)]
    on_tflm = [_flat(y, integers) for y in tflm.run(graph, [_batched(x) for x in integers], fresh=True)]
    on_litert = [_flat(y, integers) for y in interpreters.run(graph, integers, fresh=True)]
    outputs = list(zip(graph.outputs, on_tflm, strict=True))
    name_of = {tensor.index: name for name, tensor in names_out.items()}
    litert = tuple(
        _difference(name_of[tensor.index], tensor, got, other)
        for (tensor, got), other in zip(outputs, on_litert, strict=True)
    )
    compiled_c, without_c = _against_c(graph, integers, outputs, name_of)
    keras = None
    if model is not None:
        results = {tensor.index: got for tensor, got in outputs}
        promised = sample_arrays.predict(
            model, [dequantized(x, t) for x, t in zip(given, names_in.values(), strict=True)]
        )
        keras = tuple(
            _difference(name, tensor, results[tensor.index], _to_grid(want.reshape(len(want), -1), tensor))
            for (name, tensor), want in zip(names_out.items(), promised, strict=True)
        )
    interpreter = interpreters.find_interpreter().name
    return Verification(len(integers[0]), interpreter, litert, compiled_c, without_c, keras)


def _against_c(graph, integers, outputs, name_of):
    try:
        on_c = [_flat(y, integers) for y in native.run(graph, integers, fresh=True)]
    except (ModelError, RuntimeError) as error:
        return None, str(error)
    compared = zip(outputs, on_c, strict=True)
    return tuple(_difference(name_of[t.index], t, got, other) for (t, got), other in compared), ""


def dequantized(values, tensor: Tensor):
    """Returns samples as the Keras model takes them: integers of a quantized input become floats."""
    is_grid = tensor.quantization is not None and values.dtype.kind in "iu"
    return dequantize_array(values, tensor) if is_grid else values


def _whole(specs, samples):
    """Returns one checked array for each input; integers of the input's own type are kept."""
    parts = list(samples) if isinstance(samples, list | tuple) and len(specs) > 1 else [samples]
    integer = [np.asarray(part).dtype.kind in "iu" for part in parts]
    chunks = list(sample_arrays.batches(specs, samples, 1 << 30, what="samples"))
    whole = [np.concatenate([chunk[i] for chunk in chunks]) for i in range(len(specs))]
    kept = integer if len(integer) == len(whole) else [False] * len(whole)
    return [x.astype(np.int64) if is_integer else x for x, is_integer in zip(whole, kept, strict=True)]


def _to_grid(values, tensor):
    if tensor.quantization is None:
        return values.astype(tensor.dtype)
    if values.dtype.kind in "iu":
        return values.astype(tensor.dtype)
    return quantize_array(values, tensor)


def _batched(values):
    return values[:, None]


def _flat(values, integers):
    return values.reshape(len(integers[0]), -1)


def _difference(name, tensor, got, want):
    got, want = got.astype(np.float64), want.astype(np.float64)
    # A float output has no grid: 255 steps over the values seen stand in for one.
    step = 1.0 if tensor.dtype.startswith(("int", "uint")) else max(float(np.ptp(got)), 1e-12) / 255
    steps = np.abs(got - want) / step
    same = None
    if got.shape[1] > 1:
        # Equal largest elements are one class together: an argmax would pick by position.
        top = np.take_along_axis(got, want.argmax(axis=1)[:, None], axis=1)[:, 0]
        same = float(np.mean(top == got.max(axis=1)))
    return Difference(
        name, got.size, int(np.count_nonzero(steps)), float(steps.max()), float(steps.mean()), same
    )
