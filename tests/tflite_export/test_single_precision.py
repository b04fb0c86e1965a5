import keras
import numpy as np
import pytest

import tflite_export as te
from tflite_export.single_precision import single_precision


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
def test_a_model_of_mixed_precision_converts_and_stays_as_it_is(policy):
    x = np.random.default_rng(0).normal(0, 1, (32, 6)).astype("float32")
    model, exact = (
        keras.Sequential(
            [keras.Input((6,), name="x"), keras.layers.Dense(4, dtype=dtype, name="fc")], name="m"
        )
        for dtype in (policy, "float32")
    )
    exact.set_weights(model.get_weights())
    assert te.convert(model, x).bytes == te.convert(exact, x).bytes
    assert model.layers[0].compute_dtype == policy.removeprefix("mixed_")


def test_policies_come_back_after_an_error():
    model = keras.Sequential([keras.Input((6,)), keras.layers.Dense(4, dtype="mixed_float16")])

    def fail():
        with single_precision(model):
            raise RuntimeError(model.layers[0].compute_dtype)

    with pytest.raises(RuntimeError, match="float32"):
        fail()
    assert model.layers[0].compute_dtype == "float16"
