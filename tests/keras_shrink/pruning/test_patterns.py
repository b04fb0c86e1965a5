import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_shrink.pruning import Block, Element, NofM
from keras_shrink.pruning.masks import Ranked, compute_masks

AXES = (-2, -1)


def mask_of(scores, pattern, fraction, axes=AXES):
    scores = np.asarray(scores, float)
    return compute_masks([Ranked(scores, np.zeros(scores.shape, bool), axes)], fraction, pattern)[0]


@given(
    shape=st.lists(st.integers(1, 7), min_size=2, max_size=4).map(tuple),
    block=st.tuples(st.integers(0, 4), st.integers(0, 5)),
    fraction=st.floats(0, 0.99),
    seed=st.integers(0, 99),
)
def test_blocks_are_pruned_whole_and_counted_exactly(shape, block, fraction, seed):
    scores = np.random.default_rng(seed).random(shape)
    pattern = Block(block)
    mask = mask_of(scores, pattern, fraction, (len(shape) - 2, len(shape) - 1))
    a, b = block[0] or shape[-2], block[1] or shape[-1]
    rows = mask.reshape(-1, *shape[-2:])
    for i in range(0, shape[-2], a):
        for j in range(0, shape[-1], b):
            for row in rows:
                assert row[i : i + a, j : j + b].min() == row[i : i + a, j : j + b].max()
    largest = min(a, shape[-2]) * min(b, shape[-1])
    assert abs(int((~mask).sum()) - round(fraction * mask.size)) <= largest


def test_a_block_with_the_smallest_mean_goes_first():
    scores = [[9, 1, 1, 1, 2, 2, 2, 3]]
    assert mask_of(scores, Block((1, 4)), 0.5).tolist() == [[True] * 4 + [False] * 4]


def test_a_long_block_lies_on_the_last_axes():
    scores = np.arange(2 * 2 * 1 * 3, dtype=float).reshape(2, 2, 1, 3)
    mask = mask_of(scores, Block((2, 2, 1, 1)), 1 / 3)
    assert (~mask).sum() == 4
    assert not mask[:, :, 0, 0].any()


def test_a_block_follows_the_axes_of_a_transposed_kernel():
    scores = np.ones((3, 3, 8, 2))
    scores[1, 1, 4:, 0] = 0
    mask = mask_of(scores, Block((1, 4)), 4 / scores.size, axes=(3, 2))
    assert np.argwhere(~mask).tolist() == [[1, 1, i, 0] for i in range(4, 8)]


@given(
    channels=st.integers(1, 13),
    n=st.integers(1, 3),
    more=st.integers(1, 4),
    fraction=st.floats(0, 0.99),
    rank=st.integers(2, 5),
)
def test_groups_never_keep_too_few_and_at_full_fraction_never_too_many(channels, n, more, fraction, rank):
    pattern = NofM(n, n + more)
    shape = (*(2,) * (rank - 2), channels, 3)
    scores = np.random.default_rng(channels).random(shape)
    axes = (rank - 2, rank - 1)
    partly = mask_of(scores, pattern, min(fraction, pattern.largest_fraction()), axes)
    fully = mask_of(scores, pattern, pattern.largest_fraction(), axes)
    for start in range(0, channels, pattern.m):
        group = np.moveaxis(partly, -2, -1)[..., start : start + pattern.m]
        assert group.sum(axis=-1).min() >= min(n, group.shape[-1])
    if channels % pattern.m == 0:
        assert (~fully).sum() == round(pattern.largest_fraction() * scores.size)
        assert pattern.conformity(~fully, axes) == 1.0


def test_two_of_four_keeps_the_two_largest_along_the_channels_in():
    scores = np.array([[4, 1], [3, 2], [2, 3], [1, 4]])
    assert mask_of(scores, NofM(2, 4), 0.5).T.tolist() == [
        [True, True, False, False],
        [False, False, True, True],
    ]


def test_n_of_m_can_be_told_its_axis():
    mask = mask_of(np.arange(8.0).reshape(2, 4), NofM(1, 4, axis=1), 0.75)
    assert mask.tolist() == [[False, False, False, True]] * 2


def test_conformity_counts_groups():
    zero = np.array([[True], [True], [False], [False], [True], [False], [False], [False]])
    assert NofM(2, 4).conformity(zero, (0, 1)) == 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Block(4), r"Received: shape=4"),
        (lambda: Block((4,)), r"two or more"),
        (lambda: Block((1, -4)), r"Received: shape=\(1, -4\)"),
        (lambda: NofM(4, 2), r"0 < n < m. Received: n=4, m=2"),
        (lambda: mask_of(np.ones((4, 4)), Block((3, 3, 1, 1)), 0.5), r"does not fit a kernel of rank 2"),
        (lambda: mask_of(np.ones((4, 4)), NofM(2, 4, axis=2), 0.5), r"Received: axis=2"),
    ],
)
def test_patterns_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_element_leaves_weights_that_are_pruned_already_pruned():
    pruned = np.array([[True, False], [False, False]])
    mask = compute_masks([Ranked(np.array([[9.0, 1], [2, 3]]), pruned, AXES)], 0.5, Element())[0]
    assert mask.tolist() == [[False, False], [True, True]]
