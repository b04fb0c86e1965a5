import sys
import types

import pytest

from tflite_export import interpreters


class Fake:
    """Stands for an interpreter class."""


@pytest.fixture(autouse=True)
def forget():
    interpreters.find_interpreter.cache_clear()
    yield
    interpreters.find_interpreter.cache_clear()


def hide(monkeypatch, *names):
    for name in names:
        monkeypatch.setitem(sys.modules, name, None)


def test_litert_comes_first():
    assert interpreters.find_interpreter().name == "ai_edge_litert"


def test_tflite_runtime_is_honoured_where_litert_is_missing(monkeypatch):
    hide(monkeypatch, "ai_edge_litert.interpreter")
    module = types.ModuleType("tflite_runtime.interpreter")
    module.Interpreter = Fake
    monkeypatch.setitem(sys.modules, "tflite_runtime", types.ModuleType("tflite_runtime"))
    monkeypatch.setitem(sys.modules, "tflite_runtime.interpreter", module)
    found = interpreters.find_interpreter()
    assert (found.name, found.interpreter) == ("tflite_runtime", Fake)


def test_tensorflow_comes_last(monkeypatch):
    hide(monkeypatch, "ai_edge_litert.interpreter", "tflite_runtime.interpreter")
    module = types.ModuleType("tensorflow")
    module.lite = types.SimpleNamespace(Interpreter=Fake)
    monkeypatch.setitem(sys.modules, "tensorflow", module)
    found = interpreters.find_interpreter()
    assert (found.name, found.interpreter) == ("tensorflow", Fake)


def test_none_at_all_says_what_to_install(monkeypatch):
    hide(monkeypatch, "ai_edge_litert.interpreter", "tflite_runtime.interpreter", "tensorflow")
    with pytest.raises(RuntimeError, match="Install ai-edge-litert"):
        interpreters.find_interpreter()
