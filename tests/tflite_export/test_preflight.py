import pytest

from tests.tflite_export.small_models import activation, conv_model, empty_model, operator, oracle, pack
from tflite_export import tflm
from tflite_export.devices import CORES, Device, device, devices
from tflite_export.preflight import check
from tflite_export.read import read
from tflite_export.tflm_operators import missing_operators, resolver_calls, supported_operators

TIGHT = Device("tight", "A tight board", "cortex-m4", 64_000_000, 40_000, 6_000, 1_000, 1_000)


def test_shortfall_is_exact():
    content = pack(conv_model())
    need = tflm.measure_arena(content).required_bytes
    result = check(content, TIGHT)
    assert result.ram_is_measured
    assert result.ram_bytes == need
    assert result.ram_shortfall_bytes == max(0, need - 5_000)
    assert result.flash_bytes == len(content) + 22_000 + 9_000
    assert result.flash_shortfall_bytes == 0
    assert result.fits == (need <= 5_000)
    roomy = Device("roomy", "A roomy board", "cortex-m4", 64_000_000, 40_000, need + 1_000, 1_000, 1_000)
    assert check(content, roomy).fits
    short = Device("short", "A short board", "cortex-m4", 64_000_000, 40_000, need + 984, 1_000, 1_000)
    assert check(content, short).ram_shortfall_bytes == 16
    assert "16 too few" in str(check(content, short))


def relu6_model(output_scale):
    model = empty_model()
    x, y = activation(model, "x", [1, 8], 0.05), activation(model, "y", [1, 8], output_scale)
    operator(model, "RELU6", [x], [y])
    model.subgraphs[0].inputs, model.subgraphs[0].outputs = [x], [y]
    return model


def test_operator_that_tflm_computes_wrongly_is_named():
    wrong = check(pack(relu6_model(0.1)), "rp2040")
    assert not wrong.fits
    assert "operator 0 (RELU6): TFLM ignores that input and output scales differ" in str(wrong)
    assert check(pack(relu6_model(0.05)), "rp2040").fits


def test_operator_that_tflm_lacks_is_named():
    model = relu6_model(0.05)
    operator(model, "TOPK_V2", [1], [])
    result = check(pack(model), "rp2040")
    assert result.problems == ("TFLM does not have TOPK_V2.",)
    assert check(pack(model), "android").fits


def test_refusal_of_tflm_is_a_problem():
    model = conv_model()
    model.subgraphs[0].tensors[0].type = oracle.TensorType.UINT8
    assert "TFLM refused the model" in check(pack(model), "rp2040").problems[0]


def test_slower_processors_take_longer():
    content = pack(conv_model())
    arena = tflm.measure_arena(content)

    def took(core):
        board = Device("b", "b", core, 100_000_000, 10**6, 10**6)
        return check(content, board, arena=arena).latency_ms

    assert took("cortex-m55") < took("cortex-m7") < took("cortex-m4") < took("cortex-m0")
    assert "estimate" in str(check(content, TIGHT))


@pytest.mark.parametrize("name", list(devices()))
def test_every_board_makes_sense(name):
    board = device(name)
    assert board.reserved_flash_bytes < board.flash_bytes
    assert board.reserved_ram_bytes < board.ram_bytes
    assert board.core in CORES


def test_boards_asked_for_are_there():
    asked = (
        "arduino-nano-33-ble arduino-uno-r4 rp2040 rp2350 esp32 esp32-s3 stm32f446 stm32f746 stm32l4r5 "
        "stm32h743 stm32n657 nrf52840 microbit-v2 teensy-40 android"
    )
    assert set(asked.split()) <= set(devices())


def test_unknown_board_is_refused_with_a_hint():
    with pytest.raises(ValueError, match=r"Received: device='rp2041'\. Did you mean 'rp2040'\?"):
        device("rp2041")
    with pytest.raises(ValueError, match="core must be one of"):
        Device("x", "x", "z80", 1, 1, 1)


def test_resolver_registers_what_is_used_and_nothing_else():
    assert resolver_calls(read(pack(conv_model()))) == ["AddConv2D(tflite::Register_CONV_2D_INT8())"]
    assert resolver_calls(read(pack(relu6_model(0.05)))) == ["AddRelu6()"]
    assert missing_operators(read(pack(conv_model()))) == []


def test_list_of_operators_is_that_of_the_wheel():
    assert len(supported_operators()) == 100
    for name, there in (("RELU6", True), ("TOPK_V2", False)):
        model = relu6_model(0.05)
        model.operatorCodes[0].builtinCode = getattr(oracle.BuiltinOperator, name)
        model.operatorCodes[0].deprecatedBuiltinCode = model.operatorCodes[0].builtinCode
        try:
            tflm.measure_arena(pack(model))
            known = True
        except ValueError as error:
            known = "Didn't find op" not in str(error)
        assert known == there == (name in supported_operators())
