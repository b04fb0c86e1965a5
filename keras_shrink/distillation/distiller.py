"""`Distiller`: a student that learns from labels and from teachers, in `fit`."""

from __future__ import annotations

import contextlib

import keras
from keras import ops

from keras_shrink.distillation.comparisons import WeightedMean, compare, sample_weight_of
from keras_shrink.distillation.objective import Objective
from keras_shrink.distillation.outputs import SoftTargets
from keras_shrink.distillation.places import Watched, knows_its_inputs
from keras_shrink.distillation.remembered import remember, untaught
from keras_shrink.distillation.teachers import Teachers, as_models


class _Run:
    """What is known within one step, and what is compared; plain, so that Keras does not track it."""

    def __init__(self):
        self.knowledge = None
        self.student = None
        self.comparisons = None


# keras.distillation is not built upon: it ignores sample_weight, leaves the teacher frozen, runs the student
# again for features (in training mode, even in evaluate), and cannot compare features of different widths.
@keras.saving.register_keras_serializable("keras_shrink")
class Distiller(keras.Model):
    """A student in training: `fit` it as you would fit the student.

    `loss = label_weight * compiled loss + sum(objective.weight * objective)`, plus the student's own
    regularization. Sample weights, class weights and masks act on every part. Teachers are run once per
    batch, in inference mode, outside of the gradient; they are not trained, frozen or otherwise changed.
    `predict`, and metrics in `evaluate`, are the student's. The student given is what is trained: a pruned
    one (`GradualPruning` finds its layers) and a quantization-aware one too.

    Args:
        student: The `keras.Model` to train.
        teacher: A trained `keras.Model` on the same inputs, or a list of them (their losses are
            averaged); the student itself, which then learns from a copy of what it is now (born
            again); or None: outputs and layers of the student learn from others of the student.
        objectives: An objective or a list of them. Defaults to `SoftTargets(temperature)`.
        temperature: Temperature of that default.
        label_weight: Factor of the compiled loss. At 0 labels are not needed.

    Attributes:
        student: The student: save it, prune it, convert it.
        objectives: List of the objectives.

    Raises:
        ValueError: If an argument is out of range or names what is not there.

    Example:
    >>> import numpy as np
    >>> teacher, student = (
    ...     keras.Sequential([keras.Input((4,)), keras.layers.Dense(n, "relu"), keras.layers.Dense(3)])
    ...     for n in (32, 2)
    ... )
    >>> distiller = Distiller(student, teacher, temperature=2.0)
    >>> distiller.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    >>> history = distiller.fit(np.ones((8, 4)), np.ones(8), verbose=0)
    >>> sorted(history.history)
    ['label_loss', 'loss', 'soft_targets']

    Reference:
        Hinton, Vinyals and Dean, 2015, arXiv:1503.02531; Furlanello et al., 2018 (born again),
        arXiv:1805.04770; Zhang et al., 2019 (from its own deeper layers), arXiv:1905.08094.
    """

    def __init__(
        self, student, teacher, objectives=None, *, temperature=4.0, label_weight=0.1, name="distiller"
    ):
        super().__init__(name=name, autocast=False)  # the student casts its inputs as it always does
        if not isinstance(student, keras.Model):
            raise ValueError(f"student must be a keras.Model. Received: student={student!r}.")
        if not label_weight >= 0:
            raise ValueError(f"label_weight must not be negative. Received: label_weight={label_weight}.")
        self.student = student
        self.label_weight = float(label_weight)
        self.objectives = _as_objectives(objectives, temperature)
        models = as_models(teacher, student)
        self._learns_from_itself = not models
        for objective in self.objectives:
            if objective.teacher is not None and not 0 <= objective.teacher < len(models):
                raise ValueError(
                    f"There are {len(models)} teachers, counted from 0. "
                    f"Received: teacher={objective.teacher} in {objective.name!r}."
                )
        self._teachers = Teachers(models, [self._layers_of_teacher(index) for index in range(len(models))])
        self._watched = Watched(student, self._layers_of_student())
        self._means = {o.name: keras.metrics.Mean(name=o.name) for o in self.objectives}
        self._label_mean = keras.metrics.Mean(name="label_loss")
        self._mean = WeightedMean(name="distillation")
        self._run = _Run()
        self.supports_masking = True
        self.built = student.built
        if knows_its_inputs(student) and self._teachers.know_their_inputs:
            self._prepare()

    @property
    def teachers(self):
        """The teachers, as a list of models; Keras finds them here when it saves and loads weights."""
        return self._teachers.models

    def remember(self, data, folder, *, batch_size=256):
        """Returns `data` together with what the teachers answer to it, for a `fit` that does not ask them.

        The answers are computed once and kept in files of the folder; a later call with the same
        teachers and data reads them back. Only for inputs that are the same in every epoch: where
        samples are augmented as they are read, the teachers must see what the student sees.

        Args:
            data: Inputs as arrays, as `fit` takes them as `x`; or a `tf.data.Dataset` of batches
                that gives the same batches in every epoch (shuffle what is returned, not before).
            folder: A folder for these answers alone.
            batch_size: Samples at a time, where arrays are given.

        Returns:
            For arrays, what to pass to `fit` as `x`: `inputs` and, by name, what the `teachers` say,
            whose rows belong together if you make batches of them yourself. For a data set, a data set.

        Raises:
            ValueError: If the folder has answers of other teachers or to other data.

        Example:
        >>> import numpy as np, tempfile
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
        >>> distiller = Distiller(model, model)
        >>> sorted(distiller.remember(np.ones((8, 4)), tempfile.mkdtemp()))
        ['inputs', 'teachers']
        """
        if self._learns_from_itself:
            raise ValueError("Without a teacher there is nothing to remember: the student changes.")
        return remember(self._teachers, data, folder, batch_size=batch_size)

    def call(self, inputs, training=None):
        """Returns the outputs of the student."""
        inputs, _ = untaught(inputs)
        if self._run.knowledge is None:
            return self.student(inputs, training=training)
        outputs, self._run.student = self._watched(inputs, training=training)
        return outputs

    def train_step(self, data):
        """One step of `fit`: asks the teachers, then does what Keras does for the student."""
        with self._asked(data) as batch:
            return super().train_step(batch)

    def test_step(self, data):
        """One step of `evaluate`."""
        with self._asked(data) as batch, self._rounding_of_student():
            return super().test_step(batch)

    def predict_step(self, data):
        """One step of `predict`."""
        with self._rounding_of_student():
            return super().predict_step(data)

    def _rounding_of_student(self):
        """The context in which a quantized student evaluates; any other needs none."""
        return getattr(self.student, "device_rounding", contextlib.nullcontext)()

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Returns the whole loss; outside of a step (while Keras builds its metrics) that of the labels."""
        count = ops.shape(keras.tree.flatten(y_pred)[0])[0]
        regularization = sum((ops.sum(ops.cast(loss, "float32")) for loss in self.losses), 0.0)
        total = regularization
        if self.label_weight and self._compile_loss is not None:
            plain = super().compute_loss(x, y, y_pred, sample_weight, training)
            labels = plain - regularization
            total = plain + (self.label_weight - 1.0) * labels
            self._label_mean.update_state(labels, sample_weight=count)
        if self._run.knowledge is not None:
            losses = self._losses_by_objective(sample_weight)
            for objective in self.objectives:
                self._means[objective.name].update_state(losses[objective.name], sample_weight=count)
                total = total + objective.weight * losses[objective.name]
        return ops.convert_to_tensor(total, "float32")

    def _losses_by_objective(self, sample_weight):
        run = self._run
        knowledge = run.student if self._learns_from_itself else run.knowledge
        losses = dict.fromkeys(self._means, 0.0)
        for comparison in run.comparisons:
            values, mask = comparison.loss(run.student, knowledge)
            weight = sample_weight_of(comparison.student, sample_weight, self.student)
            losses[comparison.objective.name] += comparison.share * self._mean.over(values, weight, mask)
        return losses

    @contextlib.contextmanager
    def _asked(self, data):
        """Gives the batch without answers of teachers; while active, these are known."""
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        x, knowledge = untaught(x)
        if self._run.comparisons is None:
            self._prepare(x)
        self._run.knowledge = self._teachers(x) if knowledge is None else knowledge
        missing = {c.teacher for c in self._run.comparisons} - set(self._run.knowledge)
        if missing and not self._learns_from_itself:
            raise ValueError(
                f"The answers remembered lack {sorted(missing)}. Call remember() on this Distiller, whose "
                "objectives look at them."
            )
        try:
            yield x, y, sample_weight
        finally:
            self._run.knowledge = self._run.student = None

    def _prepare(self, x=None):
        """Finds out what is compared with what, once shapes are known, and readies the objectives."""
        places = self._watched.places(x, training=True)
        known = places if self._learns_from_itself else self._teachers.places(x)
        comparisons = compare(self.objectives, self.student, self.teachers)
        for each in comparisons:
            each.objective.prepare(each.key, places[each.student], known[each.teacher])
        self._run.comparisons = comparisons

    def _layers_of_teacher(self, index):
        chosen = [o for o in self.objectives if o.of_layers and o.teacher in (None, index)]
        return list(dict.fromkeys(name for o in chosen for name in o.pairs.values()))

    def _layers_of_student(self):
        names = [name for o in self.objectives if o.of_layers for name in o.pairs]
        if self._learns_from_itself:
            names += self._layers_of_teacher(None)
        return list(dict.fromkeys(names))

    def get_config(self):
        """Student, teachers and objectives as nested configuration."""
        serialize = keras.saving.serialize_keras_object
        return {
            "name": self.name,
            "student": serialize(self.student),
            "teacher": [serialize(model) for model in self.teachers] or None,
            "objectives": [serialize(objective) for objective in self.objectives],
            "label_weight": self.label_weight,
        }

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Restores student, teachers and objectives."""

        def restore(item):
            return keras.saving.deserialize_keras_object(item, custom_objects=custom_objects)

        teachers = config["teacher"]
        return cls(
            restore(config["student"]),
            teachers and [restore(model) for model in teachers],
            [restore(objective) for objective in config["objectives"]],
            label_weight=config["label_weight"],
            name=config["name"],
        )


def _as_objectives(objectives, temperature):
    """Returns the list of objectives that a caller means."""
    if objectives is None:
        return [SoftTargets(temperature)]
    listed = list(objectives) if isinstance(objectives, list | tuple) else [objectives]
    if not listed or not all(isinstance(objective, Objective) for objective in listed):
        raise ValueError(
            "objectives must be an Objective, such as SoftTargets(), or a list of them. "
            f"Received: objectives={objectives!r}."
        )
    names = [objective.name for objective in listed]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"Two objectives have the name {twice}. Give one of them another: name=...")
    return listed
