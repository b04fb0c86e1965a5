"""Pruning on two logical CPU devices, in a process of its own: they have to be set up before TensorFlow."""

import subprocess
import sys

import pytest

SCRIPT = """
import keras, numpy as np, tensorflow as tf
import keras_shrink as ks

device = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(device, [tf.config.LogicalDeviceConfiguration()] * 2)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
generator = np.random.default_rng(0)
x, y = generator.normal(size=(64, 8)).astype("float32"), generator.integers(0, 4, 64)
for policy, surgery in (("float32", None), ("mixed_float16", ks.pruning.Surgery(until=5))):
    keras.config.set_dtype_policy(policy)
    with strategy.scope():
        layers = [keras.Input((8,)), keras.layers.Dense(16, activation="relu"), keras.layers.Dense(4)]
        model = keras.Sequential(layers)
        loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile(keras.optimizers.SGD(0.1, momentum=0.9), loss)
    ramp = ks.schedules.polynomial(0.0, 0.75, end_step=8)
    callback = ks.GradualPruning(ramp, frequency=1, surgery=surgery)
    model.fit(x, y, batch_size=16, epochs=3, verbose=0, callbacks=[callback])
    model.fit(x, y, batch_size=16, verbose=0)
    for kernel in ks.select.find_kernels(model):
        for variable in (kernel.variable, kernel.variable.constraint.mask):
            replicas = [part.numpy() for part in strategy.experimental_local_results(variable.value)]
            assert len(replicas) == 2 and np.array_equal(*replicas), (policy, kernel.name)
        assert np.mean(kernel.variable.numpy() == 0) == 0.75, (policy, kernel.name)
print("identical")
"""


@pytest.mark.slow
def test_masks_are_identical_on_every_replica():
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr[-2000:]
    assert run.stdout.strip().endswith("identical")
