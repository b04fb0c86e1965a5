import keras
import numpy as np
import pytest

from keras_shrink.quantization.quantize import calibrate
from keras_shrink.shrinking.training import (
    Lessons,
    Pieces,
    Training,
    mirrored_and_shifted,
    objective_for,
    output_roundings,
)


def test_order_follows_from_the_seed_and_every_sample_comes_once(data):
    x = np.arange(20)[:, None]
    lessons = Lessons((x, np.arange(20)), 4, None, (0, 1))
    seen = np.concatenate([labels for _, labels in lessons])
    assert sorted(seen) == list(range(20))
    assert list(seen) != list(range(20))
    again = np.concatenate([labels for _, labels in Lessons((x, np.arange(20)), 4, None, (0, 1))])
    np.testing.assert_array_equal(seen, again)


def test_pictures_are_moved_and_mirrored_but_stay_pictures():
    pictures = np.arange(2 * 16 * 16).reshape(2, 16, 16, 1).astype("float32")
    moved = mirrored_and_shifted(np.repeat(pictures, 50, axis=0), np.random.default_rng(0))
    assert moved.shape == (100, 16, 16, 1)
    steps = np.diff(moved[:50, 8, 4:12, 0], axis=1)
    assert set(np.unique(steps)) == {-1.0, 1.0}  # mirrored or not, pixels stay beside their neighbours
    assert len(np.unique(moved[:50, 8, 8, 0])) > 5


def test_training_goes_on_where_it_was_broken_off(model, data, tmp_path):
    """Two epochs at once, and two with a kill between them: the same weights."""

    def pieces(path, integer):
        settings = Training(epochs=2, batch_size=64, loss="sparse_categorical_crossentropy")
        return Pieces(integer, model, settings, data[0], seed=(0, 1), path=path)

    def stop_after_one(epochs):
        for epoch in epochs:
            if epoch:
                raise KeyboardInterrupt
            yield epoch

    start = calibrate(model, data[0][0][:64])
    whole, broken, resumed = (keras.models.clone_model(start) for _ in range(3))
    for copy in (whole, broken, resumed):
        copy.set_weights(start.get_weights())
    pieces(tmp_path / "whole.npz", whole).run()
    with pytest.raises(KeyboardInterrupt):
        pieces(tmp_path / "broken.npz", broken).run(stop_after_one)
    pieces(tmp_path / "broken.npz", resumed).run()
    for one, other in zip(whole.get_weights(), resumed.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert any(
        np.abs(a - b).max() > 1e-3 for a, b in zip(start.get_weights(), whole.get_weights(), strict=True)
    )


def test_probabilities_are_not_rounded_while_they_are_learned(model, data):
    assert [type(layer).__name__ for layer in output_roundings(calibrate(model, data[0][0][:64]))] == [
        "FixedRange"
    ]


def test_the_teacher_of_numbers_is_matched():
    numbers = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    assert type(objective_for(numbers, Training(loss="mean_squared_error"))).__name__ == "OutputMatching"
    logits = Training(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    assert type(objective_for(numbers, logits)).__name__ == "SoftTargets"


def test_the_loss_suits_the_labels_where_nothing_says_what_it_is():
    def model(width):
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(width, "sigmoid")])

    compiled = model(2)
    compiled.compile("sgd", "mean_squared_error")
    numbers, one_hot = np.array([0, 1]), np.eye(2)
    assert Training().settled(model(2), numbers).loss == "sparse_categorical_crossentropy"
    assert Training().settled(model(2), one_hot).loss == "categorical_crossentropy"
    assert Training().settled(model(1), numbers).loss == "binary_crossentropy"
    assert Training().settled(compiled, numbers).loss == "mean_squared_error"
    assert Training(loss="hinge").settled(compiled, numbers).loss == "hinge"


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": -1}, "epochs must be an integer from 0. Received: epochs=-1"),
        ({"batch_size": 0}, "batch_size must be an integer of at least 1"),
        ({"learning_rate": 0}, "learning_rate must be above 0"),
        ({"augment": "colours"}, "augment must be None, one of pictures, shifts, or a function.*'colours'"),
    ],
)
def test_settings_that_make_no_sense_are_named(settings, message):
    with pytest.raises(ValueError, match=message):
        Training(**settings)
