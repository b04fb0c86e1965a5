"""Images per second of `simulate` beside TFLM, the standalone C and LiteRT, all equal to the last bit or not.

    KERAS_SHRINK_MODELS=... python benchmarks/exact_simulation.py [FILE.tflite ...]

Without files, the int8 models of MLPerf Tiny are taken. Inputs are random integers; every runner is given one
thread. The seconds in which C compiles and TensorFlow traces are not counted.
"""

import sys
import time

import numpy as np
import real_data
import tensorflow as tf

import keras_shrink as ks
from tflite_export import interpreters, tflm
from tflite_export.affine import dequantize_array
from tflite_export.c import native
from tflite_export.read import read

NAMES = ("mlperf_kws_int8", "mlperf_resnet8_int8", "mlperf_vww96_int8", "mlperf_ad01_int8")
SAMPLES, BATCH = {"TFLM": 16, "LiteRT": 1024, "C": 1024, "simulate": 1024}, 64


def rate(run, samples):
    """Returns samples a second, from the times for one sample and for many; the start cancels out."""
    spent = []
    for count in (1, samples):
        times = []
        for _ in range(2):
            start = time.perf_counter()
            run(count)
            times.append(time.perf_counter() - start)
        spent.append(min(times))
    return (samples - 1) / max(spent[1] - spent[0], 1e-3)


def tflm_rate(graph, integers):
    """Returns samples a second of TFLM in this process."""
    interpreter = tflm.Interpreter(graph)
    start = time.perf_counter()
    for values in integers:
        interpreter.invoke(values[None])
    return len(integers) / (time.perf_counter() - start)


def simulation_rate(model, values, *, jit):
    """Returns samples a second of a simulated model in batches, after it was traced."""
    step = tf.function(lambda x: model(x, training=False), jit_compile=jit)
    batches = [tf.constant(values[i : i + BATCH]) for i in range(0, len(values), BATCH)]
    step(batches[0])
    start = time.perf_counter()
    for batch in batches:
        result = step(batch)
    np.asarray(result)
    return len(values) / (time.perf_counter() - start)


def measure(path):
    """Prints one row."""
    graph = read(path)
    (source,) = graph.inputs
    info = np.iinfo(source.dtype)
    shape = (SAMPLES["simulate"], *source.shape[1:])
    integers = np.random.default_rng(0).integers(info.min, info.max + 1, shape, source.dtype)
    model = ks.simulate(path, dequantize=False)
    computed = model.predict(dequantize_array(integers, source), verbose=0)[: SAMPLES["TFLM"]]
    judged = tflm.run(graph, integers[: SAMPLES["TFLM"], None])[0].reshape(computed.shape)
    rates = [
        simulation_rate(model, dequantize_array(integers, source), jit=False),
        simulation_rate(model, dequantize_array(integers, source), jit=True),
        rate(lambda n: native.run(graph, [integers[:n]]), SAMPLES["C"]),
        tflm_rate(graph, integers[: SAMPLES["TFLM"]]),
        rate(lambda n: interpreters.run(graph, [integers[:n]]), SAMPLES["LiteRT"]),
    ]
    row = " | ".join(f"{value:,.0f}" for value in rates)
    print(f"| {path.stem} | {row} | {np.count_nonzero(judged != computed)} of {judged.size} |", flush=True)


def main():
    """Prints a table."""
    from pathlib import Path

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    folder = real_data.model_path("x").parents[1] / "tflite" if len(sys.argv) < 2 else None
    paths = [Path(p) for p in sys.argv[1:]] or [folder / f"{name}.tflite" for name in NAMES]
    print("| model | simulate | simulate, jit | standalone C | TFLM | LiteRT | differs from TFLM |")
    print("|---|---|---|---|---|---|---|")
    for path in paths:
        measure(path)


if __name__ == "__main__":
    main()
