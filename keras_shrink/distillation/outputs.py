"""Objectives on what the models answer: soft targets for classes, matching for numbers."""

import keras
from keras import ops

from keras_shrink.distillation.objective import Objective, choose

_SMALLEST = 1e-7  # what Keras clips probabilities to


@keras.saving.register_keras_serializable("keras_shrink")
class SoftTargets(Objective):
    """The teacher's probabilities as targets, softened by a temperature.

    `T^2 * KL(softmax(teacher / T) || softmax(student / T))` over the last axis, for each sample, or each
    token of a sequence. The factor keeps gradients as large as those of the labels whatever the temperature.
    Outputs may be logits or probabilities, on either side: the last activation of the models tells. A
    student with quantized outputs learns better from logits: a probability that rounds to zero has no
    logarithm.

    Args:
        temperature: T, above 0. 2 to 4 is usual; high ones show more of the small probabilities.
        outputs: Mapping from names of outputs of the student to names of outputs of the teacher; by
            default all, in their order.
        kind: `"softmax"` for one class of many, `"sigmoid"` for independent yes or no; `"auto"` asks the
            last activations.
        student_logits: Whether the student gives logits; None asks its last activation.
        teacher_logits: Whether the teacher gives logits; None asks its last activation.
        weight: Factor of this loss in the sum.
        teacher: Index of the teacher; None for the mean over all.
        name: Name in the logs.

    Raises:
        ValueError: If the temperature is not positive; before training, if nobody can tell logits from
            probabilities.

    Example:
    >>> SoftTargets(temperature=2.0).name
    'soft_targets'

    Reference:
        Hinton, Vinyals and Dean, 2015, arXiv:1503.02531.
    """

    def __init__(
        self,
        temperature=4.0,
        outputs=None,
        *,
        kind="auto",
        student_logits=None,
        teacher_logits=None,
        weight=1.0,
        teacher=None,
        name=None,
        **kwargs,
    ):
        super().__init__(outputs, weight=weight, teacher=teacher, name=name, **kwargs)
        if not temperature > 0:
            raise ValueError(f"temperature must be above 0. Received: temperature={temperature}.")
        self.temperature = float(temperature)
        self.kind = choose("kind", kind, ("auto", "softmax", "sigmoid"))
        self.student_logits = student_logits
        self.teacher_logits = teacher_logits
        self._forms = {}

    def prepare(self, key, student, teacher):
        """Finds out what the numbers of the two outputs mean."""
        if student.shape[1:] != teacher.shape[1:] and None not in (*student.shape[1:], *teacher.shape[1:]):
            raise ValueError(
                f"Student and teacher must have the same classes. Received: {student} and {teacher}."
            )
        student_logits = _gives_logits(student, self.student_logits, "student")
        teacher_logits = _gives_logits(teacher, self.teacher_logits, "teacher")
        kind = self.kind
        if kind == "auto":
            kind = "sigmoid" if "sigmoid" in (student.activation, teacher.activation) else "softmax"
        if kind == "softmax" and student.shape[-1] == 1:
            raise ValueError(
                f"An output of width 1 has no classes to choose from. Received: {student}. Pass "
                'kind="sigmoid" if it is a logit, or use OutputMatching if it is a number to predict.'
            )
        self._forms[key] = (kind, student_logits, teacher_logits)

    def compare(self, student, teacher, key, mask=None):
        """Returns the divergence for each sample (and position)."""
        kind, student_logits, teacher_logits = self._forms[key]
        to_logits = _softmax_logits if kind == "softmax" else _sigmoid_logits
        soft = (student if student_logits else to_logits(student)) / self.temperature
        target = (teacher if teacher_logits else to_logits(teacher)) / self.temperature
        if kind == "softmax":
            wanted, given = ops.log_softmax(target), ops.log_softmax(soft)
            divergence = ops.sum(ops.exp(wanted) * (wanted - given), axis=-1)
        else:
            divergence = ops.mean(_binary_divergence(target, soft), axis=-1)
        return self.temperature**2 * divergence

    def get_config(self):
        """Everything that the constructor takes."""
        config = super().get_config()
        return {
            "outputs": config.pop("pairs"),
            **config,
            "temperature": self.temperature,
            "kind": self.kind,
            "student_logits": self.student_logits,
            "teacher_logits": self.teacher_logits,
        }


def _gives_logits(place, said, whose):
    if said is not None:
        return said
    if not place.activation:
        raise ValueError(
            f"{whose} is a subclassed model, which does not tell whether it gives logits or probabilities. "
            f"Received: {place}. Pass SoftTargets({whose}_logits=True) or False."
        )
    return place.activation not in ("softmax", "sigmoid")


def _softmax_logits(probabilities):
    return ops.log(ops.maximum(probabilities, _SMALLEST))


def _sigmoid_logits(probabilities):
    clipped = ops.clip(probabilities, _SMALLEST, 1.0 - _SMALLEST)
    return ops.log(clipped) - ops.log1p(-clipped)


def _binary_divergence(target, given):
    wanted = ops.sigmoid(target)
    yes = ops.log_sigmoid(target) - ops.log_sigmoid(given)
    no = ops.log_sigmoid(-target) - ops.log_sigmoid(-given)
    return wanted * yes + (1.0 - wanted) * no


@keras.saving.register_keras_serializable("keras_shrink")
class OutputMatching(Objective):
    """The teacher's numbers as targets: for regression, embeddings, and logits without a temperature.

    Args:
        loss: Name of a Keras loss between targets and predictions of any sign: `"mean_squared_error"`,
            `"mean_absolute_error"`, `"huber"`, `"log_cosh"`, `"cosine_similarity"`.
        outputs: Mapping from names of outputs of the student to names of outputs of the teacher; by
            default all, in their order.
        weight: Factor of this loss in the sum.
        teacher: Index of the teacher; None for the mean over all.
        name: Name in the logs.

    Example:
    >>> OutputMatching("huber", weight=0.5).weight
    0.5
    """

    LOSSES = ("mean_squared_error", "mean_absolute_error", "huber", "log_cosh", "cosine_similarity")

    def __init__(
        self, loss="mean_squared_error", outputs=None, *, weight=1.0, teacher=None, name=None, **kwargs
    ):
        super().__init__(outputs, weight=weight, teacher=teacher, name=name, **kwargs)
        self.loss = choose("loss", loss, self.LOSSES)
        self._function = keras.losses.get(loss)

    def prepare(self, key, student, teacher):
        """Refuses outputs of different shapes."""
        if student.shape[1:] != teacher.shape[1:] and None not in (*student.shape[1:], *teacher.shape[1:]):
            raise ValueError(f"Outputs to match must have the same shape. Received: {student} and {teacher}.")

    def compare(self, student, teacher, key, mask=None):
        """Returns the loss for each sample (and position), a mean over the last axis."""
        return self._function(teacher, student)

    def get_config(self):
        """Everything that the constructor takes."""
        config = super().get_config()
        return {"outputs": config.pop("pairs"), **config, "loss": self.loss}
