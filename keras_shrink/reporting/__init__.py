"""The report on a compressed model: what was done, what it cost, what to flash, on one page."""
