"""One module for each operator, or family of operators that differ by a formula."""
