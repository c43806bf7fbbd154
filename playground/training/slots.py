"""How many runs may train at once, and on which cards: one on each, some on several, and one where there is none.

Who sits on which card stands in the runs' own status, so an app that is started anew knows it too. Starts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from playground.settings import visible_cards
from playground.system import gpus
from playground.training import record

VISIBLE = "CUDA_VISIBLE_DEVICES"
Cards = Callable[[], Sequence[str]]


class Slots:
    """The places where runs train. `cards`: the cards' names, asked once, when the first run is to start."""

    def __init__(self, cards: Cards | None = None) -> None:
        self._ask = cards or gpus

    @cached_property
    def cards(self) -> tuple[str, ...]:
        return tuple(self._ask())

    def free(self, active: Sequence[Path]) -> list[str | None]:
        """A card for each run that may start beside those that are active; None stands for the processor."""
        if not self.cards:
            return [] if active else [None]
        seats = [str(record.status(folder).get("gpu") or "").split(",") for folder in active]
        taken = {card for seat in seats for card in seat}
        left: list[str | None] = [card for card in self.cards if card not in taken]
        # one that does not say where it sits, or sits on a card that is not ours any more, takes a place all the same
        return left[: max(0, len(self.cards) - sum(map(len, seats)))]

    def seat(self, active: Sequence[Path], waiting: Sequence[Path]) -> list[tuple[Path, str | None]]:
        """Which of those that wait may start beside those that are active, each with its cards' names.

        The first that needs more cards than are free holds back all behind it, or it would wait for as long as others come. One that
        needs more than there are is let through, to be refused.
        """
        left, seated = self.free(active), []
        for folder in waiting:
            wanted = processes(folder)
            count = wanted if wanted <= self.most else 1
            if count > len(left):
                break
            cards, left = left[:count], left[count:]
            seated.append((folder, ",".join(card for card in cards if card is not None) or None))
        return seated

    @property
    def most(self) -> int:
        """How many processes one run can have here."""
        return max(1, len(self.cards))


def processes(folder: Path) -> int:
    """How many cards a run wants for itself."""
    return record.config(folder).get("settings", {}).get("num_processes") or 1


def environment(card: str | None) -> dict[str, str]:
    """What tells a worker to use its own card, or cards, only: two on one would fill its memory."""
    if card is None:
        return {}
    if visible_cards() is not None:  # the names are the host's own
        return {VISIBLE: card}
    return {VISIBLE: card, "CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # the order in which the driver's tool counted them
