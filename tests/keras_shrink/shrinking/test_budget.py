import types

import pytest

from keras_shrink.shrinking.budget import Budget


def test_texts_become_numbers_and_needs_are_shares_of_them():
    budget = Budget(flash="1 KiB", ram="2k")
    sizes = types.SimpleNamespace(flash_bytes=512, ram_bytes=3000)
    assert budget.limits == {"flash": 1024, "ram": 2000}
    assert budget.needs(sizes) == {"flash": 0.5, "ram": 1.5}
    assert budget.broken(sizes) == {"ram": 1.5}


def test_a_board_limits_what_is_not_limited_and_names_the_core():
    budget = Budget(ram=1000, device="rp2040")
    assert budget.limits == {"flash": 2_097_152 - 30_000, "ram": 1000}
    assert budget.cpu == "cortex-m0"
    assert Budget(device="esp32").cpu == Budget(flash=1).cpu == "cortex-m4"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "Nothing is limited. Give one of flash, ram, instructions, download or a device."),
        ({"flash": -1}, "flash must be a number greater than 0 .*Received: flash=-1"),
        ({"flash": 1, "max_accuracy_drop": -0.1}, "number from 0, 0.01 for one point.*drop=-0.1"),
        ({"flash": 1, "runtime": "onnx"}, "runtime must be one of .*Received: runtime='onnx'"),
        ({"instructions": "1M", "runtime": "tflm"}, "counted for the standalone C alone"),
        ({"device": "rp204"}, "Did you mean 'rp2040'?"),
    ],
)
def test_what_is_not_allowed_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Budget(**arguments)
