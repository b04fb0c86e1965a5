"""Quantization: networks whose training computes what an int8 device computes."""
