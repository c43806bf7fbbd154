"""Where words stand on a page, as shares of its width and height. Knows neither files nor pictures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Box:
    """A word on a page. Sides are shares (0..1) of the page as it is shown, from its top left corner; `confidence` (0..1) is the reader's
    own where the word was read from a picture, else None."""

    text: str
    left: float
    top: float
    right: float
    bottom: float
    confidence: float | None = None
