import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from tests.keras_shrink.networks import pictures
from tests.tflite_export.c.judged import assert_equals_tflm
from tests.tflite_export.c.models import single
from tests.tflite_export.c.properties import accumulated, activation, bias, weights
from tflite_export.c.emit import plan_program
from tflite_export.read import read


def network(last):
    """Large activations first, so that later weights find room where these were."""
    keras.utils.set_random_seed(1)
    return keras.Sequential(
        [
            keras.Input((24, 24, 4), name="picture"),
            layers.Conv2D(16, 3, activation="relu", name="first"),
            layers.MaxPooling2D(4),
            layers.Conv2D(24, 3, padding="same", activation="relu", name="whole"),
            layers.Conv2D(last, 3, padding="same", activation="relu6", name="in_blocks"),
            layers.Flatten(),
            layers.Dense(10, name="scores"),
        ]
    )


@pytest.fixture(scope="module")
def files():
    x = pictures(32, shape=(24, 24, 4))
    made = {}
    for bits in (8, 4):
        made[bits] = te.convert(ks.calibrate(network(50), x, ks.Int8(weight_bits=bits)))
    return made


def calls(tflite):
    return [call for step in plan_program(read(tflite)).steps for call in step.calls]


def flash(tflite):
    """Bytes of the weights of linear kernels."""

    def weights_of(params):
        own = [
            value
            for key, value in params.items()
            if key in ("weights", "packed") and hasattr(value, "size_bytes")
        ]
        return sum(value.size_bytes for value in own)

    return sum(weights_of(call.params) for call in calls(tflite))


def test_weights_stay_packed_where_there_is_room(files):
    packed = [call for call in calls(files[4]) if call.kernel.endswith("pairs_int4")]
    blocks = [(call.params["block_channels"], call.params["conv"]["output_channels"]) for call in packed[:-1]]
    assert blocks[0] == (24, 24)
    assert blocks[1][0] % 4 == 0
    assert blocks[1][0] < blocks[1][1] == 50
    assert packed[-1].kernel == "fully_connected_pairs_int4"


def test_packed_weights_halve_the_flash_and_take_little_more_memory(files):
    assert flash(files[4]) < 0.56 * flash(files[8])
    four, eight = (plan_program(read(files[bits])).arena_bytes for bits in (4, 8))
    assert four - eight <= (flash(files[8]) - flash(files[4])) / 8


def test_packed_weights_compute_what_tflm_does(files):
    assert_equals_tflm([files[4].bytes], np.random.default_rng(0), count=6)


def test_weights_of_8_bits_are_not_touched(files):
    assert not any(call.kernel.endswith("int4") for call in calls(files[8]))


def product(rng, units, depth):
    source = activation(rng, shape=(1, depth))
    kernel = weights(rng, (units, depth), units, per_channel=False, dtype="int4")
    target = accumulated(rng, source, kernel, (1, units), depth)
    return single(
        "FULLY_CONNECTED",
        [source, kernel, bias(rng, source, kernel, units)],
        [target],
        "FullyConnectedOptions",
        fusedActivationFunction=0,
    )


def test_the_arena_grows_only_for_much_flash():
    rng = np.random.default_rng(0)
    few, many = product(rng, 20, 40), product(rng, 130, 41)
    assert [call.kernel for call in calls(few)] == ["fully_connected_pairs_int8"]
    assert [call.kernel for call in calls(many)] == ["fully_connected_pairs_int4"]
    assert plan_program(read(many)).arena_bytes <= 41 + 130 + 3 * 8 * 11 + 8 + 130 * 41 / 16
    assert_equals_tflm([few, many], rng, count=4)
