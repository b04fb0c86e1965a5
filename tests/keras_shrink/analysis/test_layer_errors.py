import dataclasses

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from keras_shrink.analysis import quantization_error
from keras_shrink.quantization.estimators import Percentile
from tests.keras_shrink.networks import mobile_network, pictures


def relu_network(**options):
    keras.utils.set_random_seed(0)
    return keras.Sequential(
        [
            keras.Input((16,), name="x"),
            layers.Dense(32, activation="relu", name="first"),
            layers.Dense(32, activation="relu", name="second"),
            layers.Dense(4, name="scores"),
        ],
        **options,
    )


def named(report):
    return {layer.name: layer for layer in report.layers}


def test_layers_are_ranked_by_the_error_they_cause():
    report = quantization_error(relu_network(), pictures(64, shape=(16,)))
    assert {"x_int8", "first", "second", "scores"} == set(named(report))
    errors = [layer.error for layer in report.layers]
    assert errors == sorted(errors, reverse=True)
    assert errors[-1] > 0
    assert report.sqnr_db > 25


def test_the_parts_add_up_to_about_the_whole():
    report = quantization_error(relu_network(), pictures(256, shape=(16,)))
    whole = 10 ** (-report.sqnr_db / 10)
    assert 0.4 * whole < sum(layer.error for layer in report.layers) < 2.5 * whole


def test_noise_of_the_outputs_is_that_of_the_quantized_model():
    x, model = pictures(64, shape=(16,)), relu_network()
    promised, computed = (each.predict(x, verbose=0) for each in (model, ks.calibrate(model, x)))
    expected = 10 * np.log10(np.sum(promised**2) / np.sum((promised - computed) ** 2))
    report = quantization_error(model, x)
    assert report.sqnr_db == pytest.approx(expected, abs=0.1)
    assert named(report)["scores"].sqnr_db == pytest.approx(expected, abs=0.1)


def test_wide_channels_under_one_scale_are_found_and_equalizing_treats_them():
    x, config = pictures(64), ks.Int8(per_channel=False)
    model = mobile_network(spread=3.0)
    before = quantization_error(ks.fold_normalization(model), x, config)
    assert before.layers[0].cause.startswith("weights of wide range over input channels")
    assert named(before)["depthwise"].cause.startswith("per-tensor weights over wide channel ranges")
    assert "equalize" in before.layers[0].remedy
    after = quantization_error(ks.equalize(model), x, config)
    assert after.sqnr_db > before.sqnr_db + 15


def test_outliers_are_found_and_percentiles_treat_them():
    x = pictures(512, shape=(16,))
    x[0, 0] = 300.0
    before = quantization_error(relu_network(), x)
    worst = before.layers[0]
    assert worst.cause.startswith("outliers in the activations")
    assert 'method="mse"' in worst.remedy
    usual = x[1:]
    calm = ks.calibrate(relu_network(), x, method=Percentile(99.9))
    assert (
        quantization_error(calm, usual).sqnr_db
        > 10 + quantization_error(ks.calibrate(relu_network(), x), usual).sqnr_db
    )


@pytest.mark.filterwarnings("ignore:.*stay float:UserWarning")
def test_a_concatenation_of_unequal_ranges_is_found():
    inputs = keras.Input((8,), name="x")
    narrow = layers.Dense(8, name="narrow", kernel_initializer="glorot_uniform")(inputs)
    wide = layers.Dense(8, name="wide")(inputs)
    joined = layers.Concatenate(name="join")([narrow, wide])
    scores = layers.Dense(4, name="scores")
    model = keras.Model(inputs, scores(joined))
    model.get_layer("wide").kernel.assign(200 * model.get_layer("wide").kernel)
    # The wide branch hardly counts, so that what the narrow one loses is what is seen.
    scores.kernel.assign(np.concatenate([np.ones((8, 4)), 1e-4 * np.ones((8, 4))]))
    report = quantization_error(model, pictures(64, shape=(8,)))
    assert any(layer.cause.startswith("concatenation of unequal ranges") for layer in report.layers)


def test_a_quantized_model_is_judged_by_its_own_float_weights():
    x = pictures(64, shape=(16,))
    model = relu_network()
    given, made = (quantization_error(each, x) for each in (ks.calibrate(model, x), model))
    assert given == made


def test_the_report_is_frozen_and_prints_as_a_table():
    report = quantization_error(relu_network(), pictures(16, shape=(16,)))
    with pytest.raises(dataclasses.FrozenInstanceError):
        report.layers = ()
    lines = str(report).splitlines()
    assert lines[0].endswith("dB signal to quantization noise")
    assert len(lines) == 2 + len(report.layers)
    assert lines[2].startswith(report.layers[0].name)


def test_nothing_of_the_given_model_changes():
    quantized = ks.calibrate(relu_network(), pictures(16, shape=(16,)))
    before = quantized.predict(pictures(16, shape=(16,)), verbose=0)
    quantization_error(quantized, 5 * pictures(16, shape=(16,)))
    np.testing.assert_array_equal(quantized.predict(pictures(16, shape=(16,)), verbose=0), before)


def test_channels_of_a_relu6_that_never_change_are_found():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(8, name="hidden"),
            layers.ReLU(6.0, name="six"),
            layers.Dense(4, name="scores"),
        ]
    )
    model.get_layer("hidden").bias.assign([-50.0] * 2 + [50.0] * 2 + [0.0] * 4)
    report = quantization_error(model, pictures(64, shape=(8,)))
    assert named(report)["six"].cause == "dying ReLU6 (50% of the channels never change)"
    assert "replace ReLU6 by ReLU" in named(report)["six"].remedy


def test_nested_and_shared_layers_have_their_own_lines():
    def block(name):
        inside = [layers.Dense(8, activation="relu", name="inside"), layers.Dense(8, name="out")]
        return keras.Sequential([keras.Input((8,)), *inside], name=name)

    inputs = keras.Input((8,), name="x")
    shared = block("shared")
    model = keras.Model(inputs, layers.Dense(3, name="scores")(block("once")(shared(shared(inputs)))))
    report = quantization_error(model, pictures(32, shape=(8,)))
    names = [layer.name for layer in report.layers]
    assert sorted(names) == ["inside", "inside", "out", "out", "scores", "x_int8"]
    assert all(layer.error > 0 for layer in report.layers)
