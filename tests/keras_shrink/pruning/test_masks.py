import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from keras_shrink.pruning import Block, Element, Global
from keras_shrink.pruning.masks import Ranked, compute_masks


def ranked(*scores):
    return [Ranked(np.asarray(s, float), np.zeros(np.shape(s), bool), (0, 1)) for s in scores]


@given(
    scores=arrays.arrays(
        float, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.sampled_from([0.0, 1.0, 2.5])
    ),
    fraction=st.floats(0, 0.999),
)
def test_the_number_of_zeros_is_exact_with_ties(scores, fraction):
    mask = compute_masks(ranked(scores), fraction, Element())[0]
    assert (~mask).sum() == round(fraction * scores.size)
    if mask.any() and not mask.all():
        assert scores[~mask].max() <= scores[mask].min()


@given(fraction=st.floats(0, 0.95), seed=st.integers(0, 50), normalize=st.booleans())
def test_a_global_ranking_is_exact_over_all_layers(fraction, seed, normalize):
    generator = np.random.default_rng(seed)
    kernels = ranked(generator.random((9, 5)), 100 * generator.random((4, 30)), generator.random((3, 3)))
    masks = compute_masks(kernels, fraction, Element(), Global(normalize=normalize, min_kept=0.0))
    assert sum(int((~mask).sum()) for mask in masks) == round(fraction * (45 + 120 + 9))


def test_scaling_a_layer_changes_nothing_in_a_normalized_ranking():
    generator = np.random.default_rng(0)
    a, b = generator.random((20, 5)), generator.random((20, 5))
    plain = compute_masks(ranked(a, b), 0.5, Element(), Global(normalize=True))
    scaled = compute_masks(ranked(a, 1000 * b), 0.5, Element(), Global(normalize=True))
    assert all(np.array_equal(x, y) for x, y in zip(plain, scaled, strict=True))
    unscaled = compute_masks(ranked(a, 1000 * b), 0.5, Element(), "global")
    assert unscaled[0].mean() < 0.05


@pytest.mark.parametrize("min_kept", [0.0, 0.1])
def test_no_layer_dies_in_a_global_ranking(min_kept):
    weak, strong = np.full((10, 10), 1e-9), np.ones((10, 10))
    masks = compute_masks(ranked(weak, strong), 0.7, Element(), Global(normalize=False, min_kept=min_kept))
    assert masks[0].sum() == max(1, round(100 * min_kept))
    assert sum(int((~mask).sum()) for mask in masks) == min(140, 199 - masks[0].sum())


def test_a_global_ranking_of_blocks_of_different_sizes_comes_closest():
    generator = np.random.default_rng(0)
    kernels = ranked(generator.random((6, 10)), generator.random((5, 3)))
    masks = compute_masks(kernels, 0.5, Block((1, 4)), "global")
    assert abs(sum(int((~mask).sum()) for mask in masks) - 37.5) <= 2


@given(first=st.floats(0, 0.99), second=st.floats(0, 0.99), seed=st.integers(0, 50))
def test_weights_pruned_once_stay_pruned(first, second, seed):
    generator = np.random.default_rng(seed)
    mask = compute_masks(ranked(generator.random((8, 8))), first, Element())[0]
    again = compute_masks([Ranked(generator.random((8, 8)), ~mask, (0, 1))], second, Element())[0]
    assert not (again & ~mask).any()
    assert (~again).sum() == max(round(first * 64), round(second * 64))


def test_weights_that_are_not_a_number_are_pruned_last_and_counted():
    scores = np.where(np.arange(20).reshape(4, 5) < 15, np.nan, 1.0)
    mask = compute_masks(ranked(scores), 0.5, Element())[0]
    assert (~mask).sum() == 10
    assert not mask[np.isfinite(scores)].any()


def test_scope_and_min_kept_are_checked():
    with pytest.raises(ValueError, match=r'scope must be "layer", "global" or a Global\. Received: scope=3'):
        compute_masks(ranked(np.ones((2, 2))), 0.5, Element(), 3)
    with pytest.raises(ValueError, match=r"Received: min_kept=1\.5"):
        Global(min_kept=1.5)
