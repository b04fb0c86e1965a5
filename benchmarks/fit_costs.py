"""Measures what operators of the standalone C cost on a core and fits the estimates that search uses.

    python benchmarks/fit_costs.py --networks 24 --out keras_shrink/search/costs.json

Random networks of the ready-made spaces are converted, compiled and run on an emulated Cortex-M4. Each
operator's instructions are fitted by least relative squares to its multiply-accumulates, outputs and
inputs, all coefficients non-negative; flash to bytes of weights, channels and the kinds of operators that
occur. The last quarter of the networks is held out and the error on it is printed.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
from scipy.optimize import nnls

import keras_shrink as ks
import tflite_export as te
from keras_shrink.search import costs, spaces
from keras_shrink.search.building import build
from keras_shrink.search.choices import Drawn

SPACES = [
    spaces.ds_cnn((24, 10, 1), 6, most_filters=32, most_blocks=3),
    spaces.resnet((12, 12, 3), 5, most_filters=24, most_stacks=2),
    spaces.inverted_residual((16, 16, 3), 4, most_filters=16, most_blocks=3),
    spaces.cnn_1d((64, 6), 6, most_filters=32),
    spaces.mlp((40,), 10),
    spaces.small_rnn((64, 6), 6),
]


def draw(seed):
    """Returns a random network."""
    return SPACES[seed % len(SPACES)](Drawn(np.random.default_rng(seed)))


def measure(sketch, seed):
    """Returns what one network really costs."""
    generator = np.random.default_rng(seed)
    model = build(sketch)
    for weight in model.weights:  # near to trained ones: no channel that is always zero
        if "kernel" in weight.path:
            spread = 1 / math.sqrt(max(1, math.prod(weight.shape[:-1])))
            weight.assign(generator.normal(0, spread, weight.shape))
        elif weight.path.endswith(("bias", "beta")):
            weight.assign(generator.uniform(0.0, 0.2, weight.shape))
    samples = generator.normal(size=(16, *sketch.shapes[0]))
    profile = te.emulate(te.convert(ks.calibrate(model, samples)), check=False)
    return {
        "operators": [[op.code, op.instructions] for op in profile.operators],
        "instructions": profile.instructions,
        "flash_bytes": profile.flash_bytes,
        "ram_bytes": profile.ram_bytes,
    }


def with_features(measured, sketch):
    """Returns measurements beside what they are fitted to."""
    main = sketch.graph().main
    drawn = [op for op in main.ops if op.code != "RESHAPE"]  # which is no code in C
    if [op.code for op in drawn] != [code for code, _ in measured["operators"]]:
        raise SystemExit(f"the sketch differs from the file: {measured['operators']}")
    counts = [count for _, count in measured["operators"]]
    kinds = [costs.instruction_features(main, op) for op in drawn]
    return {
        **measured,
        "operators": [[*kind, count] for kind, count in zip(kinds, counts, strict=True)],
        "flash": costs.flash_features(main),
        "ram": costs.planned_ram_bytes(main),
    }


def fit(rows):
    """Returns the coefficients: kind of kernel -> list, those of flash, and RAM besides the arena."""
    kernels = {}
    for kind in sorted({kind for row in rows for kind, _, _ in row["operators"]}):
        seen = [(features, count) for row in rows for k, features, count in row["operators"] if k == kind]
        features = np.array([features for features, _ in seen], float)
        # Weighted between absolute and relative errors: the dear operators decide.
        weight = 1 / np.sqrt(np.array([count for _, count in seen], float).clip(1))
        target = np.array([count for _, count in seen], float)
        kernels[kind] = nnls(features * weight[:, None], target * weight)[0].round(4).tolist()
    kernels["RESHAPE"] = [0.0] * 5
    kinds = sorted({kind for row in rows for kind in row["flash"]})
    table = np.array([[row["flash"].get(kind, 0) for kind in kinds] for row in rows], float)
    target = np.array([row["flash_bytes"] for row in rows], float)
    flash = nnls(table / target[:, None], np.ones(len(rows)))[0].round(3).tolist()
    beside = float(np.median([row["ram_bytes"] - row["ram"] for row in rows]))
    return {
        "instructions": kernels,
        "flash_bytes": dict(zip(kinds, flash, strict=True)),
        "ram_bytes": beside,
    }


def main():
    """Measures, fits, prints the error on networks that the fit did not see, writes the coefficients."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", type=int, default=24)
    parser.add_argument("--out", type=Path, default=Path("costs.json"))
    parser.add_argument("--measured", type=Path, help="keep the measurements here and go on from them")
    given = parser.parse_args()
    rows = json.loads(given.measured.read_text()) if given.measured and given.measured.exists() else []
    for seed in range(len(rows), given.networks):
        rows.append(measure(draw(seed), seed))
        print(seed, rows[-1]["instructions"], rows[-1]["flash_bytes"], rows[-1]["ram_bytes"], flush=True)
        if given.measured:
            given.measured.write_text(json.dumps(rows))
    rows = [with_features(row, draw(seed)) for seed, row in enumerate(rows)]
    held_out = max(1, len(rows) // 4)
    fitted = fit(rows[:-held_out])
    for row in rows[-held_out:]:
        instructions = sum(
            float(np.dot(fitted["instructions"].get(kind, [0] * 5), features))
            for kind, features, _ in row["operators"]
        )
        flash = sum(fitted["flash_bytes"].get(kind, 0) * value for kind, value in row["flash"].items())
        print(
            f"instructions {instructions / row['instructions'] - 1:+.1%}  "
            f"flash {flash / row['flash_bytes'] - 1:+.1%}  "
            f"RAM {(row['ram'] + fitted['ram_bytes']) / row['ram_bytes'] - 1:+.1%}"
        )
    given.out.write_text(json.dumps(fit(rows), indent=1) + "\n")


if __name__ == "__main__":
    main()
