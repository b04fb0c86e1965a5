"""Random networks in which channels meet in every way that the rules know."""

import keras
import numpy as np
from keras import layers


class PictureGraph:
    """Builds a network for pictures from a generator of random numbers."""

    def __init__(self, generator, *, smooth=False):
        self.generator = generator
        self.activations = ["relu", "tanh", "sigmoid", "gelu"] if smooth else ["relu", "tanh", "gelu"]
        self.moves = [
            self.conv, self.conv, self.residual, self.concatenate, self.depthwise, self.separable,
            self.grouped, self.gate, self.shared, self.nested, self.norm, self.group_norm, self.transposed,
            self.pool, self.prelu, self.operations,
        ]  # fmt: skip

    def pick(self, options):
        return options[int(self.generator.integers(len(options)))]

    def width(self):
        return int(self.generator.integers(2, 8))

    def build(self, depth):
        inputs = keras.Input((6, 6, 3))
        self.tensors = [self.conv(inputs)]
        for _ in range(depth):
            move = self.pick(self.moves)
            self.tensors.append(move(self.pick(self.tensors[-3:])))
        x = self.tensors[-1]
        x = self.pick([layers.Flatten(), layers.GlobalAveragePooling2D(), layers.Reshape((-1,))])(x)
        hidden = layers.Dense(6, activation="relu")(x)
        outputs = [layers.Dense(3, activation="softmax")(hidden)]
        if self.generator.random() < 0.3:
            outputs.append(layers.GlobalMaxPooling2D()(self.pick(self.tensors)))
        return keras.Model(inputs, outputs)

    def conv(self, x, filters=None):
        activation = self.pick([None, *self.activations])
        filters = filters or self.width()
        return layers.Conv2D(filters, self.pick([1, 3]), padding="same", activation=activation)(x)

    def residual(self, x):
        y = self.conv(self.conv(x), x.shape[-1])
        join = self.pick([layers.Add, layers.Maximum, layers.Average, layers.Subtract])()
        return layers.ReLU()(join([x, y]))

    def concatenate(self, x):
        same = [other for other in self.tensors if other.shape[1:3] == x.shape[1:3]]
        return layers.Concatenate()([x, self.pick(same), self.conv(x)])

    def depthwise(self, x):
        return layers.DepthwiseConv2D(3, padding="same", depth_multiplier=self.pick([1, 2]))(x)

    def separable(self, x):
        return layers.SeparableConv2D(self.width(), 3, padding="same", depth_multiplier=self.pick([1, 2]))(x)

    def grouped(self, x):
        groups, per_group = self.pick([(4, 2), (2, 4), (3, 1)])
        x = self.conv(x, groups * per_group)
        return layers.Conv2D(groups * self.pick([1, 2]), 3, padding="same", groups=groups)(x)

    def gate(self, x):
        y = layers.GlobalAveragePooling2D(keepdims=True)(x)
        if self.generator.random() < 0.5:
            y = layers.Reshape((1, 1, x.shape[-1]))(layers.Flatten()(y))
        y = layers.Conv2D(self.width(), 1, activation="relu")(y)
        return layers.Multiply()([x, layers.Dense(x.shape[-1], activation="sigmoid")(y)])

    def shared(self, x):
        shared = layers.Conv2D(self.width(), 3, padding="same")
        y = self.conv(x, x.shape[-1])
        return layers.Concatenate()([shared(x), shared(y)])

    def nested(self, x):
        inputs = keras.Input(x.shape[1:])
        y = layers.ReLU()(layers.BatchNormalization()(self.conv(inputs)))
        inner = keras.Model(inputs, [y, layers.Add()([inputs, self.conv(y, x.shape[-1])])])
        first, second = inner(x)
        third, _ = inner(second)
        sequence = keras.Sequential([keras.Input(first.shape[1:]), layers.Conv2D(5, 1), layers.ReLU()])
        return layers.Concatenate()([sequence(first), third])

    def norm(self, x):
        return layers.Activation(self.pick(self.activations))(layers.BatchNormalization()(x))

    def group_norm(self, x):
        return layers.GroupNormalization(groups=self.pick([2, 4]))(self.conv(x, 8))

    def transposed(self, x):
        return layers.Conv2DTranspose(self.width(), 3, padding="same")(x)

    def pool(self, x):
        return layers.UpSampling2D()(layers.MaxPooling2D(2)(layers.ZeroPadding2D((0, 0))(x)))

    def prelu(self, x):
        return layers.PReLU(shared_axes=self.pick([None, [1, 2]]), alpha_initializer="uniform")(x)

    def operations(self, x):
        y = self.conv(x, x.shape[-1])
        y = keras.ops.relu(x * 2.0 - y)
        return keras.ops.concatenate([y, keras.ops.reshape(keras.ops.tanh(x), (-1, *x.shape[1:]))], axis=-1)


class SequenceGraph(PictureGraph):
    """Builds a network for sequences."""

    def __init__(self, generator, *, smooth=False):
        super().__init__(generator, smooth=smooth)
        self.moves = [
            self.recurrent, self.bidirectional, self.distributed, self.heads, self.dense, self.residual,
            self.attention, self.layer_norm, self.permuted, self.last,
        ]  # fmt: skip

    def build(self, depth):
        inputs = keras.Input((5,), dtype="int32")
        x = self.conv(layers.Embedding(9, self.width())(inputs))
        for _ in range(depth):
            x = self.pick(self.moves)(x)
        x = layers.GRU(4)(x)
        return keras.Model(inputs, layers.Dense(3)(x))

    def conv(self, x, filters=None):
        return layers.Conv1D(filters or self.width(), 3, padding="same", activation="relu")(x)

    def recurrent(self, x):
        kind = self.pick([layers.LSTM, layers.GRU, layers.SimpleRNN])
        y, *states = layers.LSTM(self.width(), return_sequences=True, return_state=True)(x)
        z = layers.LSTM(states[0].shape[-1], return_sequences=True)(x, initial_state=states)
        return kind(self.width(), return_sequences=True)(layers.Add()([y, z]))

    def bidirectional(self, x):
        merge = self.pick(["concat", "sum", "mul"])
        return layers.Bidirectional(layers.GRU(self.width(), return_sequences=True), merge_mode=merge)(x)

    def distributed(self, x):
        return layers.TimeDistributed(layers.Dense(self.width(), activation="relu"))(x)

    def heads(self, x):
        y = layers.MultiHeadAttention(self.pick([2, 3]), 4, use_gate=self.pick([True, False]))(
            x, value=self.conv(x)
        )
        y = layers.Add()([x, y])
        return layers.GroupQueryAttention(3, 4, 2)(y, y)

    def dense(self, x):
        return layers.EinsumDense("btc,cd->btd", (None, self.width()), bias_axes="d", activation="relu")(x)

    def attention(self, x):
        kind = self.pick([layers.Attention, layers.AdditiveAttention])
        return kind()([self.conv(x, 6), self.conv(x), self.conv(x, 6)])

    def layer_norm(self, x):
        return self.conv(layers.LayerNormalization()(self.conv(x)))

    def permuted(self, x):
        x = layers.ReLU()(layers.Permute((2, 1))(x))
        return layers.Permute((2, 1))(x)

    def last(self, x):
        return layers.RepeatVector(5)(x[:, -1])


def shaken(model, seed):
    """Gives every weight of a model a random value, variances a positive one."""
    generator = np.random.default_rng(seed)
    for weight in model.weights:
        value = generator.normal(0, 0.5, weight.shape)
        weight.assign(np.abs(value) + 0.5 if "variance" in weight.name else value)
    return model


def samples_for(model, count=3, seed=0):
    """Returns a random batch for a model with one input."""
    generator = np.random.default_rng(seed)
    (spec,) = model.inputs
    if "int" in spec.dtype:
        return generator.integers(0, 9, (count, *spec.shape[1:]))
    return generator.normal(0, 1, (count, *spec.shape[1:])).astype("float32")
