"""What tfmot's guides on quantization-aware training do: the same calls, with `keras` and the facade."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_shrink as ks
import tflite_export as te
from keras_shrink.compat import tfmot
from keras_shrink.quantization.ranges import ActivationQuantizer, FixedRange
from tflite_export.read import read

quantization = tfmot.quantization.keras
LastValueQuantizer = quantization.quantizers.LastValueQuantizer
MovingAverageQuantizer = quantization.quantizers.MovingAverageQuantizer
pytestmark = pytest.mark.filterwarnings(
    "ignore:Do not pass an `input_shape`",
    "ignore:Statistics for quantized inputs were expected",
    "ignore:.*tf.lite.Interpreter is deprecated",
)
X = np.random.default_rng(0).normal(size=(32, 20)).astype("float32")
Y = keras.utils.to_categorical(np.arange(32) % 10, num_classes=10)


class DefaultDenseQuantizeConfig(quantization.QuantizeConfig):
    def get_weights_and_quantizers(self, layer):
        quantizer = LastValueQuantizer(num_bits=8, symmetric=True, narrow_range=False, per_axis=False)
        return [(layer.kernel, quantizer)]

    def get_activations_and_quantizers(self, layer):
        quantizer = MovingAverageQuantizer(num_bits=8, symmetric=False, narrow_range=False, per_axis=False)
        return [(layer.activation, quantizer)]

    def set_quantize_weights(self, layer, quantize_weights):
        layer.kernel = quantize_weights[0]

    def set_quantize_activations(self, layer, quantize_activations):
        layer.activation = quantize_activations[0]

    def get_output_quantizers(self, layer):
        return []

    def get_config(self):
        return {}


def setup_model():
    return keras.Sequential([keras.layers.Dense(10, input_shape=(20,), name="fc"), keras.layers.Flatten()])


def trained(model):
    model.compile(
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
        optimizer="adam",
        metrics=["accuracy"],
        jit_compile=False,
    )
    model.fit(X, Y, epochs=1, verbose=0)
    return model


def observed(model):
    """The model after it has seen data; nothing is trained."""
    model(X, training=True)
    return model


def by_tensorflow(model):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    return converter.convert()


def output_scale(data):
    graph = read(data).subgraphs[0]
    return float(graph.tensors[graph.outputs[0]].quantization.scale[0])


def test_a_whole_model_is_saved_loaded_and_converted_by_either(tmp_path):
    qat = trained(quantization.quantize_model(setup_model()))
    qat.save(tmp_path / "model.h5")
    with quantization.quantize_scope():
        loaded = keras.models.load_model(tmp_path / "model.h5")
    assert np.array_equal(loaded.predict(X, verbose=0), qat.predict(X, verbose=0))
    ours = te.convert(loaded)
    interpreter = tf.lite.Interpreter(model_content=by_tensorflow(loaded))
    interpreter.allocate_tensors()
    (given,), (made,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] == made["dtype"] == np.float32
    kinds = {detail["dtype"] for detail in interpreter.get_tensor_details()} - {np.int32}
    inner = [
        detail["name"]
        for detail in interpreter.get_tensor_details()
        if detail["dtype"] == np.float32 and detail["index"] not in (given["index"], made["index"])
    ]
    assert np.int8 in kinds
    assert inner == []
    interpreter.set_tensor(given["index"], X[:1])
    interpreter.invoke()
    step = output_scale(ours)
    assert np.abs(interpreter.get_tensor(made["index"]) - loaded.predict(X[:1], verbose=0)).max() <= 2 * step


def test_a_model_that_has_seen_no_data_converts_and_the_first_batch_gives_the_ranges():
    base_model = setup_model()
    qat = quantization.quantize_model(base_model)
    assert output_scale(te.convert(qat)) == pytest.approx(12 / 255, rel=1e-6)
    qat(X, training=True)
    last = qat.get_layer("fc").outputs_through[-1]
    made = base_model(X).numpy()
    assert last.range() == pytest.approx((made.min(), made.max()), rel=0.05)


def test_some_layers_by_cloning():
    base_model = keras.Sequential(
        [keras.Input((20,)), keras.layers.Dense(12, activation="elu"), keras.layers.Dense(10, name="last")]
    )

    def apply_quantization_to_last(layer):
        if layer.name == "last":
            return quantization.quantize_annotate_layer(layer)
        return layer

    annotated = keras.models.clone_model(base_model, clone_function=apply_quantization_to_last)
    assert np.array_equal(annotated.predict(X, verbose=0), base_model.predict(X, verbose=0))
    qat = observed(quantization.quantize_apply(annotated))
    assert list(qat.layers[-1].weight_transforms) == ["kernel"]
    assert not getattr(qat.layers[1], "weight_transforms", None)
    with pytest.warns(UserWarning, match="compute in float"):
        te.convert(qat)


def test_layers_annotated_while_a_model_is_built_train_and_are_saved(tmp_path):
    inputs = keras.Input(shape=(20,))
    hidden = quantization.quantize_annotate_layer(keras.layers.Dense(10), DefaultDenseQuantizeConfig())(
        inputs
    )
    annotated = trained(keras.Model(inputs, keras.layers.Flatten()(hidden)))
    annotated.save(tmp_path / "annotated.keras")
    with quantization.quantize_scope({"DefaultDenseQuantizeConfig": DefaultDenseQuantizeConfig}):
        loaded = keras.models.load_model(tmp_path / "annotated.keras")
    qat = observed(quantization.quantize_apply(loaded))
    assert te.convert(qat) is not None  # nothing is float, or this would say so


def test_a_custom_layer_with_a_config():
    class CustomLayer(keras.layers.Dense):
        pass

    annotated = quantization.quantize_annotate_model(
        keras.Sequential(
            [
                quantization.quantize_annotate_layer(
                    CustomLayer(10, input_shape=(20,)), DefaultDenseQuantizeConfig()
                ),
                keras.layers.Flatten(),
            ]
        )
    )
    names = {"DefaultDenseQuantizeConfig": DefaultDenseQuantizeConfig, "CustomLayer": CustomLayer}
    with quantization.quantize_scope(names):
        qat = quantization.quantize_apply(annotated)
    observed(qat).summary(print_fn=lambda *_, **__: None)
    assert list(qat.layers[-2].weight_transforms) == ["kernel"]


def test_four_bits_for_the_weights_of_a_layer():
    class ModifiedDenseQuantizeConfig(DefaultDenseQuantizeConfig):
        def get_weights_and_quantizers(self, layer):
            quantizer = LastValueQuantizer(num_bits=4, symmetric=True, narrow_range=False, per_axis=False)
            return [(layer.kernel, quantizer)]

    layer = keras.layers.Dense(10, input_shape=(20,), name="fc")
    annotated = quantization.quantize_annotate_model(
        keras.Sequential(
            [
                quantization.quantize_annotate_layer(layer, ModifiedDenseQuantizeConfig()),
                keras.layers.Flatten(),
            ]
        )
    )
    with quantization.quantize_scope({"ModifiedDenseQuantizeConfig": ModifiedDenseQuantizeConfig}):
        qat = observed(quantization.quantize_apply(annotated))
    assert np.unique(qat.get_layer("fc").transformed("kernel")).size <= 15


def test_what_an_int8_file_cannot_hold_is_said():
    class Unrounded(DefaultDenseQuantizeConfig):
        def get_activations_and_quantizers(self, layer):
            return []

        def set_quantize_activations(self, layer, quantize_activations):
            return

    annotated = keras.Sequential(
        [
            quantization.quantize_annotate_layer(
                keras.layers.Dense(10, input_shape=(20,), name="fc"), Unrounded()
            ),
            keras.layers.Flatten(),
        ]
    )
    with pytest.warns(UserWarning, match="fc: its output is rounded all the same"):
        quantization.quantize_apply(annotated)


def test_a_quantizer_of_ones_own_for_weights(tmp_path):
    class FixedRangeQuantizer(quantization.quantizers.Quantizer):
        def build(self, tensor_shape, name, layer):
            range_var = layer.add_weight(
                name + "_range", initializer=keras.initializers.Constant(0.1), trainable=False
            )
            return {"range_var": range_var}

        def __call__(self, inputs, training, weights, **kwargs):
            return tf.keras.backend.clip(inputs, -weights["range_var"], weights["range_var"])

        def get_config(self):
            return {}

    class OwnQuantizeConfig(DefaultDenseQuantizeConfig):
        def get_weights_and_quantizers(self, layer):
            return [(layer.kernel, FixedRangeQuantizer())]

    annotated = quantization.quantize_annotate_model(
        keras.Sequential(
            [
                quantization.quantize_annotate_layer(
                    keras.layers.Dense(10, input_shape=(20,), name="fc"), OwnQuantizeConfig()
                ),
                keras.layers.Flatten(),
            ]
        )
    )
    names = {"OwnQuantizeConfig": OwnQuantizeConfig, "FixedRangeQuantizer": FixedRangeQuantizer}
    with quantization.quantize_scope(names):
        qat = trained(quantization.quantize_apply(annotated))
        qat.save(tmp_path / "model.keras")
        loaded = keras.models.load_model(tmp_path / "model.keras")
    kernel = loaded.get_layer("fc").transformed("kernel").numpy()
    assert np.abs(kernel).max() == pytest.approx(0.1)
    assert np.abs(loaded.get_layer("fc").layer.kernel.numpy()).max() > 0.05
    assert np.array_equal(loaded.predict(X, verbose=0), qat.predict(X, verbose=0))


def test_layers_without_a_quantizer_stay_float():
    noop = quantization.default_8bit.NoOpQuantizeConfig()
    model = keras.Sequential(
        [
            keras.Input((20,)),
            keras.layers.Dense(12, name="first"),
            quantization.quantize_annotate_layer(keras.layers.Dense(10, name="last"), noop),
        ]
    )
    qat = quantization.quantize_apply(quantization.quantize_annotate_model(model))
    assert list(qat.get_layer("first").weight_transforms) == ["kernel"]
    assert not qat.get_layer("last").weight_transforms


@pytest.mark.parametrize(("activation", "low"), [("linear", -2.0), ("relu", 0.0), ("relu", -1.0)])
def test_a_fixed_range(activation, low):
    class Fixed(DefaultDenseQuantizeConfig):
        def get_activations_and_quantizers(self, layer):
            return [(layer.activation, quantization.quantizers.FixedQuantizer(8, low, 2.0, False))]

    layer = keras.layers.Dense(10, activation=activation, name="fc")
    annotated = keras.Sequential([keras.Input((20,)), quantization.quantize_annotate_layer(layer, Fixed())])
    qat = observed(quantization.quantize_apply(annotated))
    assert isinstance(qat.get_layer("fc").outputs_through[-1], FixedRange)
    assert output_scale(te.convert(qat)) == pytest.approx((2.0 - low) / 255, rel=1e-6)
    assert qat.predict(X, verbose=0).min() >= (0.0 if activation == "relu" else low - 0.01)


def test_the_range_of_the_last_batch():
    class Last(DefaultDenseQuantizeConfig):
        def get_activations_and_quantizers(self, layer):
            return [(layer.activation, LastValueQuantizer(8, False, False, False))]

    layer = keras.layers.Dense(10, name="fc")
    annotated = keras.Sequential([keras.Input((20,)), quantization.quantize_annotate_layer(layer, Last())])
    qat = quantization.quantize_apply(annotated)
    last = [step for step in qat.get_layer("fc").outputs_through if isinstance(step, ActivationQuantizer)]
    assert [step.momentum for step in last] == [0.0]


@pytest.mark.parametrize(
    ("scheme", "config"),
    [
        (quantization.default_8bit.Default8BitQuantizeScheme(), ks.Int8()),
        (
            quantization.experimental.default_n_bit.DefaultNBitQuantizeScheme(False, 4, 8),
            ks.Int8(weight_bits=4),
        ),
        (quantization.experimental.default_n_bit.DefaultNBitQuantizeScheme(False, 8, 16), ks.Int16x8()),
    ],
)
def test_schemes_are_configs(scheme, config):
    assert scheme.native() == config


@pytest.mark.parametrize(
    ("call", "error", "text"),
    [
        (lambda: quantization.quantize_annotate_layer("fc"), ValueError, "to_annotate must be a layer"),
        (
            lambda: quantization.quantize_annotate_layer(keras.layers.Dense(2), "config"),
            ValueError,
            "quantize_config must be a QuantizeConfig",
        ),
        (lambda: quantization.quantize_apply(setup_model()), ValueError, "No layer is annotated"),
        (
            lambda: quantization.quantize_apply(setup_model(), scheme="default"),
            ValueError,
            "one of the schemes of this package",
        ),
        (
            lambda: quantization.experimental.default_n_bit.DefaultNBitQuantizeScheme(False, 6, 8),
            ValueError,
            "num_bits_weight=6",
        ),
        (lambda: quantization.QuantizeRegistry, AttributeError, "role.register"),
        (
            lambda: LastValueQuantizer(8, False, True, True)(1.0, False, {}),
            TypeError,
            "computes nothing itself",
        ),
    ],
)
def test_wrong_settings_are_named(call, error, text):
    with pytest.raises(error, match=text):
        call()
