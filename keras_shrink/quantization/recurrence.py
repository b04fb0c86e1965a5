"""Recurrent layers step by step, with one range for each result over all steps."""

import keras
import tensorflow as tf

from keras_shrink.quantization.activation_rounding import learned, straight_through
from keras_shrink.quantization.device_arithmetic import rounded
from keras_shrink.quantization.ranges import is_observing
from keras_shrink.weights import Transformed
from tflite_export.tracing import is_tracing

# Outputs of 8 bits, and the inputs beyond which these do not change any more.
SIGMOID_RANGE, TANH_RANGE = (0.0, 255 / 256), (-1.0, 127 / 128)
SIGMOID_END, TANH_END = 6.25, 3.0


class Recurrent(Transformed):
    """What the forms of recurrent layers share: the loop over time.

    Subclasses say in `begin(inputs, training)` what is computed for all steps at once and what in one
    step. It returns what the steps read, a tuple of tensors (batch, steps, ...), and a function
    `step(parts, states, take)` that gets its share of them and returns the new states, the output first.

    The layers of `inner` round: first those `outside` the loop, then, in the order in which a step sends
    its results through `take`, the others. `take(x, made_of)` is told what a result consists of where it is
    to be rounded as on the device. A range holds what its value is in any step, so the state has
    one scale.

    Converted, the loop is unrolled; otherwise it is a loop of the graph, in which a range cannot be
    observed. So training rounds with the ranges of the batches before and then shows each quantizer
    the extremes of all steps; calibration shows it all values.
    """

    outside = 0
    computes_as_device = True

    def __init__(self, layer, **kwargs):
        super().__init__(layer, **kwargs)
        self.delay = None  # in training, a function that says whether to round yet, as a boolean tensor

    @property
    def result_range(self):
        """What rounds the output."""
        return self.inner[-1]

    @classmethod
    def planned(cls, layer, treatment, *, outputs, **parts):
        """The state is rounded inside, which is the output; nothing is rounded behind it."""
        return cls(layer, **parts)

    def initial_states(self, batch):
        """Returns the states before the first step."""
        return (tf.zeros((batch, self.layer.units)),)

    def weight(self, name, training=False):
        """Returns a weight of the cell as the device has it."""
        return tf.cast(self.transformed(f"{self.layer.cell.name}/{name}", training), tf.float32)

    @property
    def bias(self):
        """The cell's bias; None without one."""
        if not self.layer.use_bias:
            return None
        return tf.cast(tf.convert_to_tensor(self.layer.cell.bias), tf.float32)

    def fixed(self, x, low, high, training):
        """Returns `x` on the grid of a range that is known beforehand."""
        if is_observing():
            return x
        rounded = tf.quantization.fake_quant_with_min_max_args(x, low, high)
        return self._in_time(rounded, x, training)

    def within(self, x, end, training):
        """Returns `x` cut off at both ends, so that its range is not wider than an activation can tell apart.

        In inference the rounding that follows does so.
        """
        return tf.clip_by_value(x, -end, end) if training or is_observing() else x

    def _in_time(self, rounded, x, training):
        # Not a conditional, whose gradient TensorFlow does not find inside a loop.
        return rounded if self.delay is None or not training else tf.where(self.delay(), rounded, x)

    def run_layer(self, inputs, training, **kwargs):
        """Returns the layer's output, rounded."""
        x = tf.cast(inputs, tf.float32)
        parts, step = self.begin(self._dropped(x, training), training)
        states = self.initial_states(x.shape[0] or tf.shape(x)[0])
        if is_tracing():
            sequence = self._unrolled(parts, states, step)
        else:
            sequence = self._looped(parts, states, step, training)
        result = sequence if self.layer.return_sequences else sequence[:, -1]
        return tf.cast(result, inputs.dtype)

    def _unrolled(self, parts, states, step):
        steps = list(zip(*(tf.unstack(part, axis=1) for part in parts), strict=True))
        outputs = []
        for now in reversed(steps) if self.layer.go_backwards else steps:
            states = step(now, states, self._rounding()[0])
            outputs.append(states[0])
        return tf.stack(outputs if self.layer.return_sequences else outputs[-1:], axis=1)

    def _looped(self, parts, states, step, training):
        axis = [1] if self.layer.go_backwards else []
        parts = tuple(tf.transpose(tf.reverse(part, axis), (1, 0, 2)) for part in parts)
        if is_observing():
            sequence, seen = _scan(step, parts, states, lambda: _watching(lambda x: x))
            for quantizer, values in zip(self._inside(), seen, strict=True):
                quantizer(values)
        elif training:
            step = self._dropping(step, states)
            sequence, seen = _scan(step, parts, states, self._following(step, parts, states))
            for quantizer, extremes in zip(self._inside(), seen, strict=True):
                quantizer(extremes, training=True)
        else:
            sequence, _ = _scan(step, parts, states, self._rounding)
        return tf.transpose(sequence, (1, 0, 2))

    def _rounding(self):
        """A `take` that rounds each value with its quantizer's range."""
        remaining = iter(self._inside())
        return lambda x, made_of=None: rounded(next(remaining), x, made_of, False), []

    def _following(self, step, parts, states):
        """Returns a maker of a `take` that rounds with the ranges as they are and notes extremes."""
        quantizers = self._inside()

        def known():
            return [(tf.convert_to_tensor(q.low), tf.convert_to_tensor(q.high)) for q in quantizers]

        def first():
            _, seen = _scan(step, parts, states, lambda: _watching(_extremes))
            return [(tf.reduce_min(values), tf.reduce_max(values)) for values in seen]

        if all(q.learned for q in quantizers):
            ranges = known()
        else:
            ready = tf.reduce_all([q.batches_seen.value > 0 for q in quantizers])
            ranges = tf.nest.map_structure(tf.stop_gradient, tf.cond(ready, known, first))

        def taking():
            seen = []

            def take(x, made_of=None):
                position = len(seen)
                seen.append(_extremes(tf.stop_gradient(x)))
                quantizer = quantizers[position]
                rounding = learned if quantizer.learned else straight_through
                rounded = rounding(x, *ranges[position], quantizer.num_bits)
                return self._in_time(rounded, x, True)

            return take, seen

        return taking

    def _inside(self):
        return self.inner[self.outside :]

    def _dropped(self, x, training):
        rate = self.layer.cell.dropout
        if not training or is_observing() or not 0 < rate < 1:
            return x
        # As in Keras, the same values are dropped in all steps.
        return x * self._dropout_mask(x[:, :1], rate)

    def _dropping(self, step, states):
        rate = self.layer.cell.recurrent_dropout
        if not 0 < rate < 1:
            return step
        mask = self._dropout_mask(states[0], rate)
        return lambda parts, now, take: step(parts, (now[0] * mask, *now[1:]), take)

    def _dropout_mask(self, like, rate):
        return keras.random.dropout(tf.ones_like(like), rate, seed=self.layer.cell.seed_generator)


def _scan(step, parts, states, taking):
    """Returns the output of every step, time first, and what the lists of `taking()` hold in every step.

    Args:
        step: As `Recurrent.begin` returns it.
        parts: What it reads, time first.
        states: The states before the first step.
        taking: A function that returns a `take` for one step and the list that it fills.
    """

    def advance(carried, now):
        take, seen = taking()
        new = step(now, carried[0], take)
        return tuple(new), tuple(seen)

    _, example = advance((states, ()), tuple(part[0] for part in parts))
    start = tuple(states), tuple(tf.zeros_like(value) for value in example)
    after, seen = tf.scan(advance, parts, initializer=start)
    return after[0], seen


def _watching(measure):
    """Returns a `take` that rounds nothing, and the list of what it measures."""
    seen = []

    def take(x, made_of=None):
        seen.append(measure(x))
        return x

    return take, seen


def _extremes(x):
    """Smallest and largest value, zero included and never the same, as a range must be."""
    low = tf.minimum(tf.reduce_min(x), 0.0)
    return tf.stack([low, tf.maximum(tf.reduce_max(x), low + 1e-5)])
