"""CPU seconds of a process and of those that work for it."""

import contextlib
import os
from pathlib import Path


def cpu_seconds():
    """Returns what this process has used so far, and those that it started, also where they live on."""
    used, parents = {}, {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has ended meanwhile
            fields = file.read_text().rpartition(")")[2].split()
            pid = int(file.parent.name)
            parents[pid], used[pid] = int(fields[1]), sum(map(int, fields[11:15]))
    mine = [os.getpid()]
    for pid in mine:
        mine += [child for child, parent in parents.items() if parent == pid]
    return sum(used[pid] for pid in mine) / os.sysconf("SC_CLK_TCK")
