import numpy as np
import pytest

from keras_shrink.factorization.forms import FORMS, Layout


def kernel(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape)


def product(form, factors):
    """Returns the kernel that the factors amount to."""
    if form == "basis":
        first, second = factors
        return np.einsum("...ir,ro->...io", first, second.reshape(second.shape[-2:]))
    if form == "spatial":
        rows, columns = factors
        return np.einsum("hir,wro->hwio", rows[:, 0], columns[0])
    first, core, last = factors
    return np.einsum(
        "ia,...ab,bo->...io", first.reshape(first.shape[-2:]), core, last.reshape(last.shape[-2:])
    )


CASES = [
    ("basis", (6, 5)),
    ("basis", (1, 1, 4, 7)),
    ("basis", (3, 3, 4, 5)),
    ("basis", (3, 4, 5)),
    ("spatial", (3, 5, 4, 6)),
    ("tucker", (3, 3, 4, 5)),
    ("tucker", (3, 6, 4)),
]
every_case = pytest.mark.parametrize(("name", "shape"), CASES, ids=str)


@every_case
def test_each_option_says_its_exact_error_and_size(name, shape):
    weights = kernel(*shape)
    form = FORMS[name]
    options = form.options(Layout(weights), 1)
    for option in options[:: max(1, len(options) // 7)]:
        factors = form.factors(weights, option.ranks)
        lost = np.square(weights - product(name, factors)).sum() / np.square(weights).sum()
        assert option.loss == pytest.approx(lost, abs=1e-12)
        assert option.parameters == sum(factor.size for factor in factors)


@every_case
def test_nothing_is_lost_at_full_rank(name, shape):
    weights = kernel(*shape)
    full = FORMS[name].options(Layout(weights), 4)[-1]
    assert full.loss == 0.0
    np.testing.assert_allclose(product(name, FORMS[name].factors(weights, full.ranks)), weights, atol=1e-12)


@every_case
def test_more_rank_never_loses_more(name, shape):
    options = FORMS[name].options(Layout(kernel(*shape)), 1)
    for low in options:
        for high in options:
            if all(a <= b for a, b in zip(low.ranks, high.ranks, strict=True)):
                assert high.loss <= low.loss + 1e-12


def test_multiplications_are_counted_where_each_factor_works():
    layout = Layout(kernel(3, 3, 4, 8), before=100, rows=50, after=25)
    assert layout.macs == 3 * 3 * 4 * 8 * 25
    wanted = {
        "basis": 25 * (36 * 2 + 2 * 8),
        "spatial": 50 * 3 * 4 * 2 + 25 * 3 * 2 * 8,
        "tucker": 100 * 4 * 2 + 25 * (9 * 2 * 2 + 2 * 8),
    }
    for name, macs in wanted.items():
        options = {option.ranks: option for option in FORMS[name].options(layout, 1)}
        assert options[(2, 2) if name == "tucker" else (2,)].macs == macs, name


def test_ranks_are_multiples_or_full():
    ranks = [option.ranks[0] for option in FORMS["basis"].options(Layout(kernel(20, 10)), 4)]
    assert ranks == [4, 8, 10]


def test_a_kernel_of_low_rank_is_found_out():
    low = kernel(8, 2) @ kernel(2, 8, seed=1)
    assert FORMS["basis"].options(Layout(low), 1)[1].loss == pytest.approx(0, abs=1e-12)


def test_a_kernel_of_zeros_loses_nothing():
    for form in FORMS.values():
        assert form.options(Layout(np.zeros((3, 3, 4, 4))), 1)[0].loss == 0.0
