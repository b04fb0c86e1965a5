r"""Candidates a second whose costs a search knows without converting, compiling or training them.

    python benchmarks/candidates_speed.py

For each ready-made space: candidates drawn at random, each with its multiply-accumulates, weight bytes,
arena, flash, RAM and instructions, by one process and by two beside each other; the median of five rounds.
"""

import concurrent.futures
import multiprocessing
import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

from keras_shrink import search
from keras_shrink.search.choices import Drawn

COUNT, ROUNDS = 200, 5
SPACES = {
    "ds_cnn": ((49, 10, 1), 12),
    "inverted_residual": ((96, 96, 3), 2),
    "resnet": ((32, 32, 3), 10),
    "cnn_1d": ((128, 9), 6),
    "mlp": ((640,), 10),
    "small_rnn": ((128, 9), 6),
}


def price(name, seed):
    """Prices candidates of a space, and returns how many of them a second."""
    space, generator = getattr(search.spaces, name)(*SPACES[name]), np.random.default_rng(seed)
    began = time.perf_counter()
    for _ in range(COUNT):
        search.cost_of(space(Drawn(generator)).graph())
    return COUNT / (time.perf_counter() - began)


def main():
    """Prints a row for each space."""
    # Not forked: as a user's workers are started.
    with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(price, ["mlp"] * 4, range(4)))
        print(f"{'space':<20}{'one process':>14}{'two processes':>16}   candidates a second")
        for name in SPACES:
            alone = [pool.submit(price, name, seed).result() for seed in range(ROUNDS)]
            both = [sum(pool.map(price, [name] * 2, [seed, seed + ROUNDS])) for seed in range(ROUNDS)]
            print(f"{name:<20}{statistics.median(alone):>14.0f}{statistics.median(both):>16.0f}", flush=True)


if __name__ == "__main__":
    main()
