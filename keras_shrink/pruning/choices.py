"""What a user may ask of a pruner, checked before anything is touched."""

import dataclasses
from collections.abc import Mapping

from keras_shrink import schedules, select
from keras_shrink.checks import check_count, check_fraction


@dataclasses.dataclass(frozen=True)
class Surgery:
    """Lets pruned weights come back: their float values live on behind the mask and go on training.

    The gradient is that of the masked network, so the model is sparse at every step; a weight comes back when
    its live value ranks above others at an update of the masks. Use it with a small `frequency` (1 to 10) and
    with SGD: Adam moves every weight behind the mask at the same pace, however small its gradient.

    Attributes:
        until: Step up to which weights may come back; from then on masks only shrink.
        decay: Share of its value that a weight behind the mask loses at each step, in [0, 1). Without any,
            gradients that nobody answers add up for thousands of steps and noise comes back.

    Example:
    >>> Surgery(until=8000)
    Surgery(until=8000, decay=0.01)

    Reference:
        Guo et al., 2016, arXiv:1608.04493; Lin et al., 2020, arXiv:2006.07253.
    """

    until: int
    decay: float = 0.01

    def __post_init__(self):
        check_count("until", self.until)
        check_fraction("decay", self.decay)


def check_pattern_and_score(pattern, score):
    """Raises unless these are a pattern and a score.

    Example:
    >>> from keras_shrink.pruning.patterns import Element
    >>> check_pattern_and_score(Element(), abs)
    """
    if isinstance(pattern, type) or not hasattr(pattern, "units"):
        raise ValueError(
            f"pattern must be an Element, a Block or an NofM. Received: pattern={pattern!r}. "
            "Patterns are objects: Element(), not Element."
        )
    if not callable(score) and not hasattr(score, "increment") and not hasattr(score, "measure"):
        raise ValueError(f"score must be a function weight -> array. Received: score={score!r}.")


def as_choices(schedule, layers):
    """Returns `(predicate, schedule)` pairs from what the user passed as `schedule` and `layers`.

    Example:
    >>> as_choices({select.by_name("a"): 0.5}, select.has_kernel)
    [((has_kernel & by_name('a')), constant(0.5, begin_step=0))]
    """
    limit = select.as_predicate(layers)
    if not isinstance(schedule, Mapping):
        return [(limit, _as_schedule(schedule))]
    if not schedule:
        raise ValueError(
            "schedule must be a fraction, a schedule, or a mapping that is not empty. Received: schedule={}."
        )
    return [(limit & select.as_predicate(key), _as_schedule(value)) for key, value in schedule.items()]


def _as_schedule(value):
    if callable(value):
        return value
    return schedules.constant(check_fraction("sparsity", value))


def evaluate(schedule, step):
    """Returns the fraction that a schedule asks for at a step.

    Raises:
        ValueError: If it is no fraction.

    Example:
    >>> evaluate(schedules.constant(0.5), 3)
    0.5
    """
    fraction = float(schedule(step))
    if not 0.0 <= fraction < 1.0:
        raise ValueError(
            "A schedule must return a fraction in [0, 1). "
            f"Received: {fraction} at step {step} from {schedule}."
        )
    return fraction
