"""In which order operators run, where the graph leaves a choice and memory depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence, Set

from tflite_export.c.program import Operand, Step

WIDTH = 200  # partial orders kept from one operator to the next


def better_order(steps: Sequence[Step], present: Set, kept: Set, sizes: Mapping) -> tuple[int, ...] | None:
    """Returns an order of the steps whose largest sum of live buffers is smaller, or None.

    Partial orders grow by one step at a time; of those that have run the same steps the one with the
    lowest peak is kept, and of all those the `WIDTH` lowest.

    Args:
        steps: Calls of each operator, in the order of the file.
        present: Keys of buffers that are there before the first step.
        kept: Keys of buffers that outlive the last step.
        sizes: Key -> bytes.

    Example:
    >>> from tflite_export.c.order import better_order
    >>> better_order((), set(), set(), {}) is None
    True
    """
    reads, writes = zip(*(_traffic(step) for step in steps), strict=True) if steps else ((), ())
    before = _dependencies(reads, writes)
    uses: dict = {}
    for read in reads:
        for key in read:
            uses[key] = uses.get(key, 0) + 1
    search = _Search(steps, reads, writes, kept, sizes)
    given = search.start(present, uses)
    for i in range(len(steps)):
        given = search.run(given, i)
    front = {0: search.start(present, uses)}
    choice = False
    for _ in steps:
        following: dict = {}
        for done, path in front.items():
            ready = [i for i in range(len(steps)) if not done >> i & 1 and not before[i] & ~done]
            choice |= len(ready) > 1
            for i in ready:
                grown = search.run(path, i)
                known = following.get(done | 1 << i)
                if known is None or grown.rank() < known.rank():
                    following[done | 1 << i] = grown
        front = dict(sorted(following.items(), key=lambda item: (item[1].rank(), item[0]))[:WIDTH])
    if not choice:
        return None
    best = min(front.values(), key=lambda path: path.rank())
    return best.order if best.peak < given.peak else None


def _traffic(step):
    """Keys that a step reads and keys that it writes."""
    read, written = {}, {}
    for call in step.calls:
        read.update((o.tensor, None) for o in call.inputs if isinstance(o, Operand))
        written.update((o.tensor, None) for o in call.outputs)
    return tuple(read), tuple(written)


def _dependencies(reads, writes):
    """For each step the bits of those that must run before it."""
    before = []
    for i in range(len(reads)):
        bits = 0
        for j in range(i):
            touched = set(writes[j]) & (set(reads[i]) | set(writes[i]))
            if touched or set(reads[j]) & set(writes[i]):
                bits |= 1 << j
        before.append(bits)
    return before


class _Path:
    """Steps run so far, what is live after them, and the most that was live on the way."""

    def __init__(self, order, live, uses, peak):
        self.order, self.live, self.uses, self.peak = order, live, uses, peak

    def rank(self):
        """Low is good: the peak, then what is live, then the order of the file."""
        return self.peak, sum(self.live.values()), self.order


class _Search:
    def __init__(self, steps, reads, writes, kept, sizes):
        self.steps, self.reads, self.writes, self.kept, self.sizes = steps, reads, writes, kept, sizes

    def start(self, present, uses):
        """The path before the first step."""
        live = {key: self.sizes.get(key, 0) for key in present}
        return _Path((), live, dict(uses), sum(live.values()))

    def run(self, path, i):
        """The path after one more step."""
        live, uses = dict(path.live), dict(path.uses)
        for key in self.writes[i]:
            live[key] = self.sizes[key]
        scratch = max((call.scratch_bytes for call in self.steps[i].calls), default=0)
        during = sum(live.values()) + scratch
        dead = []
        for key in self.reads[i]:
            uses[key] -= 1
            if not uses[key] and key not in self.kept:
                dead.append(key)
        overlapped = [call.inputs[o.input] for call in self.steps[i].calls for o in call.overlaps]
        shared = {source.tensor for source in overlapped if isinstance(source, Operand)}
        replaced = [self.sizes[key] for key in dead if key in shared]
        if replaced:
            during -= min(max(replaced), sum(self.sizes[key] for key in self.writes[i]))
        for key in dead:
            del live[key]
        for key in self.writes[i]:
            if not uses.get(key) and key not in self.kept:
                live.pop(key, None)
        return _Path((*path.order, i), live, uses, max(path.peak, during))
