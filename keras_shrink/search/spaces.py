"""Ready-made search spaces: functions that return a space for the shape of the data.

A space is a function from `choices` to a `Sketch` or to a Keras model. These return sketches, so that a
candidate that does not fit costs microseconds. Use them as they are or as a pattern.

Example:
>>> import numpy as np
>>> from keras_shrink.search.choices import Drawn
>>> space = ds_cnn((49, 10, 1), 12)
>>> space(Drawn(np.random.default_rng(0))).shapes[-1]
(12,)
"""

from __future__ import annotations

from keras_shrink.search.sketch import Sketch

__all__ = ["cnn_1d", "ds_cnn", "inverted_residual", "mlp", "resnet", "small_rnn"]


def ds_cnn(input_shape, classes, *, most_filters=64, most_blocks=5):
    """Depthwise separable blocks behind one convolution, for spectrograms and small pictures.

    Args:
        input_shape: `(height, width, channels)`.
        classes: Outputs.
        most_filters: Of any layer.
        most_blocks: Separable blocks.

    Reference:
        Zhang et al., 2017, arXiv:1711.07128.
    """

    def space(choices):
        sketch = Sketch(input_shape)
        x = sketch.conv(
            sketch.input,
            choices.int("stem_filters", 4, most_filters, step=4),
            choices.categorical("stem_kernel", (3, 5, 7)),
            stride=choices.categorical("stem_stride", (1, 2)),
        )

        def block(x, number):
            x = sketch.depthwise(
                x,
                choices.categorical(f"kernel_{number}", (3, 5)),
                stride=choices.categorical(f"stride_{number}", (1, 2)),
            )
            return sketch.conv(x, choices.int(f"filters_{number}", 4, most_filters, step=4), 1)

        x = sketch.repeat(choices.int("blocks", 1, most_blocks), block, x)
        sketch.dense(sketch.average(x), classes, activation="softmax")
        return sketch

    return space


def inverted_residual(input_shape, classes, *, most_filters=48, most_blocks=6):
    """Blocks that widen, filter depthwise and narrow again, as in MobileNetV2, for pictures.

    Args:
        input_shape: `(height, width, channels)`.
        classes: Outputs.
        most_filters: Of the narrow ends.
        most_blocks: Blocks.

    Reference:
        Sandler et al., 2018, arXiv:1801.04381.
    """

    def space(choices):
        sketch = Sketch(input_shape)
        stem = choices.int("stem_filters", 4, most_filters, step=4)
        x = sketch.conv(sketch.input, stem, 3, stride=choices.categorical("stem_stride", (1, 2)))

        def block(x, number):
            filters = choices.int(f"filters_{number}", 4, most_filters, step=4)
            stride = choices.categorical(f"stride_{number}", (1, 2))
            wide = sketch.shapes[x][-1] * choices.categorical(f"expansion_{number}", (2, 3, 4, 6))
            y = sketch.conv(x, wide, 1)
            y = sketch.depthwise(y, choices.categorical(f"kernel_{number}", (3, 5)), stride=stride)
            y = sketch.conv(y, filters, 1, activation=None)
            return sketch.residual(x, y, stride=stride, activation=None, project=False)

        x = sketch.repeat(choices.int("blocks", 1, most_blocks), block, x)
        sketch.dense(sketch.average(x), classes, activation="softmax")
        return sketch

    return space


def resnet(input_shape, classes, *, most_filters=64, most_stacks=4):
    """Stacks of residual blocks of two 3x3 convolutions, each stack at half the side of the one before.

    Args:
        input_shape: `(height, width, channels)`.
        classes: Outputs.
        most_filters: Of any layer.
        most_stacks: Stacks.

    Reference:
        He et al., 2015, arXiv:1512.03385.
    """

    def space(choices):
        sketch = Sketch(input_shape)
        stem = choices.int("stem_filters", 4, most_filters // 2, step=4)
        x = sketch.conv(sketch.input, stem, 3, stride=choices.categorical("stem_stride", (1, 2)))

        def stack(x, number):
            filters = choices.int(f"filters_{number}", 4, most_filters, step=4)
            inside = choices.int(f"inside_{number}", 4, most_filters, step=4)

            def block(x, position):
                stride = 2 if number > 1 and position == 1 else 1
                y = sketch.conv(x, inside, 3, stride=stride)
                y = sketch.conv(y, filters, 3, activation=None)
                return sketch.residual(x, y, stride=stride)

            return sketch.repeat(choices.int(f"blocks_{number}", 1, 2), block, x)

        x = sketch.repeat(choices.int("stacks", 1, most_stacks), stack, x)
        sketch.dense(sketch.average(x), classes, activation="softmax")
        return sketch

    return space


def cnn_1d(input_shape, classes, *, most_filters=64, most_blocks=4):
    """Convolutions and pooling along time, for sensors; full or depthwise separable, block by block.

    Args:
        input_shape: `(steps, channels)`.
        classes: Outputs.
        most_filters: Of any layer.
        most_blocks: Blocks.

    Reference:
        Ordóñez and Roggen, 2016, Sensors 16(1), 115 (the convolutional part).
    """

    def space(choices):
        sketch = Sketch(input_shape)
        x = sketch.image_of_one_row(sketch.input)

        def block(x, number):
            filters = choices.int(f"filters_{number}", 4, most_filters, step=4)
            kernel = choices.categorical(f"kernel_{number}", (3, 5, 7, 9))
            stride = choices.categorical(f"stride_{number}", (1, 2))

            def full():
                return sketch.conv(x, filters, kernel, stride=stride)

            def separable():
                return sketch.conv(sketch.depthwise(x, kernel, stride=stride), filters, 1)

            which = number > 1 and choices.categorical(f"separable_{number}", (False, True))
            y = sketch.either(which, {False: full, True: separable})
            pooled = {False: lambda: y, True: lambda: sketch.max_pool(y)}
            return sketch.either(choices.categorical(f"pool_{number}", (False, True)), pooled)

        x = sketch.repeat(choices.int("blocks", 1, most_blocks), block, x)
        sketch.dense(sketch.average(x), classes, activation="softmax")
        return sketch

    return space


def mlp(input_shape, classes, *, most_units=128, most_layers=3):
    """Fully connected layers with ReLU.

    Args:
        input_shape: Of any rank; it is flattened.
        classes: Outputs.
        most_units: Of any hidden layer.
        most_layers: Hidden layers.
    """

    def space(choices):
        sketch = Sketch(input_shape)
        x = sketch.input if len(input_shape) == 1 else sketch.flatten(sketch.input)

        def layer(x, number):
            return sketch.dense(x, choices.int(f"units_{number}", 4, most_units, step=4), activation="relu")

        x = sketch.repeat(choices.int("layers", 0, most_layers), layer, x)
        sketch.dense(x, classes, activation="softmax")
        return sketch

    return space


def small_rnn(input_shape, classes, *, most_units=32, most_filters=32):
    """Convolutions that shorten a sequence and an LSTM that reads the rest, for sensors and audio.

    Args:
        input_shape: `(steps, channels)`.
        classes: Outputs.
        most_units: Of the LSTM.
        most_filters: Of the convolutions.

    Reference:
        Hochreiter and Schmidhuber, 1997, Neural Computation 9(8), 1735; Ordóñez and Roggen, 2016, Sensors
        16(1), 115.
    """

    def space(choices):
        sketch = Sketch(input_shape)

        def shorten(x, number):
            return sketch.conv(
                x,
                choices.int(f"filters_{number}", 4, most_filters, step=4),
                choices.categorical(f"kernel_{number}", (3, 5, 7)),
                stride=choices.categorical(f"stride_{number}", (1, 2, 4)),
            )

        x = sketch.image_of_one_row(sketch.input)
        x = sketch.repeat(choices.int("convolutions", 1, 2), shorten, x)
        x = sketch.lstm(sketch.sequence(x), choices.int("units", 4, most_units, step=4))
        sketch.dense(x, classes, activation="softmax")
        return sketch

    return space
