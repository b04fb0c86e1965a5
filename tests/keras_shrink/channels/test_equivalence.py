"""Cutting channels that are zero, or that nobody reads, changes no output."""

import keras
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from keras_shrink.channels.cost import Costs
from keras_shrink.channels.groups import Groups
from keras_shrink.channels.plan import ChannelPlan
from keras_shrink.channels.rule import connect
from tests.keras_shrink.channels.graphs import PictureGraph, SequenceGraph, samples_for, shaken


def examples(count):
    return settings(max_examples=count, deadline=None, suppress_health_check=list(HealthCheck))


def plan_at_random(model, generator, multiple=1):
    """A plan that cuts some of the channels that may go."""
    network, flow = connect(model, lambda layer: True)
    groups = Groups.of(network, multiple)
    alive = np.ones(groups.count, bool)
    for family in groups.families:
        going = generator.integers(0, len(family.classes))
        alive[generator.permutation(family.classes)[:going]] = False
    return ChannelPlan.of(Costs(model, network, flow), groups, alive)


def silence(plan, roles):
    """Sets the weights of the channels that go to zero where they have one of these roles."""
    gone = ~plan._alive[plan._groups.classes]
    for weight in plan._costs.network.weights.values():
        value = weight.variable.numpy()
        for axis, ids in weight.axes.items():
            if weight.role_along(axis) in roles:
                np.moveaxis(value, axis, 0)[gone[ids]] = 0.0
        weight.variable.assign(value)


def difference(graph, seed, depth, roles, smooth=False):
    """How far the outputs of a network and of what is left of it lie apart, over the largest output."""
    generator = np.random.default_rng(seed)
    keras.utils.set_random_seed(seed)
    model = shaken(graph(generator, smooth=smooth).build(depth), seed)
    plan = plan_at_random(model, generator)
    silence(plan, roles)
    x = samples_for(model)
    whole, smaller = model(x), plan.apply()
    assert smaller.count_params() == plan.parameters[1]
    pairs = zip(keras.tree.flatten(whole), keras.tree.flatten(smaller(x)), strict=True)
    return max(float(np.abs(a - b).max()) / max(1.0, float(np.abs(a).max())) for a, b in pairs)


@examples(10)
@given(seed=st.integers(0, 2**31), depth=st.integers(1, 8))
def test_cutting_channels_that_are_zero_changes_no_output(seed, depth):
    assert difference(PictureGraph, seed, depth, ("makes", "scales", "shifts")) < 1e-4


@examples(5)
@given(seed=st.integers(0, 2**31), depth=st.integers(1, 4))
def test_cutting_units_and_heads_that_are_zero_changes_no_output(seed, depth):
    assert difference(SequenceGraph, seed, depth, ("makes", "scales", "shifts")) < 1e-4


@examples(5)
@given(seed=st.integers(0, 2**31), depth=st.integers(1, 8))
def test_cutting_channels_that_nobody_reads_changes_no_output(seed, depth):
    assert difference(PictureGraph, seed, depth, ("reads",), smooth=True) < 1e-4
