"""All candidates of a space in one network that is differentiable in the choices."""

from __future__ import annotations

import keras
from keras import ops

from keras_shrink.search.mixed_layers import LAYERS, weight_shapes
from keras_shrink.search.mixture import Undecided
from keras_shrink.search.sketch import Sketch

_LEAST = 1e-6
_PACE = 20.0  # steps of logits are larger than those of weights by this factor


class Supernet(keras.Model):
    """A network whose layers are as wide, deep and large as any candidate's, under masks of probabilities.

    Every candidate shares its weights: a layer of fewer filters is the first part of one with more (FBNetV2),
    a small kernel the middle of a large one (Single-Path NAS), and what several operators or depths give is
    added up by their probabilities (DARTS, FBNet). Resolutions that strides and pools decide are carried
    side by side, each with its probability. In each step of training, probabilities are a draw of
    Gumbel-softmax from the logits, so that the network is near to a single candidate when the temperature is
    low; where all are zero or one it computes what that candidate does.

    Args:
        space: A function from choices to a `Sketch` that decides nothing in Python by what it was answered.
        penalty: Function from the probabilities of all choices to a cost; None for none.
        penalty_weight: Its weight in the loss.
        seed: Of weights and draws.

    Attributes:
        options: Name of a choice -> its options.
        logits: Name of a choice -> variable.
        decides: Variable: 0 while only weights are trained, 1 when logits are too.
        temperature: Variable: of the draws.
        shared: For each step of the sketch, name -> variable.

    Raises:
        ValueError: If the space decides in Python, returns no sketch or has layers that cannot be mixed.

    Reference:
        Wan et al., 2020 (FBNetV2), arXiv:2004.05565; Wu et al., 2018 (FBNet), arXiv:1812.03443; Liu et al.,
        2018 (DARTS), arXiv:1806.09055; Stamoulis et al., 2019 (Single-Path NAS), arXiv:1904.02877; Jang et
        al., 2016 (Gumbel-softmax), arXiv:1611.01144.
    """

    def __init__(self, space, *, penalty=None, penalty_weight=1.0, seed=None):
        super().__init__(name="supernet")
        undecided = Undecided()
        self.sketch = space(undecided)
        if not isinstance(self.sketch, Sketch):
            raise ValueError(
                "The strategy 'gradient' mixes the layers of a Sketch. Received: a space that returns "
                f"{type(self.sketch).__name__}. Choose another strategy, or draw a Sketch."
            )
        self.options = undecided.options
        self.penalty, self.penalty_weight = penalty, penalty_weight
        self._draws = keras.random.SeedGenerator(seed)
        start = {
            "kernel": keras.initializers.HeNormal(self._draws),
            "recurrent": keras.initializers.Orthogonal(seed=self._draws),
            "gamma": "ones",
            "beta": "zeros",
        }
        self.logits = {
            name: self.add_weight(shape=(len(options),), initializer="zeros", name=f"logits_{name}")
            for name, options in self.options.items()
        }
        self.decides = self.add_weight(shape=(), initializer="zeros", trainable=False, name="decides")
        self.temperature = self.add_weight(shape=(), initializer="ones", trainable=False, name="temperature")
        self.shared = [
            {
                name: self.add_weight(shape=shape, initializer=start[name], name=f"{name}_{position}")
                for name, shape in weight_shapes(step, [self.sketch.shapes[i] for i in step.inputs]).items()
            }
            for position, step in enumerate(self.sketch.steps, 1)
        ]
        self.built = True

    def chances(self):
        """Returns name of a choice -> probabilities of its options."""
        return {name: ops.softmax(self._paced(logits)) for name, logits in self.logits.items()}

    def _paced(self, logits):
        held = ops.stop_gradient(logits)
        return _PACE * (held + self.decides * (logits - held))

    def call(self, x, training=False):
        """Returns logits of the classes."""
        answers = self._drawn() if training else self.chances()
        if training and self.penalty is not None:
            self.add_loss(self.penalty_weight * self.penalty(self.chances()))
        values = [{tuple(x.shape[1:-1]): (x, ops.ones(()))}]
        for step, weights in zip(self.sketch.steps, self.shared, strict=True):
            inputs = [values[i] for i in step.inputs]
            values.append(LAYERS[step.kind](step, inputs, weights, answers))
        ((result, _),) = values[-1].values()
        return result

    def _drawn(self):
        answers = {}
        for name, logits in self.logits.items():
            uniform = keras.random.uniform(logits.shape, _LEAST, 1 - _LEAST, seed=self._draws)
            noise = -ops.log(-ops.log(uniform))
            answers[name] = ops.softmax((ops.log_softmax(self._paced(logits)) + noise) / self.temperature)
        return answers
