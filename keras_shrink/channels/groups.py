"""Dependency groups: channels that can only go together, and families of them that can be compared.

A class is a set of tied channels. A family holds the classes that touch the same layers, such as the 16
channels of a residual stage: they are ranked against one another and cut in steps that keep every layer of
the family at a multiple.
"""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field

import numpy as np

from keras_shrink.channels.network import Network, Source


@dataclass(frozen=True, eq=False)
class Family:
    """Classes that touch the same layers.

    Attributes:
        classes: Their numbers.
        sources: The layers whose channels they are.
        step: How many classes go at a time, so that each of these layers keeps a multiple.
    """

    classes: np.ndarray
    sources: tuple[Source, ...]
    step: int

    def cuts(self):
        """Returns how many classes are left after each possible cut, in descending order."""
        largest = (len(self.classes) - 1) // self.step * self.step
        return list(range(largest, 0, -self.step))


@dataclass(frozen=True, eq=False)
class Groups:
    """The classes and families of a network.

    Attributes:
        classes: Class of each channel.
        count: Number of classes.
        families: Those that may be cut.
        reasons: Class -> why it has to stay.
    """

    classes: np.ndarray
    count: int
    families: tuple[Family, ...]
    reasons: dict[int, str] = field(repr=False)

    @classmethod
    def of(cls, network: Network, multiple: int) -> Groups:
        """Returns the groups of a network, to be cut in steps that leave multiples of `multiple`."""
        classes, count = network.classes()
        reasons: dict[int, str] = {}
        for channel, reason in network.reasons.items():
            reasons.setdefault(int(classes[channel]), reason)
        touching = defaultdict(list)
        for source in network.sources.values():
            for name in np.unique(classes[source.ids]).tolist():
                touching[name].append(source)
        members = defaultdict(list)
        for name, sources in touching.items():
            if name not in reasons:
                members[tuple(id(source) for source in sources)].append(name)
        families = []
        for names in members.values():
            makers = tuple(touching[names[0]])
            step = _step(classes, np.array(names), makers, multiple)
            families.append(Family(np.array(names), makers, step))
        return cls(classes, count, tuple(families), reasons)

    def free(self, network: Network):
        """Returns the channels that layers make and that may be cut."""
        made = np.concatenate([np.zeros(0, int), *(source.ids for source in network.sources.values())])
        return made[~np.isin(self.classes[made], list(self.reasons))]

    def kept(self, alive):
        """Returns the function `ids -> number of those channels left` when these classes are alive."""
        left = alive[self.classes]
        return lambda ids: int(left[ids].sum())


def _step(classes, names, sources, multiple):
    step = 1
    for source in sources:
        found, counts = np.unique(classes[source.ids], return_counts=True)
        width = math.gcd(*counts[np.isin(found, names)].tolist()) * source.width
        step = math.lcm(step, multiple // math.gcd(multiple, width))
    return step
