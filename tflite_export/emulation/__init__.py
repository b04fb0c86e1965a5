"""Firmware without a board: compile the generated C, run it on an emulated core, count and check."""
