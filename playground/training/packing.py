"""Which short rows come together in one long row when a run packs them: what TRL will do, told before TRL is loaded.

Best fit decreasing (Ding et al., 2024, "Fewer Truncations Improve Language Modeling", arXiv:2404.10830), within each thousand rows, since
so many are handed to it at once. Pure arithmetic; does not know tokens.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Sequence

AT_ONCE = 1000  # rows that `datasets` gives `trl.pack_dataset` at a time


def pack(lengths: Sequence[int], most: int) -> list[list[int]]:
    """The places of the rows that share a packed row of at most `most` tokens; `lengths` are in tokens, none of them above `most`."""
    packed: list[list[int]] = []
    for start in range(0, len(lengths), AT_ONCE):
        places = range(start, min(start + AT_ONCE, len(lengths)))
        free: list[tuple[int, int]] = []  # (tokens that still fit, number of the packed row), ascending
        for place in sorted(places, key=lengths.__getitem__, reverse=True):
            found = bisect_left(free, (lengths[place], 0))
            room, number = free.pop(found) if found < len(free) else (most, len(packed))
            if number == len(packed):
                packed.append([])
            packed[number].append(place)
            insort(free, (room - lengths[place], number))
    return packed
