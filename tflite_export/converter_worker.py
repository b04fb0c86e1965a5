"""Runs TensorFlow's converter in a process of its own, where a crash is only an error message.

`main`, run in that process, reads a pickled `(job, arguments)` from standard input and writes a pickled
`("ok", tflite)` or `("error", text)` to standard output.
"""

import os
import pickle
import subprocess
import sys

from tflite_export.errors import ConversionError
from tflite_export.warm_process import run_job

_TIMEOUT_S = 600
_WORKER = "tflite_export.converter_worker"


def convert_in_subprocess(model_flags, converter_flags, graph, debug_info=b""):
    """Returns the `.tflite` bytes for serialized flags and a serialized GraphDef.

    Raises:
        ConversionError: If the converter refuses the graph, crashes or does not come back.
    """
    return _ask("convert", (model_flags, converter_flags, graph, debug_info))


def quantize_in_subprocess(samples, content, *settings):
    """Returns a float `.tflite` quantized with the ranges observed on samples.

    Args:
        samples: List of samples, each a list with one array of batch 1 for each input.
        content: The float file.
        *settings: Those of the converter's native quantizer, passed through.

    Raises:
        ConversionError: If the calibrator or the quantizer refuses the model or crashes.
    """
    return _ask("quantize", (samples, content, *settings))


def quantize16_in_subprocess(samples, content):
    """Returns a float `.tflite` with int16 activations and int8 weights, ranges observed on samples.

    Args:
        samples: List of samples, each a list with one array of batch 1 for each input.
        content: The float file.

    Raises:
        ConversionError: If the calibrator or the quantizer refuses the model or crashes.
    """
    return _ask("quantize16", (samples, content))


def quantize16_ranged_in_subprocess(content):
    """Returns a float `.tflite` with ranges quantized to int16 activations and int8 weights.

    Args:
        content: The float file; each activation has a range.

    Raises:
        ConversionError: If the quantizer refuses the model or crashes.
    """
    return _ask("quantize16_ranged", (content,))


def _ask(job, arguments):
    try:
        done = run_job(_WORKER, pickle.dumps((job, arguments)), timeout=_TIMEOUT_S)
    except subprocess.TimeoutExpired as error:
        raise ConversionError(f"TensorFlow's converter did not finish within {_TIMEOUT_S} s.") from error
    if done.returncode != 0:
        last = "\n".join(done.stderr.decode(errors="replace").strip().splitlines()[-5:])
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit status {done.returncode}"
        raise ConversionError(f"TensorFlow's converter crashed ({how}) on this model.\n{last}")
    status, result = pickle.loads(done.stdout)
    if status != "ok":
        raise ConversionError(f"TensorFlow's converter refused the model: {result}")
    return result


def _bypass_tensorflow():
    """Lets single extension modules of TensorFlow be imported without the rest of it.

    All of TensorFlow takes seconds to import; the extensions alone a few tenths.
    """
    import importlib.util
    import types

    found = importlib.util.find_spec("tensorflow")
    package = types.ModuleType("tensorflow")
    package.__path__ = list(found.submodule_search_locations)
    sys.modules["tensorflow"] = package


def _convert(model_flags, converter_flags, graph, debug_info):
    from tensorflow.compiler.mlir.lite.python import _pywrap_converter_api
    from tensorflow.compiler.mlir.quantization.tensorflow.python import pywrap_function_lib

    # The library of Python callbacks serves a quantizer that is not used here; the base class will do.
    callbacks = pywrap_function_lib.PyFunctionLibrary()
    return _pywrap_converter_api.Convert(model_flags, converter_flags, graph, False, debug_info, callbacks)


def _quantize(samples, content, *settings):
    from tensorflow.compiler.mlir.lite.python import _pywrap_converter_api

    calibrator, _prepared = _calibrated(samples, content)
    return _pywrap_converter_api.ExperimentalMlirQuantizeModel(calibrator.Calibrate(), *settings)


def _quantize16(samples, content):
    calibrator, _prepared = _calibrated(samples, content)
    return _quantized16(calibrator)


def _quantize16_ranged(content):
    from tensorflow.lite.python.optimize import _pywrap_tensorflow_lite_calibration_wrapper as calibration

    return _quantized16(calibration.CalibrationWrapper(content, [], []))


def _quantized16(calibrator):
    import numpy as np

    int16, int64 = np.dtype("int16").num, np.dtype("int64").num
    # Inputs, outputs and activations of 16 bits, biases of 64 (32 would be wrong without a word).
    return calibrator.QuantizeModel(int16, int16, False, int16, int64, False, False)


def _calibrated(samples, content):
    """Returns a calibrator that has seen the samples, and the bytes it reads without owning them."""
    from tensorflow.lite.python.optimize import _pywrap_tensorflow_lite_calibration_wrapper as calibration

    prepared = calibration.AddIntermediateTensors(content)
    calibrator = calibration.CalibrationWrapper(prepared, [], [])
    calibrator.Prepare([list(part.shape) for part in samples[0]])
    for sample in samples:
        calibrator.FeedTensor(sample)
    return calibrator, prepared


def prepare():
    """Imports the extension modules that the jobs need."""
    _bypass_tensorflow()
    from tensorflow.compiler.mlir.lite.python import _pywrap_converter_api  # noqa: F401
    from tensorflow.compiler.mlir.quantization.tensorflow.python import pywrap_function_lib  # noqa: F401
    from tensorflow.lite.python.optimize import (  # noqa: F401
        _pywrap_tensorflow_lite_calibration_wrapper as calibration,
    )


def main():
    """Serves one job."""
    request = sys.stdin.buffer.read()
    # Native code prints to file descriptor 1: keep the answer apart from it.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    job, arguments = pickle.loads(request)
    try:
        jobs = {
            "convert": _convert,
            "quantize": _quantize,
            "quantize16": _quantize16,
            "quantize16_ranged": _quantize16_ranged,
        }
        result = ("ok", jobs[job](*arguments))
    except Exception as error:
        result = ("error", str(error)[:2000])
    answer.write(pickle.dumps(result))
    answer.close()


if __name__ == "__main__":
    prepare()
    main()
