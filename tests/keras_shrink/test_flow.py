import keras
from keras import layers

from keras_shrink.flow import trace


def names(calls):
    return [call.layer.name for call in calls]


def test_nested_models_are_opened_up_in_order():
    inner = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="b"), layers.ReLU(name="c")], name="inner"
    )
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="a")(inputs)
    model = keras.Model(inputs, layers.Softmax(name="d")(inner(x)))
    flow = trace(model)
    assert names(flow.calls) == ["a", "b", "c", "d"]
    assert flow.calls[1].inputs == flow.calls[0].outputs
    assert flow.calls[3].outputs == flow.outputs
    (border,) = flow.nested
    assert border.layer is inner
    assert (border.inputs, border.outputs) == (flow.calls[0].outputs, flow.calls[2].outputs)


def test_readers_and_makers_are_known_across_borders():
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="a")(inputs)
    y = layers.ReLU(name="b")(x)
    model = keras.Model(inputs, layers.Add(name="c")([x, y]))
    flow = trace(model)
    a, b, c = flow.calls
    assert flow.readers[a.outputs[0]] == [b, c]
    assert flow.sole_reader(a.outputs[0]) is None
    assert flow.sole_reader(b.outputs[0]) is c
    assert flow.makers[c.inputs[1]] is b


def test_a_model_output_has_no_sole_reader():
    inputs = keras.Input((4,))
    x = layers.Dense(4, name="a")(inputs)
    flow = trace(keras.Model(inputs, [x, layers.ReLU(name="b")(x)]))
    assert flow.sole_reader(flow.calls[0].outputs[0]) is None


def test_a_shared_layer_is_called_twice():
    shared = layers.Dense(4, name="shared")
    inputs = keras.Input((4,))
    flow = trace(keras.Model(inputs, shared(shared(inputs))))
    assert names(flow.calls) == ["shared", "shared"]
    assert flow.calls[0].outputs != flow.calls[1].outputs
