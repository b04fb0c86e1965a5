"""A network before it exists: its integer operators and their shapes, drawn in microseconds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_shrink.search.mixture import Mixture, combined, highest, is_mixed, selected
from tflite_export import options
from tflite_export.graph import Graph, Op, QuantParams, Subgraph, Tensor

_SOME_SCALE = QuantParams(np.ones(1, np.float32), np.zeros(1, np.int64))
_FUSED = {None: "NONE", "relu": "RELU", "relu6": "RELU6"}


@dataclass(frozen=True)
class Step:
    """One layer of a sketch, with what Keras needs to build it.

    Attributes:
        kind: Name of the method of `Sketch` that added it.
        inputs: Positions of the values it reads; 0 is the input of the network.
        shape: Shape of its result without batch.
        settings: Arguments of the method.
    """

    kind: str
    inputs: tuple[int, ...]
    shape: tuple[int, ...]
    settings: dict[str, Any] = field(default_factory=dict)


class Sketch:
    """Draws a network layer by layer, without weights and without Keras.

    What it costs follows from the shapes (`keras_shrink.search.costs`), so thousands of candidates can be
    looked at in the time that building one model takes; `keras_shrink.search.building.build` makes the
    model of the one that is worth it. Methods take and return positions of values.

    Args:
        input_shape: Shape of one input without batch: `(height, width, channels)`, `(steps, channels)`
            or `(features,)`.

    Example:
    >>> sketch = Sketch((8, 8, 1))
    >>> x = sketch.conv(sketch.input, 4, 3, stride=2)
    >>> x = sketch.dense(sketch.average(x), 10, activation="softmax")
    >>> [step.kind for step in sketch.steps], sketch.shapes[x]
    (['conv', 'average', 'dense'], (10,))
    """

    def __init__(self, input_shape):
        self.input = 0
        self.shapes: list[tuple[int, ...]] = [tuple(input_shape)]
        self.steps: list[Step] = []

    def conv(self, x, filters, size, *, stride=1, activation="relu", normalize=True):
        """Adds a convolution, padded to keep its shape, with normalization and activation.

        An image of one row has a kernel of one row.

        Args:
            x: What it reads, an image.
            filters: Channels of the result.
            size: Side of the kernel.
            stride: In every direction.
            activation: `"relu"`, `"relu6"` or None.
            normalize: Whether BatchNormalization follows; it is folded and costs nothing.
        """
        shape = (*self._halved(x, stride), filters)
        settings = {"filters": filters, "size": size, "stride": stride}
        return self._add("conv", (x,), shape, **settings, activation=activation, normalize=normalize)

    def depthwise(self, x, size, *, stride=1, activation="relu", normalize=True):
        """Adds a depthwise convolution; as `conv`."""
        shape = (*self._halved(x, stride), self.shapes[x][-1])
        settings = {"size": size, "stride": stride, "activation": activation, "normalize": normalize}
        return self._add("depthwise", (x,), shape, **settings)

    def dense(self, x, units, *, activation=None):
        """Adds a fully connected layer on a vector; activation may also be `"softmax"`."""
        return self._add("dense", (x,), (units,), units=units, activation=activation)

    def add(self, x, y, *, activation="relu"):
        """Adds the sum of two values of one shape."""
        return self._add("add", (x, y), self.shapes[x], activation=activation)

    def max_pool(self, x, size=2):
        """Adds max pooling over squares of `size`, or stretches of an image of one row."""
        *sides, channels = self.shapes[x]
        left = [combined(lambda side: max(1, side // size), side) for side in sides]
        over = tuple(combined(min, size, side) for side in sides)
        return (
            x
            if not is_mixed(*over) and over == (1, 1)
            else self._add("max_pool", (x,), (*left, channels), size=over)
        )

    def average(self, x):
        """Adds the mean over everything but the channels."""
        return self._add("average", (x,), self.shapes[x][-1:])

    def image_of_one_row(self, x):
        """Adds a reshape from a sequence `(steps, channels)` to an image, on which `conv` works."""
        return self._add("reshape", (x,), (1, *self.shapes[x]))

    def sequence(self, x):
        """Adds a reshape from an image of one row to a sequence `(steps, channels)`, for `lstm`."""
        return self._add("reshape", (x,), self.shapes[x][1:])

    def flatten(self, x):
        """Adds a reshape to one axis."""
        return self._add("reshape", (x,), (math.prod(self.shapes[x]),))

    def lstm(self, x, units):
        """Adds an LSTM over a sequence that returns its last output."""
        return self._add("lstm", (x,), (units,), units=units)

    def repeat(self, times, body, x):
        """Returns what `times` blocks make of `x`, one behind the other.

        Args:
            times: How many, such as `choices.int("blocks", 1, 5)`.
            body: Function `(x, number)` that adds block number 1, 2, ... and returns its result.
            x: What the first block reads.
        """
        values = [x]
        for number in range(1, highest(times) + 1):
            values.append(body(values[-1], number))
        return self._mixed(times, dict(enumerate(values))) if is_mixed(times) else values[-1]

    def either(self, choice, options):
        """Returns what one of several functions adds.

        Args:
            choice: Which, such as `choices.categorical("separable", (False, True))`.
            options: Value of the choice -> function without arguments that adds layers and returns a result.
        """
        if isinstance(choice, Mixture):
            return self._mixed(choice, {value: options[value]() for value in choice.values})
        return options[choice]()

    def residual(self, x, y, *, stride=1, activation="relu", project=True):
        """Adds the sum of `y` and `x`, from which `y` was made, where they have one shape.

        Args:
            x: The short cut.
            y: The long way.
            stride: Of the long way.
            activation: Of the sum: `"relu"`, `"relu6"` or None.
            project: Whether `x` is brought to another shape by a convolution of one pixel; without it `y` is
                returned as it is where shapes differ.
        """
        channels = self.shapes[y][-1]
        if is_mixed(stride, self.shapes[x][-1], channels):
            settings = {"stride": stride, "activation": activation, "project": project}
            same = combined(lambda a, b: a == b, self.shapes[x][-1], channels)
            return self._add("residual", (x, y), self.shapes[y], **settings, same=same)
        if stride > 1 or self.shapes[x][-1] != channels:
            if not project:
                return y
            x = self.conv(x, channels, 1, stride=stride, activation=None)
        return self.add(x, y, activation=activation)

    def _mixed(self, choice, results):
        results = {value: results[value] for value in choice.values}
        shapes = {value: self.shapes[x] for value, x in results.items()}
        sides = zip(*shapes.values(), strict=True)
        shape = [selected(choice, dict(zip(shapes, side, strict=True))) for side in sides]
        return self._add("mixed", tuple(results.values()), shape, choice=choice)

    def _halved(self, x, stride):
        height, width, _ = self.shapes[x]
        return -(-height // stride), -(-width // stride)

    def _add(self, kind, inputs, shape, **settings):
        self.shapes.append(tuple(side if isinstance(side, Mixture) else int(side) for side in shape))
        self.steps.append(Step(kind, inputs, self.shapes[-1], settings))
        return len(self.shapes) - 1

    def graph(self) -> Graph:
        """Returns the int8 graph that `convert` will make of it: shapes, no values.

        Normalization is folded and ReLU fused, as the converter does.
        """
        return _Drawing(self).graph()


class _Drawing:
    """Turns steps into tensors and operators."""

    def __init__(self, sketch):
        self.sketch = sketch
        self.tensors: list[Tensor] = []
        self.ops: list[Op] = []

    def graph(self):
        values = [self._tensor((1, *self.sketch.shapes[0]))]
        start = values[0]
        for step in self.sketch.steps:
            values.append(getattr(self, f"_{step.kind}")(step, [values[i] for i in step.inputs]))
        main = Subgraph(0, "main", tuple(self.tensors), tuple(self.ops), (start,), (values[-1],))
        return Graph((main,))

    def _tensor(self, shape, dtype="int8", *, constant=False, variable=False, quantized=None):
        index = len(self.tensors)
        size = math.prod(shape) * (4 if dtype == "int32" else 1)
        data = _Absent(shape) if constant else None
        quantized = dtype == "int8" if quantized is None else quantized
        self.tensors.append(
            Tensor(
                index,
                "",
                tuple(shape),
                dtype,
                _SOME_SCALE if quantized else None,
                data,
                size if constant else 0,
                is_variable=variable,
                shape_signature=tuple(shape),
                buffer=index + 1,
            )
        )
        return index

    def _op(self, code, inputs, shape, settings=None):
        output = self._tensor(shape)
        self.ops.append(Op(len(self.ops), code, tuple(inputs), (output,), settings))
        return output

    def _constants(self, kernel, channels):
        return self._tensor(kernel, constant=True), self._tensor((channels,), "int32", constant=True)

    def _conv(self, step, inputs):
        given = step.settings
        weights = self._constants((given["filters"], *self._window(step, inputs)), given["filters"])
        chosen = options.Conv2DOptions(
            fused_activation_function=_FUSED[given["activation"]], **self._stride(step, inputs)
        )
        return self._op("CONV_2D", (*inputs, *weights), (1, *step.shape), chosen)

    def _depthwise(self, step, inputs):
        weights = self._constants((1, *self._window(step, inputs)), step.shape[-1])
        chosen = options.DepthwiseConv2DOptions(
            fused_activation_function=_FUSED[step.settings["activation"]],
            depth_multiplier=1,
            **self._stride(step, inputs),
        )
        return self._op("DEPTHWISE_CONV_2D", (*inputs, *weights), (1, *step.shape), chosen)

    def _window(self, step, inputs):
        _, height, _, channels = self.tensors[inputs[0]].shape
        size = step.settings["size"]
        return 1 if height == 1 else size, size, channels

    def _stride(self, step, inputs):
        stride = step.settings["stride"]
        return {"stride_w": stride, "stride_h": 1 if self.tensors[inputs[0]].shape[1] == 1 else stride}

    def _dense(self, step, inputs):
        units, activation = step.settings["units"], step.settings["activation"]
        weights = self._constants((units, self.tensors[inputs[0]].shape[-1]), units)
        fused = _FUSED.get(activation, "NONE")
        chosen = options.FullyConnectedOptions(fused_activation_function=fused)
        result = self._op("FULLY_CONNECTED", (*inputs, *weights), (1, *step.shape), chosen)
        if activation == "softmax":
            return self._op("SOFTMAX", (result,), (1, *step.shape), options.SoftmaxOptions(beta=1.0))
        return result

    def _add(self, step, inputs):
        chosen = options.AddOptions(fused_activation_function=_FUSED[step.settings["activation"]])
        return self._op("ADD", inputs, (1, *step.shape), chosen)

    def _max_pool(self, step, inputs):
        height, width = step.settings["size"]
        chosen = options.Pool2DOptions(
            padding="VALID", stride_w=width, stride_h=height, filter_width=width, filter_height=height
        )
        return self._op("MAX_POOL_2D", inputs, (1, *step.shape), chosen)

    def _average(self, step, inputs):
        axes = self._tensor((2,), "int32", constant=True)
        return self._op("MEAN", (*inputs, axes), (1, *step.shape), options.ReducerOptions())

    def _reshape(self, step, inputs):
        target = self._tensor((len(step.shape) + 1,), "int32", constant=True)
        return self._op("RESHAPE", (*inputs, target), (1, *step.shape), options.ReshapeOptions())

    def _lstm(self, step, inputs):
        units, (_, steps, channels) = step.settings["units"], self.tensors[inputs[0]].shape
        kernels = [self._tensor((units, channels), constant=True) for _ in range(4)]
        recurrent = [self._tensor((units, units), constant=True) for _ in range(4)]
        biases = [self._tensor((units,), "int32", constant=True, quantized=True) for _ in range(4)]
        states = [self._tensor((1, units), dtype, variable=True) for dtype in ("int8", "int16")]
        reads = (*inputs, *kernels, *recurrent, *[-1] * 3, *biases, -1, -1, *states, *[-1] * 4)
        sequence = self._op("UNIDIRECTIONAL_SEQUENCE_LSTM", reads, (1, steps, units))
        places = [self._tensor((3,), "int32", constant=True) for _ in range(3)]
        last = options.StridedSliceOptions(begin_mask=5, end_mask=5, shrink_axis_mask=2)
        return self._op("STRIDED_SLICE", (sequence, *places), (1, units), last)


class _Absent:
    """Stands for the values of a constant that nobody has trained yet."""

    def __init__(self, shape):
        self.shape = tuple(shape)
        self.size = math.prod(shape)
