"""Objectives on what the models compute inside: features, where they look, and how samples resemble."""

import keras
import numpy as np
from keras import ops

from keras_shrink.distillation.objective import Objective, masked


@keras.saving.register_keras_serializable("keras_shrink")
class FeatureMatching(Objective):
    """Mean squared error between features of the student and hints from the teacher.

    Where the widths differ, a learned linear projection (a 1 x 1 convolution) takes the student's
    channels to the teacher's; it is trained along and is no part of the student.

    Args:
        pairs: Mapping from names of layers of the student to names of layers of the teacher, whose outputs
            have the same positions (height and width, or time), channels last.
        weight: Factor of this loss in the sum.
        teacher: Index of the teacher; None for the mean over all.
        name: Name in the logs.

    Raises:
        ValueError: Before training, if positions differ.

    Example:
    >>> FeatureMatching({"conv_2": "block_4"}, weight=0.1).pairs
    {'conv_2': 'block_4'}

    Reference:
        Romero et al., 2014 (FitNets), arXiv:1412.6550.
    """

    of_layers = True

    def __init__(self, pairs=None, *, weight=1.0, teacher=None, name=None, **kwargs):
        super().__init__(pairs, weight=weight, teacher=teacher, name=name, **kwargs)
        self._projections = {}

    def prepare(self, key, student, teacher):
        """Makes the projection, where widths differ."""
        if len(student.shape) != len(teacher.shape) or any(
            None not in sizes and sizes[0] != sizes[1]
            for sizes in zip(student.shape[1:-1], teacher.shape[1:-1], strict=True)
        ):
            raise ValueError(
                f"Features to match must have the same positions. Received: {student} and {teacher}. Choose "
                "layers of the same size, or AttentionTransfer or SimilarityPreserving, which need none."
            )
        widths = (student.shape[-1], teacher.shape[-1])
        if widths[0] != widths[1]:
            # Not called a kernel: pruning is for the student alone.
            self._projections[key] = self.add_weight(
                name=f"projection_{len(self._projections)}", shape=widths, initializer="glorot_uniform"
            )

    def compare(self, student, teacher, key, mask=None):
        """Returns the squared error at each position, a mean over channels."""
        if key in self._projections:
            student = ops.matmul(student, self._projections[key])
        return ops.mean(ops.square(student - teacher), axis=-1)


@keras.saving.register_keras_serializable("keras_shrink")
class AttentionTransfer(Objective):
    """Squared distance between the places that student and teacher look at.

    The attention map of a layer is the sum of squares over its channels, scaled to length one, so the
    loss is between 0 and 2 whatever the sizes. Widths may differ; a teacher's map of another size is
    resized to the student's.

    Args:
        pairs: Mapping from names of layers of the student to names of layers of the teacher with outputs
            of rank 3 (sequences) or 4 (pictures), channels last.
        weight: Factor of this loss in the sum. The published weight of 1000 belongs to a mean over
            positions; with this sum begin at 1.
        teacher: Index of the teacher; None for the mean over all.
        name: Name in the logs.

    Raises:
        ValueError: Before training, if an output has no positions.

    Example:
    >>> AttentionTransfer({"block_1": "block_1", "block_2": "block_4"}).name
    'attention_transfer'

    Reference:
        Zagoruyko and Komodakis, 2016, arXiv:1612.03928.
    """

    of_layers = True

    def prepare(self, key, student, teacher):
        """Refuses outputs without positions."""
        ranks = (len(student.shape), len(teacher.shape))
        if ranks[0] != ranks[1] or ranks[0] not in (3, 4):
            raise ValueError(
                "Attention maps need outputs of rank 3 (batch, time, channels) or 4 (batch, height, width, "
                f"channels), of the same rank on both sides. Received: {student} and {teacher}."
            )

    def compare(self, student, teacher, key, mask=None):
        """Returns the squared distance of the maps for each sample."""
        wanted = _attention(teacher)
        given = _attention(student)
        if given.shape[1:] != wanted.shape[1:]:
            wanted = ops.image.resize(wanted[..., None], ops.shape(given)[1:], data_format="channels_last")
            wanted = wanted[..., 0]
        wanted, given = (_unit(masked(maps, mask)) for maps in (wanted, given))
        return ops.sum(ops.square(wanted - given), axis=-1)


def _attention(values):
    """Returns `(batch, height, width)`; a sequence has width 1."""
    maps = ops.sum(ops.square(values), axis=-1)
    return maps[:, :, None] if len(maps.shape) == 2 else maps


def _unit(maps):
    """Returns `(batch, positions)` of length one; all zeros stay zeros."""
    count = ops.shape(maps)[0]
    return _normalized(ops.reshape(maps, (count, -1)))


def _normalized(rows):
    return rows * ops.rsqrt(ops.sum(ops.square(rows), axis=-1, keepdims=True) + 1e-12)


@keras.saving.register_keras_serializable("keras_shrink")
class SimilarityPreserving(Objective):
    """Asks that samples of a batch that are alike to the teacher are alike to the student.

    `G = normalize(Q Q^T)` by rows, where Q holds the flattened features of the batch; the loss of
    sample i is the squared distance of row i between student and teacher, over the batch size. Widths and
    positions may differ, so any layer may learn from any other. Needs batches of many samples.

    Args:
        pairs: Mapping from names of layers of the student to names of layers of the teacher.
        weight: Factor of this loss in the sum. Published experiments take thousands.
        teacher: Index of the teacher; None for the mean over all.
        name: Name in the logs.

    Example:
    >>> SimilarityPreserving({"conv_3": "block_5"}, weight=1000.0).weight
    1000.0

    Reference:
        Tung and Mori, 2019, arXiv:1907.09682.
    """

    of_layers = True

    def compare(self, student, teacher, key, mask=None):
        """Returns the squared distance of similarities for each sample."""
        difference = _similarity(masked(student, mask)) - _similarity(teacher_masked(teacher, mask))
        return ops.mean(ops.square(difference), axis=-1)


def teacher_masked(values, mask):
    """Returns the teacher's values under the student's mask, where they have the same positions."""
    same = mask is not None and len(values.shape) > 2 and values.shape[1] == mask.shape[1]
    return masked(values, mask if same else None)


def _similarity(values):
    width = int(np.prod(values.shape[1:])) if None not in values.shape[1:] else -1
    rows = ops.reshape(values, (ops.shape(values)[0], width))
    return _normalized(ops.matmul(rows, ops.transpose(rows)))
