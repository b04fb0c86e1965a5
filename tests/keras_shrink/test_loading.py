"""Models saved by one program and loaded by another."""

import os
import re
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from keras import layers

import keras_shrink as ks

PACKAGE = Path(ks.__file__).parent
ANEW = os.environ | {"PYTHONPATH": str(PACKAGE.parent)}


@pytest.fixture
def saved(tmp_path):
    """A quantized model's file, inputs, and what it answers to them."""
    keras.utils.set_random_seed(0)
    x = np.random.default_rng(0).normal(size=(32, 6)).astype("float32")
    model = ks.calibrate(keras.Sequential([keras.Input((6,)), layers.Dense(4, activation="relu")]), x)
    model.save(tmp_path / "int8.keras")
    np.savez(tmp_path / "expected.npz", x=x, y=model.predict(x, verbose=0))
    return tmp_path


def in_a_new_program(code, folder):
    """What a Python that starts anew prints."""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=folder, env=ANEW, capture_output=True, text=True, check=True).stdout


def test_another_program_loads_a_quantized_model(saved):
    code = """
import keras_shrink as ks
model = ks.load_model("int8.keras")
import numpy as np
stored = np.load("expected.npz")
print(np.array_equal(model.predict(stored["x"], verbose=0), stored["y"]))
import keras
print(sorted(name for name in keras.saving.get_custom_objects() if name.startswith("keras_shrink>")))
"""
    same, names = in_a_new_program(code, saved).splitlines()
    assert same == "True"
    # Every class that a file can name is known by then.
    registered = re.compile(
        r'@keras\.saving\.register_keras_serializable\("keras_shrink"\)\n(?:class|def) (\w+)'
    )
    defined = {name for path in PACKAGE.rglob("*.py") for name in registered.findall(path.read_text("utf-8"))}
    assert len(defined) > 30
    assert {f"keras_shrink>{name}" for name in defined} == set(re.findall(r"'([^']+)'", names))


def test_the_command_line_converts_a_quantized_model(saved):
    command = [sys.executable, "-m", "keras_shrink", "convert", "int8.keras", "-o", "int8.tflite"]
    done = subprocess.run(command, cwd=saved, env=ANEW, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (saved / "int8.tflite").stat().st_size > 0
