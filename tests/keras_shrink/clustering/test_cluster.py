import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from keras_shrink import select


@keras.saving.register_keras_serializable("tests")
class TwoDense(layers.Layer):
    """A custom layer whose inner layers get a new name in each copy."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first, self.second = layers.Dense(8), layers.Dense(8)

    def build(self, input_shape):
        self.first.build(input_shape)
        self.second.build((*input_shape[:-1], 8))
        self.built = True

    def call(self, x):
        return self.second(self.first(x))


KINDS = {
    "dense": (lambda: layers.Dense(12), (16,)),
    "einsum": (lambda: layers.EinsumDense("abc,cd->abd", (4, 12)), (4, 16)),
    "conv1d": (lambda: layers.Conv1D(12, 3), (8, 6)),
    "conv2d": (lambda: layers.Conv2D(12, 3), (6, 6, 4)),
    "conv3d": (lambda: layers.Conv3D(8, 2), (4, 4, 4, 3)),
    "transposed": (lambda: layers.Conv2DTranspose(8, 3), (4, 4, 5)),
    "depthwise": (lambda: layers.DepthwiseConv2D(3), (5, 5, 20)),
    "separable": (lambda: layers.SeparableConv2D(12, 3), (5, 5, 12)),
    "lstm": (lambda: layers.LSTM(6), (5, 8)),
    "both ways": (lambda: layers.Bidirectional(layers.GRU(6)), (5, 8)),
    "in time": (lambda: layers.TimeDistributed(layers.Dense(12)), (4, 16)),
    "custom": (TwoDense, (16,)),
    "nested": (lambda: keras.Sequential([keras.Input((16,)), layers.Dense(12)]), (16,)),
}


def network(kind, seed=0):
    make, shape = KINDS[kind]
    keras.utils.set_random_seed(seed)
    model = keras.Sequential([keras.Input(shape), make(), layers.Flatten(), layers.Dense(2, name="head")])
    model.compile(keras.optimizers.SGD(0.05, momentum=0.9), "mse", jit_compile=False)
    generator = np.random.default_rng(seed)
    return model, generator.normal(size=(32, *shape)).astype("float32"), generator.normal(size=(32, 2))


def dense_network(units=32, jit_compile=False, **compiled):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((16,)), layers.Dense(units, name="fc"), layers.Dense(2, name="head")]
    )
    model.compile(keras.optimizers.Adam(0.01), "mse", jit_compile=jit_compile, **compiled)
    generator = np.random.default_rng(0)
    return model, generator.normal(size=(64, 16)).astype("float32"), generator.normal(size=(64, 2))


def different(model):
    """Returns the number of different values in each kernel of a clustered model, the head left out."""
    plain = ks.bake(model)
    kernels = select.find_kernels(plain, ~select.by_name("head"))
    return [len(np.unique(kernel.variable.numpy())) for kernel in kernels]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_layer_trains_with_few_values_and_is_saved_and_baked(kind, tmp_path):
    model, x, y = network(kind)
    before = model.get_weights()
    clustered = ks.cluster(model, 4, layers=~select.by_name("head"))
    assert [layer.name for layer in clustered.layers] == [layer.name for layer in model.layers]
    start = clustered(x).numpy()
    clustered.fit(x, y, verbose=0)
    outputs = clustered(x).numpy()
    assert np.abs(outputs - start).max() > 1e-3
    assert set(different(clustered)) == {4}
    np.testing.assert_array_equal(ks.bake(clustered)(x), outputs)
    clustered.save(tmp_path / "clustered.keras")
    loaded = keras.saving.load_model(tmp_path / "clustered.keras")
    np.testing.assert_array_equal(loaded(x), outputs)
    assert set(different(loaded)) == {4}
    for old, now in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, now)


@pytest.mark.parametrize(
    "compiled", [{"jit_compile": True}, {"jit_compile": False, "steps_per_execution": 2}]
)
@pytest.mark.parametrize("per_channel", [False, True])
def test_values_train_in_compiled_steps(compiled, per_channel):
    model, x, y = dense_network(**compiled)
    clustered = ks.cluster(model, 3, layers=select.by_name("fc"), per_channel=per_channel)
    losses = clustered.fit(x, y, epochs=5, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    kernel = ks.bake(clustered).get_layer("fc").kernel.numpy()
    assert max(len(np.unique(column)) for column in kernel.T) == 3
    assert (len(np.unique(kernel)) == 3) is not per_channel


def test_the_gradient_of_a_value_is_the_sum_over_its_weights():
    model, x, y = dense_network()
    model.compile(keras.optimizers.SGD(1.0), "mse")
    clustered = ks.cluster(model, 4, layers=select.by_name("fc"))
    plain = ks.bake(clustered)
    plain.compile(keras.optimizers.SGD(1.0), "mse")
    before = plain.get_layer("fc").kernel.numpy()
    plain.fit(x, y, batch_size=64, verbose=0)
    moved = plain.get_layer("fc").kernel.numpy() - before
    clustered.fit(x, y, batch_size=64, verbose=0)
    after = ks.bake(clustered).get_layer("fc").kernel.numpy()
    for value in np.unique(before):
        same = before == value
        np.testing.assert_allclose(after[same] - value, moved[same].sum(), atol=1e-5)


@pytest.mark.parametrize("per_channel", [False, True])
def test_zeros_stay_zero(per_channel):
    model, x, y = dense_network()
    clustered = ks.cluster(ks.prune(model, 0.6), 8, layers=select.by_name("fc"), per_channel=per_channel)
    zeros = ks.bake(clustered).get_layer("fc").kernel.numpy() == 0
    assert zeros.mean() == pytest.approx(0.6, abs=0.002)
    clustered.fit(x, y, epochs=3, verbose=0)
    kernel = ks.bake(clustered).get_layer("fc").kernel.numpy()
    np.testing.assert_array_equal(kernel == 0, zeros)
    tables = kernel.T if per_channel else [kernel]
    assert max(len(np.unique(table)) for table in tables) <= 8


def test_zeros_can_be_free():
    model, x, y = dense_network()
    clustered = ks.cluster(ks.prune(model, 0.6), 8, layers=select.by_name("fc"), keep_zeros=False)
    clustered.fit(x, y, verbose=0)
    assert (ks.bake(clustered).get_layer("fc").kernel.numpy() == 0).mean() < 0.6


def test_a_baked_model_is_taken_up_as_it_was():
    model, x, y = dense_network()
    clustered = ks.cluster(model, 5, layers=select.by_name("fc"))
    clustered.fit(x, y, verbose=0)
    again = ks.cluster(ks.bake(clustered), 16, layers=select.by_name("fc"))
    np.testing.assert_array_equal(again(x), clustered(x))
    again.fit(x, y, verbose=0)
    assert different(again) == [5]


def test_a_mapping_gives_each_choice_its_number():
    model, _, _ = network("separable")
    is_head = select.by_name("head")
    clustered = ks.cluster(model, {~is_head: 4, select.has_kernel: 6})
    assert set(different(clustered)) == {4}
    assert len(np.unique(ks.bake(clustered).get_layer("head").kernel.numpy())) == 6


def test_a_shared_layer_has_one_table():
    keras.utils.set_random_seed(0)
    shared, inputs = layers.Dense(16, name="shared"), keras.Input((16,))
    model = keras.Model(inputs, shared(shared(inputs)))
    clustered = ks.cluster(model, 4)
    assert len(clustered.get_layer("shared").transforms) == 1
    x = np.ones((4, 16), "float32")
    np.testing.assert_array_equal(ks.bake(clustered)(x), clustered(x))


def test_mixed_precision_keeps_float32_values():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, x, y = dense_network()
    finally:
        keras.config.set_dtype_policy("float32")
    clustered = ks.cluster(model, 4, layers=select.by_name("fc"))
    clustered.fit(x, y, verbose=0)
    assert clustered.get_layer("fc").transforms[0].table.dtype == "float32"
    assert different(clustered) == [4]


def test_what_stays_as_it_is_is_said_with_its_reason():
    model, _, _ = network("depthwise")
    model.layers[0].trainable = False
    with pytest.warns(UserWarning, match=r"1 kernel\(s\) stay as they are:\n  depthwise_conv2d\S*: frozen"):
        ks.cluster(model, 4)
    with pytest.raises(ValueError, match=r"1 kernel\(s\) cannot be clustered:\n.*frozen"):
        ks.cluster(model, 4, strict=True)


def test_a_table_that_costs_more_than_it_saves_is_not_made():
    model, _, _ = dense_network()
    match = "head: a table of 64 values would cost more than its 64 weights"
    with pytest.warns(UserWarning, match=match):
        ks.cluster(model, 64)
    with pytest.raises(ValueError, match="None of the kernels chosen can be clustered"):
        ks.cluster(model, 64, layers=select.by_name("head"))


def test_equal_weights_and_layers_with_several_inputs_are_left_alone():
    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((4, 16))
    x = layers.MultiHeadAttention(2, 8, name="attention")(x, x)
    x = layers.Dense(16, kernel_initializer="ones", name="ones")(x)
    model = keras.Model(inputs, layers.Dense(16, name="fc")(x))
    reasons = "query: its layer is called with several inputs\n(.*\n)*  ones: all its weights are equal"
    with pytest.warns(UserWarning, match=reasons):
        ks.cluster(model, 4)


@pytest.mark.parametrize(
    ("choices", "match"),
    [
        ({"clusters": 1}, r"clusters must be an integer from 2 to 65536. Received: clusters=1\."),
        ({"clusters": 4.0}, r"Received: clusters=4\.0\."),
        ({"start": "random"}, r"start must be one of .*'k-means\+\+'.*Received: start='random'\."),
        ({"layers": select.by_name("nothing")}, r"No layer to cluster was chosen.*kernel: \['fc', 'head'\]"),
    ],
)
def test_choices_out_of_range_are_refused(choices, match):
    model, _, _ = dense_network()
    with pytest.raises(ValueError, match=match):
        ks.cluster(model, **choices)


def test_weights_that_are_not_finite_are_refused():
    model, _, _ = dense_network()
    model.get_layer("fc").kernel.assign(np.full((16, 32), np.nan))
    with pytest.raises(ValueError, match="Received: fc with 512 weights that are not"):
        ks.cluster(model, 4)


def test_a_clustered_model_is_not_clustered_again():
    model, _, _ = dense_network()
    clustered = ks.cluster(model, 4)
    with pytest.raises(ValueError, match="clustered or quantized already.*keras_shrink.bake"):
        ks.cluster(clustered, 4)
