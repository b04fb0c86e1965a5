import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te


def attention(compute, shape=(12, 8)):
    keras.utils.set_random_seed(0)
    inputs = keras.Input(shape, name="x")
    return keras.Model(inputs, compute(inputs))


def data(count=64, shape=(12, 8)):
    return np.random.default_rng(0).normal(0, 1, (count, *shape)).astype("float32")


CASES = {
    "self": lambda x: layers.MultiHeadAttention(2, 4)(x, x),
    "causal": lambda x: layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True),
    "cross": lambda x: layers.MultiHeadAttention(2, 4, value_dim=3, output_shape=5)(x, x[:, :7]),
    "key of its own": lambda x: layers.MultiHeadAttention(3, 4, use_bias=False)(x, layers.ReLU()(x), x),
    "arguments by name": lambda x: layers.MultiHeadAttention(2, 4)(query=x, value=x, attention_mask=None),
}


@pytest.mark.parametrize("name", CASES)
def test_integer_attention_is_close_to_the_layer(name):
    model, x = attention(CASES[name]), data()
    wanted = model.predict(x, verbose=0)
    got = ks.calibrate(model, x, strict=True).predict(x, verbose=0)
    assert got.shape == wanted.shape
    assert 10 * np.log10(np.mean(wanted**2) / np.mean((wanted - got) ** 2)) > 28


def test_masked_steps_do_not_count_at_all():
    quantized = ks.calibrate(attention(CASES["causal"]), data(), strict=True)
    x, other = data(8), data(8)
    other[:, 6:] = -2 * x[:, 6:]
    first, second = quantized.predict(x, verbose=0), quantized.predict(other, verbose=0)
    np.testing.assert_array_equal(first[:, :6], second[:, :6])
    assert (first[:, 6:] != second[:, 6:]).any()


def test_training_sees_what_inference_computes():
    quantized = ks.calibrate(attention(CASES["causal"]), data(), strict=True)
    x = data(8)
    trained, inferred = quantized(x, training=True), quantized(x, training=False)
    assert np.abs(trained - inferred).max() < 0.05 * np.abs(inferred).max()


def test_every_projection_is_rounded_and_trains():
    quantized = ks.quantize(attention(CASES["self"]), strict=True)
    (layer,) = (each for each in quantized.layers if "attention" in each.name)
    assert set(layer.weight_transforms) == {
        "query/kernel",
        "key/kernel",
        "value/kernel",
        "attention_output/kernel",
    }
    before = [weight.numpy() for weight in layer.trainable_weights]
    quantized.compile("sgd", "mse")
    quantized.fit(data(), np.ones((64, 12, 8)), verbose=0)
    changed = [
        (old != weight.numpy()).any() for old, weight in zip(before, layer.trainable_weights, strict=True)
    ]
    # The bias of the keys shifts all scores of a row alike, so it has no gradient worth speaking of.
    assert sum(changed) >= len(before) - 1


def test_attention_that_is_left_out_computes_on_floats():
    def between_layers(x):
        y = layers.MultiHeadAttention(2, 4, name="attention")(layers.Dense(8)(x), x)
        return layers.Dense(3, name="head")(y)

    model, x = attention(between_layers), data()
    quantized = ks.calibrate(model, x, overrides={ks.select.by_name("attention"): None})
    with pytest.warns(UserWarning, match="compute in float"):
        tflite = te.convert(quantized)
    assert {tensor.dtype for tensor in tflite.graph.main.tensors} == {"int8", "int32", "float32"}
    assert te.verify(tflite, x, quantized).keras[0].max_steps <= 2


@pytest.mark.parametrize("scores", [False, True])
def test_attention_that_is_refused_still_trains(scores):
    mask = np.ones((1, 12, 12), bool)

    def masked(x):
        result = layers.MultiHeadAttention(2, 4, name="attention")(
            x, x, attention_mask=mask, return_attention_scores=scores
        )
        return layers.Dense(3)(result[0] if scores else result)

    model = attention(masked)
    with pytest.warns(UserWarning, match="attention: attention_mask"):
        quantized = ks.quantize(model)
    quantized.compile("sgd", "mse")
    quantized.fit(data(), np.ones((64, 12, 3)), verbose=0)
    assert np.isfinite(quantized.predict(data(), verbose=0)).all()
