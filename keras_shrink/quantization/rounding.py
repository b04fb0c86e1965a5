"""AdaRound: learns for each weight whether it is rounded up or down."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from keras_shrink.quantization.bias_correction import linear_parts
from keras_shrink.quantization.channels import output_channels
from keras_shrink.quantization.fake_quant import SymmetricWeights
from keras_shrink.quantization.folding import fold_normalization
from keras_shrink.quantization.overrides import choose
from keras_shrink.quantization.quantize import calibrate
from keras_shrink.rebuild import rebuild
from keras_shrink.taps import Taps
from keras_shrink.weights import Transformed
from tflite_export import samples

# The sigmoid is stretched a little over [0, 1], so that its ends are reached (section 3.2 of the paper).
_STRETCH = 1.2


def learn_rounding(
    model,
    representative_data,
    config=None,
    *,
    overrides=None,
    method="minmax",
    steps=1000,
    batch_size=32,
    seed=0,
):
    """Returns a float copy of `model` whose weights lie where they should be rounded to.

    Rounding each weight to its nearest level is not what changes a layer's output least: errors of
    weights add up. Layer by layer, in order and on inputs that come from the layers already rounded,
    `sum |f(x) - f_int8(x)|^2` is minimized over soft choices between the two nearest levels, which a
    growing penalty pushes to one of them. Where that is not better on the data than the nearest levels,
    those stay. Zeros stay zero, scales stay. BatchNormalization is folded first. `calibrate` with the
    same config gives the network; it pays most with 4 bits and with one scale per tensor.

    Args:
        model: A built, trained Functional or Sequential float model. It is not touched.
        representative_data: As for `calibrate`; a few hundred samples or more.
        config: What will be quantized to. Defaults to `Int8()`.
        overrides: Other configs for some layers, as in `quantize`.
        method: How `calibrate` will choose ranges.
        steps: Optimization steps per layer.
        batch_size: Samples in each step.
        seed: Of the choice of samples.

    Raises:
        ValueError: As `calibrate`, and if `steps < 1`.

    Example:
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> x = np.random.rand(64, 4)
    >>> int8 = calibrate(learn_rounding(model, x, steps=10), x)

    Reference:
        Nagel et al., 2020, arXiv:2004.10568.
    """
    if steps < 1:
        raise ValueError(f"steps must be at least 1. Received: steps={steps}. 1000 is usual.")
    choices = choose(model, config, overrides)
    new = fold_normalization(model)
    batches = list(samples.batches(samples.specs_of(new), representative_data, batch_size))
    promised, computed = Taps(rebuild(new)), Taps(calibrate(new, batches, choices, method=method))
    originals, inner, own = (linear_parts(each) for each in (promised.model, computed.model, new))
    roundings = _roundings(computed.model)
    if not roundings:
        raise ValueError(
            f"Nothing is rounded to integers that could be learned. Received: config={choices.config}, "
            f"model={model.name!r}. The rounding of float16 is fine as it is."
        )
    names = [name for name in own if name in inner and name in roundings]
    for name in names:
        promised.before_activation(originals[name], name)
        computed.at_input(inner[name], name)
    generator = np.random.default_rng(seed)
    # A layer that runs as several operators has no one input and output to compare.
    seen = set(promised(batches[0])) & set(computed(batches[0]))
    for name in [name for name in names if name in seen]:
        x, y = _gather(computed, batches, name), _gather(promised, batches, name)
        weight = output_channels(own[name]).weight
        problem = _Layer(own[name], weight, roundings[name], x, y)
        value = problem.solve(steps, min(batch_size, len(x)), generator)
        getattr(own[name], weight).assign(value)
        getattr(inner[name], weight).assign(value)
        if own[name].use_bias:
            inner[name].bias.assign(own[name].bias)
    return new


def _roundings(quantized) -> dict[str, SymmetricWeights]:
    """Returns name of a linear layer -> the rounding of its kernel."""
    found = {}
    for layer in quantized._flatten_layers(include_self=False):
        if isinstance(layer, Transformed) and (channels := output_channels(layer.layer)) is not None:
            chain = layer.weight_transforms.get(channels.weight, [])
            if chain and isinstance(chain[-1], SymmetricWeights):
                found[layer.layer.name] = chain[-1]
    return found


def _gather(taps, batches, name):
    return np.concatenate([taps(batch)[name].numpy() for batch in batches])


class _Layer:
    """The rounding of one layer's kernel as an optimization problem."""

    def __init__(self, layer, weight, rounding, x, y):
        self.layer, self.weight = layer, getattr(layer, weight)
        self.x, self.y = tf.constant(x), tf.constant(y, tf.float32)
        kernel = keras.ops.convert_to_numpy(self.weight).astype(np.float32)
        self.scale = rounding.scale(kernel).numpy()
        levels = kernel / self.scale
        end = 2 ** (rounding.num_bits - 1) - 1
        # Zeros stay zero, and those on the end of the grid stay, for they carry the scale.
        self.fixed = (np.abs(levels) < 1e-6) | (np.abs(levels) > end - 1e-3)
        self.nearest = np.clip(np.round(levels), -end, end)
        self.low = np.floor(levels)
        start = np.clip((levels - self.low - 0.5) / _STRETCH + 0.5, 0.01, 0.99)
        self.choice = tf.Variable(np.log(start / (1 - start)).astype(np.float32))

    def solve(self, steps, batch_size, generator):
        """Returns the kernel on its grid, rounded as is best for the layer's outputs."""
        nearest = (self.nearest * self.scale).astype(np.float32)
        worst = max(float(self._error(nearest, self.x, self.y)), 1e-12)
        optimizer = keras.optimizers.Adam(1e-2)
        optimizer.build([self.choice])

        @tf.function
        def step(indices, sharpness, push):
            with tf.GradientTape() as tape:
                up = self._up()
                kernel = tf.where(self.fixed, self.nearest, self.low + up) * self.scale
                error = self._error(kernel, tf.gather(self.x, indices), tf.gather(self.y, indices))
                undecided = tf.reduce_mean(1 - tf.abs(2 * up - 1) ** sharpness)
                # Relative to nearest rounding, so that one strength of the penalty suits every layer.
                loss = error / worst + push * undecided
            optimizer.apply(tape.gradient(loss, [self.choice]), [self.choice])

        for i in range(steps):
            done = i / steps
            sharpness = 20.0 - 18.0 * max(0.0, (done - 0.2) / 0.8)
            indices = generator.choice(len(self.x), batch_size, replace=False)
            step(tf.constant(indices), tf.constant(sharpness), tf.constant(0.0 if done < 0.2 else 1.0))
        up = self._up().numpy() > 0.5
        learned = (np.where(self.fixed, self.nearest, self.low + up) * self.scale).astype(np.float32)
        return learned if float(self._error(learned, self.x, self.y)) < worst else nearest

    def _up(self):
        return tf.clip_by_value((tf.sigmoid(self.choice) - 0.5) * _STRETCH + 0.5, 0.0, 1.0)

    def _error(self, kernel, x, y):
        variables = self.layer.variables
        mapping = [(v, kernel if v is self.weight else tf.convert_to_tensor(v)) for v in variables]
        activation, self.layer.activation = self.layer.activation, keras.activations.linear
        try:
            with keras.StatelessScope(state_mapping=mapping):
                computed = self.layer(x)
        finally:
            self.layer.activation = activation
        return tf.reduce_mean((tf.cast(computed, tf.float32) - y) ** 2)
