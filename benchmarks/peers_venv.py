"""The packages that this one is compared with, in a virtual environment of their own."""

import subprocess
import venv
from pathlib import Path


def python_with(folder, *packages):
    """Returns the Python of an environment with TensorFlow, tf_keras and packages, made if it is missing."""
    python = Path(folder) / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        wanted = ["tensorflow", "tf_keras", *packages]
        subprocess.run([python, "-m", "pip", "install", "--quiet", *wanted], check=True)
    return python
