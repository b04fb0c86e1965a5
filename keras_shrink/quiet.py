"""Keeps the start-up noise of native libraries off the terminal of the command line."""

import os
import sys


def silence_native_output():
    """Sends what native code writes to standard error to nowhere; Python's own messages still show.

    Set the environment variable `KERAS_SHRINK_DEBUG` to any value to see everything.
    """
    if os.environ.get("KERAS_SHRINK_DEBUG"):
        return
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TFLITE_LOG_LEVEL", "3")
    sys.stderr.flush()
    kept = os.dup(2)
    sys.stderr = os.fdopen(kept, "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
