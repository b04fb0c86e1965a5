"""What running the first operators in strips of rows saves and costs, on an emulated Cortex-M4.

KERAS_SHRINK_MODELS=... python benchmarks/c_strips.py [--model tflm_person_detect_int8] [--strips 1 6]
"""

import argparse
import os
import sys
import tempfile
from pathlib import Path

from tflite_export.c.write import write_c
from tflite_export.emulation.profile import emulate


def main():
    """Prints one line for each number of strips."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", default="tflm_person_detect_int8")
    parser.add_argument("--strips", type=int, nargs="*", default=[1, 3, 6])
    options = parser.parse_args()
    folder = os.environ.get("KERAS_SHRINK_MODELS")
    if not folder:
        sys.exit("Set KERAS_SHRINK_MODELS to a folder with tflite/*.tflite.")
    for strips in options.strips:
        with tempfile.TemporaryDirectory() as target:
            write_c(
                Path(folder, "tflite", f"{options.model}.tflite"),
                "net",
                target,
                strips=strips,
                self_test=False,
            )
            p = emulate(target, "cortex-m4")
        print(
            f"{strips} strips: {p.instructions:,} instructions, RAM {p.ram_bytes:,}, flash {p.flash_bytes:,}"
        )


if __name__ == "__main__":
    main()
