"""4-bit weights that stay two to a byte in flash and are unpacked, some at a time, beside the activations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from tflite_export.c.placement import round_up
from tflite_export.c.program import Call, Constant, Program, Step

# What may go wrong when a plan is estimated is tried away: blocks with less and less of the room there is.
_SHARES = (1.0, 0.75, 0.5, 0.25)
_LEAST_CHANNELS = 8  # each block of channels reads the input again
_FLASH_FOR_RAM = 8  # bytes of flash that must be saved for one byte more of arena


def keep_packed(
    program: Program,
    subgraph,
    lay_out: Callable[[tuple[Step, ...]], Program],
    arena_bytes: int | None = None,
) -> Program:
    """Returns a program that unpacks 4-bit weights as it runs, or the one given.

    Convolutions unpack as many output channels at a time as find room beside the activations, matrix
    products four. Where room is short, the arena grows by an eighth of the flash saved at most, or to
    `arena_bytes`.

    Args:
        program: With all weights unpacked already.
        subgraph: What it computes.
        lay_out: Function from steps to the program with an arena for them.
        arena_bytes: How large the arena may become whatever that saves; None for no larger than that.
    """
    if not any(_has_4_bits(step, subgraph) for step in program.steps):
        return program
    best, most = program, 0
    granted = max(program.arena_bytes, arena_bytes or 0)
    for share in _SHARES:
        moment, steps = 0, []
        for step in program.steps:
            calls = []
            for call in step.calls:
                apart, in_place = (int(share * (granted - used)) for used in _in_use(program, moment))
                packed = _packed(call, apart, in_place) if _has_4_bits(step, subgraph) else None
                calls.append(packed or call)
                moment += 1
            steps.append(replace(step, calls=tuple(calls)))
        other = lay_out(tuple(steps))
        grown = max(0, other.arena_bytes - granted)
        worth = _saved(steps) - _FLASH_FOR_RAM * grown
        if worth > most:
            best, most = other, worth
        if not grown:
            break
    return best


def _has_4_bits(step, subgraph):
    return any(i >= 0 and subgraph.tensors[i].dtype == "int4" for i in subgraph.ops[step.index].inputs)


def _in_use(program, moment):
    """Returns the bytes of the blocks that live at a moment, and how many different bytes these are."""
    live = [block for block in program.blocks if block.first <= moment <= block.last]
    different, end = 0, 0
    for start, size in sorted((program.offsets[block.key], round_up(block.size)) for block in live):
        different += max(0, start + size - max(start, end))
        end = max(end, start + size)
    return sum(round_up(block.size) for block in live), different


def _saved(steps):
    packed = [call.params["packed"] for step in steps for call in step.calls if "packed" in call.params]
    return sum(constant.size_bytes for constant in packed)


def _packed(call: Call, room: int, room_in_place: int) -> Call | None:
    """The call with packed weights where `room` bytes more of scratch, or a few more, suffice; else None.

    There is more room where the output lies over the input, as it may if all channels are computed at once.
    """
    if call.kernel == "fully_connected_pairs_int8" and call.params["rows"] == 1:
        return _packed_product(call, room)
    if call.kernel == "conv_2d_pairs_int8":
        return _packed_convolution(call, room, room_in_place)
    return None


def _packed_product(call, room):
    packed, groups = _nibbles(call.params["weights"]), call.params["groups"]
    if 16 * groups > room + packed.size_bytes // _FLASH_FOR_RAM:
        return None
    params = {"product": {**call.params, "weights": 0}, "packed": packed}
    return Call("fully_connected_pairs_int4", params, call.inputs, call.outputs, scratch_bytes=24 * groups)


def _packed_convolution(call, room, room_in_place):
    packed, groups = _nibbles(call.params["weights"]), call.params["groups"]
    channels, at = call.params["output_channels"], round_up(call.scratch_bytes)
    block = min(channels, max(0, room) // (4 * groups) // 4 * 4)
    least = min(channels, _LEAST_CHANNELS)
    if block < least and 4 * groups * (channels + channels % 2) <= room_in_place:
        block = channels
    elif block < least:
        if 4 * groups * (least + least % 2) > room + packed.size_bytes // _FLASH_FOR_RAM:
            return None
        block = least
    params = {
        "conv": {**call.params, "weights": 0},
        "packed": packed,
        "block_channels": block,
        "unpacked_at": at,
    }
    return Call(
        "conv_2d_pairs_int4",
        params,
        call.inputs,
        call.outputs,
        scratch_bytes=at + 8 * groups * ((block + 1) // 2),
        overlaps=call.overlaps if block == channels else (),
    )


def _nibbles(weights: Constant) -> Constant:
    """Numbers `256 * odd + even` of 4-bit weights as bytes `16 * odd + even`."""
    numbers = np.asarray(weights.values, np.int64).reshape(-1)
    even = ((numbers & 255) ^ 128) - 128
    odd = (numbers - even) >> 8
    return Constant("weights", "uint8_t", ((odd & 15) << 4 | even & 15).astype(np.uint8))
