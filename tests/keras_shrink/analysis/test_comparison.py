"""Models side by side."""

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks
import tflite_export as te
from keras_shrink.analysis import compare


def network(units, seed=0):
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [
            keras.Input((8,)),
            layers.Dense(units, activation="relu", bias_initializer="random_normal"),
            layers.Dense(3, activation="softmax", bias_initializer="random_normal"),
        ]
    )


@pytest.fixture(scope="module")
def compared():
    model = network(16)
    x = np.random.default_rng(0).normal(size=(300, 8)).astype("float32")
    y = keras.ops.convert_to_numpy(model(x)).argmax(axis=-1)
    models = {
        "float": model,
        "pruned": ks.prune(model, 0.5),
        "quantized": ks.calibrate(model, x),
        "small": network(4),
        "file": te.convert(ks.calibrate(model, x)).bytes,
    }
    return compare(models, (x, y))


def test_each_model_has_a_row_in_the_order_given(compared):
    assert [row.name for row in compared.rows] == ["float", "pruned", "quantized", "small", "file"]


def test_sizes_are_those_of_the_integer_file(compared):
    rows = {row.name: row for row in compared.rows}
    assert rows["float"].parameters == 8 * 16 + 16 + 16 * 3 + 3
    assert rows["float"].macs == 8 * 16 + 16 * 3
    assert rows["pruned"].nonzeros < 0.7 * rows["float"].nonzeros
    assert rows["pruned"].parameters == rows["float"].parameters
    assert rows["small"].tflite_bytes < rows["float"].tflite_bytes
    assert rows["float"].tflite_bytes <= rows["file"].tflite_bytes
    assert min(row.arena_bytes for row in compared.rows) > 1000
    assert min(row.gzip_bytes for row in compared.rows) > 500


def test_scores_are_those_of_the_device_and_of_keras(compared):
    rows = {row.name: row for row in compared.rows}
    assert rows["float"].float_score == 1.0
    assert rows["float"].score > 0.95
    assert rows["quantized"].score == rows["file"].score
    assert rows["file"].float_score is None
    assert rows["small"].score < 0.9


def test_all_forms_show_the_same_cells(compared):
    text, markdown, html = str(compared), compared.to_markdown(), compared.to_html()
    for row in compared.cells():
        for cell in row:
            assert cell in text
            assert cell in markdown
            assert cell in html
    assert compared._repr_markdown_() == markdown
    assert len({len(line) for line in text.splitlines()}) == 1


def test_a_data_frame_has_the_fields(compared):
    frame = compared.to_dataframe()
    assert frame.loc["float", "macs"] == 8 * 16 + 16 * 3


def test_without_models_there_is_nothing_to_compare():
    with pytest.raises(ValueError, match="models must be a mapping from names to models, not empty"):
        compare({}, (np.zeros((2, 8)), np.zeros(2)))
