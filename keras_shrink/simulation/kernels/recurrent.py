"""Layers with a memory, run from its initial state."""

import numpy as np
import tensorflow as tf

from keras_shrink.simulation.arithmetic import (
    every,
    look_up,
    reach,
    requantize,
    requantize_64,
    saturate,
    wide,
)
from keras_shrink.simulation.kernel import emitted, simulates
from tflite_export.c.ops.unidirectional_sequence_lstm import GATES
from tflite_export.fixed_point_functions import logistic_q15, table_units, tanh_q15

_LONGEST = 1 << 15


@simulates("UNIDIRECTIONAL_SEQUENCE_LSTM")
def lstm(node):
    """An LSTM over the whole sequence."""
    p, dtype = emitted(node).params, node.output().dtype
    table, gates = p["table"].values, every("int16")
    logistic, tanh = (f(3 * gates, table).astype(np.float64) for f in (logistic_q15, tanh_q15))
    squash = tanh_q15(table_units(gates, p["tanh_multiplier"], p["tanh_shift"]), table).astype(np.float64)
    dense = {name: _gate(p[name], dtype) for name, _ in GATES}
    limit = float(p["cell_clip"] or 32768)

    def product(a, b, name):
        return requantize(a * b, p[f"{name}_multiplier"], p[f"{name}_shift"], 1 << 30)

    def step(x, hidden, cell):
        takes = {name: gate(x, hidden) for name, gate in dense.items()}
        forget, accept, show = (
            look_up(logistic, takes[name], "int16") for name in ("forget_gate", "input_gate", "output_gate")
        )
        kept = _int16(product(forget, cell, "forget"))
        added = _int16(product(accept, look_up(tanh, takes["cell_gate"], "int16"), "update"))
        cell = tf.clip_by_value(_int16(kept + added), -limit, limit)
        shown = product(look_up(squash, cell, "int16"), show, "hidden") + p["hidden_zero_point"]
        return wide(saturate(shown, dtype)), cell

    def run(operands):
        return _over_time(node, p, step, wide(operands(0)))

    return run


def _int16(value):
    return tf.clip_by_value(value, -32768.0, 32767.0)


def _gate(p, dtype):
    """What a gate takes in, in Q3.12, as a function of input and hidden values in float64."""
    rescale = requantize if dtype == "int8" else requantize_64
    sides = []
    for kind in ("input", "recurrent"):
        weights = np.asarray(p[f"{kind}_weights"].values, np.float64)
        bias = np.asarray(p[f"{kind}_bias"].values, np.float64).reshape(-1)
        # The zero point is in the bias.
        bound = int((np.abs(weights).sum(1) * reach(dtype, 0) + np.abs(bias)).max())
        sides.append((weights.T, bias, (p[f"{kind}_multiplier"], p[f"{kind}_shift"], bound)))

    def run(x, hidden):
        parts = [
            _int16(rescale(value @ weights + bias, *scaling))
            for value, (weights, bias, scaling) in zip((x, hidden), sides, strict=True)
        ]
        return _int16(parts[0] + parts[1])

    return run


def _over_time(node, p, step, x):
    """Runs the steps over values of shape `(samples, batches, steps, depth)`, or steps first."""
    shape, dtype = node.output().shape, node.output().dtype
    rows = x if p["time_major"] else tf.transpose(x, (0, 2, 1, 3))
    rows = tf.reshape(tf.transpose(rows, (1, 0, 2, 3)), (p["steps"], -1, p["depth"]))
    count = tf.shape(rows)[1]
    hidden = tf.fill((count, p["units"]), tf.constant(p["hidden_zero_point"], tf.float64))
    outputs = tf.TensorArray(tf.float64, p["steps"], element_shape=(None, p["units"]))

    def advance(i, hidden, cell, outputs):
        hidden, cell = step(rows[i], hidden, cell)
        return i + 1, hidden, cell, outputs.write(i, hidden)

    *_, outputs = tf.while_loop(
        lambda i, *_: i < p["steps"],
        advance,
        (0, hidden, tf.zeros_like(hidden), outputs),
        maximum_iterations=p["steps"],
    )
    values = tf.reshape(outputs.stack(), (p["steps"], -1, p["batches"], p["units"]))
    order = (1, 0, 2, 3) if p["time_major"] else (1, 2, 0, 3)
    return tf.cast(tf.reshape(tf.transpose(values, order), (-1, *shape)), dtype)


@simulates("SVDF")
def svdf(node):
    """A dense layer and a filter over time; from the initial state only the newest feature counts."""
    p = emitted(node).params
    state = node.input(4).dtype
    features = np.asarray(node.required(1, "feature weights"), np.float64)
    newest = np.asarray(node.required(2, "time weights"), np.float64)[:, -1]
    shift = np.asarray(p["feature_bias"].values, np.float64).reshape(-1)
    offset = np.asarray(p["bias"].values, np.float64).reshape(-1)
    first = int((np.abs(features).sum(1) * reach("int8", 0) + np.abs(shift)).max())
    second = int(np.abs(newest).reshape(-1, p["rank"]).sum(1).max() * _LONGEST + np.abs(offset).max())

    def run(operands):
        sums = wide(operands(0)) @ features.T + shift
        feature = requantize(sums, p["feature_multiplier"], p["feature_shift"], first)
        stored = wide(saturate(feature, state)) + p["state_zero_point"]
        weighed = (wide(tf.cast(tf.cast(stored, tf.int32), state)) - p["state_zero_point"]) * newest
        total = tf.reduce_sum(tf.reshape(weighed, (-1, *node.output().shape, p["rank"])), -1) + offset
        value = requantize(total, p["output_multiplier"], p["output_shift"], second)
        return saturate(value + p["output_zero_point"], "int8")

    return run
