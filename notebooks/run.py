"""Runs notebooks from top to bottom and keeps their outputs: `python notebooks/run.py [--quick] [FILE ...]`.

With `--quick` the notebooks see `KERAS_SHRINK_QUICK=1`, take less data and fewer epochs, and nothing is
written: a check, as the tests make it. Without files, all notebooks of this folder are run.
"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

FOLDER = Path(__file__).resolve().parent


def run(path, folder, *, quick, timeout=1800):
    """Returns the notebook after a run in `folder`; a cell that fails raises `CellExecutionError`."""
    notebook = nbformat.read(path, as_version=4)
    for cell in notebook.cells:
        cell.metadata.clear()
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        startup_timeout=300,
        timeout=timeout,
        resources={"metadata": {"path": str(folder)}},
        record_timing=False,
    )
    environment = {name: value for name, value in os.environ.items() if name != "KERAS_SHRINK_QUICK"}
    environment |= {
        "PYTHONPATH": os.pathsep.join([str(FOLDER.parent), *filter(None, [os.environ.get("PYTHONPATH")])]),
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    if quick:
        environment["KERAS_SHRINK_QUICK"] = "1"
    client.execute(env=environment)
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if not _is_native_log(output)]
    return notebook


def _is_native_log(output):
    """Whether an output is but what TensorFlow's and LiteRT's C++ say of themselves."""
    if output.get("name") != "stderr":
        return False
    lines = filter(None, output.text.splitlines())
    return all(re.match(r"(INFO|WARNING|[IWE]0000|[IW]\d{4} )", line) for line in lines)


def main():
    """Runs the notebooks named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebooks", nargs="*", type=Path, metavar="FILE")
    parser.add_argument("--quick", action="store_true", help="less data and fewer epochs; write nothing")
    arguments = parser.parse_args()
    for path in arguments.notebooks or sorted(FOLDER.glob("*.ipynb")):
        sys.stdout.write(f"{path.name}\n")
        sys.stdout.flush()
        with tempfile.TemporaryDirectory() as folder:
            notebook = run(path, folder, quick=arguments.quick)
        if not arguments.quick:
            nbformat.write(notebook, path)


if __name__ == "__main__":
    main()
