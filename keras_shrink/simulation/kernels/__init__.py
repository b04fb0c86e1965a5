"""One module for each family of operators."""
