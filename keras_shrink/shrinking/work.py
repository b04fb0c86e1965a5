"""The steps of one shrinking: choose, try, keep or step back, and write down what happened."""

from __future__ import annotations

import math
import time
from pathlib import Path

import keras

from keras_shrink import scoring
from keras_shrink.progress import watched
from keras_shrink.rebuild import rebuild
from keras_shrink.shrinking import form as forms
from keras_shrink.shrinking import reach
from keras_shrink.shrinking.budget import COSTS
from keras_shrink.shrinking.form import Form
from keras_shrink.shrinking.identity import identity
from keras_shrink.shrinking.measuring import Sizes, measure
from keras_shrink.shrinking.recipe import Planned
from keras_shrink.shrinking.record import Journal, StepRecord, last_accepted
from keras_shrink.shrinking.result import ShrinkResult
from keras_shrink.shrinking.steps import TECHNIQUES, TRIES, Task, as_text
from keras_shrink.shrinking.training import Pieces, Training, changed
from tflite_export.errors import ConversionError

_CALIBRATION_SAMPLES = 512
_QUICK_SAMPLES = 512
_SMALLEST_DROP = 1e-3
_TRYING = "trying"


class Work:
    """One shrinking: what is known, and what is to be done next, which follows from the record alone."""

    def __init__(self, model, train, validation, budget, recipe, metric, seed, folder):
        self.model, self.validation, self.budget, self.recipe = model, validation, budget, recipe
        self.metric, self.seed, self.folder = metric, seed, folder
        self.deadline = math.inf  # on the monotonic clock: no epoch begins after it
        self.training = recipe.training.settled(model, train[1])
        self.task = Task(train, budget, self.training.loss, seed, metric)
        self.calibration = self.task.samples(_CALIBRATION_SAMPLES)[0]
        self.journal = Journal(folder, identity(model, train, validation, budget, recipe, metric, seed))
        self.original_accuracy = scoring.keras_score(model, validation, metric)
        self.floor = self.original_accuracy - budget.max_accuracy_drop
        self.form: Form
        self.integer: keras.Model
        self.sizes: Sizes
        self._untrained: tuple[Form, keras.Model] | None = None  # of the step chosen, where it is known

    @property
    def accuracy(self) -> float:
        """Of the last model that was accepted."""
        return last_accepted(self.journal.steps).accuracy

    def begin(self):
        """Takes up the last accepted step, or measures the model as it was given."""
        last = last_accepted(self.journal.steps)
        if last is not None:
            self.form, self.integer, _ = forms.load(self.folder, Path(last.checkpoint).stem)
            self.sizes = measure(self.integer, self.budget, self.form.strips)
            return
        began = time.monotonic()
        form = Form(rebuild(self.model))
        integer = form.calibrated(self.calibration)
        sizes = measure(integer, self.budget)
        reach.check(form, sizes, self.task, chooses=not self.recipe.steps)
        accuracy = self._accuracy(sizes)
        reason = f"int8 without training; float: {self.original_accuracy:.4f}"
        self._accept(None, (form, integer, sizes), accuracy, began, reason)

    def go_on(self):
        """Takes steps until the budget is met, the recipe is done, or nothing is left to try."""
        while (step := self._next()) is not None:
            self._try(*step)

    def _next(self):
        """Returns the next technique, its amount, and the training behind it; None at the end."""
        if self.recipe.steps:
            return self._next_of_recipe()
        broken = self.budget.broken(self.sizes)
        if not broken:
            return self._last_training()
        options = []
        for technique in TECHNIQUES.values():
            attempt = self._failures(technique.name)
            if attempt >= TRIES or technique.lowers.isdisjoint(broken):
                continue
            amount = technique.amount(self.form, self.sizes, broken, self.task, attempt)
            if amount is not None:
                options.append(Planned(technique.name, amount))
        if not options:
            return None
        if len(options) == 1:
            return options[0], self.training
        return self._cheapest(options), self.training

    def _next_of_recipe(self):
        done = len(self.journal.steps) - 1
        if done >= len(self.recipe.steps):
            return None
        step = self.recipe.steps[done]
        return step, changed(self.training, epochs=step.epochs, learning_rate=step.learning_rate)

    def _last_training(self):
        """Returns the training at the end, where it was asked for or the accuracy is too low."""
        epochs = self.training.final_epochs
        if self.accuracy < self.floor:
            epochs = max(epochs, self.training.epochs)
        if not epochs or any(step.name == "train" for step in self.journal.steps):
            return None
        return Planned("train"), changed(self.training, epochs=epochs)

    def _failures(self, name):
        """Returns how often a technique failed since it was accepted last."""
        count = 0
        for step in self.journal.steps:
            if step.name == name:
                count = 0 if step.accepted else count + 1
        return count

    def _cheapest(self, options):
        """Returns the option that loses least for what it saves, before training."""
        data = self.task.samples(_QUICK_SAMPLES)
        now = scoring.keras_score(self.integer, data, self.metric)
        before = self.budget.broken(self.sizes)

        def priced(option):
            try:
                form = TECHNIQUES[option.technique].apply(self.form, self.task, **option.amount)
                integer = form.calibrated(self.calibration)
                after = self.budget.needs(measure(integer, self.budget, form.strips))
            except (ValueError, ConversionError):
                return math.inf, option, None
            saved = sum(math.log(need / max(after[name], 1.0)) for name, need in before.items())
            if saved <= 0:
                return math.inf, option, (form, integer)
            lost = now - scoring.keras_score(integer, data, self.metric)
            return max(lost, _SMALLEST_DROP) / saved, option, (form, integer)

        every = [priced(option) for option in watched(options, "comparing steps")]
        _, option, self._untrained = min(every, key=lambda each: each[0])
        return option

    def _try(self, planned: Planned, training: Training):
        """Applies a step, trains, measures, and accepts it or not."""
        began = time.monotonic()
        technique, amount = TECHNIQUES[planned.technique], as_text(planned.amount)
        number = len(self.journal.steps)
        tag = {"number": number, "name": planned.technique, "amount": amount}
        try:
            form, integer = self._candidate(technique, planned.amount, tag)
            sizes = measure(integer, self.budget, form.strips)
        except (ValueError, ConversionError) as error:
            self._record(planned, self.accuracy, self.sizes, began, f"not possible: {_sentence(error)}")
            return
        objection = "" if self.recipe.steps else self._objection(planned.technique, sizes)
        if planned.technique != "train" and objection:
            self._record(planned, self.accuracy, sizes, began, objection)
            return
        if technique.trains and training.epochs:
            title = f"step {number}: {planned.technique} {amount or ''}".rstrip()
            pieces = Pieces(
                integer,
                self.model,
                training,
                self.task.train,
                seed=(self.seed, number),
                path=self.folder / f"{_TRYING}.npz",
            )
            pieces.run(lambda epochs: self._in_time(watched(epochs, title)))
            form = form.absorbing(integer)
            sizes = measure(integer, self.budget, form.strips)
        accuracy = self._accuracy(sizes) if technique.trains else self.accuracy
        self._judge(planned, (form, integer, sizes), accuracy, began)

    def _in_time(self, epochs):
        for epoch in epochs:
            if time.monotonic() > self.deadline:
                raise KeyboardInterrupt("time is up")
            yield epoch

    def _candidate(self, technique, amount, tag):
        """Returns the untrained result of a step, or the one with which training was broken off."""
        known = forms.load(self.folder, _TRYING)
        if known is not None and known[2] == tag:
            return known[:2]
        if self._untrained is not None:
            form, integer = self._untrained
        elif technique.name == "train":
            form, integer = self.form, rebuild(self.integer)
        else:
            form = technique.apply(self.form, self.task, **amount)
            integer = form.calibrated(self.calibration)
        (self.folder / f"{_TRYING}.npz").unlink(missing_ok=True)
        forms.save(self.folder, _TRYING, form, integer, **tag)
        return form, integer

    def _objection(self, name, sizes):
        """Returns why what was measured is no step forward, "" where it is."""
        for step in reversed(self.journal.steps):
            if step.accepted:
                break
            known = step.flash_bytes, step.ram_bytes, step.instructions
            if step.name == name and known == (sizes.flash_bytes, sizes.ram_bytes, sizes.instructions):
                return "comes to the same as what was taken back"
        now, then = self.budget.needs(self.sizes), self.budget.needs(sizes)
        spoiled = [name for name in then if now[name] <= 1 < then[name]]
        if spoiled:
            return f"breaks the limit of {', '.join(spoiled)}"
        if all(then[name] >= now[name] for name in now if now[name] > 1):
            return "saves nothing"
        return ""

    def _judge(self, planned, candidate, accuracy, began):
        sizes = candidate[2]
        floor = self.floor
        if planned.max_accuracy_drop is not None:
            floor = self.original_accuracy - planned.max_accuracy_drop
        if planned.technique == "train" and accuracy <= self.accuracy:
            self._record(planned, accuracy, sizes, began, "no better than before")
        elif accuracy < min(floor, self.accuracy):
            lost, allowed = self.original_accuracy - accuracy, self.original_accuracy - floor
            reason = f"loses {lost:.4f} of {self.original_accuracy:.4f}, more than {allowed:g}"
            self._record(planned, accuracy, sizes, began, reason)
        else:
            broken = self.budget.broken(sizes)
            reason = f"{', '.join(broken)} still above the limit" if broken else "meets every limit"
            self._accept(planned, candidate, accuracy, began, reason)

    def _accept(self, planned, candidate, accuracy, began, reason):
        form, integer, sizes = candidate
        stem = f"step_{len(self.journal.steps):02d}"
        forms.save(self.folder, stem, form, integer)
        self._record(planned, accuracy, sizes, began, reason, f"{stem}.keras")
        self.form, self.integer, self.sizes = candidate

    def _record(self, planned, accuracy, sizes, began, reason, checkpoint=""):
        """Writes down a step, accepted if it has a checkpoint; None is the start."""
        self.journal.add(
            StepRecord(
                name="start" if planned is None else planned.technique,
                amount=None if planned is None else as_text(planned.amount),
                accepted=checkpoint != "",
                accuracy=accuracy,
                flash_bytes=sizes.flash_bytes,
                ram_bytes=sizes.ram_bytes,
                instructions=sizes.instructions,
                seconds=round(time.monotonic() - began, 1),
                reason=reason,
                checkpoint=checkpoint,
            )
        )
        self._untrained = None
        for file in self.folder.glob(f"{_TRYING}*"):
            file.unlink()

    def _accuracy(self, sizes):
        return scoring.device_score(sizes.tflite, self.validation, self.metric)

    def result(self, stopped="") -> ShrinkResult:
        """Returns what was reached, and what stands in the way where the budget is not met."""
        broken = self.budget.broken(self.sizes)
        reason = stopped
        if not reason and broken:
            reason = self._obstacle(broken)
        elif not reason and self.accuracy < self.floor:
            reason = (
                f"the accuracy is {self.accuracy:.4f}, and {self.floor:.4f} is needed; more epochs, more "
                "data or a larger budget may help"
            )
        return ShrinkResult(
            original=self.model,
            model=self.integer,
            tflite=self.sizes.tflite,
            steps=tuple(self.journal.steps),
            budget=self.budget,
            validation=self.validation,
            metric=self.metric,
            original_accuracy=self.original_accuracy,
            met=not reason,
            reason=reason,
            strips=self.form.strips,
            folder=self.folder,
        )

    def _obstacle(self, broken):
        parts = []
        for name, need in broken.items():
            value, limit = getattr(self.sizes, COSTS[name]), self.budget.limits[name]
            parts.append(f"{name} is {value:,}, {need:.2f} times the limit of {limit:,}")
        last = {step.name: step for step in self.journal.steps if not step.accepted}
        tried = [f"{name} {step.amount or ''}".rstrip() + f" {step.reason}" for name, step in last.items()]
        return "; ".join(parts) + ("; given up: " + "; ".join(tried) if tried else "; nothing is left to try")


def _sentence(error):
    return str(error).splitlines()[0][:200]
