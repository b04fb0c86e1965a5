import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.quantization.float_forms import FloatIsland
from keras_shrink.quantization.overrides import choose
from tests.keras_shrink.networks import pictures, residual_network
from tflite_export.interpreters import run

INT4 = ks.Int8(weight_bits=4)


def two_levels():
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(6, name="fc"), layers.ReLU()], name="inner")
    inputs = keras.Input((6,), name="x")
    return keras.Model(inputs, layers.Dense(3, name="fc")(inner(inputs)))


def widths(model):
    return {
        layer.name: layer.transforms[-1].num_bits
        for layer in model._flatten_layers()
        if getattr(layer, "transforms", None)
    }


def test_the_first_and_the_last_layer_keep_8_bits():
    model = residual_network()
    quantized = ks.quantize(model, INT4, overrides={ks.select.first_and_last(model): ks.Int8()})
    assert widths(quantized) == {"stem": 8, "depthwise": 4, "pointwise": 4, "conv": 4, "scores": 8}


def test_the_first_override_that_fits_counts():
    overrides = {ks.select.by_name("conv"): ks.Int8(), ks.select.has_kernel: INT4}
    assert widths(ks.quantize(residual_network(), overrides=overrides))["conv"] == 8


def test_names_in_nested_models_are_told_apart():
    model = two_levels()
    inside = model.get_layer("inner").get_layer("fc")
    assert choose(model, None, {inside: INT4}).by_path == {("inner", "fc"): INT4}
    assert choose(model, None, {ks.select.by_name("inner"): INT4}).by_path == {("inner", "fc"): INT4}


def test_choices_hold_for_copies_with_the_same_names():
    model = two_levels()
    choices = choose(model, None, {model.get_layer("inner").get_layer("fc"): None})
    copy = keras.models.clone_model(model)
    assert choices.per_layer(copy) == {id(copy.get_layer("inner").get_layer("fc")): None}


def test_a_layer_left_out_keeps_its_float_weights():
    quantized = ks.quantize(residual_network(), overrides={ks.select.by_name("conv"): None})
    island = quantized.get_layer("conv")
    assert isinstance(island, FloatIsland)
    assert not island.transforms


@pytest.fixture(scope="module")
def with_islands():
    x = pictures(64)
    names = ("pointwise", "depthwise", "depthwise_norm", "scores")
    quantized = ks.calibrate(residual_network(), x, overrides={ks.select.by_name(*names): None})
    with pytest.warns(
        UserWarning, match=r"(?s)compute in float.*as the model asks:\n  DEQUANTIZE.*depthwise"
    ):
        return quantized, te.convert(quantized)


def test_what_is_left_out_computes_in_float_and_the_rest_in_integers(with_islands):
    main = with_islands[1].graph.main
    kinds = {
        (op.code, main.tensors[op.outputs[0]].dtype)
        for op in main.ops
        if op.code not in ("DEQUANTIZE", "QUANTIZE")
    }
    assert ("DEPTHWISE_CONV_2D", "float32") in kinds
    assert ("FULLY_CONNECTED", "float32") in kinds
    assert {kind for kind in kinds if kind[1] == "float32"} == {
        ("DEPTHWISE_CONV_2D", "float32"),
        ("CONV_2D", "float32"),
        ("FULLY_CONNECTED", "float32"),
        ("SOFTMAX", "float32"),
        ("SUB", "float32"),
    }
    assert ("CONV_2D", "int8") in kinds
    assert ("ADD", "int8") in kinds
    assert [t.dtype for t in with_islands[1].outputs.values()] == ["int8"]


def test_floats_between_two_layers_left_out_are_not_rounded(with_islands):
    quantized, tflite = with_islands
    assert quantized.get_layer("depthwise").outputs_through == []
    assert quantized.get_layer("depthwise_norm").entered == ()
    assert sum(op.code == "SUB" for op in tflite.graph.main.ops) == 2 * 3


def test_litert_computes_what_the_model_does(with_islands):
    quantized, tflite = with_islands
    x = pictures(64, seed=2)
    (entry,), (exit_,) = tflite.inputs.values(), tflite.outputs.values()
    q = np.round(x / entry.quantization.scale[0] + entry.quantization.zero_point[0]).clip(-128, 127)
    (result,) = run(tflite, [q.astype("int8")])
    promised = (
        quantized.predict(x, verbose=0) / exit_.quantization.scale[0] + exit_.quantization.zero_point[0]
    )
    assert np.abs(result - promised).max() <= 2
    assert np.abs(result - promised).mean() < 0.3


def test_a_model_with_layers_left_out_survives_saving(with_islands, tmp_path):
    quantized, x = with_islands[0], pictures(8)
    quantized.save(tmp_path / "q.keras")
    loaded = keras.models.load_model(tmp_path / "q.keras")
    np.testing.assert_array_equal(loaded.predict(x, verbose=0), quantized.predict(x, verbose=0))
    assert loaded.get_layer("pointwise").entered == quantized.get_layer("pointwise").entered


def test_a_layer_left_out_trains():
    quantized = ks.quantize(residual_network(), overrides={ks.select.by_name("conv"): None})
    before = quantized.get_layer("conv").layer.kernel.numpy()
    quantized.compile("sgd", "sparse_categorical_crossentropy")
    quantized.fit(pictures(), np.arange(64) % 5, verbose=0)
    assert np.any(quantized.get_layer("conv").layer.kernel.numpy() != before)


def test_steps_before_quantization_take_overrides_too():
    model, x = residual_network(), pictures(32)
    overrides = {ks.select.first_and_last(model): ks.Int8(), model.get_layer("pointwise"): None}
    learned = ks.learn_rounding(model, x, INT4, overrides=overrides, steps=2)
    off = {
        name: np.unique(np.round(np.abs(learned.get_layer(name).kernel.numpy()), 6)).size
        for name in widths(ks.quantize(model, INT4))
    }
    assert off["conv"] <= 8 * 8
    assert off["pointwise"] > 8 * 7
    corrected = ks.correct_bias(model, x, INT4, overrides=overrides)
    quantized = ks.calibrate(corrected, x, INT4, overrides={ks.select.by_name("pointwise"): None})
    assert isinstance(quantized.get_layer("pointwise"), FloatIsland)
    report = ks.analysis.quantization_error(model, x, INT4, overrides=overrides)
    assert {layer.name: layer.weight_error for layer in report.layers}["pointwise"] == 0


@pytest.mark.parametrize("overrides", [{"conv": None}, {ks.select.by_name("nobody"): None}])
def test_an_override_that_fits_nothing_is_refused(overrides):
    with pytest.raises(
        ValueError, match=r"fits no layer of the model.*nobody.*There are: stem, .*|layers must be"
    ):
        ks.quantize(residual_network(), overrides=overrides)


def test_an_override_of_layers_without_kernels_is_refused():
    with pytest.raises(ValueError, match=r"fits no layer with a kernel.*stem_relu"):
        ks.quantize(residual_network(), overrides={ks.select.by_name("stem_relu"): INT4})


def test_an_override_that_is_no_config_is_refused():
    with pytest.raises(ValueError, match=r"must be another Int8\(\.\.\.\) or None"):
        ks.quantize(residual_network(), overrides={ks.select.has_kernel: 4})


def test_overrides_must_be_a_mapping():
    with pytest.raises(ValueError, match=r"overrides must be a mapping.*Received: overrides=\['conv'\]"):
        ks.quantize(residual_network(), overrides=["conv"])


def test_a_quantized_model_takes_no_other_config():
    quantized = ks.calibrate(two_levels(), pictures(shape=(6,)))
    with pytest.raises(ValueError, match="A quantized model keeps its config"):
        ks.calibrate(quantized, pictures(shape=(6,)), INT4)
