import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
from keras_shrink.quantization.quantize import activation_quantizers

NAMES = ("sigmoid", "tanh", "elu", "hard_silu")
RANGES = ((-1.0, 1.0), (-8.0, 7.9), (-0.01, 0.3), (-30.0, 2.0), (0.0, 5.0))


@pytest.mark.parametrize(
    ("options", "ranges"), [({}, RANGES), ({"jit_compile": True}, RANGES[:1])], ids=["plain", "jit_compile"]
)
def test_every_value_of_an_activation_is_that_of_the_device(options, ranges):
    cases = [(name, ends) for name in NAMES for ends in ranges]
    inputs = [keras.Input((2,), name=f"x{i}") for i in range(len(cases))]
    outputs = [layers.Activation(name)(x) for x, (name, _) in zip(inputs, cases, strict=True)]
    x = [np.linspace(low, high, 512, dtype="float32").reshape(256, 2) for _, (low, high) in cases]
    quantized = ks.calibrate(keras.Model(inputs, outputs), x, batch_size=256)
    for quantizer, (_, ends) in zip(list(activation_quantizers(quantized).values()), cases, strict=False):
        quantizer.set_range(*ends)
    quantized.compile(**options)
    shown = quantized.predict(x, batch_size=256, verbose=0)
    device = ks.simulate(quantized).predict(x, batch_size=256, verbose=0)
    for (name, ends), computed, expected in zip(cases, shown, device, strict=True):
        np.testing.assert_allclose(computed, expected, atol=1e-6, err_msg=f"{name} {ends}")
