import io
import zipfile

import numpy as np
import pytest

from tests.tflite_export.small_models import conv_model, dense_model, pack
from tflite_export import tflm
from tflite_export.archive import attach_files, attached_files
from tflite_export.errors import ModelError
from tflite_export.model_metadata import LABELS_FILE, ModelCard, read_card, write_card
from tflite_export.offline_plan import METADATA_NAME
from tflite_export.read import read
from tflite_export.slim import change_metadata, slim

CARD = ModelCard("n", "d", "1.2", "Ärztin", "Apache-2.0", ("yes", "no, never"), (127.5, 3.0), (128.0, 2.5))


def test_card_comes_back_as_it_went_in():
    content = write_card(pack(dense_model()), CARD)
    assert read_card(content) == CARD
    assert read_card(pack(dense_model())) is None


def test_card_survives_slimming_and_other_metadata():
    content = slim(change_metadata(write_card(pack(dense_model()), CARD), {METADATA_NAME: b"plan"}))
    assert read_card(content) == CARD


def test_card_replaces_the_one_before():
    content = write_card(write_card(pack(dense_model()), CARD), ModelCard(author="B"))
    assert read_card(content) == ModelCard(author="B")
    assert attached_files(content) == {}


def test_labels_are_a_file_that_any_unzip_finds():
    content = write_card(pack(dense_model()), CARD)
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.read(LABELS_FILE).decode() == "yes\nno, never\n"


def test_outputs_do_not_change():
    x = np.array([[[9, -20, 30]]], np.int8)
    content = pack(dense_model())
    np.testing.assert_array_equal(tflm.run(write_card(content, CARD), x), tflm.run(content, x))


def test_number_of_labels_must_fit_the_output():
    with pytest.raises(ModelError, match=r"one for each of the first output's classes, 2. Received: 3"):
        write_card(pack(dense_model()), ModelCard(labels=("a", "b", "c")))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"mean": (1.0,)}, "mean and std must be equally many"),
        ({"mean": (1.0,), "std": (0.0,)}, "std must be positive"),
        ({"labels": ("a\nb",)}, "line break"),
    ],
)
def test_senseless_cards_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ModelCard(**changes)


def test_attached_archive_that_is_a_bomb_is_refused():
    bomb = io.BytesIO(pack(conv_model()))
    with zipfile.ZipFile(bomb, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(80 << 20))
    with pytest.raises(ModelError, match="too many or too large"):
        slim(bomb.getvalue())


def test_damaged_card_is_no_card():
    content = write_card(pack(dense_model()), CARD)
    entry = read(content).metadata["TFLITE_METADATA"]
    for position in range(8, len(entry), 5):
        damaged = bytearray(entry)
        damaged[position] ^= 0xFF
        card = read_card(change_metadata(content, {"TFLITE_METADATA": bytes(damaged)}))
        assert card is None or isinstance(card, ModelCard)


def test_equal_files_are_attached_as_equal_bytes():
    assert attach_files(b"x" * 32, {"a": b"1"}) == attach_files(b"x" * 32, {"a": b"1"})
    assert attach_files(b"x", {}) == b"x"
