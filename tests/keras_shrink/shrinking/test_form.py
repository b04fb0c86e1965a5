import keras
import numpy as np

from keras_shrink.rebuild import rebuild
from keras_shrink.shrinking import form as forms
from keras_shrink.shrinking.form import Form


def nudge(integer, layer, by):
    """Changes the float weights behind an integer layer as training would."""
    kernel = integer.get_layer(layer).variable("kernel")
    kernel.assign_add(np.full(kernel.shape, by, "float32"))


def test_training_comes_back_into_the_float_model(model, data):
    form = Form(rebuild(model), four_bits=("second",))
    integer = form.calibrated(data[0][0][:64])
    nudge(integer, "second", 0.25)
    after = form.absorbing(integer)
    change = after.model.get_layer("second").kernel - model.get_layer("second").kernel
    np.testing.assert_allclose(change.numpy(), 0.25, atol=1e-5)
    assert after.four_bits == ("second",)
    np.testing.assert_array_equal(form.model.get_layer("second").kernel, model.get_layer("second").kernel)


def test_shared_values_are_still_shared_after_training(model, data):
    form = Form(rebuild(model), clusters=4)
    integer = form.calibrated(data[0][0][:64])
    kernel = form.absorbing(integer).model.get_layer("second").kernel.numpy()
    assert max(len(np.unique(kernel[..., channel])) for channel in range(kernel.shape[-1])) <= 4


def test_only_the_layers_named_get_4_bits(model, data):
    integer = Form(rebuild(model), four_bits=("second",)).calibrated(data[0][0][:64])
    levels = {
        name: len(np.unique(np.asarray(integer.get_layer(name).transformed("kernel"))[..., 0]))
        for name in ("second", "scores")
    }
    assert levels["second"] <= 15
    assert levels["scores"] > 15


def test_a_form_is_read_back_with_its_integer_model(model, data, tmp_path):
    form = Form(rebuild(model), four_bits=("first", "second"), clusters=16, strips=2)
    integer = form.calibrated(data[0][0][:64])
    forms.save(tmp_path, "step", form, integer, number=3)
    again, same, facts = forms.load(tmp_path, "step")
    assert (again.four_bits, again.clusters, again.strips) == (("first", "second"), 16, 2)
    assert facts == {"number": 3}
    x = data[1][0][:8]
    np.testing.assert_array_equal(integer(x, training=False), same(x, training=False))
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(form.model(x)), again.model(x))
    assert forms.load(tmp_path, "other") is None
