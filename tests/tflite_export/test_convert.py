import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.quantization.quantize import activation_quantizers
from tests.keras_shrink.networks import pictures, residual_network
from tflite_export import tflm
from tflite_export.affine import quantize_array
from tflite_export.converter_worker import convert_in_subprocess
from tflite_export.interpreters import run


@pytest.fixture(scope="module")
def qat():
    return ks.calibrate(residual_network(), pictures(256))


@pytest.fixture(scope="module")
def tflite(qat):
    return te.convert(qat)


def dtypes(tflite):
    return {tensor.dtype for tensor in tflite.graph.main.tensors}


def test_no_float_tensor_is_inside(tflite):
    assert dtypes(tflite) <= {"int8", "int32"}
    pools = {"MAX_POOL_2D", "AVERAGE_POOL_2D"}
    rest = {"CONV_2D", "DEPTHWISE_CONV_2D", "ADD", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"}
    assert {op.code for op in tflite.graph.main.ops} == pools | rest


def test_batch_is_one_and_names_are_those_of_the_model(tflite):
    assert [(name, t.dtype, t.shape) for name, t in tflite.inputs.items()] == [
        ("picture", "int8", (1, 8, 8, 3))
    ]
    assert [(name, t.dtype, t.shape) for name, t in tflite.outputs.items()] == [("scores", "int8", (1, 5))]


def test_scales_of_activations_are_the_trained_ones(qat, tflite):
    trained = {}
    for quantizer in activation_quantizers(qat).values():
        low, high = (np.float32(value) for value in quantizer.range())
        trained[quantizer.path] = (high - low) / np.float32(255)
    stored = [
        t.quantization.scale[0] for t in tflite.graph.main.tensors if t.dtype == "int8" and t.data is None
    ]
    for path, scale in trained.items():
        assert np.min(np.abs(np.array(stored) / scale - 1)) < 1e-6, path
    # Reshape and pooling keep scales, softmax has its own: no other scale may appear.
    fixed = np.float32(1 / 256)
    for scale in stored:
        assert scale == fixed or min(abs(scale / s - 1) for s in trained.values()) < 1e-6


def test_weights_are_the_trained_ones_with_normalization_folded_in(qat, tflite):
    kernel = qat.get_layer("stem").transformed("kernel").numpy()
    norm = qat.get_layer("stem_norm").layer
    factor = norm.gamma.numpy() / np.sqrt(norm.moving_variance.numpy() + norm.epsilon)
    stem = next(op for op in tflite.graph.main.ops if op.code == "CONV_2D")
    weight = tflite.graph.main.tensors[stem.inputs[1]]
    stored = weight.data * weight.quantization.scale[:, None, None, None]
    np.testing.assert_allclose(np.moveaxis(stored, 0, -1), kernel * factor, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(
        weight.quantization.scale, np.abs(kernel * factor).max(axis=(0, 1, 2)) / 127, rtol=1e-6
    )


def test_tflm_computes_what_keras_promises(qat, tflite):
    x = pictures(200, seed=5)
    result = te.verify(tflite, x, qat)
    assert result.keras[0].mean_steps < 0.2
    assert result.keras[0].same_class > 0.98


def test_dense_bigger_than_what_the_converter_folds_itself():
    model = keras.Sequential([keras.Input((300,)), layers.Dense(200, activation="relu"), layers.Dense(4)])
    tflite = te.convert(ks.calibrate(model, pictures(64, shape=(300,))))
    assert [op.code for op in tflite.graph.main.ops] == ["FULLY_CONNECTED", "FULLY_CONNECTED"]


def two_by_two():
    a, b = keras.Input((4,), name="zeta"), keras.Input((6,), name="alpha")
    first = layers.Dense(3, name="small")(a)
    second = layers.Dense(5, name="large")(b)
    return keras.Model([a, b], [second, first])


def test_several_inputs_and_outputs_keep_the_models_order():
    model = two_by_two()
    generator = np.random.default_rng(0)
    x = [generator.normal(0, 1, (64, 4)).astype("float32"), generator.normal(0, 9, (64, 6)).astype("float32")]
    for tflite in (te.convert(ks.calibrate(model, x)), te.convert(model, x)):
        assert list(tflite.inputs) == ["zeta", "alpha"]
        assert [t.shape for t in tflite.inputs.values()] == [(1, 4), (1, 6)]
        assert list(tflite.outputs) == ["large", "small"]
        assert [t.shape for t in tflite.outputs.values()] == [(1, 5), (1, 3)]
        assert te.verify(tflite, x, model).keras[0].mean_steps < 2


def test_a_dictionary_of_inputs_is_kept_apart():
    inputs = {"left": keras.Input((3,), name="left"), "right": keras.Input((3,), name="right")}
    difference = layers.Concatenate()([inputs["left"], inputs["right"]])
    model = keras.Model(inputs, layers.Dense(2, name="out")(difference))
    x = {"left": pictures(32, shape=(3,)), "right": 5 * pictures(32, seed=1, shape=(3,))}
    tflite = te.convert(model, x)
    assert list(tflite.inputs) == ["left", "right"]


def test_a_float_model_is_quantized_after_training():
    model, x = residual_network(), pictures(300)
    tflite = te.convert(model, x)
    assert dtypes(tflite) <= {"int8", "int32"}
    assert te.verify(tflite, x[:100], model).keras[0].same_class > 0.9


def test_float32_gives_the_float_file():
    model, x = residual_network(), pictures(8)
    tflite = te.convert(model, dtype="float32")
    assert tflite.inputs["picture"].dtype == "float32"
    (scores,) = run(tflite, [x])
    np.testing.assert_allclose(scores, model.predict(x, verbose=0), atol=1e-5)


def test_a_saved_model_converts_from_its_path(qat, tflite, tmp_path):
    qat.save(tmp_path / "qat.keras")
    assert te.convert(tmp_path / "qat.keras").bytes == tflite.bytes


def test_saving_writes_the_bytes(tflite, tmp_path):
    path = tflite.save(tmp_path / "new" / "model.tflite")
    assert path.read_bytes() == tflite.bytes
    assert [p.name for p in path.parent.iterdir()] == ["model.tflite"]


def test_tflm_and_litert_run_the_file(tflite):
    q = quantize_array(pictures(20), tflite.inputs["picture"])
    (on_tflm,), (on_litert,) = tflm.run(tflite, q[:, None]), run(tflite, [q])
    assert np.abs(on_tflm.reshape(20, 5).astype(int) - on_litert.astype(int)).max() < 20


def test_a_float_model_without_data_is_refused():
    with pytest.raises(ValueError, match="float model needs representative_data"):
        te.convert(residual_network())


def test_data_for_a_quantized_model_is_refused(qat):
    with pytest.raises(ValueError, match="brings its own ranges"):
        te.convert(qat, pictures())


def test_data_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"representative_data must have shape \(None, 8, 8, 3\)"):
        te.convert(residual_network(), pictures(shape=(3, 8, 8)))


def test_data_with_nan_is_refused():
    with pytest.raises(ValueError, match="192 NaN or infinite"):
        te.convert(residual_network(), np.full((1, 8, 8, 3), np.nan))


def test_no_data_is_refused():
    with pytest.raises(ValueError, match="holds no samples"):
        te.convert(residual_network(), pictures(0))


def test_a_free_dimension_is_refused():
    inputs = keras.Input((None, None, 3), name="picture")
    model = keras.Model(inputs, layers.GlobalAveragePooling2D()(inputs))
    with pytest.raises(ValueError, match=r"Every dimension but the batch must be known.*picture"):
        te.convert(model, pictures())


def test_a_layer_left_float_is_refused_with_its_operator():
    model = keras.Sequential(
        [keras.Input((8,)), layers.Dense(4, activation="mish", name="odd"), layers.Dense(2)]
    )
    with pytest.warns(UserWarning, match="mish"):
        quantized = ks.calibrate(model, pictures(shape=(8,)))
    with pytest.raises(te.ConversionError, match=r"would still compute in float:\n(.*\n)*  EXP "):
        te.convert(quantized)


def test_what_is_no_model_is_refused():
    with pytest.raises(ValueError, match="must be a keras.Model or the path"):
        te.convert(42)


def test_an_unknown_dtype_is_refused(qat):
    with pytest.raises(ValueError, match=r"dtype must be one of .*Received: dtype='int3'"):
        te.convert(qat, dtype="int3")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file"):
        te.convert(tmp_path / "none.keras")


def test_an_output_folder_that_cannot_be_written_is_refused(tflite, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="Cannot write into the folder"):
        tflite.save(tmp_path / "file" / "model.tflite")


def test_a_graph_that_the_converter_cannot_parse_is_an_error():
    with pytest.raises(te.ConversionError, match="refused the model"):
        convert_in_subprocess(b"", b"", b"no graph")


def test_a_crash_of_the_converter_is_an_error(monkeypatch):
    # What stands for the converter here kills itself as a segmentation fault would.
    monkeypatch.setattr("tflite_export.converter_worker._WORKER", "tests.tflite_export.jobs")
    with pytest.raises(te.ConversionError, match=r"crashed \(signal 11\)"):
        convert_in_subprocess(b"", b"", b"")


def test_a_rolled_gru_crashes_only_the_conversion():
    model = keras.Sequential([keras.Input((6, 3)), layers.GRU(4)])
    with pytest.raises(te.ConversionError):
        te.convert(model, pictures(16, shape=(6, 3)))


@pytest.mark.parametrize("kind", ["dense", "convolution"])
def test_a_bias_that_is_one_number_has_the_scale_of_each_channel(kind):
    keras.utils.set_random_seed(0)
    layer = {
        "dense": layers.Dense(4, bias_initializer="ones"),
        "convolution": layers.Conv2D(4, 1, bias_initializer="ones"),
    }[kind]
    shape = {"dense": (6,), "convolution": (2, 2, 6)}[kind]
    model = keras.Sequential([keras.Input(shape), layer])
    kernel, bias = layer.get_weights()
    layer.set_weights([kernel * [1, 2, 4, 8], bias])
    x = np.random.default_rng(0).normal(size=(64, *shape)).astype("float32")
    graph = te.convert(ks.calibrate(model, x)).graph.main
    found = [t for t in graph.tensors if t.dtype == "int32" and t.data is not None and t.data.shape == (4,)]
    (stored,) = [t for t in found if t.quantization is not None]
    np.testing.assert_allclose(stored.data * stored.quantization.scale, np.ones(4), rtol=0.01)
