import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

import keras_shrink as ks
from keras_shrink.quantization.estimators import METHODS, MeanSquaredError, Percentile, as_estimator


def identity_model():
    """Ends in the values it is given, so that the range of its input is that of the data."""
    return keras.Sequential([keras.Input((64,), name="x"), layers.Dense(1, name="y")])


def range_of(data, method, **kwargs):
    return ks.calibrate(identity_model(), data, method=method, **kwargs).get_layer("x_int8").range()


def with_outlier(outlier=100.0, count=2000):
    x = np.random.default_rng(0).normal(0, 1, (count, 64)).astype("float32")
    x[7, 3] = outlier
    return x


def test_minmax_holds_every_value():
    x = with_outlier()
    assert range_of(x, "minmax") == (x.min(), x.max())


def test_minmax_is_the_default():
    x = with_outlier()
    assert ks.calibrate(identity_model(), x).get_layer("x_int8").range() == (x.min(), x.max())


def test_moving_average_is_the_mean_of_the_batches_extremes():
    x = with_outlier(count=128)
    lows, highs = x.reshape(4, -1).min(axis=1), x.reshape(4, -1).max(axis=1)
    np.testing.assert_allclose(range_of(x, "moving_average"), (lows.mean(), highs.mean()), rtol=1e-5)


def test_percentile_leaves_the_outlier_out_and_keeps_the_rest():
    x = with_outlier()
    low, high = range_of(x, "percentile")
    step = (x.max() - x.min()) / 2048
    assert abs(low - np.percentile(x, 0.005)) <= step
    assert abs(high - np.percentile(x, 99.995)) <= step
    assert range_of(x, Percentile(99.0))[1] < high


def test_mean_squared_error_beats_every_other_method_with_an_outlier():
    x = with_outlier(60.0)

    def error(method):
        low, high = range_of(x, method)
        scale = (high - low) / 255
        return np.mean((np.clip(np.round(x / scale) * scale, low, high) - x) ** 2)

    errors = {method: error(method) for method in METHODS}
    assert min(errors, key=errors.get) == "mse"
    assert errors["mse"] < 0.9 * errors["minmax"]


def test_mean_squared_error_keeps_everything_where_nothing_sticks_out():
    x = np.random.default_rng(0).uniform(-1, 1, (200, 64)).astype("float32")
    low, high = range_of(x, "mse")
    assert low <= 0.97 * x.min()
    assert high >= 0.97 * x.max()


@settings(max_examples=50, deadline=None)
@given(
    counts=st.lists(st.integers(0, 1000), min_size=4, max_size=64).filter(any),
    low=st.floats(-100, 0),
    width=st.floats(1e-3, 100),
    estimator=st.sampled_from([Percentile(), Percentile(80.0), MeanSquaredError()]),
)
def test_a_chosen_range_holds_zero_and_lies_inside_what_was_seen(counts, low, width, estimator):
    high = max(low + width, 1e-3)
    chosen = estimator.choose(np.array(counts), low, high, num_bits=8)
    assert low <= chosen[0] <= 0 <= chosen[1] <= high
    assert np.diff(chosen) > 0 or isinstance(estimator, Percentile)


@pytest.mark.parametrize("method", METHODS)
def test_a_silent_layer_gets_a_range_that_is_not_empty(method):
    low, high = range_of(np.zeros((8, 64), "float32"), method)
    assert low <= 0 <= high
    assert high > low


@pytest.mark.parametrize("method", METHODS)
def test_data_that_can_be_read_once_is_enough(method):
    batches = [with_outlier(count=16) for _ in range(3)]
    assert range_of(iter(batches), method) == range_of(np.concatenate(batches), method, batch_size=16)


@pytest.mark.parametrize("method", METHODS)
def test_ranges_start_anew_when_a_quantized_model_is_calibrated(method):
    x = with_outlier(count=64)
    wide = ks.calibrate(identity_model(), 10 * x)
    assert ks.calibrate(wide, x, method=method).get_layer("x_int8").range() == range_of(x, method)


def test_a_range_holds_zero_where_all_values_are_negative():
    x = -1 - np.abs(with_outlier(5.0, count=64))
    model = ks.quantize(identity_model())
    model.compile("sgd", "mse")
    model.train_on_batch(x, np.zeros((64, 1)))
    for quantizer in (model.get_layer("x_int8"), ks.calibrate(identity_model(), x).get_layer("x_int8")):
        assert quantizer.range() == (pytest.approx(x.min()), 0.0)


def test_estimators_can_be_given_by_name_or_as_objects():
    assert as_estimator("percentile") == Percentile(99.99)
    assert as_estimator(Percentile(99.0)) == Percentile(99.0)


def test_an_unknown_method_is_refused():
    with pytest.raises(ValueError, match=r"method must be one of 'minmax', .*Received: method='entropy'"):
        ks.calibrate(identity_model(), with_outlier(), method="entropy")


@pytest.mark.parametrize("percent", [50, 100.1])
def test_a_percentage_out_of_range_is_refused(percent):
    with pytest.raises(ValueError, match=rf"percent must be in \(50, 100\]. Received: percent={percent}"):
        Percentile(percent)
