"""ResNet8 on CIFAR-10 in a tenth of its bytes, with `ks.shrink` and a recipe.

    KERAS_SHRINK_DATA=... KERAS_SHRINK_MODELS=... python benchmarks/shrink_resnet8.py

`mlperf_resnet8.h5` has 318,144 bytes as a float `.tflite`; the budget is 31,800 bytes of constants of
standalone C, which keeps 4-bit weights packed. The recipe cuts channels out, trains what is left with int8
arithmetic, gives the weights 4 bits, and trains again. The teacher is the original, on mirrored and shifted
pictures. Steps are recorded on 2,000 of the
training pictures, which are not trained on. What counts is the accuracy of the file on all 10,000 test
pictures in TFLM's arithmetic (its standalone C, found equal to TFLM on the first 100), computed once, at
the end. Constants, code and memory are those of the image linked for a Cortex-M4, which is run on the
emulator, judged by TFLM.

A run begins no further epoch after `--minutes`; the same command goes on from the files in `--folder`.
"""

import argparse
import json
import os
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import on_tflm
import real_data

import keras_shrink as ks
import tflite_export as te
from keras_shrink import scoring
from tflite_export import tflm
from tflite_export.affine import quantize_array

FLOAT_BYTES = 318_144
CODE_BYTES = 5_200  # of the kernels, which a `.tflite` does not hold either
RAM_BYTES = 40_000
HELD_OUT = 2000


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--parameters", type=float, default=0.72, help="Share that the cut leaves.")
    parser.add_argument("--four-bits", type=float, default=0.988, help="Share of the weights with 4 bits.")
    parser.add_argument(
        "--epochs", type=int, nargs=2, default=(34, 20), help="After the cut, and with 4 bits."
    )
    parser.add_argument("--rates", type=float, nargs=2, default=(2e-3, 1e-3))
    parser.add_argument("--label-weight", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", default="shrink_resnet8")
    parser.add_argument("--minutes", type=float)
    options = parser.parse_args()
    (x, y), (x_test, y_test) = real_data.load("cifar10")
    y, y_test = np.ravel(y).astype("int32"), np.ravel(y_test).astype("int32")
    model = keras.saving.load_model(real_data.model_path("mlperf_resnet8.h5"), compile=False)
    train = x[HELD_OUT:], y[HELD_OUT:]
    steps = (
        ks.shrinking.Planned(
            "prune_channels",
            {"parameters": options.parameters, "multiple": 2},
            epochs=options.epochs[0],
            learning_rate=options.rates[0],
            max_accuracy_drop=1.0,
        ),
        ks.shrinking.Planned(
            "int4",
            {"share": options.four_bits},
            epochs=options.epochs[1],
            learning_rate=options.rates[1],
            max_accuracy_drop=1.0,
        ),
    )
    training = ks.shrinking.Training(augment="pictures", label_weight=options.label_weight)
    began = time.time()
    result = ks.shrink(
        model,
        train,
        (x[:HELD_OUT], y[:HELD_OUT]),
        ks.Budget(flash=FLOAT_BYTES // 10 - 14 + CODE_BYTES, ram=RAM_BYTES, max_accuracy_drop=1.0),
        folder=options.folder,
        recipe=ks.shrinking.Recipe(steps, training),
        seed=options.seed,
        minutes=options.minutes,
    )
    print(result, flush=True)
    if result.reason in ("interrupted", "time is up"):
        print(f"{time.time() - began:.0f} s; not finished: run again")
        return
    accuracy = on_tflm.accuracy(result.tflite.graph, x_test, y_test)
    original = scoring.keras_score(model, (x_test.astype("float32"), y_test))
    result.save(Path(options.folder, "result"))
    pictures = quantize_array(x_test[:3].astype("float32"), result.tflite.graph.inputs[0])
    image = te.emulate(Path(options.folder, "result", "c"), samples=pictures)
    row = {
        "float_bytes": FLOAT_BYTES,
        "constant_bytes": image.constant_bytes,
        "code_bytes": image.code_bytes,
        "ram_bytes": image.ram_bytes,
        "tflite_bytes": len(result.tflite.bytes),
        "equals_tflm": np.array_equal(image.outputs[0], tflm.run(result.tflite.graph, pictures)[0]),
        "test_accuracy": accuracy,
        "float_test_accuracy": original,
        "lost_points": round(100 * (original - accuracy), 2),
    }
    print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
