"""Lighter architectures: cheaper layers in the place of others, and networks scaled as a whole."""
