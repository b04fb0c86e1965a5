"""Runs TensorFlow's converter in a process of its own, where a crash is only an error message.

Run as a script: reads a pickled `(model_flags, converter_flags, graph, debug_info)` of bytes from
standard input and writes a pickled `("ok", tflite)` or `("error", text)` to standard output.
"""

import os
import pickle
import subprocess
import sys

from tflite_export.errors import ConversionError

_TIMEOUT_S = 600


def convert_in_subprocess(model_flags, converter_flags, graph, debug_info=b""):
    """Returns the `.tflite` bytes for serialized flags and a serialized GraphDef.

    Raises:
        ConversionError: If the converter refuses the graph, crashes or does not come back.
    """
    request = pickle.dumps((model_flags, converter_flags, graph, debug_info))
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([root, *filter(None, sys.path)])}
    try:
        done = subprocess.run(
            [sys.executable, "-m", "tflite_export.converter_worker"],
            input=request,
            capture_output=True,
            env=environment,
            timeout=_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ConversionError(f"TensorFlow's converter did not finish within {_TIMEOUT_S} s.") from error
    if done.returncode != 0:
        last = "\n".join(done.stderr.decode(errors="replace").strip().splitlines()[-5:])
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        raise ConversionError(f"TensorFlow's converter crashed ({how}) on this graph.\n{last}")
    status, result = pickle.loads(done.stdout)
    if status != "ok":
        raise ConversionError(f"TensorFlow's converter refused the graph: {result}")
    return result


def _converter():
    """Returns the converter's native function without importing the rest of TensorFlow.

    All of TensorFlow takes seconds to import; the extension alone a few tenths.
    """
    import importlib.util
    import types

    found = importlib.util.find_spec("tensorflow")
    package = types.ModuleType("tensorflow")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["tensorflow"] = package
    from tensorflow.compiler.mlir.lite.python import _pywrap_converter_api
    from tensorflow.compiler.mlir.quantization.tensorflow.python import pywrap_function_lib

    # The library of Python callbacks serves a quantizer that is not used here; the base class will do.
    callbacks = pywrap_function_lib.PyFunctionLibrary()
    return lambda model_flags, converter_flags, graph, debug_info: _pywrap_converter_api.Convert(
        model_flags, converter_flags, graph, False, debug_info, callbacks
    )


def main():
    """Serves one conversion."""
    request = sys.stdin.buffer.read()
    # Native code prints to file descriptor 1: keep the answer apart from it.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    convert = _converter()
    try:
        result = ("ok", convert(*pickle.loads(request)))
    except Exception as error:
        result = ("error", str(error)[:2000])
    answer.write(pickle.dumps(result))
    answer.close()


if __name__ == "__main__":
    main()
