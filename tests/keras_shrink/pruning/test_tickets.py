import keras
import numpy as np
import pytest

import keras_shrink as ks
from keras_shrink.pruning import Snapshot


def trained(*callbacks, **options):
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(8, name="a"), keras.layers.Dense(4, name="b")]
    )
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", jit_compile=False, **options)
    start = model.get_weights()
    model.fit(*data(), batch_size=8, epochs=2, verbose=0, callbacks=list(callbacks))
    return model, start


def data():
    generator = np.random.default_rng(0)
    return generator.normal(size=(32, 6)).astype("float32"), generator.normal(size=(32, 4)).astype("float32")


def test_a_ticket_has_the_early_weights_and_the_late_zeros_and_keeps_them():
    snapshot = Snapshot()
    model, start = trained(snapshot)
    assert all(map(np.array_equal, snapshot.weights, start))
    pruned = ks.prune(model, 0.75)
    ticket = ks.rewind(pruned, snapshot)
    for now, then, late in zip(ticket.get_weights(), start, pruned.get_weights(), strict=True):
        expected = np.where(late == 0, 0, then) if now.ndim == 2 else then
        assert np.array_equal(now, expected)
    assert not np.array_equal(pruned.get_weights()[0], ticket.get_weights()[0])
    ticket.fit(*data(), batch_size=8, verbose=0)
    assert ks.sparsity_report(ticket).sparsity == 0.75


@pytest.mark.parametrize("steps_per_execution", [1, 2])
def test_a_snapshot_is_of_its_step(steps_per_execution):
    early, late = Snapshot(step=2), Snapshot(step=6)
    model, _ = trained(early, late, steps_per_execution=steps_per_execution)
    twin, start = trained()
    twin.set_weights(start)
    twin.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", jit_compile=False)
    keras.utils.set_random_seed(0)
    assert not np.array_equal(early.weights[0], start[0])
    assert not np.array_equal(early.weights[0], late.weights[0])
    assert not np.array_equal(late.weights[0], model.get_weights()[0])


def test_weights_or_a_model_can_stand_for_a_snapshot():
    model, start = trained()
    other, _ = trained()
    other.set_weights(start)
    pruned = ks.prune(model, 0.5)
    tickets = [ks.rewind(pruned, start), ks.rewind(pruned, other)]
    assert all(map(np.array_equal, tickets[0].get_weights(), tickets[1].get_weights()))


def test_what_cannot_be_rewound_to_is_refused():
    model, start = trained()
    with pytest.raises(ValueError, match=r"never taken: training ended before its step. Received: step=99"):
        ks.rewind(model, Snapshot(step=99))
    with pytest.raises(ValueError, match="not those of this model"):
        ks.rewind(model, start[:2])
    with pytest.raises(ValueError, match="Received: step=-1"):
        Snapshot(step=-1)
