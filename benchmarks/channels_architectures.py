"""Cutting half of the multiply-accumulates out of well-known architectures: how much of them the rules know.

    python benchmarks/channels_architectures.py

For each at 64 x 64: what the plan for `macs=0.5` cuts, and how long planning and rebuilding take. Weights
are random.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

from keras_shrink import channels

MODELS = {
    "MobileNetV2": {"alpha": 0.35},
    "MobileNetV3Small": {},
    "EfficientNetB0": {},
    "DenseNet121": {},
    "ResNet50V2": {},
    "NASNetMobile": {},
    "ConvNeXtTiny": {},
}


def main():
    print("| model | layers that lose channels | MACs left | parameters left | plan s | rebuild s |")
    print("|---|---|---|---|---|---|")
    for name, options in MODELS.items():
        build = getattr(keras.applications, name)
        model = build(weights=None, input_shape=(64, 64, 3), classes=10, **options)
        began = time.time()
        plan = channels.plan(model, macs=0.5)
        planned = time.time()
        smaller = plan.apply()
        seconds = planned - began, time.time() - planned
        smaller(np.zeros((1, 64, 64, 3), "float32"))
        cut = sum(row.after < row.before for row in plan.layers)
        macs, parameters = (after / before for before, after in (plan.macs, plan.parameters))
        print(
            f"| {name} | {cut} of {len(plan.layers)} | {macs:.1%} | {parameters:.1%} "
            f"| {seconds[0]:.1f} | {seconds[1]:.1f} |",
            flush=True,
        )
        keras.backend.clear_session()


if __name__ == "__main__":
    main()
