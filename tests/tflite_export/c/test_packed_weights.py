import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from tests.keras_shrink.networks import pictures
from tests.tflite_export.c.judged import assert_equals_tflm, random_inputs, run_c
from tests.tflite_export.c.properties import four_bit_product
from tests.tflite_export.c.tflm_batch import run_tflm_batch
from tflite_export.c.emit import plan_program
from tflite_export.c.render import constant_bytes
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


def test_the_arena_grows_only_for_much_flash():
    rng = np.random.default_rng(0)
    few, many = four_bit_product(rng, 20, 40), four_bit_product(rng, 130, 41)
    assert [call.kernel for call in calls(few)] == ["fully_connected_pairs_int8"]
    assert [call.kernel for call in calls(many)] == ["fully_connected_pairs_int4"]
    assert plan_program(read(many)).arena_bytes <= 41 + 130 + 3 * 8 * 11 + 8 + 130 * 41 / 16
    assert_equals_tflm([few, many], rng, count=4)


@pytest.fixture(scope="module")
def residual():
    """4-bit weights where the activations need all of the arena."""
    keras.utils.set_random_seed(2)
    picture = keras.Input((16, 16, 16), name="picture")
    x = layers.Conv2D(16, 3, padding="same", activation="relu", name="first")(picture)
    x = layers.Conv2D(16, 3, padding="same", name="second")(x)
    x = layers.ReLU(name="ends")(layers.Add(name="joined")([picture, x]))
    scores = layers.Dense(10, name="scores")(layers.GlobalAveragePooling2D(name="pooled")(x))
    data = pictures(32, shape=(16, 16, 16))
    return te.convert(ks.calibrate(keras.Model(picture, scores), data, ks.Int8(weight_bits=4))).bytes


@pytest.mark.parametrize(("granted", "convolutions"), [(11_000, 1), (14_000, 2), (20_000, 2)])
def test_an_arena_that_may_grow_keeps_more_weights_packed(residual, granted, convolutions):
    least, most = (plan_program(read(residual), arena_bytes=arena) for arena in (None, granted))
    assert least.arena_bytes < most.arena_bytes <= granted
    packed = [sum(call.kernel == "conv_2d_pairs_int4" for call in program.calls) for program in (least, most)]
    assert packed == [0, convolutions]
    assert constant_bytes(least) - constant_bytes(most) >= convolutions * 16 * 9 * 16 / 2
    samples = [random_inputs(residual, np.random.default_rng(0), 4)]
    (judged,) = run_tflm_batch([(residual, samples[0])])
    (ours,) = run_c([residual], samples, arena_bytes=granted)
    np.testing.assert_equal(ours, judged)


def test_the_arena_must_be_positive(residual):
    with pytest.raises(ValueError, match="arena_bytes must be at least 1 or None. Received: arena_bytes=0"):
        plan_program(read(residual), arena_bytes=0)
