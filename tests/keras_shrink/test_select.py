import keras
import pytest

from keras_shrink import select


@keras.saving.register_keras_serializable("test_select")
class Residual(keras.layers.Layer):
    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.convolution = keras.layers.Conv2D(filters, 3, padding="same", name="inner_conv")

    def call(self, x):
        return x + self.convolution(x)


class Odd(keras.layers.Layer):
    def build(self, shape):
        self.w = self.add_weight(shape=(shape[-1], 2), name="w")

    def call(self, x):
        return x @ self.w


def nested_model():
    image = keras.Input((8, 8, 4))
    encoder = keras.Sequential(
        [keras.Input((8, 8, 4)), keras.layers.Conv2D(4, 3, name="conv_a")], name="encoder"
    )
    x = Residual(4, name="residual")(encoder(image))
    x = keras.layers.BatchNormalization(name="norm")(x)
    x = keras.layers.Reshape((36, 4))(x)
    x = keras.layers.Bidirectional(keras.layers.LSTM(3, name="lstm"), name="both")(x)
    return keras.Model(image, keras.layers.Dense(2, name="head")(x))


def names(model, choice=select.has_kernel):
    return {kernel.name for kernel in select.find_kernels(model, choice)}


def test_every_kernel_of_a_nested_model_is_found_and_nothing_else():
    recurrent = {
        f"both/{way}_lstm/{name}"
        for way in ("forward", "backward")
        for name in ("kernel", "recurrent_kernel")
    }
    assert names(nested_model()) == {"encoder/conv_a", "residual/inner_conv", "head", *recurrent}


def test_a_name_chooses_what_is_inside_and_its_negation_leaves_it_out():
    model = nested_model()
    assert names(model, select.by_name("encoder")) == {"encoder/conv_a"}
    assert names(model, ~select.by_name("encoder", "both", "res*")) == {"head"}


def test_predicates_combine():
    model = nested_model()
    convolutions = select.by_class(keras.layers.Conv2D)
    assert names(model, convolutions) == {"encoder/conv_a", "residual/inner_conv"}
    assert names(model, convolutions & ~select.by_name("residual")) == {"encoder/conv_a"}
    assert names(model, select.by_name("encoder") | select.by_name("head")) == {"encoder/conv_a", "head"}


def test_a_plain_function_is_asked_of_the_owner_and_layers_stand_for_themselves():
    model = nested_model()
    assert names(model, lambda layer: "conv" in layer.name) == {"encoder/conv_a", "residual/inner_conv"}
    assert names(model, model.get_layer("head")) == {"head"}
    assert names(model, [model.get_layer("head"), model.get_layer("encoder")]) == {"head", "encoder/conv_a"}


def test_the_first_and_the_last_layer_can_be_left_out():
    model = nested_model()
    assert names(model, select.first_and_last(model)) == {"encoder/conv_a", "head"}
    assert not names(model, ~select.first_and_last(model)) & {"encoder/conv_a", "head"}


def test_a_shared_layer_is_found_once():
    shared = keras.layers.Dense(4, name="shared")
    image = keras.Input((4,))
    model = keras.Model(image, shared(shared(image)))
    assert [kernel.name for kernel in select.find_kernels(model)] == ["shared"]


def test_a_custom_layer_can_be_registered():
    model = keras.Sequential([keras.Input((4,)), Odd(name="odd")])
    assert names(model) == set()
    select.kernels.register(Odd, lambda layer: [layer.w])
    assert names(model) == {"odd"}


@pytest.mark.parametrize(
    ("layer", "shape", "axes"),
    [
        (keras.layers.Dense(2), (None, 3), [(0, 1)]),
        (keras.layers.Conv1D(2, 3), (None, 8, 3), [(1, 2)]),
        (keras.layers.Conv3D(2, 3), (None, 8, 8, 8, 3), [(3, 4)]),
        (keras.layers.Conv2DTranspose(2, 3), (None, 8, 8, 3), [(3, 2)]),
        (keras.layers.DepthwiseConv2D(3), (None, 8, 8, 3), [(2, 2)]),
        (keras.layers.SeparableConv1D(2, 3), (None, 8, 3), [(1, 1), (1, 2)]),
        (keras.layers.EinsumDense("abc,cde->abde", (None, 2, 5)), (None, 4, 3), [(0, 2)]),
        (keras.layers.EinsumDense("abcd,cde->abe", (None, 5)), (None, 4, 2, 3), [(1, 2)]),
        (keras.layers.Embedding(5, 3), (None, 4), [(0, 1)]),
        (keras.layers.GRU(4), (None, 4, 3), [(0, 1), (0, 1)]),
    ],
)
def test_axes_are_those_the_layer_sums_over_and_produces(layer, shape, axes):
    layer.build(shape)
    found = select.find_kernels(layer)
    assert [(kernel.input_axis, kernel.output_axis) for kernel in found] == axes


def test_lora_and_integer_kernels_are_no_kernels():
    layer = keras.layers.Dense(4)
    layer.build((None, 4))
    layer.enable_lora(2)
    assert [variable.name for variable in select.kernels(layer)] == ["kernel"]
    quantized = keras.layers.Dense(4)
    quantized.build((None, 4))
    quantized.quantize("int8")
    assert select.kernels(quantized) == []


@pytest.mark.parametrize("choice", ["dense", 3, keras.layers.Dense, [], ["dense"]])
def test_anything_else_is_refused(choice):
    with pytest.raises(ValueError, match="layers must be a function layer -> bool"):
        select.as_predicate(choice)


def test_names_and_classes_are_checked():
    with pytest.raises(ValueError, match="by_name takes"):
        select.by_name()
    with pytest.raises(ValueError, match="by_class takes"):
        select.by_class("Dense")
