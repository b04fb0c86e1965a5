"""The standalone C on emulated cores: instructions, RAM and flash of the MLPerf Tiny models, and the record.

    KERAS_SHRINK_MODELS=... python benchmarks/c_table.py [--record] [--cpu cortex-m4 ...] [NAME ...]

Prints the table beside TensorFlow Lite Micro with CMSIS-NN and compares it with `c_table.json`, the record:
more than 1 % above it in instructions, RAM or flash is a regression and makes the exit status 1. `--record`
stores what was measured. Every run checks the outputs against TensorFlow Lite Micro.
"""

import argparse
import json
import os
import sys
from pathlib import Path

from tflite_export.emulation.profile import emulate
from tflite_export.emulation.toolchain import EmulationError

RECORD = Path(__file__).with_suffix(".json")
MODELS = {"KWS": "kws", "ResNet8": "resnet8", "VWW": "vww96", "AD": "ad01"}
FIGURES = ("instructions", "ram_bytes", "flash_bytes")
TOLERANCE = 0.01
# Executed instructions, static RAM and linked flash of TensorFlow Lite Micro with CMSIS-NN.
TFLM = {
    "cortex-m4": {
        "KWS": (7_700_000, 22_820, 107_124),
        "ResNet8": (29_870_000, 54_996, 149_488),
        "VWW": (24_100_000, 100_708, 386_476),
        "AD": (583_000, 2_580, 304_868),
    },
    "cortex-m55": {
        "KWS": (1_820_000,),
        "ResNet8": (4_910_000,),
        "VWW": (6_560_000,),
        "AD": (286_000,),
    },
}


def measure(folder, name, cpu):
    """Returns the figures of one model on one core; outputs other than TFLM's end the program."""
    profile = emulate(folder / f"mlperf_{MODELS[name]}_int8.tflite", cpu)
    if profile.matches is not True:
        sys.exit(f"{name} on {cpu}: the outputs are not TensorFlow Lite Micro's")
    return {figure: getattr(profile, figure) for figure in FIGURES} | {
        "stack_bytes": profile.stack_bytes,
        "compiler": profile.compiler,
    }


def regressions(measured, recorded):
    """Returns a line for each figure that is more than the tolerance above the record."""
    lines = []
    for cpu, models in measured.items():
        for name, figures in models.items():
            for figure in FIGURES:
                before = recorded.get(cpu, {}).get(name, {}).get(figure)
                if before is not None and figures[figure] > before * (1 + TOLERANCE):
                    growth = figures[figure] / before - 1
                    lines.append(
                        f"{name} on {cpu}: {figure} {before:,} -> {figures[figure]:,} (+{growth:.1%})"
                    )
    return lines


def rows(measured):
    """Yields the lines of the table."""
    yield "| core | model | instructions | of TFLM's | RAM | of TFLM's | flash | of TFLM's | stack |"
    yield "|---|---|---|---|---|---|---|---|---|"
    for cpu, models in measured.items():
        for name, figures in models.items():
            theirs = TFLM.get(cpu, {}).get(name, ())
            cells = []
            for position, figure in enumerate(FIGURES):
                share = f"{figures[figure] / theirs[position]:.0%}" if position < len(theirs) else ""
                cells += [f"{figures[figure]:,}", share]
            yield f"| {cpu} | {name} | {' | '.join(cells)} | {figures['stack_bytes']:,} |"


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "names", nargs="*", metavar="NAME", help=f"some of {', '.join(MODELS)}; all by default"
    )
    parser.add_argument("--cpu", nargs="+", default=["cortex-m4", "cortex-m55", "cortex-m0"])
    parser.add_argument("--record", action="store_true", help="store what was measured as the record")
    options = parser.parse_args()
    if "KERAS_SHRINK_MODELS" not in os.environ:
        sys.exit(
            "Set KERAS_SHRINK_MODELS to the folder that holds tflite/mlperf_kws_int8.tflite and the others."
        )
    folder = Path(os.environ["KERAS_SHRINK_MODELS"], "tflite")
    measured: dict = {}
    for cpu in options.cpu:
        try:
            measured[cpu] = {name: measure(folder, name, cpu) for name in options.names or MODELS}
        except EmulationError as error:
            sys.stderr.write(f"{cpu} left out: {error}\n")
    print("\n".join(rows(measured)))
    recorded = json.loads(RECORD.read_text()) if RECORD.exists() else {}
    worse = regressions(measured, recorded)
    for line in worse:
        print(f"regression: {line}")
    if options.record:
        for cpu, models in measured.items():
            recorded.setdefault(cpu, {}).update(models)
        RECORD.write_text(json.dumps(recorded, indent=1) + "\n")
    sys.exit(1 if worse and not options.record else 0)


if __name__ == "__main__":
    main()
