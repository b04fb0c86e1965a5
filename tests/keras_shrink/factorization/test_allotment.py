import itertools

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from keras_shrink.factorization.allotment import by_budget, by_energy, by_limit, frontier, harm
from keras_shrink.factorization.forms import Option


def options(*pairs):
    return [Option("basis", (rank,), cost, cost, loss) for rank, (cost, loss) in enumerate(pairs)]


def test_a_frontier_leaves_out_what_is_beaten():
    kept = frontier(options((10, 0.0), (8, 0.2), (7, 0.1), (12, 0.0), (3, 0.5), (4, 0.6)), "macs")
    assert [(o.macs, o.loss) for o in kept] == [(10, 0.0), (7, 0.1), (3, 0.5)]


def test_energy_takes_the_cheapest_that_keeps_it_and_a_limit_the_best_below_it():
    known = frontier(options((10, 0.0), (7, 0.1), (3, 0.5)), "macs")
    assert by_energy(known, 0.9).macs == 7
    assert by_energy(known, 1.0).macs == 10
    assert by_limit(known, 8, "macs").macs == 7
    assert by_limit(known, 2, "macs") is None


def test_the_layer_that_loses_least_gives_first():
    tough = frontier(options((100, 0.0), (50, 0.5), (10, 0.9)), "macs")
    easy = frontier(options((100, 0.0), (50, 0.01), (10, 0.05)), "macs")
    assert [o.macs for o in by_budget([tough, easy], 120, "macs")] == [100, 10]
    assert by_budget([tough, easy], 19, "macs") is None


@settings(max_examples=60, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000), share=st.floats(0.1, 1.0))
def test_a_budget_is_met_and_close_to_the_best_there_is(seed, share):
    generator = np.random.default_rng(seed)
    layers = []
    for _ in range(3):
        costs = np.sort(generator.integers(1, 60, 5))
        losses = np.sort(generator.random(5))[::-1].copy()
        losses[-1] = 0.0
        layers.append(frontier(options(*zip(costs.tolist(), losses.tolist(), strict=True)), "macs"))
    budget = share * sum(layer[0].macs for layer in layers)
    chosen = by_budget(layers, budget, "macs")
    allowed = [c for c in itertools.product(*layers) if sum(o.macs for o in c) <= budget]
    if chosen is None:
        assert not allowed
        return
    assert sum(o.macs for o in chosen) <= budget
    best = min(sum(map(harm, combination)) for combination in allowed)
    # Greedy along convex hulls: never further from the best than one step of one layer.
    assert sum(map(harm, chosen)) <= best + max(harm(layer[-1]) for layer in layers)


def test_no_layer_is_given_up_for_the_others():
    alike = [frontier(options(*((10 * rank, 1 - rank / 10) for rank in range(1, 11))), "macs")] * 2
    assert [o.macs for o in by_budget(alike, 100, "macs")] == [50, 50]
