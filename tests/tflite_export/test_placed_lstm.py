import keras
import numpy as np
import pytest
import tensorflow as tf

import tflite_export as te
from tests.tflite_export.c.judged import assert_equals_tflm
from tflite_export.errors import ConversionError
from tflite_export.placed_lstm import PlacedLSTM, insert_placed, place_lstm
from tflite_export.tracing import can_place, is_tracing, place, tracing

RANDOM = np.random.default_rng(0)
LSTM = PlacedLSTM(
    kernels=[RANDOM.integers(-127, 128, (5, 3)).astype(np.int8) for _ in range(4)],
    kernel_scales=[0.004, 0.005, 0.006, 0.007],
    recurrent_kernels=[RANDOM.integers(-127, 128, (5, 5)).astype(np.int8) for _ in range(4)],
    recurrent_scales=[0.003, 0.004, 0.005, 0.006],
    biases=[RANDOM.normal(0, 1, 5) for _ in range(4)],
    cell_scale=2.0**-13,
)


@keras.saving.register_keras_serializable("tests")
class Placing(keras.layers.Layer):
    def call(self, x):
        x = tf.quantization.fake_quant_with_min_max_vars(x, -2.0, 2.0)
        hidden = place_lstm(x, LSTM) if can_place() else tf.zeros((1, 6, 5))
        return tf.quantization.fake_quant_with_min_max_vars(hidden, -0.9, 0.8)


def model(*behind):
    inputs = keras.Input((6, 3), name="x")
    outputs = Placing()(inputs)
    for layer in behind:
        outputs = layer(outputs)
    return keras.Model(inputs, outputs)


def test_the_operator_has_the_given_numbers_and_runs():
    with pytest.warns(UserWarning, match="keeps its state"):
        tflite = te.convert(model())
    (op,) = tflite.graph.main.ops
    tensors = tflite.graph.main.tensors
    assert op.code == "UNIDIRECTIONAL_SEQUENCE_LSTM"
    np.testing.assert_array_equal(tensors[op.inputs[3]].data, LSTM.kernels[2])
    assert tensors[op.inputs[19]].quantization.scale[0] == 2.0**-13
    scale = tensors[op.inputs[12]].quantization.scale[0]
    np.testing.assert_allclose(tensors[op.inputs[12]].data * scale, LSTM.biases[0], atol=scale)
    (hidden,) = tflite.graph.outputs
    assert tensors[op.inputs[18]].quantization.scale[0] == hidden.quantization.scale[0]
    assert not [tensor for tensor in tensors if tensor.dtype.startswith("float")]
    assert_equals_tflm([tflite.bytes], np.random.default_rng(0))


def test_reshapes_that_the_converter_joined_with_the_place_come_back():
    with pytest.warns(UserWarning, match="keeps its state"):
        tflite = te.convert(model(keras.layers.Reshape((6, 1, 5))))
    assert [op.code for op in tflite.graph.main.ops] == ["UNIDIRECTIONAL_SEQUENCE_LSTM", "RESHAPE"]
    assert tuple(tflite.graph.outputs[0].shape) == (1, 6, 1, 5)


def test_a_place_that_took_in_an_activation_is_refused():
    class Clipped(keras.layers.Layer):
        def call(self, x):
            return tf.quantization.fake_quant_with_min_max_vars(tf.nn.relu(x), 0.0, 0.8)

    with pytest.raises(ConversionError, match="it has the activation RELU"):
        te.convert(model(Clipped()))


def test_a_place_that_is_gone_is_refused():
    with pytest.warns(UserWarning, match="keeps its state"):
        content = te.convert(model()).bytes
    with pytest.raises(ConversionError, match="1 LSTM layer"):
        insert_placed(content, [LSTM])
    assert insert_placed(content, []) is content


def test_layers_may_ask_only_while_a_file_is_made():
    assert not is_tracing()
    with pytest.raises(RuntimeError, match="only while an int8 file is made"):
        place(LSTM)
    with tracing(places=False):
        assert is_tracing()
        assert not can_place()
    with tracing(places=True) as placed:
        assert place(LSTM) == 0
        assert placed == [LSTM]
    assert not is_tracing()
