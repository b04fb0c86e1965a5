"""Limits of candidates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keras_shrink.search.costs import Cost
from keras_shrink.search.limits import Limits, parse_size

COST = Cost(macs=1000, weight_bytes=200, arena_bytes=300, flash_bytes=400, ram_bytes=500, instructions=600)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("64 KiB", 65536),
        ("20kB", 20_000),
        ("1.5M", 1_500_000),
        (" 2 MiB ", 2 << 20),
        (4096, 4096),
        ("1_000", 1000),
    ],
)
def test_sizes_may_have_units(text, number):
    assert parse_size("flash", text) == number


@given(st.integers(1, 1 << 40))
def test_numbers_stay_what_they_are(number):
    assert parse_size("flash", number) == parse_size("flash", str(number)) == number


@pytest.mark.parametrize("value", ["", "KiB", "64 KB s", 0, -1, True, "1.2.3", "0"])
def test_anything_else_is_named(value):
    with pytest.raises(ValueError, match="flash must be a number greater than 0 or a text like"):
        Limits(flash=value)


def test_every_limit_is_held_against_its_cost():
    assert Limits().broken_by(COST) == {}
    assert (
        Limits(flash=400, ram=500, arena=300, weights=200, macs=1000, instructions=600).broken_by(COST) == {}
    )
    assert Limits(flash=200, ram=499, macs="0.1k").broken_by(COST) == {
        "flash": 2.0,
        "ram": 500 / 499,
        "macs": 10.0,
    }
