import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from keras_shrink.clustering.kmeans import STARTS, find_centroids, nearest

NUMBERS = arrays.arrays(np.float32, st.integers(1, 60), elements=st.floats(-100, 100, width=32))


def found(values, count, start):
    return find_centroids(values, count, start=start, generator=np.random.default_rng(0))


def error(values, centroids):
    return float(np.square(values - centroids[nearest(values, centroids)]).sum())


@pytest.mark.parametrize("start", STARTS)
@hypothesis.given(NUMBERS, st.integers(1, 8))
@hypothesis.settings(max_examples=30, deadline=None)
def test_centroids_are_few_ascending_and_within_the_values(start, values, count):
    centroids = found(values, count, start)
    assert 1 <= len(centroids) <= count
    assert (np.diff(centroids) > 0).all()
    assert centroids[0] >= values.min() - 1e-4
    assert centroids[-1] <= values.max() + 1e-4


@pytest.mark.parametrize("start", STARTS)
@hypothesis.given(NUMBERS)
@hypothesis.settings(max_examples=30, deadline=None)
def test_no_more_values_than_centroids_are_kept_as_they_are(start, values):
    np.testing.assert_array_equal(found(values, 60, start), np.unique(values))


@pytest.mark.parametrize("start", STARTS)
def test_each_centroid_is_the_mean_of_those_nearest_to_it(start):
    values = np.random.default_rng(1).normal(size=5000)
    centroids = found(values, 16, start)
    index = nearest(values, centroids)
    np.testing.assert_allclose(centroids, [values[index == i].mean() for i in range(16)], atol=5e-3)


@pytest.mark.parametrize("start", STARTS)
def test_the_error_is_near_that_of_the_best_quantizer_of_normal_numbers(start):
    values = np.random.default_rng(2).normal(size=20000)
    assert error(values, found(values, 4, start)) / values.size < 0.1175 * 1.05  # Max, 1960: 0.1175


def test_nobody_s_centroid_goes_to_the_largest_error():
    values = np.concatenate([np.linspace(0, 1, 100), [1000.0]])
    centroids = found(values, 5, "linear")
    assert len(set(nearest(values, centroids))) == 5


def test_nearest_is_nearest():
    generator = np.random.default_rng(3)
    values, centroids = generator.normal(size=(7, 9)), np.sort(generator.normal(size=6))
    by_distance = np.abs(values[..., None] - centroids).argmin(axis=-1)
    np.testing.assert_array_equal(nearest(values, centroids), by_distance)


def test_far_apart_starts_follow_the_generator():
    values = np.random.default_rng(4).normal(size=300)
    once, again = found(values, 5, "k-means++"), found(values, 5, "k-means++")
    np.testing.assert_array_equal(once, again)
