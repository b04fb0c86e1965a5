"""Folders that a board's build system takes as they are."""
