import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from tests.keras_shrink.networks import pictures
from tests.tflite_export import small_models
from tests.tflite_export.c.judged import assert_equals_tflm
from tflite_export import tflm
from tflite_export.affine import quantize_array
from tflite_export.int4 import find_grid, pack_weights, round_to_4_bits
from tflite_export.interpreters import run

OPERATORS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}


def network():
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 3), name="picture"),
            layers.Conv2D(15, 3, activation="relu"),
            layers.DepthwiseConv2D(3, activation="relu"),
            layers.Conv2D(32, 1, activation="relu"),
            layers.Flatten(),
            layers.Dense(24, activation="relu"),
            layers.Dense(5, name="scores"),
        ]
    )
    for layer in model.layers:
        if layer.weights:
            layer.bias.assign(np.random.default_rng(1).normal(0, 0.2, layer.bias.shape))
    return model


@pytest.fixture(scope="module")
def wide():
    return te.convert(network(), pictures(128))


@pytest.fixture(scope="module")
def narrow():
    return te.convert(network(), pictures(128), dtype="int8x4")


def weights(tflite):
    main = tflite.graph.main
    return [main.tensors[op.inputs[1]] for op in main.ops if op.code in OPERATORS]


def test_every_linear_operator_stores_two_weights_in_a_byte(narrow):
    assert {op.code for op in narrow.graph.main.ops} - {"RESHAPE"} == OPERATORS
    assert len(weights(narrow)) == 5
    for tensor in weights(narrow):
        assert tensor.dtype == "int4"
        assert tensor.buffer_bytes == (tensor.size + 1) // 2
        assert np.abs(tensor.data).max() == 7
    assert {t.dtype for t in narrow.graph.main.tensors} <= {"int8", "int4", "int32"}


def test_the_file_is_smaller_by_half_of_the_weights(wide, narrow):
    saved = sum(t.size // 2 for t in weights(wide))
    assert len(te.slim(narrow)) <= len(te.slim(wide)) - saved + 64


def test_biases_have_the_scale_of_the_products(narrow):
    main = narrow.graph.main
    for op in main.ops:
        if op.code in OPERATORS:
            x, w, b = (main.tensors[i].quantization.scale for i in op.inputs)
            np.testing.assert_allclose(b, x * w, rtol=1e-5)


def real(tensor):
    axis = tensor.quantization.axis
    return np.moveaxis(tensor.data, axis, -1) * tensor.quantization.scale


def test_biases_stand_for_what_they_stood_for(wide, narrow):
    pairs = [
        (before, after)
        for before, after in zip(wide.graph.main.tensors, narrow.graph.main.tensors, strict=True)
        if before.dtype == "int32" and before.quantization is not None
    ]
    assert len(pairs) == 5
    for before, after in pairs:
        assert np.abs(real(before)).max() > 0.1
        assert np.abs(real(before) - real(after)).max() <= 0.51 * after.quantization.scale.max()


def test_weights_stand_for_what_they_stood_for(wide, narrow):
    for before, after in zip(weights(wide), weights(narrow), strict=True):
        noise = np.square(real(before) - real(after)).mean() / np.square(real(before)).mean()
        assert 0.001 < noise < 0.03


def test_tflm_and_the_standalone_c_compute_the_same(narrow):
    assert_equals_tflm([narrow.bytes], np.random.default_rng(0), count=20)


def test_tflm_computes_what_the_float_model_does(narrow):
    result = te.verify(narrow, pictures(200, seed=3), network())
    assert result.keras[0].mean_steps < 20
    assert result.keras[0].same_class > 0.75


def test_litert_runs_the_file(narrow):
    q = quantize_array(pictures(20), narrow.inputs["picture"])
    (on_tflm,), (on_litert,) = tflm.run(narrow, q[:, None]), run(narrow, [q])
    assert np.abs(on_tflm.reshape(20, 5).astype(int) - on_litert.astype(int)).max() < 8


def test_weights_on_a_grid_of_4_bits_keep_it():
    rng = np.random.default_rng(0)
    grid = rng.integers(-7, 8, (200, 9))
    grid[:, 0] = 7
    grid[0] = 0
    values, step = round_to_4_bits(np.round(grid * 127 / 7), 0.5)
    np.testing.assert_array_equal(values, grid)
    np.testing.assert_allclose(step[1:], 127 / 7)


def test_one_grid_for_channels_of_different_reach_is_found():
    levels = np.array([[7, 2], [6, 3], [4, -2], [-2, 1], [1, 0]])
    rng = np.random.default_rng(0)
    for step in rng.uniform(0.001, 0.1, 50):
        scale = (np.abs(levels).max(axis=1, keepdims=True) * step / 127).astype("float32").astype("float64")
        stored = np.round(levels * step / scale + rng.uniform(-1e-5, 1e-5, levels.shape))
        rows = (stored * scale).reshape(1, -1)
        noise = np.broadcast_to(scale / 2, levels.shape).reshape(1, -1)
        np.testing.assert_allclose(find_grid(rows, noise), step, rtol=1e-6)


def test_a_lone_large_weight_is_clipped():
    rows = np.random.default_rng(0).normal(0, 20, (1, 4000)).clip(-60, 60).round()
    rows[0, 0] = 127
    values, step = round_to_4_bits(rows, 0.5)
    plain = np.round(rows / (127 / 7)) * 127 / 7
    assert np.square(values * step - rows).sum() < 0.6 * np.square(plain - rows).sum()


def test_a_packed_file_stays_as_it_is(narrow):
    again, left = pack_weights(narrow)
    assert left == []
    for before, after in zip(weights(narrow), weights(te.TFLiteModel(again)), strict=True):
        np.testing.assert_array_equal(before.data, after.data)


def test_operators_without_a_kernel_keep_8_bits_and_are_named():
    model = keras.Sequential(
        [keras.Input((4, 4, 2)), layers.Conv2DTranspose(3, 3), layers.Conv2D(4, 3, name="last")]
    )
    with pytest.warns(UserWarning, match=r"no kernel for 4-bit weights of TRANSPOSE_CONV.*keep 8 bits"):
        tflite = te.convert(model, pictures(16, shape=(4, 4, 2)), dtype="int8x4")
    assert [t.dtype for t in weights(tflite)] == ["int4"]
    assert_equals_tflm([tflite.bytes], np.random.default_rng(0))


def test_constants_that_somebody_else_reads_keep_8_bits():
    model = small_models.dense_model()
    model.subgraphs[0].outputs = [3, 1]
    content = small_models.pack(model)
    packed, left = pack_weights(content)
    assert left == ["FULLY_CONNECTED (operator 0)"]
    assert te.read(packed).main.tensors[1].dtype == "int8"


def test_weights_trained_with_4_bits_are_the_stored_ones():
    model = network()
    for layer in model.layers:
        if isinstance(layer, (layers.Conv2D, layers.DepthwiseConv2D)):
            grid = np.random.default_rng(2).integers(-7, 8, layer.kernel.shape)
            grid[0, 0] = 7
            layer.kernel.assign(grid * 0.013)
    stored = weights(te.convert(model, pictures(16), dtype="int8x4"))
    for layer, tensor in zip(model.layers, stored[:3], strict=False):
        axis = tensor.quantization.axis
        trained = (
            np.moveaxis(layer.kernel.numpy(), -1, 0) if axis == 0 else layer.kernel.numpy()[None, ..., 0]
        )
        np.testing.assert_array_equal(tensor.data, np.round(trained / 0.013))
        np.testing.assert_allclose(tensor.quantization.scale, 0.013, rtol=1e-5)


def test_a_quantization_aware_model_gets_4_bit_weights_too():
    qat = ks.calibrate(network(), pictures(64))
    tflite = te.convert(qat, dtype="int8x4")
    assert {t.dtype for t in weights(tflite)} == {"int4"}
    assert te.verify(tflite, pictures(50, seed=3), qat).keras[0].same_class > 0.6


def test_4_bit_weights_need_data_for_a_float_model():
    with pytest.raises(ValueError, match="float model needs representative_data"):
        te.convert(network(), dtype="int8x4")
