"""The arena that TensorFlow Lite Micro needs for a model, measured on a conversion."""

from __future__ import annotations

import numpy as np

from tflite_export import convert, samples, tflm

_ROUNDS = 5
_CLOSE = 0.95


def measure(model):
    """Returns the bytes of arena that TFLM needs for a model converted to int8.

    The model is calibrated on random data: the ranges do not matter for memory.

    Args:
        model: A built Keras model without free dimensions besides the batch.
    """
    generator = np.random.default_rng(0)
    data = []
    for spec in samples.specs_of(model):
        shape = (4, *spec.shape[1:])
        floating = "float" in spec.dtype
        data.append(
            generator.normal(0, 1, shape).astype("float32") if floating else np.zeros(shape, spec.dtype)
        )
    return tflm.measure_arena(convert(model, data)).required_bytes


def within(limit, start, estimate, plan_for):
    """Returns the plan whose arena is at most `limit` bytes and close to it, and the arena measured.

    Plans are made for estimates; what an estimate misses is measured and taken off, until it fits.

    Args:
        limit: Bytes that TFLM may need.
        start: Bytes that it needs for the whole model.
        estimate: The estimate for the whole model.
        plan_for: Function `estimate allowed -> (plan, its estimate)`, or None where that is out of reach.

    Returns:
        `(plan, bytes)`, or None where no plan fits.
    """
    missed = start - estimate
    best, seen = None, set()
    for _ in range(_ROUNDS):
        found = plan_for(limit - missed)
        if found is None:
            return best
        plan, estimated = found
        if estimated in seen:
            return best
        seen.add(estimated)
        arena = measure(plan.apply())
        if arena <= limit and (best is None or arena > best[1]):
            best = plan, arena
        if best is not None and best[1] >= _CLOSE * limit:
            return best
        missed = arena - estimated
    return best
