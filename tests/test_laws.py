"""The laws of the house, held by looking at the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TECHNIQUES = (
    "channels",
    "pruning",
    "quantization",
    "clustering",
    "distillation",
    "factorization",
    "architecture",
    "search",
)
CONVERSION = {
    "convert.py",
    "converter_worker.py",
    "crash.py",
    "fold.py",
    "fused_lstm.py",
    "int16.py",
    "load.py",
    "placed_lstm.py",
    "samples.py",
    "saved_model.py",
}


def sources(package):
    return sorted((ROOT / package).rglob("*.py"))


def imports(path, *, top_level=False):
    """Yields every module that a file imports, or only those imported when it is."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_the_laws_see_the_sources():
    assert len(sources("keras_shrink")) > 10
    assert len(sources("tflite_export")) > 10
    assert "tflite_export" in {
        name.split(".")[0] for path in sources("keras_shrink") for name in imports(path)
    }


@pytest.mark.parametrize("path", sources("tflite_export"), ids=lambda path: str(path.relative_to(ROOT)))
def test_tflite_export_knows_nothing_of_keras_shrink_and_only_conversion_of_tensorflow(path):
    packages = {name.split(".")[0] for name in imports(path)}
    assert "keras_shrink" not in packages
    if path.name not in CONVERSION:
        assert not packages & {"tensorflow", "keras"}
    assert not {name.split(".")[0] for name in imports(path, top_level=True)} & {"tensorflow", "keras"}


@pytest.mark.parametrize("path", sources("keras_shrink"), ids=lambda path: str(path.relative_to(ROOT)))
def test_techniques_do_not_import_one_another(path):
    room = path.relative_to(ROOT / "keras_shrink").parts[0]
    if room in TECHNIQUES:
        others = {f"keras_shrink.{name}" for name in TECHNIQUES if name != room}
        assert not {name for name in imports(path) if ".".join(name.split(".")[:2]) in others}


def test_only_rebuild_clones_models():
    callers = [
        path.name for path in sources("keras_shrink") if "clone_model(" in path.read_text(encoding="utf-8")
    ]
    assert callers == ["rebuild.py"]


@pytest.mark.parametrize("package", ["keras_shrink", "tflite_export"])
def test_importing_a_package_loads_nothing_heavy(package):
    heavy = ("tensorflow", "keras", "numpy", "jinja2", "rich")
    code = f"import sys, {package}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("package", ["keras_shrink", "tflite_export"])
def test_every_public_name_is_there(package):
    module = __import__(package)
    for name in module.__all__:
        assert getattr(module, name) is not None
    assert set(module.__all__) <= set(dir(module))
    with pytest.raises(AttributeError, match="has no attribute 'nonsense'"):
        module.nonsense  # noqa: B018


def test_no_vague_names():
    vague = {"utils", "util", "common", "core", "helpers", "helper", "manager", "misc", "base"}
    assert not [
        path
        for package in ("keras_shrink", "tflite_export")
        for path in sources(package)
        if path.stem in vague
    ]
