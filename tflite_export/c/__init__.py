"""A graph as C: arrays for an interpreter, or code that needs none."""
