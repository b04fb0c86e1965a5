"""Kernels in C99, one in a file; `write_c` copies those that a model uses."""
