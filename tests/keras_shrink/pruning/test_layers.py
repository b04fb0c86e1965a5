"""Every kind of layer that has a kernel is pruned in `fit` and keeps its zeros."""

import keras
import numpy as np
import pytest

import keras_shrink as ks

layers = keras.layers


@keras.saving.register_keras_serializable("test_layers")
class Scale(layers.Layer):
    """A custom layer with a kernel."""

    def build(self, shape):
        self.kernel = self.add_weight(shape=(shape[-1], 6), name="mine")

    def call(self, x):
        return keras.ops.matmul(x, self.kernel)


class Attention(layers.Layer):
    """Self attention, so that it fits into a chain of layers."""

    def __init__(self):
        super().__init__()
        self.inner = layers.MultiHeadAttention(2, 4)

    def call(self, x):
        return self.inner(x, x)


KINDS = {
    "dense": ((8,), lambda: layers.Dense(6), 1),
    "einsum": ((4, 8), lambda: layers.EinsumDense("abc,cd->abd", (4, 6)), 1),
    "conv1d": ((8, 4), lambda: layers.Conv1D(6, 3), 1),
    "conv2d": ((8, 8, 4), lambda: layers.Conv2D(6, 3), 1),
    "conv3d": ((4, 4, 4, 4), lambda: layers.Conv3D(6, 2), 1),
    "conv1d_transpose": ((8, 4), lambda: layers.Conv1DTranspose(6, 3), 1),
    "conv2d_transpose": ((4, 4, 4), lambda: layers.Conv2DTranspose(6, 3), 1),
    "conv3d_transpose": ((3, 3, 3, 4), lambda: layers.Conv3DTranspose(6, 2), 1),
    "depthwise1d": ((8, 4), lambda: layers.DepthwiseConv1D(4), 1),
    "depthwise2d": ((8, 8, 4), lambda: layers.DepthwiseConv2D(2), 1),
    "separable1d": ((8, 4), lambda: layers.SeparableConv1D(6, 4), 2),
    "separable2d": ((8, 8, 4), lambda: layers.SeparableConv2D(6, 2), 2),
    "embedding": ((5,), lambda: layers.Embedding(10, 4), 1),
    "lstm": ((4, 4), lambda: layers.LSTM(4), 2),
    "gru": ((4, 4), lambda: layers.GRU(4), 2),
    "simple_rnn": ((4, 4), lambda: layers.SimpleRNN(4), 2),
    "stacked_cells": ((4, 4), lambda: layers.RNN([layers.LSTMCell(4), layers.GRUCell(4)]), 4),
    "bidirectional": ((4, 4), lambda: layers.Bidirectional(layers.LSTM(4)), 4),
    "time_distributed": ((3, 8), lambda: layers.TimeDistributed(layers.Dense(6)), 1),
    "attention": ((4, 4), Attention, 4),
    "custom": ((8,), Scale, 1),
    "nested": ((8,), lambda: keras.Sequential([layers.Dense(8), keras.Sequential([layers.Dense(4)])]), 2),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_layer_is_pruned_and_keeps_its_zeros(kind):
    shape, make, count = KINDS[kind]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape), make(), layers.Flatten()])
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=False)
    generator = np.random.default_rng(0)
    x = generator.integers(0, 10, (8, *shape)) if kind == "embedding" else generator.normal(size=(8, *shape))
    y = generator.normal(size=(8, *model.output_shape[1:]))
    model.fit(x, y, batch_size=4, verbose=0, callbacks=[ks.GradualPruning(0.5, frequency=1)])
    model.fit(x, y, batch_size=4, verbose=0)
    weights = [kernel.variable.numpy() for kernel in ks.select.find_kernels(model)]
    assert [float(np.mean(weight == 0)) for weight in weights] == [0.5] * count
    pruned = {id(kernel.variable) for kernel in ks.select.find_kernels(model)}
    assert all(v.numpy().any() for v in model.trainable_variables if id(v) not in pruned)


@pytest.mark.parametrize("pattern", [ks.NofM(2, 4), ks.Block((1, 4)), ks.Block((2, 0))], ids=str)
@pytest.mark.parametrize(
    "kind", ["dense", "conv1d", "conv3d", "conv2d_transpose", "depthwise2d", "attention", "lstm"]
)
def test_every_pattern_fits_every_kernel(kind, pattern):
    shape, make, _ = KINDS[kind]
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input(shape), make()])
    pruner = ks.Pruner(0.5, pattern=pattern)
    pruner.begin(model)
    pruner.step()
    for kernel, mask in zip(ks.select.find_kernels(model), pruner.masks().values(), strict=True):
        unit = 1 if isinstance(pattern, ks.NofM) else 4 * max(kernel.variable.shape)
        assert abs(int((~mask).sum()) - mask.size / 2) <= unit
    report = ks.sparsity_report(model)
    if isinstance(pattern, ks.NofM):
        assert {kernel.conforming_groups for kernel in report.kernels} == {1.0}
    elif pattern == ks.Block((1, 4)):
        assert all(abs(kernel.zero_blocks - 0.5) <= 0.1 for kernel in report.kernels)
