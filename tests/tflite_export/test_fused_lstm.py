import keras
import numpy as np
import pytest
from keras import layers

import tflite_export as te
from tests.tflite_export.c.judged import assert_equals_tflm
from tflite_export import tflm
from tflite_export.affine import quantize_array
from tflite_export.fused_lstm import can_fuse, fused_lstms
from tflite_export.tflm_operators import resolver_calls

STATE = "starts from the state that the one before left"


def sequences(count=64, steps=6):
    return np.random.default_rng(0).normal(0, 1, (count, steps, 3)).astype("float32")


def network(*parts):
    keras.utils.set_random_seed(0)
    return keras.Sequential([keras.Input((6, 3)), *parts])


def computed(tflite, x):
    """What TFLM makes of each sequence, started afresh, in real numbers."""
    (source,), (target,) = tflite.inputs.values(), tflite.outputs.values()
    interpreter = tflm.Interpreter(tflite)
    rows = []
    for q in quantize_array(x, source):
        interpreter.reset()
        rows.append(interpreter.invoke(q[None])[0][0])
    scale, zero = target.quantization.scale[0], target.quantization.zero_point[0]
    return (np.array(rows).astype(float) - zero) * scale, scale


@pytest.mark.parametrize(
    "parts",
    [
        [layers.LSTM(8), layers.Dense(3)],
        [layers.LSTM(8, return_sequences=True)],
        [layers.LSTM(5, return_sequences=True, use_bias=False), layers.LSTM(4), layers.Dense(2)],
    ],
    ids=["last", "sequence", "two"],
)
def test_a_rolled_lstm_becomes_one_operator_that_computes_the_same(parts):
    model, x = network(*parts), sequences()
    with pytest.warns(UserWarning, match=STATE):
        tflite = te.convert(model, x)
    codes = [op.code for op in tflite.graph.main.ops]
    assert codes.count("UNIDIRECTIONAL_SEQUENCE_LSTM") == sum(isinstance(p, layers.LSTM) for p in parts)
    assert "AddUnidirectionalSequenceLSTM()" in resolver_calls(tflite.graph)
    assert not {"WHILE", "TANH", "LOGISTIC"} & set(codes)
    real, scale = computed(tflite, x)
    assert np.abs(real - model.predict(x, verbose=0)).mean() < 2 * scale
    assert_equals_tflm([tflite.bytes], np.random.default_rng(0))


def test_the_model_is_as_before():
    model, x = network(layers.LSTM(4), layers.Dense(2)), sequences(8)
    before, lstm = model.predict(x, verbose=0), model.layers[0]
    names = set(lstm.__dict__)
    with pytest.warns(UserWarning, match=STATE):
        te.convert(model, x)
    assert set(lstm.__dict__) == names
    np.testing.assert_array_equal(model.predict(x, verbose=0), before)
    with pytest.raises(RuntimeError, match="stop"), fused_lstms(model):
        raise RuntimeError("stop")
    assert set(lstm.__dict__) == names


@pytest.mark.parametrize(
    "other",
    [
        {"unroll": True},
        {"go_backwards": True},
        {"return_state": True},
        {"activation": "relu"},
        {"recurrent_activation": "hard_sigmoid"},
    ],
    ids=str,
)
def test_lstms_that_the_operator_cannot_stand_for_are_left(other):
    assert can_fuse(layers.LSTM(4))
    assert not can_fuse(layers.LSTM(4, **other))
    assert not can_fuse(layers.GRU(4))
