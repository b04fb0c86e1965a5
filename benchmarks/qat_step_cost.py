"""CPU time of a quantization-aware training step over the same step of the float network.

    python benchmarks/qat_step_cost.py --tfmot-venv /tmp/tfmot-venv

DS-CNN (keyword spotting, 49x10 input) and ResNet8 with their BatchNormalization, batch 32, random data. The
networks take turns, a few steps each, in one process and on one thread; the figure is the median over the
turns of the ratio of CPU times to the float network's. "fused" is the float network with the normalization
that quantized ones train with, "frozen" training with ranges that `QuantizationPhases` froze. With
--tfmot-venv, tensorflow-model-optimization on tf_keras takes its turns too, compared with its own float
network, in a virtual environment that is made when it is missing.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

import numpy as np
from peers_venv import python_with
from prune_step_cost import BATCH, MODELS, ds_cnn, resnet8

BUILD = {"DS-CNN": ds_cnn, "ResNet8": resnet8}


def ours(build, jit_compile):
    """Returns name -> compiled model, and the phases that freeze the ranges of one."""
    import keras

    import keras_shrink as ks
    from keras_shrink.quantization.quick_normalization import quick
    from keras_shrink.rebuild import rebuild

    models = {
        "float": build(keras),
        "fused": rebuild(build(keras), as_class=quick),
        "qat": ks.quantize(build(keras)),
        "frozen": ks.quantize(build(keras)),
    }
    for model in models.values():
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit_compile)
    phases = ks.QuantizationPhases(freeze_ranges_from=1)
    phases.set_model(models["frozen"])
    phases.on_train_begin()
    return models, phases


def theirs(build, jit_compile):
    """Returns name -> compiled model of the peer."""
    import tensorflow_model_optimization as tfmot
    import tf_keras

    quantized = tfmot.quantization.keras.quantize_model(build(tf_keras))
    models = {"tf_keras float": build(tf_keras), "tfmot": quantized}
    for model in models.values():
        model.compile("adam", "sparse_categorical_crossentropy", jit_compile=jit_compile)
    return models


def measure(name, jit_compile, with_peer, turns, steps):
    """Returns the median CPU milliseconds of the float networks and the ratios of the others."""
    shape, classes = MODELS[name]
    x = np.random.default_rng(0).normal(size=(BATCH, *shape)).astype("float32")
    y = np.random.default_rng(1).integers(0, classes, BATCH)
    models, phases = ours(BUILD[name], jit_compile)
    if with_peer:
        models |= theirs(BUILD[name], jit_compile)
    spent = {key: [] for key in models}
    for turn in range(turns + 1):
        phases.on_epoch_begin(turn)
        keys = list(models)
        for key in keys[turn % len(keys) :] + keys[: turn % len(keys)]:
            began = time.process_time()
            for _ in range(steps):
                models[key].train_on_batch(x, y)
            spent[key].append(1000 * (time.process_time() - began) / steps)
    row = {"model": name, "jit_compile": jit_compile}
    for key, times in spent.items():
        base = "tf_keras float" if key == "tfmot" else "float"
        if "float" in key:
            row[f"{key} ms"] = round(statistics.median(times[1:]), 2)  # the first turn traces
        else:
            pairs = zip(times[1:], spent[base][1:], strict=True)
            row[key] = round(statistics.median(a / b for a, b in pairs), 3)
    return row


def main():
    """Prints a row per network and per way of compiling."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--steps", type=int, default=20, help="steps per turn")
    parser.add_argument("--models", nargs="*", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--jit", nargs="*", type=int, default=[0, 1], help="0: op by op, 1: XLA (both)")
    parser.add_argument("--tfmot-venv", help="folder of the virtual environment with tfmot")
    parser.add_argument("--with-peer", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.tfmot_venv:
        root = Path(__file__).resolve().parent.parent
        environment = os.environ | {"TF_USE_LEGACY_KERAS": "1", "PYTHONPATH": str(root)}
        given = sys.argv[1:]
        at = given.index("--tfmot-venv")
        rest = [*given[:at], *given[at + 2 :], "--with-peer"]
        python = python_with(options.tfmot_venv, "tensorflow-model-optimization")
        sys.exit(subprocess.run([python, __file__, *rest], env=environment, check=False).returncode)
    for name in options.models:
        for jit in options.jit:
            row = measure(name, bool(jit), options.with_peer, options.turns, options.steps)
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
