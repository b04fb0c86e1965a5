"""Schedules with tfmot's names: when masks change, and how many weights they leave out."""

import abc

import keras

from keras_shrink import schedules


class PruningSchedule(abc.ABC):
    """Says at each step whether masks change and which fraction of the weights is to be zero.

    Subclass it for a schedule of your own: `__call__(step)` returns `(whether, fraction)`, and `get_config`
    returns `{"class_name": ..., "config": ...}`.

    Example:
    >>> class Half(PruningSchedule):
    ...     def __call__(self, step):
    ...         return self._should_prune_in_step(step, 0, -1, 10), 0.5
    ...
    ...     def get_config(self):
    ...         return {"class_name": "Half", "config": {}}
    >>> Half()(20)
    (True, 0.5)
    """

    @abc.abstractmethod
    def __call__(self, step):
        """Returns whether masks change at a step, and the fraction of zeros."""

    @abc.abstractmethod
    def get_config(self):
        """Returns `{"class_name": ..., "config": ...}`."""

    @classmethod
    def from_config(cls, config):
        """Returns the schedule of a config."""
        return cls(**config)

    def plan(self):
        """Returns a function `step -> fraction` and how many steps lie between two updates of the masks."""
        asked = 0.0

        def fraction(step):
            nonlocal asked
            changes, wanted = self(step)
            if bool(changes):
                asked = float(wanted)
            return asked

        return fraction, 1

    def _should_prune_in_step(self, step, begin_step, end_step, frequency):
        inside = step >= begin_step and (end_step < 0 or step <= end_step)
        return bool(inside and (step - begin_step) % frequency == 0)

    def _validate_step(self, begin_step, end_step, frequency, allow_negative_1):
        if begin_step < 0:
            raise ValueError(f"begin_step must be at least 0. Received: begin_step={begin_step}.")
        if end_step < begin_step and not (end_step == -1 and allow_negative_1):
            raise ValueError(
                "end_step must not lie before begin_step. "
                f"Received: begin_step={begin_step}, end_step={end_step}."
            )
        if frequency <= 0:
            raise ValueError(f"frequency must be at least 1. Received: frequency={frequency}.")

    def _validate_sparsity(self, sparsity, variable_name):
        schedules.check_fraction(variable_name, sparsity)


class ConstantSparsity(PruningSchedule):
    """The same fraction from `begin_step` on; natively a number or `schedules.constant`.

    Args:
        target_sparsity: Fraction in [0, 1).
        begin_step: First step with zeros.
        end_step: Last step at which masks change, -1 for no end. Weights that are zero stay so.
        frequency: Steps between updates of the masks.

    Example:
    >>> ConstantSparsity(0.5, 0)(100)
    (True, 0.5)
    """

    def __init__(self, target_sparsity, begin_step, end_step=-1, frequency=100):
        self._validate_step(begin_step, end_step, frequency, allow_negative_1=True)
        self._validate_sparsity(target_sparsity, "target_sparsity")
        self.target_sparsity = float(target_sparsity)
        self.begin_step, self.end_step, self.frequency = int(begin_step), int(end_step), int(frequency)

    def __call__(self, step):
        """Returns whether masks change at a step, and the fraction of zeros."""
        due = self._should_prune_in_step(step, self.begin_step, self.end_step, self.frequency)
        return due, self.target_sparsity

    def plan(self):
        """Returns the native schedule and how many steps lie between two updates of the masks."""
        return schedules.constant(self.target_sparsity, begin_step=self.begin_step), self.frequency

    def get_config(self):
        """Returns `{"class_name": ..., "config": ...}`."""
        names = ("target_sparsity", "begin_step", "end_step", "frequency")
        return {"class_name": type(self).__name__, "config": {name: getattr(self, name) for name in names}}


class PolynomialDecay(PruningSchedule):
    """A fraction that rises fast first and slowly towards the end; natively `schedules.polynomial`.

    Args:
        initial_sparsity: Fraction in [0, 1) at `begin_step`.
        final_sparsity: Fraction in [0, 1) at `end_step` and later.
        begin_step: First step with zeros.
        end_step: Step at which the final fraction is reached.
        power: Exponent of the curve.
        frequency: Steps between updates of the masks.

    Example:
    >>> PolynomialDecay(0.0, 0.8, begin_step=0, end_step=100)(100)
    (True, 0.8)

    Reference:
        Zhu and Gupta, 2017, arXiv:1710.01878.
    """

    def __init__(self, initial_sparsity, final_sparsity, begin_step, end_step, power=3, frequency=100):
        self._validate_step(begin_step, end_step, frequency, allow_negative_1=False)
        self.initial_sparsity, self.final_sparsity = float(initial_sparsity), float(final_sparsity)
        self.begin_step, self.end_step = int(begin_step), int(end_step)
        self.power, self.frequency = power, int(frequency)
        self._curve = schedules.polynomial(
            self.initial_sparsity,
            self.final_sparsity,
            begin_step=self.begin_step,
            end_step=self.end_step,
            power=power,
        )

    def __call__(self, step):
        """Returns whether masks change at a step, and the fraction of zeros."""
        due = self._should_prune_in_step(step, self.begin_step, self.end_step, self.frequency)
        return due, self._curve(int(step))

    def plan(self):
        """Returns the native schedule and how many steps lie between two updates of the masks."""
        return self._curve, self.frequency

    def get_config(self):
        """Returns `{"class_name": ..., "config": ...}`."""
        names = ("initial_sparsity", "final_sparsity", "power", "begin_step", "end_step", "frequency")
        return {"class_name": type(self).__name__, "config": {name: getattr(self, name) for name in names}}


SCHEDULES = {"ConstantSparsity": ConstantSparsity, "PolynomialDecay": PolynomialDecay}


def schedule_of(config):
    """Returns the schedule of what `get_config` returned.

    Args:
        config: `{"class_name": ..., "config": ...}`.

    Raises:
        ValueError: If the class is unknown.

    Example:
    >>> schedule_of(ConstantSparsity(0.5, 0).get_config()).target_sparsity
    0.5
    """
    name = config["class_name"]
    kind = keras.saving.get_registered_object(name, custom_objects=SCHEDULES)
    if kind is None:
        raise ValueError(
            f"The schedule of a pruned layer is of an unknown class. Received: class_name={name!r}. "
            f"Load the model inside keras.saving.custom_object_scope({{{name!r}: {name}}})."
        )
    return kind.from_config(config["config"])
