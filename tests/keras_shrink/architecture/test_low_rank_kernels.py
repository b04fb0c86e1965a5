"""Separable kernels nearest to full ones."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_shrink.architecture.low_rank_kernels import matched, nearest, product, relative_error


def random_case(seed, positions=9, channels=4, filters=6):
    generator = np.random.default_rng(seed)
    patches = generator.normal(size=(500, positions * channels)) @ generator.normal(
        size=(positions * channels,) * 2
    )
    return generator.normal(size=(positions, channels, filters)), patches.T @ patches


@given(st.integers(0, 1000), st.integers(1, 4))
@settings(max_examples=20, deadline=None)
def test_with_as_many_depthwise_kernels_as_the_rank_nothing_is_lost(seed, channels):
    kernel, _ = random_case(seed, positions=3, channels=channels, filters=5)
    np.testing.assert_allclose(product(*nearest(kernel, 3)), kernel, atol=1e-12)


def test_more_depthwise_kernels_than_the_rank_are_zero():
    kernel, _ = random_case(0, positions=3)
    depthwise, pointwise = nearest(kernel, 5)
    assert depthwise.shape == (3, 4, 5)
    np.testing.assert_allclose(product(depthwise, pointwise), kernel, atol=1e-12)


@given(st.integers(0, 1000))
@settings(max_examples=20, deadline=None)
def test_the_distance_is_that_of_the_singular_values_left_out(seed):
    kernel, _ = random_case(seed)
    values = np.linalg.svd(kernel.transpose(1, 0, 2), compute_uv=False)
    expected = (values[:, 2:] ** 2).sum() / (values**2).sum()
    assert relative_error(kernel, *nearest(kernel, 2)) == pytest.approx(expected)


@given(st.integers(0, 1000), st.integers(1, 2))
@settings(max_examples=10, deadline=None)
def test_matching_outputs_on_data_beats_matching_weights(seed, multiplier):
    kernel, moments = random_case(seed)
    on_weights = relative_error(kernel, *nearest(kernel, multiplier), moments)
    on_outputs = relative_error(kernel, *matched(kernel, moments, multiplier), moments)
    assert on_outputs < 0.9 * on_weights


def test_a_separable_kernel_is_found_again_from_data():
    generator = np.random.default_rng(3)
    depthwise, pointwise = generator.normal(size=(9, 4, 1)), generator.normal(size=(4, 1, 6))
    kernel = product(depthwise, pointwise)
    _, moments = random_case(3)
    np.testing.assert_allclose(product(*matched(kernel, moments, 1)), kernel, atol=1e-6)
