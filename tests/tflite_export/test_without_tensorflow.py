import subprocess
import sys
import textwrap
from pathlib import Path

from tests.tflite_export.small_models import conv_model, pack

SCRIPT = """
    import sys

    class Lacking:
        def find_spec(self, name, path=None, target=None):
            if name.split(".")[0] in ("tensorflow", "keras", "tf_keras", "jax", "torch"):
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    sys.meta_path.insert(0, Lacking())
    import numpy as np
    import tflite_export as te

    model, folder = sys.argv[1:]
    for name in te.__all__:
        if name not in ("convert",):
            getattr(te, name)
    graph = te.read(model)
    small = te.plan_arena(te.slim(graph))
    print(te.summary(small).macs)
    print(te.check(small, "rp2040").fits)
    te.write_c_array(small, "net", folder + "/array")
    te.write_c(small, "net", folder + "/c")
    te.write_project(small, folder + "/project", "cmake", name="net")
    te.write_project(small, folder + "/tflm", "arduino", name="net", runtime="tflm")
    labelled = te.write_card(small, te.ModelCard(author="me"))
    print(te.read_card(labelled).author)
    samples = np.zeros((2, *graph.inputs[0].shape[1:]), np.int8)
    print(type(te.verify(small, samples)).__name__)
    try:
        te.convert("model.keras")
        print("converted")
    except ImportError as error:
        print("refused:", error)
"""


def test_everything_but_convert_works_where_tensorflow_is_missing(tmp_path):
    model = tmp_path / "model.tflite"
    model.write_bytes(pack(conv_model()))
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), str(model), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[1:4] == ["True", "me", "Verification"]
    assert int(lines[0]) > 0
    assert lines[4].startswith("refused: ")
    assert "No module named" in lines[4]
