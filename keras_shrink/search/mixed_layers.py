"""The layers of a supernet: what each step of a sketch computes when its choices are probabilities.

A value is a dictionary: sides of a picture -> tensor of that size and the probability of that size. Where
several operators give the same size, their mean by probability is carried on.
"""

from __future__ import annotations

import math

import numpy as np
from keras import ops

from keras_shrink.search.mixture import highest, is_mixed

_LEAST = 1e-9
_EPSILON = 1e-3  # of keras.layers.BatchNormalization


def chances(mixture, answers):
    """Returns the probabilities of a mixture's values.

    Args:
        mixture: A `Mixture`.
        answers: Name of a choice -> tensor with the probabilities of its options.
    """
    if mixture.places is None:
        return answers[mixture.names[0]] if mixture.names else ops.ones((1,))
    of_parts = [chances(part, answers) for part in mixture.parts]
    if mixture.joint:
        outcomes = ops.ones((1,))
        for each in of_parts:
            outcomes = ops.reshape(outcomes[:, None] * each, (-1,))
    else:
        choice, *rest = of_parts
        outcomes = ops.concatenate([choice[i] * each for i, each in enumerate(rest)])
    return ops.tensordot(outcomes, mixture.places, axes=1)


def weight_shapes(step, shapes):
    """Returns name -> shape of the weights that all candidates share in a step.

    Args:
        step: Of a sketch.
        shapes: Of its inputs, mixtures where they are not decided.

    Raises:
        ValueError: If the step cannot be mixed.
    """
    if step.kind not in LAYERS or (step.kind == "reshape" and len(step.shape) == 1 and is_mixed(*step.shape)):
        what = "flatten of a picture whose size is chosen" if step.kind in LAYERS else step.kind
        raise ValueError(
            f"The strategy 'gradient' has no form for this layer of the space: {what}. Choose another "
            "strategy."
        )
    width, before = highest(step.shape[-1]), highest(shapes[0][-1])
    if step.kind == "dense":
        return {"kernel": (before, width), "beta": (width,)}
    if step.kind == "residual" and step.settings["project"]:
        return {"kernel": (1, 1, before, width), "gamma": (width,), "beta": (width,)}
    if step.kind == "lstm":
        return {"kernel": (before, 4 * width), "recurrent": (width, 4 * width), "beta": (4 * width,)}
    if step.kind not in ("conv", "depthwise"):
        return {}
    size, height = highest(step.settings["size"]), shapes[0][0]
    kernel = (1 if not is_mixed(height) and height == 1 else size, size)
    kernel = (*kernel, before, width if step.kind == "conv" else 1)
    return {"kernel": kernel, "gamma": (width,), "beta": (width,)}


def _conv(step, inputs, weights, answers):
    kernel = _masked_kernel(weights["kernel"], step.settings["size"], answers)
    apply = ops.conv if step.kind == "conv" else ops.depthwise_conv

    def convolved(x, stride):
        return apply(x, kernel, strides=(1 if x.shape[1] == 1 else stride, stride), padding="same")

    moved = _strided(inputs[0], convolved, step.settings["stride"], highest(step.settings["size"]), answers)
    return _finished(moved, step, weights, answers, normalize=step.settings["normalize"])


def _dense(step, inputs, weights, answers):
    value = {sides: (ops.matmul(x, weights["kernel"]), chance) for sides, (x, chance) in inputs[0].items()}
    return _finished(value, step, weights, answers)


def _added(step, inputs, weights, answers):
    x, y = inputs
    value = {sides: (x[sides][0] + y[sides][0], y[sides][1]) for sides in y if sides in x}
    return _finished(value, step, weights, answers)


def _residual(step, inputs, weights, answers):
    """Adds the short cut as far as it is likely to have the shape of the long way."""
    x, y = inputs
    given = step.settings
    same = _chance_of(given["same"], True, answers) if is_mixed(given["same"]) else float(given["same"])
    if given["project"]:
        moved = _strided(
            x, lambda v, s: ops.conv(v, weights["kernel"], strides=s, padding="same"),
            given["stride"], 1, answers,
        )  # fmt: skip
        moved = _normalized(moved, weights)
        if not is_mixed(given["stride"]) and given["stride"] == 1:
            moved = {
                sides: (same * _widened(x[sides][0], long.shape[-1]) + (1 - same) * long, chance)
                for sides, (long, chance) in moved.items()
            }
        share = 1.0
    else:
        moved, share = x, same
    value = {}
    for sides, (long, chance) in y.items():
        if sides in moved:
            short, likely = moved[sides]
            along = share * (1.0 if given["project"] else ops.minimum(1.0, likely / (chance + _LEAST)))
            long = long + along * _widened(short, long.shape[-1])
        value[sides] = long, chance
    return _finished(value, step, weights, answers, biased=False)


def _max_pool(step, inputs, weights, answers):
    size = [highest(side) for side in step.settings["size"]]
    parts = []
    for sides, (x, chance) in inputs[0].items():
        over = tuple(map(min, size, sides))
        parts.append((ops.max_pool(x, over, over), chance))
    return _merged(parts)


def _average(step, inputs, weights, answers):
    parts = []
    for sides, (x, chance) in inputs[0].items():
        parts.append((ops.mean(x, axis=tuple(range(1, 1 + len(sides)))), chance))
    return _merged(parts)


def _reshape(step, inputs, weights, answers):
    parts = []
    for sides, (x, chance) in inputs[0].items():
        if len(step.shape) == len(sides) + 2:
            parts.append((x[:, None], chance))
        elif len(step.shape) == 1:
            parts.append((ops.reshape(x, (-1, math.prod(x.shape[1:]))), chance))
        else:
            parts.append((x[:, 0], chance))
    return _merged(parts)


def _mixed(step, inputs, weights, answers):
    width = highest(step.shape[-1])
    shares = chances(step.settings["choice"], answers)
    return _merged(
        [
            (_widened(x, width), shares[i] * chance)
            for i, value in enumerate(inputs)
            for x, chance in value.values()
        ]
    )


def _lstm(step, inputs, weights, answers):
    """Reads every length of sequence; what is passed on from step to step is masked as the result is."""
    width = step.shape[-1]
    mask = _mask(width, answers) if is_mixed(width) else ops.ones((width,))
    parts = []
    for x, chance in inputs[0].values():
        state = cell = ops.zeros((ops.shape(x)[0], highest(width)))
        from_inputs = ops.matmul(x, weights["kernel"]) + weights["beta"]
        for time in range(x.shape[1]):
            gates = from_inputs[:, time] + ops.matmul(state, weights["recurrent"])
            write, forget, value, read = ops.split(gates, 4, axis=-1)
            cell = ops.sigmoid(forget) * cell + ops.sigmoid(write) * ops.tanh(value)
            state = mask * ops.sigmoid(read) * ops.tanh(cell)
        parts.append((state, chance))
    return _merged(parts)


LAYERS = {
    "conv": _conv,
    "depthwise": _conv,
    "dense": _dense,
    "lstm": _lstm,
    "add": _added,
    "residual": _residual,
    "max_pool": _max_pool,
    "average": _average,
    "reshape": _reshape,
    "mixed": _mixed,
}


def _strided(value, apply, stride, size, answers):
    """Returns what a layer makes of every size, and of every stride from one computation."""
    if not is_mixed(stride):
        return _merged([(apply(x, stride), chance) for x, chance in value.values()])
    shares, parts = chances(stride, answers), []
    for sides, (x, chance) in value.items():
        whole = apply(x, 1)
        for i, step in enumerate(stride.values):
            places = [slice(None)]
            for side in sides:
                many = -(-side // step)
                padding = max((many - 1) * step + size - side, 0) // 2
                places.append(slice((size - 1) // 2 - padding if side > 1 else 0, None, step))
            parts.append((whole[tuple(places)], chance * shares[i]))
    return _merged(parts)


def _merged(parts):
    """Returns one tensor for each size: the mean of its parts by probability."""
    by_sides: dict[tuple, list] = {}
    for x, chance in parts:
        by_sides.setdefault(tuple(x.shape[1:-1]), []).append((x, chance))
    value = {}
    for sides, same in by_sides.items():
        chance = sum(c for _, c in same)
        mean = sum(x * (c / (chance + _LEAST)) for x, c in same) if len(same) > 1 else same[0][0]
        value[sides] = mean, chance
    return value


def _finished(value, step, weights, answers, *, normalize=False, biased=True):
    """Returns a value with normalization or bias, activation, and without the channels that are unlikely."""
    if normalize:
        value = _normalized(value, weights)
    elif biased and "beta" in weights:
        value = {sides: (x + weights["beta"], chance) for sides, (x, chance) in value.items()}
    width, activation = step.shape[-1], step.settings["activation"]
    mask = _mask(width, answers) if is_mixed(width) else None
    for sides, (x, chance) in value.items():
        x = _activated(x, activation, answers)
        value[sides] = (x if mask is None else x * mask), chance
    return value


def _normalized(value, weights):
    result = {}
    for sides, (x, chance) in value.items():
        mean, variance = ops.moments(x, axes=tuple(range(len(x.shape) - 1)))
        scale = weights["gamma"] * ops.rsqrt(variance + _EPSILON)
        result[sides] = (x - mean) * scale + weights["beta"], chance
    return result


def _activated(x, activation, answers):
    if is_mixed(activation):
        shares = chances(activation, answers)
        return sum(shares[i] * _activated(x, name, answers) for i, name in enumerate(activation.values))
    return {"relu": ops.relu, "relu6": ops.relu6}.get(activation, lambda x: x)(x)  # softmax is in the loss


def _mask(width, answers):
    highest_width = highest(width)
    kept = [[float(channel < value) for channel in range(highest_width)] for value in width.values]
    return ops.tensordot(chances(width, answers), np.array(kept, "float32"), axes=1)


def _masked_kernel(kernel, size, answers):
    """Returns a kernel of which the outer parts are there as far as a large one is likely."""
    if not is_mixed(size):
        return kernel
    masks = []
    for value in size.values:
        mask = np.zeros(kernel.shape[:2], "float32")
        inside = [slice((s - min(s, value)) // 2, (s - min(s, value)) // 2 + value) for s in kernel.shape[:2]]
        mask[tuple(inside)] = 1
        masks.append(mask)
    return kernel * ops.tensordot(chances(size, answers), np.array(masks), axes=1)[..., None, None]


def _chance_of(mixture, value, answers):
    return chances(mixture, answers)[mixture.values.index(value)]


def _widened(x, width):
    missing = width - x.shape[-1]
    return ops.pad(x, [(0, 0)] * (len(x.shape) - 1) + [(0, missing)]) if missing else x
