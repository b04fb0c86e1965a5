"""The examples in docstrings run and give what they say."""

import doctest
import importlib
from pathlib import Path

import keras
import numpy as np
import pytest

import tflite_export as te

ROOT = Path(__file__).parent.parent
FLAGS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


def modules():
    for package in ("keras_shrink", "tflite_export"):
        for path in sorted((ROOT / package).rglob("*.py")):
            if ">>>" in path.read_text(encoding="utf-8"):
                yield ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


@pytest.fixture(scope="module")
def tflite():
    """The model.tflite of the examples: 8 x 8 pixels, three classes."""
    keras.utils.set_random_seed(0)
    layers = [
        keras.Input((8, 8, 1)),
        keras.layers.Conv2D(8, 3, activation="relu"),
        keras.layers.Flatten(),
        keras.layers.Dense(3, activation="softmax"),
    ]
    x = np.random.default_rng(0).random((50, 8, 8, 1), "float32")
    return te.convert(keras.Sequential(layers), x).bytes


@pytest.mark.parametrize("name", [*modules()])
def test_examples_give_what_they_say(name, tflite, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "model.tflite").write_bytes(tflite)
    module = importlib.import_module(name)
    runner = doctest.DocTestRunner(verbose=False, optionflags=FLAGS)
    for example in doctest.DocTestFinder(exclude_empty=True).find(module):
        runner.run(example)
    assert not runner.failures, capsys.readouterr().out
