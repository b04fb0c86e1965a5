"""Which value of the student is compared with which of a teacher, and how much each sample counts."""

from __future__ import annotations

import dataclasses
from typing import Any

import keras
from keras import ops

from keras_shrink.distillation.objective import Objective


@dataclasses.dataclass(frozen=True)
class Comparison:
    """One pair of values that one objective compares.

    Attributes:
        objective: The objective.
        key: Name of the pair within the objective.
        student: Place in the student, for example `"layer/conv"`.
        teacher: What teachers know it by, for example `"0/layer/conv"`; a place in the student itself, where
            that is its own teacher.
        share: 1 over the number of teachers that are averaged.
    """

    objective: Objective
    key: str
    student: str
    teacher: str
    share: float

    def loss(self, student_values, knowledge):
        """Returns the loss of each sample or position, and the mask of the student's value."""
        given = student_values[self.student]
        mask = getattr(given, "_keras_mask", None)
        wanted = ops.stop_gradient(ops.cast(knowledge[self.teacher], "float32"))
        values = self.objective.compare(ops.cast(given, "float32"), wanted, self.key, mask=mask)
        return values, mask


def compare(objectives, student, teachers):
    """Returns the list of comparisons that objectives ask for.

    Args:
        objectives: List of `Objective`.
        student: The student.
        teachers: List of models; empty if the student is its own teacher.

    Raises:
        ValueError: If an objective names an output that is not there, or outputs do not pair up.
    """
    found = []
    for objective in objectives:
        if not teachers:
            found += _with_itself(objective, student)
            continue
        indices = range(len(teachers)) if objective.teacher is None else [objective.teacher]
        for index in indices:
            for given, wanted in _pairs(objective, student, teachers[index]):
                key = f"{index}/{given}"
                found.append(Comparison(objective, key, given, f"{index}/{wanted}", 1.0 / len(indices)))
    return found


def _with_itself(objective, student):
    if objective.pairs is None:
        raise ValueError(
            "A student without a teacher learns from its own deeper outputs or layers, so say from which. "
            f'Received: {objective.name!r} without pairs. Pass for example SoftTargets(outputs={{"early": '
            '"final"}).'
        )
    return [Comparison(objective, a, a, b, 1.0) for a, b in _pairs(objective, student, student)]


def _pairs(objective, student, teacher):
    if objective.of_layers:
        return [(f"layer/{a}", f"layer/{b}") for a, b in objective.pairs.items()]
    if objective.pairs is not None:
        return [
            (f"output/{output_index(student, a)}", f"output/{output_index(teacher, b)}")
            for a, b in objective.pairs.items()
        ]
    counts = [len(model.outputs) if getattr(model, "outputs", None) else 1 for model in (student, teacher)]
    if counts[0] != counts[1]:
        raise ValueError(
            f"The student has {counts[0]} outputs and the teacher {counts[1]}, so they do not pair up by "
            f'order. Received: {objective.name!r} without pairs. Pass outputs={{"student\'s": "teacher\'s"}}.'
        )
    return [(f"output/{i}", f"output/{i}") for i in range(counts[0])]


def output_names(model):
    """Returns the names by which outputs can be called, one list for each output."""
    if not getattr(model, "outputs", None):
        return [["0"]]
    graph = model._functional if isinstance(model, keras.Sequential) else model
    keys = [tuple(map(str, path)) for path, _ in keras.tree.flatten_with_path(graph._outputs_struct)]
    return [
        list(dict.fromkeys(["/".join(key) or "0", name]))
        for key, name in zip(keys, model.output_names, strict=True)
    ]


def output_index(model, name):
    """Returns the place of an output in the flat list of outputs."""
    names = output_names(model)
    found = [i for i, known in enumerate(names) if name in known]
    if len(found) != 1:
        raise ValueError(f"{model.name!r} has the outputs {names}. Received: {name!r}.")
    return found[0]


def sample_weight_of(place, sample_weight, student):
    """Returns the weights that count for a place, or None.

    An output has its own where weights are given for each output; a layer inside has the mean of them.
    """
    flat = [weight for weight in keras.tree.flatten(sample_weight) if weight is not None]
    if not flat or not isinstance(sample_weight, dict | list | tuple):
        return flat[0] if flat else None
    kind, _, index = place.partition("/")
    if kind == "output":
        if not isinstance(sample_weight, dict):
            return sample_weight[int(index)]
        return next((sample_weight[n] for n in output_names(student)[int(index)] if n in sample_weight), None)
    per_sample = [ops.mean(ops.reshape(weight, (ops.shape(weight)[0], -1)), axis=1) for weight in flat]
    return sum(ops.cast(weight, "float32") for weight in per_sample) / float(len(flat))


class WeightedMean(keras.losses.Loss):
    """The mean that Keras takes of losses: sample weights multiply, masked positions do not count.

    Example:
    >>> float(WeightedMean().over(ops.array([1.0, 3.0]), ops.array([1.0, 0.0])))
    0.5
    """

    def call(self, y_true, y_pred):
        """The losses are there already."""
        return y_pred

    def over(self, values, sample_weight=None, mask=None) -> Any:
        """Returns the scalar mean.

        Args:
            values: Losses, shape `(batch, ...)`.
            sample_weight: Weights, shape `(batch,)` or further axes of `values`; or None.
            mask: Bool, shape `(batch, positions)`; or None. Ignored where values have no positions.
        """
        weight = ops.ones_like(values)
        if sample_weight is not None:
            weight = weight * _to_rank(ops.cast(sample_weight, values.dtype), values)
        if mask is not None and len(mask.shape) <= len(values.shape):
            counts = _to_rank(ops.cast(mask, values.dtype), values)
            weight = weight * ops.divide_no_nan(counts, ops.mean(counts))
        return self(values, values, weight)


def _to_rank(weight, values):
    """Returns `weight` with the rank of `values`: axes it has more are averaged, others are added."""
    rank = len(values.shape)
    if len(weight.shape) > rank:
        weight = ops.mean(weight, axis=tuple(range(rank, len(weight.shape))))
    extra = rank - len(weight.shape)
    return ops.reshape(weight, (*ops.shape(weight), *[1] * extra)) if extra else weight
