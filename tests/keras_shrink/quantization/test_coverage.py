"""Every layer that quantization knows, through to TFLM and the compiled C."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from tests.keras_shrink.networks import pictures, shake_normalization


def chain(shape, *parts):
    inputs = keras.Input(shape, name="x")
    x = inputs
    for part in parts:
        x = part(x)
    return keras.Model(inputs, x)


def branches(join, shape=(8, 8, 4)):
    inputs = keras.Input(shape, name="x")
    a = layers.Conv2D(4, 1, name="a")(inputs)
    b = layers.Conv2D(4, 3, padding="same", activation="relu", name="b")(inputs)
    return keras.Model(inputs, join(a, b))


def sums_and_extremes(a, b):
    c = layers.Subtract()([layers.Maximum()([a, b]), layers.Minimum()([a, b])])
    return layers.ReLU()(layers.Add()([c, layers.Average()([a, b]), a]))


def squeeze_and_excite(a, b):
    gate = layers.GlobalAveragePooling2D(keepdims=True)(b)
    return layers.Multiply()([a, layers.Conv2D(4, 1, activation="sigmoid")(gate)])


def densely_connected(a, b):
    first = layers.Concatenate()([a, layers.Activation("sigmoid")(b)])
    new = layers.Conv2D(2, 3, padding="same", activation="relu")(first)
    return layers.Conv2D(3, 1)(layers.Concatenate()([first, new]))


def activated_and_joined(a, b):
    inner = [layers.Conv2D(2, 1, activation=name)(a) for name in ("silu", "leaky_relu", "elu", "gelu")]
    transposed = layers.Conv2DTranspose(2, 3, padding="same", activation="relu")(b)
    return layers.Concatenate()([*inner, transposed, layers.ELU()(b), layers.Activation("silu")(a)])


def activated_twice(a, b):
    a = layers.Add()([a, b])
    return layers.Conv2D(2, 3)(layers.ReLU()(a)) - layers.Conv2D(2, 3)(layers.ReLU()(a))


def means_and_flat(a, b):
    mean, flat = layers.GlobalAveragePooling2D()(a), layers.Flatten()(layers.MaxPooling2D(4)(b * 4.0))
    return layers.Conv2D(4, 1)(layers.Reshape((1, 1, -1))(layers.Concatenate()([mean, flat])))


def joined_and_activated(x):
    y = layers.Dense(6)(x)
    first = layers.Concatenate()([y, layers.Dense(4)(x) * 3.0])
    return layers.Concatenate()([layers.ReLU(6.0)(y), layers.Dense(3)(first), y, y])


def hard_swish_of_operations(a, b):
    return layers.ReLU(6.0)(a + 3.0) * (1 / 6.0) * a - b


def on_series(compute, shape=(16, 8)):
    inputs = keras.Input(shape, name="x")
    return keras.Model(inputs, compute(inputs))


def on_tokens(compute):
    inputs = keras.Input((16,), dtype="int32", name="x")
    return keras.Model(inputs, compute(inputs))


def self_and_cross_attention(x):
    y = layers.MultiHeadAttention(2, 4, dropout=0.1)(x, x)
    memory = layers.Dense(6)(x)[:, :5]
    return layers.MultiHeadAttention(2, 4, value_dim=3, use_bias=False, output_shape=6)(y, memory)


def causal_attention(x):
    return layers.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True)


def scored_by_products(x):
    scores = layers.Dot(axes=(2, 2))([layers.Dense(4)(x), layers.Dense(4)(x)])
    return layers.Dot(axes=(2, 1))([layers.Softmax()(scores), layers.UnitNormalization()(x)])


def embedded(tokens):
    x = layers.Embedding(10, 8)(tokens) + layers.Embedding(16, 8)(keras.ops.arange(16))
    return layers.Concatenate()([layers.LayerNormalization()(x), layers.Embedding(10, 4)(tokens)])


def shape_operations(x):
    y = keras.ops.relu(layers.Dense(8)(x) / 2.0 - x)
    y = y - keras.ops.mean(y, axis=1, keepdims=True)
    y = keras.ops.concatenate([y[:, 1:], y[:, :1]], axis=1)
    y = keras.ops.matmul(y, keras.ops.transpose(y, (0, 2, 1)))
    y = keras.ops.squeeze(keras.ops.expand_dims(keras.ops.sigmoid(y), 1), 1)
    return keras.ops.reshape(y[..., -1], (-1, 16))


def arithmetic_operations(x):
    y = keras.ops.relu6(layers.Dense(8)(x) + np.linspace(-1, 1, 8, dtype="float32"))
    y = (1.0 - y) * np.linspace(-1, 1, 8, dtype="float32")
    z = keras.ops.maximum(-y, 0.0) + keras.ops.max(y, axis=1, keepdims=True)
    return z + keras.ops.sum(x, axis=1, keepdims=True) + keras.ops.absolute(x)


def activation_operations(x):
    y = keras.ops.pad(keras.ops.gelu(layers.Dense(8)(x)), ((0, 0), (2, 0), (0, 0)))
    y = keras.ops.clip(keras.ops.silu(keras.ops.tanh(y)), 0, 0.5)
    y = keras.ops.leaky_relu(keras.ops.elu(keras.ops.softmax(y, axis=-1)))
    return keras.ops.maximum(y[:, -1], y[:, 0])


def nested(x):
    inner = on_series(lambda y: keras.ops.relu(y * 0.5) + y)
    return inner(layers.Dense(8)(x))


PICTURE, SERIES = (8, 8, 4), (16, 3)
NETWORKS = {
    "conv1d": lambda: chain(
        SERIES,
        layers.Conv1D(6, 3, activation="relu"),
        layers.MaxPooling1D(2),
        layers.Conv1D(4, 3, dilation_rate=2),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.GlobalAveragePooling1D(),
        layers.Dense(3),
    ),
    "depthwise1d": lambda: chain(
        SERIES,
        layers.ZeroPadding1D(2),
        layers.DepthwiseConv1D(3, depth_multiplier=2),
        layers.Cropping1D(1),
        layers.UpSampling1D(2),
        layers.AveragePooling1D(2),
        layers.GlobalMaxPooling1D(),
    ),
    "separable1d": lambda: chain(SERIES, layers.SeparableConv1D(6, 3, activation="relu"), layers.Flatten()),
    "separable2d": lambda: chain(
        PICTURE,
        layers.SeparableConv2D(6, 3, strides=2, padding="same"),
        layers.BatchNormalization(),
        layers.ReLU(),
        layers.Flatten(),
        layers.Dense(3),
    ),
    "convolutions": lambda: chain(
        PICTURE,
        layers.Conv2D(6, 3, dilation_rate=2, padding="same", activation="relu6"),
        layers.Conv2D(4, 3, groups=2),
        layers.DepthwiseConv2D(3, depth_multiplier=3),
    ),
    "transposed": lambda: chain(
        PICTURE,
        layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="relu"),
        layers.Conv2DTranspose(4, 2),
        layers.BatchNormalization(),
        layers.ReLU(),
    ),
    "normalization first": lambda: chain(
        PICTURE, layers.BatchNormalization(), layers.ReLU(), layers.Conv2D(4, 3), layers.BatchNormalization()
    ),
    "normalized vector": lambda: chain(
        (6,), layers.BatchNormalization(), layers.Dense(4, activation="relu"), layers.BatchNormalization()
    ),
    "relu6 alone": lambda: chain(PICTURE, layers.MaxPooling2D(), layers.ReLU(6.0), layers.Conv2D(3, 1)),
    "relu6 of an activation layer": lambda: chain(
        PICTURE, layers.Rescaling(4.0), layers.MaxPooling2D(), layers.Activation("relu6"), layers.Conv2D(3, 1)
    ),
    "rescaling": lambda: chain(PICTURE, layers.Rescaling(1 / 2, offset=-1.0), layers.Conv2D(4, 3)),
    "leaky": lambda: chain(
        PICTURE,
        layers.Conv2D(4, 3),
        layers.LeakyReLU(negative_slope=0.2),
        layers.Conv2D(4, 3, activation="leaky_relu"),
        layers.PReLU(shared_axes=[1, 2], alpha_initializer="random_uniform"),
    ),
    "prescribed": lambda: chain(
        PICTURE,
        layers.Conv2D(4, 3, activation="sigmoid"),
        layers.Conv2D(4, 1),
        layers.Activation("tanh"),
        layers.Conv2D(3, 1, activation="softmax"),
    ),
    "silu": lambda: chain(
        PICTURE, layers.Conv2D(4, 3, activation="silu"), layers.Conv2D(4, 3), layers.Activation("swish")
    ),
    "gelu": lambda: chain(
        PICTURE, layers.Conv2D(4, 3), layers.Activation("gelu"), layers.Dense(3, activation="gelu")
    ),
    "hard": lambda: chain(
        PICTURE,
        layers.Conv2D(4, 3, activation="hard_silu"),
        layers.Conv2D(4, 3, activation="hard_sigmoid"),
        layers.Conv2D(4, 1),
        layers.Activation("hard_sigmoid"),
    ),
    "multiply": lambda: branches(squeeze_and_excite),
    "sums and extremes": lambda: branches(sums_and_extremes),
    "concatenate": lambda: branches(
        lambda a, b: layers.Concatenate()([a, layers.MaxPooling2D(3, 1, padding="same")(b)])
    ),
    "densely connected": lambda: branches(densely_connected),
    "activations before a join": lambda: branches(activated_and_joined),
    "the same activation twice": lambda: branches(activated_twice),
    "means before a join": lambda: branches(means_and_flat),
    "a join and an activation": lambda: on_series(joined_and_activated, (8,)),
    "operations": lambda: branches(hard_swish_of_operations),
    "resizing": lambda: chain(
        PICTURE,
        layers.ZeroPadding2D(((0, 1), (1, 2))),
        layers.Conv2D(4, 3, strides=2),
        layers.Cropping2D(1),
        layers.UpSampling2D(2),
        layers.Permute((2, 1, 3)),
        layers.UpSampling2D(2, interpolation="bilinear"),
        layers.AveragePooling2D(2, strides=1, padding="same"),
        layers.GlobalMaxPooling2D(),
    ),
    "series": lambda: chain(
        (6,),
        layers.RepeatVector(9),
        layers.Conv1D(6, 3, padding="causal", dilation_rate=2, activation="relu"),
        layers.Conv1DTranspose(6, 3, strides=2, activation="relu"),
        layers.EinsumDense("abc,cde->abde", (19, 2, 5), bias_axes="de", activation="relu"),
        layers.EinsumDense("...cd,cde->...e", (19, 4), bias_axes="e"),
    ),
    "layer normalization": lambda: chain(
        (16, 12), layers.LayerNormalization(), layers.Dense(8), layers.RMSNormalization(), layers.Dense(4)
    ),
    "long rows": lambda: chain(PICTURE, layers.Conv2D(4, 1), layers.LayerNormalization(axis=[1, 2, 3])),
    "group normalization": lambda: chain(
        PICTURE,
        layers.Conv2D(8, 3),
        layers.GroupNormalization(4),
        layers.ReLU(),
        layers.Conv2D(16, 1),
        layers.GroupNormalization(1),
    ),
    "normalization of other axes": lambda: chain(
        SERIES,
        layers.Normalization(axis=1, mean=np.linspace(0, 1, 16), variance=np.linspace(0.5, 2, 16)),
        layers.Conv1D(4, 1),
        layers.BatchNormalization(axis=1),
        layers.ReLU(),
        layers.Normalization(
            axis=(1, 2),
            invert=True,
            mean=np.linspace(0, 1, 64).reshape(16, 4),
            variance=np.linspace(1, 2, 64).reshape(16, 4),
        ),
    ),
    "embedding": lambda: on_tokens(embedded),
    "attention": lambda: on_series(self_and_cross_attention),
    "causal attention": lambda: on_series(causal_attention),
    "products": lambda: on_series(scored_by_products),
    "exponential": lambda: chain(
        PICTURE,
        layers.Conv2D(4, 3, activation="elu"),
        layers.ELU(0.5),
        layers.Conv2D(4, 3, activation="selu"),
    ),
    "softplus": lambda: chain(PICTURE, layers.Conv2D(4, 3, activation="softplus"), layers.Conv2D(4, 3)),
    "log softmax": lambda: chain((8,), layers.Dense(4, activation="log_softmax")),
    "saturated": lambda: chain(
        PICTURE,
        layers.Conv2DTranspose(4, 3, activation="relu6"),
        layers.Conv2D(4, 3),
        layers.ReLU(1.0),
        layers.MaxPooling2D(),
        layers.ReLU(0.5),
    ),
    "shape operations": lambda: on_series(shape_operations),
    "arithmetic operations": lambda: on_series(arithmetic_operations),
    "activation operations": lambda: on_series(activation_operations),
    "nested operations": lambda: on_series(nested),
}
# A normalized value has the scale 1/128.
NOISE = {"layer normalization": 2e-3, "group normalization": 2e-3}


def samples_for(model, count=32):
    generator = np.random.default_rng(0)
    shape = (count, *model.input_shape[1:])
    if model.inputs[0].dtype == "int32":
        return generator.integers(0, 10, shape).astype("int32")
    return generator.normal(0, 1, shape).astype("float32")


SAVED = {
    "separable2d",
    "densely connected",
    "sums and extremes",
    "silu",
    "operations",
    "rescaling",
    "group normalization",
    "embedding",
    "attention",
    "exponential",
    "shape operations",
    "arithmetic operations",
}


@pytest.mark.parametrize("name", NETWORKS)
def test_the_device_computes_what_training_shows(name, tmp_path):
    keras.utils.set_random_seed(1)
    model = NETWORKS[name]()
    shake_normalization(model)
    x = samples_for(model)
    quantized = ks.calibrate(model, x, strict=True)
    tflite = te.convert(quantized)
    assert {tensor.dtype for tensor in tflite.graph.main.tensors} <= {"int8", "int32"}
    result = te.verify(tflite, x, quantized)
    assert result.keras[0].max_steps <= 1
    assert result.keras[0].differing <= 0.01 * result.keras[0].elements
    assert [difference.differing for difference in result.compiled_c] == [0]
    promised, computed = np.asarray(model(x)), quantized.predict(x, verbose=0)
    assert np.mean((promised - computed) ** 2) < NOISE.get(name, 1e-3) * np.mean(promised**2) + 1e-9
    if name in SAVED:
        quantized.save(tmp_path / "q.keras")
        loaded = keras.models.load_model(tmp_path / "q.keras")
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), computed)
    # Every form trains as well.
    quantized.compile("sgd", "mse")
    quantized.fit(x, promised, verbose=0)
    assert all(np.isfinite(weight).all() for weight in quantized.get_weights())


def test_a_join_as_it_was_saved_when_its_inputs_had_no_numbers_loads():
    model = ks.calibrate(NETWORKS["sums and extremes"](), pictures(8, shape=PICTURE))
    joins = [layer for layer in model.layers if hasattr(layer, "again")]
    assert [join.get_config()["again"] for join in joins] == [[[0, 0], [1, 0]], [[0, 1], [1, 1]]]
    loaded = type(joins[1]).from_config({**joins[1].get_config(), "again": [0, 1]})
    assert loaded.get_config()["again"] == [[0, 0], [1, 0]]


@pytest.mark.parametrize(
    ("layer", "reason"),
    [
        (lambda: layers.Conv1D(4, 3, activation="mish", name="l"), "its activation mish has no integer form"),
        (lambda: layers.Masking(name="l"), "masks computed at run time"),
        (lambda: layers.AdaptiveMaxPooling1D(4, name="l"), "its windows may differ in size"),
        (lambda: layers.Hashing(5, name="l"), "no integer form of Hashing is known"),
        (lambda: layers.ReLU(max_value=3, threshold=1, name="l"), "ReLU\\(max_value=3"),
        (lambda: layers.Softmax(axis=1, name="l"), "softmax over axis 1"),
        (lambda: layers.LayerNormalization(axis=1, name="l"), "it normalizes the axes \\[1\\]"),
        (lambda: layers.GroupNormalization(4, axis=1, name="l"), "its channels are on axis 1"),
        (lambda: layers.UnitNormalization(axis=1, name="l"), "it normalizes the axes \\[1\\]"),
        (lambda: layers.EinsumDense("abc,bd->adc", (4, 3), name="l"), "its equation abc,bd->adc is not"),
        (
            lambda: layers.EinsumDense("abc,cd->abd", (16, 3), bias_axes="bd", name="l"),
            "its bias has the axes bd, where .* has all that the kernel makes: d",
        ),
        (lambda: layers.EinsumDense("abc,cde->abde", (16, 2, 4), bias_axes="e", name="l"), ".* makes: de"),
    ],
)
def test_what_has_no_integer_form_is_refused_with_its_reason(layer, reason):
    with pytest.raises(ValueError, match=f"l: {reason}"):
        ks.quantize(chain(SERIES, layer()), strict=True)


@pytest.mark.parametrize(
    ("compute", "reason"),
    [
        (lambda x: keras.ops.exp(x), "the operation Exp has no integer form"),
        (lambda x: 1.0 / x, "the operation TrueDivide has no integer form"),
        (lambda x: x[:, None], "the operation GetItem has no integer form"),
        (lambda x: keras.ops.clip(x, 1, 2), "the operation Clip has no integer form"),
        (lambda x: keras.ops.minimum(x, 1.0), "the operation Minimum has no integer form"),
        (lambda x: keras.ops.pad(x, ((0, 0), (1, 1), (0, 0)), mode="reflect"), "the operation Pad"),
        (lambda x: keras.ops.cast(x, "int32"), "the operation Cast"),
        (
            lambda x: layers.MultiHeadAttention(2, 4, name="l")(x, x, attention_mask=np.ones((1, 16, 16))),
            "attention_mask: masks computed at run time",
        ),
        (
            lambda x: layers.MultiHeadAttention(2, 4, output_shape=(2, 3), name="l")(x, x),
            "its output_shape \\(2, 3\\) has several axes",
        ),
        (lambda x: layers.Attention(name="l")([x, x]), "attention of this kind"),
        (lambda x: layers.Dot(1, normalize=True, name="l")([x, x]), "normalize=True is an operator"),
    ],
)
def test_operations_without_an_integer_form_are_refused(compute, reason):
    with pytest.raises(ValueError, match=reason):
        ks.quantize(on_series(compute), strict=True)


def test_all_reasons_are_named_at_once():
    model = on_tokens(
        lambda tokens: layers.Masking(name="m")(layers.Embedding(10, 8, mask_zero=True, name="e")(tokens))
    )
    with pytest.raises(
        ValueError, match="(?s)2 layer.s. cannot.*e: mask_zero makes a mask.*m: masks computed"
    ):
        ks.quantize(model, strict=True)


def test_a_sum_of_squares_that_leaves_32_bits_is_refused():
    model = chain((64, 64, 16), layers.GroupNormalization(1, name="l"))
    with pytest.raises(ValueError, match="l: it normalizes 65,536 values together"):
        ks.quantize(model, strict=True)


@pytest.mark.parametrize(
    ("compute", "reason"),
    [
        (layers.ReLU(1.0), "of 16 bits is known that ends at 1.0"),
        (lambda x: keras.ops.mean(x, axis=1), "no form of Mean with activations of 16 bits"),
        (layers.LayerNormalization(), "no form of LayerNormalization with activations of 16 bits"),
    ],
)
def test_forms_of_8_bits_are_refused_with_16(compute, reason):
    with pytest.raises(ValueError, match=reason):
        ks.quantize(on_series(compute), ks.Int16x8(), strict=True)


def test_three_dimensions_are_refused_with_the_way_out():
    model = chain((4, 4, 4, 2), layers.Conv3D(2, 3, name="l"), layers.GlobalMaxPooling3D(name="p"))
    with pytest.raises(
        ValueError, match="(?s)l: TFLite Micro has no integer.*p: TFLite Micro has no integer"
    ):
        ks.quantize(model, strict=True)


@pytest.mark.parametrize(
    "name", ["layer normalization", "group normalization", "embedding", "causal attention"]
)
def test_forms_train_with_mixed_precision(name):
    before = keras.mixed_precision.dtype_policy()
    try:
        keras.mixed_precision.set_dtype_policy("mixed_float16")
        model = NETWORKS[name]()
        quantized = ks.quantize(model, strict=True)
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    x = samples_for(model)
    wanted = model.predict(x, verbose=0).astype("float32")
    quantized.compile("sgd", "mse")
    quantized.fit(x, wanted, verbose=0)
    got = quantized.predict(x, verbose=0).astype("float32")
    assert np.mean((wanted - got) ** 2) < 0.05 * np.mean(wanted**2)
