import keras
import numpy as np
import pytest
from keras import ops

import keras_shrink as ks
from keras_shrink.quantization.operations import layer_for

OPERATIONS = {
    "add": lambda x: x + 2.0,
    "subtract from": lambda x: 2.0 - x,
    "subtract two": lambda x: x - ops.relu(x),
    "divide": lambda x: x / 4.0,
    "scale channels": lambda x: x * np.array([1.0, 2.0, -128.0, 127.0], "float32"),
    "negate": lambda x: -x,
    "twice the same": lambda x: x * x,
    "relu": ops.relu,
    "relu6": ops.relu6,
    "function of keras.activations": lambda x: keras.activations.relu(x, max_value=2.0),
    "maximum with zero": lambda x: ops.maximum(x, 0.0),
    "maximum of two": lambda x: ops.maximum(x, -x),
    "clip": lambda x: ops.clip(x, 0, 1.5),
    "leaky relu": lambda x: ops.leaky_relu(x, 0.3),
    "elu": lambda x: ops.elu(x, 0.7),
    "softmax": lambda x: ops.softmax(x, axis=-1),
    "tanh": ops.tanh,
    "mean": lambda x: ops.mean(x, axis=(1, 2)),
    "sum": lambda x: ops.sum(x, axis=-1, keepdims=True),
    "max": lambda x: ops.max(x, axis=1),
    "absolute": ops.absolute,
    "transpose": lambda x: ops.transpose(x, (0, 2, 1)),
    "swapaxes": lambda x: ops.swapaxes(x, 1, 2),
    "reshape": lambda x: ops.reshape(x, (-1, 2, 10)),
    "squeeze": lambda x: ops.squeeze(ops.expand_dims(x, 2), 2),
    "matmul": lambda x: ops.matmul(x, ops.transpose(x, (0, 2, 1))),
    "concatenate": lambda x: ops.concatenate([x, x], axis=1),
    "pad": lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 0))),
    "slice": lambda x: x[:, 1:-1],
    "index": lambda x: x[:, -1],
    "ellipsis": lambda x: x[..., ::2],
    "backwards": lambda x: x[:, ::-1],
}


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_layer_computes_what_the_operation_computes(name):
    inputs = keras.Input((5, 4))
    outputs = OPERATIONS[name](inputs)
    operation = outputs._keras_history.operation
    layer = layer_for(operation)
    assert layer.name == operation.name
    layer = type(layer).from_config(layer.get_config())
    tensors = operation._inbound_nodes[0].input_tensors
    before = keras.Model(inputs, tensors[0] if len(tensors) == 1 else tensors)
    x = np.random.default_rng(0).normal(0, 1, (3, 5, 4)).astype("float32")
    np.testing.assert_allclose(
        layer(before(x)), keras.Model(inputs, outputs)(x), rtol=1e-6, atol=1e-6, err_msg=name
    )


@pytest.mark.parametrize(
    "compute",
    [
        lambda x: 1.0 / x,
        lambda x: x / (x + 2.0),
        lambda x: ops.maximum(x, 1.0),
        lambda x: ops.clip(x, -1, 1),
        lambda x: ops.pad(x, ((0, 0), (1, 2), (0, 0)), constant_values=1.0),
        lambda x: x[:, None],
        lambda x: ops.matmul(x, np.ones((4, 2), "float32")),
        lambda x: ops.cast(x, "int32"),
        ops.exp,
    ],
)
def test_what_has_no_layer_is_left_alone(compute):
    assert layer_for(compute(keras.Input((5, 4)))._keras_history.operation) is None


def test_names_of_operations_survive_and_the_model_is_not_touched():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, ops.relu(keras.layers.Dense(3)(inputs)) * 0.5)
    names = [layer.name for layer in model.layers[1:]]
    quantized = ks.quantize(model, strict=True)
    assert set(names) <= {layer.name for layer in quantized.layers}
    assert [layer.name for layer in model.layers[1:]] == names


def test_a_constant_array_lies_on_a_grid_of_8_bits():
    constant = np.random.default_rng(0).normal(0, 1, 4).astype("float32")
    layer = layer_for((keras.Input((4,)) + constant)._keras_history.operation)
    step = (max(constant.max(), 0) - min(constant.min(), 0)) / 255
    rounded = np.ravel(layer(np.zeros((1, 4), "float32")))
    np.testing.assert_allclose(rounded / step, np.round(rounded / step), atol=1e-4)
    assert 0 < np.abs(rounded - constant).max() <= 1.01 * step
