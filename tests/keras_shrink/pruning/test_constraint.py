import keras
import numpy as np

from keras_shrink.pruning import Surgery
from keras_shrink.pruning.constraint import MaskConstraint

MASK = np.array([True, False, True, False])


def variable(values=(1.0, 2.0, 3.0, 4.0), **options):
    return keras.Variable(np.array(values, "float32"), **options)


def test_zeros_are_exact_and_positive_whatever_the_update_was():
    held = MaskConstraint(variable(), MASK)(keras.ops.convert_to_tensor([1.0, np.nan, 3.0, -np.inf])).numpy()
    assert held.tolist() == [1, 0, 3, 0]
    assert not np.signbit(held).any()


def test_the_own_constraint_of_a_variable_still_holds():
    weight = variable((-1.0, 2.0, 3.0, 4.0))
    weight.constraint = keras.constraints.NonNeg()
    constraint = MaskConstraint(weight, MASK)
    assert constraint(weight).numpy().tolist() == [0, 0, 3, 0]
    weight.constraint = constraint
    again = MaskConstraint(weight, ~MASK)
    assert isinstance(again.inner, keras.constraints.NonNeg)


def test_a_live_weight_trains_behind_its_mask_and_comes_back():
    weight = variable()
    constraint = MaskConstraint(weight, MASK, surgery=Surgery(until=9, decay=0.0))
    constraint.apply()
    assert weight.numpy().tolist() == [1, 0, 3, 0]
    weight.assign(
        constraint(weight.value + np.array([0.5, 0.5, -0.5, 0.0], "float32"))
    )  # an optimizer's update
    assert weight.numpy().tolist() == [1.5, 0, 2.5, 0]
    constraint.mask.assign(np.ones(4, bool))
    constraint.apply()
    assert weight.numpy().tolist() == [1.5, 2.5, 2.5, 4]


def test_after_settling_nothing_comes_back():
    weight = variable()
    constraint = MaskConstraint(weight, MASK, surgery=Surgery(until=9, decay=0.0))
    constraint.apply()
    constraint.settle()
    constraint.mask.assign(np.ones(4, bool))
    constraint.apply()
    assert weight.numpy().tolist() == [1, 0, 3, 0]


def test_a_leak_is_seen():
    weight = variable()
    constraint = MaskConstraint(weight, MASK)
    assert bool(constraint.leak())
    constraint.apply()
    assert not bool(constraint.leak())


def test_a_weight_behind_the_mask_forgets():
    weight = variable()
    constraint = MaskConstraint(weight, MASK, surgery=Surgery(until=9, decay=0.25))
    constraint.apply()
    for _ in range(2):
        weight.assign(constraint(weight))
    assert constraint.live().numpy().tolist() == [1, 2 * 0.75**2, 3, 4 * 0.75**2]
