"""The callbacks of tfmot: the one that prunes, and the one that writes what was pruned to TensorBoard."""

import json
import os

import keras
import numpy as np

from keras_shrink import Pruner, schedules, select
from keras_shrink.compat.tfmot.sparsity.keras.wrapping import marked


class UpdatePruningStep(keras.callbacks.Callback):
    """Prunes the marked layers of a model while it trains; natively `GradualPruning`.

    It counts from where the marked layers stand, so training may go on in another `fit` or from a file. In a
    loop of one's own: `set_model`, `on_train_begin`, `on_train_batch_begin` before each step, and
    `on_epoch_end`; the loop updates weights through the Keras optimizer in `model.optimizer`.

    Example:
    >>> UpdatePruningStep().pruners
    []
    """

    async_safe = True  # masks change in on_train_batch_begin, which is never run beside a training step

    def __init__(self):
        super().__init__()
        self.pruners = []
        self._begun = False

    def on_train_begin(self, logs=None):
        """Notes that a training starts; masks are made before its first step."""
        self._begun = False
        for wrapper in marked(self.model):
            wrapper.is_updated = True

    def on_train_batch_begin(self, batch, logs=None):
        """Updates the masks where a schedule asks for it."""
        if not self._begun and self.model.built:
            self._begin()
        for pruner, _ in self.pruners:
            pruner.step()

    def on_epoch_end(self, batch, logs=None):
        """Makes the zeros exact and notes the step."""
        for pruner, wrappers in self.pruners:
            pruner.end()
            for wrapper in wrappers:
                wrapper.pruning_step.assign(pruner.current_step)

    def _begin(self):
        self._begun = True
        groups = {}
        for wrapper in marked(self.model):
            config = wrapper.get_config()
            settings = {name: config[name] for name in config if name not in ("layer", "name")}
            groups.setdefault(json.dumps(settings, sort_keys=True, default=str), []).append(wrapper)
        self.pruners = [(_pruner(wrappers), wrappers) for wrappers in groups.values()]
        for pruner, wrappers in self.pruners:
            at_step = int(wrappers[0].pruning_step.numpy())
            pruner.begin(self.model, getattr(self.model, "optimizer", None), at_step=at_step)


def _pruner(wrappers):
    """Returns the native pruner of layers that were marked alike."""
    schedule, frequency = wrappers[0].pruning_schedule.plan()
    pattern = wrappers[0].pattern()
    if wrappers[0].sparsity_m_by_n is not None:
        begin_step = getattr(schedule, "begin_step", 0)
        schedule = schedules.constant(pattern.largest_fraction(), begin_step=begin_step)
    return Pruner(schedule, layers=select.by_layer(*wrappers), pattern=pattern, frequency=frequency)


class PruningSummaries(keras.callbacks.TensorBoard):
    """Writes the sparsity of each marked layer to TensorBoard at each epoch.

    The threshold beside it is the smallest absolute weight that is not zero.

    Args:
        log_dir: Folder of the logs.
        update_freq: As for `keras.callbacks.TensorBoard`.
        **kwargs: As for `keras.callbacks.TensorBoard`.

    Example:
    >>> import tempfile
    >>> PruningSummaries(log_dir=tempfile.mkdtemp()).update_freq
    'epoch'
    """

    def __init__(self, log_dir, update_freq="epoch", **kwargs):
        if not isinstance(log_dir, str) or not log_dir:
            raise ValueError(f"log_dir must be the name of a folder. Received: log_dir={log_dir!r}.")
        super().__init__(log_dir=log_dir, update_freq=update_freq, **kwargs)
        self._metrics = None

    def on_epoch_begin(self, epoch, logs=None):
        """Writes the sparsity reached so far."""
        import tensorflow as tf

        if logs is not None:
            super().on_epoch_begin(epoch, logs)
        if self._metrics is None:
            self._metrics = tf.summary.create_file_writer(os.path.join(self.log_dir, "metrics"))
        step = int(self.model.optimizer.iterations.numpy())
        with self._metrics.as_default():
            for kernel in select.find_kernels(self.model, select.by_layer(*marked(self.model))):
                size = np.abs(kernel.variable.numpy())
                kept = size[size > 0]
                tf.summary.scalar(f"{kernel.name}/sparsity", 1 - kept.size / size.size, step=step)
                tf.summary.scalar(f"{kernel.name}/threshold", kept.min() if kept.size else 0.0, step=step)
        self._metrics.flush()
