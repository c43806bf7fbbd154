"""One answer at a time on a page, under threads as Gradio has them."""

from __future__ import annotations

import copy
import itertools
import threading
import time

import pytest

from playground.ui import turn as turns
from playground.ui.turn import Turn


class Writer(threading.Thread):
    """Answers word by word, as a handler does, until it is told to end."""

    def __init__(self, turn: Turn, question: str, shown: list[str], words: int = 1_000_000) -> None:
        super().__init__(daemon=True)
        self.turn, self.question, self.shown, self.words = turn, question, shown, words
        self.begun, self.twice, self.overtaken = threading.Event(), False, False
        self.start()

    def run(self) -> None:
        with self.turn.taken(self.question) as mine:
            self.begun.set()
            if mine is None:
                self.twice = True
                return
            for _ in range(self.words):
                if mine.over:
                    break
                self.shown.append(self.question)
                time.sleep(0.001)
            self.overtaken = mine.overtaken


def begun(turn: Turn, question: str, shown: list[str], words: int = 1_000_000) -> Writer:
    writer = Writer(turn, question, shown, words)
    assert writer.begun.wait(5)
    return writer


def test_a_new_question_ends_the_answer_before_it_and_shows_last() -> None:
    shown: list[str] = []
    turn = Turn()
    first = begun(turn, "a", shown)
    second = begun(turn, "b", shown, 20)
    first.join(5)
    second.join(5)
    assert first.overtaken and not second.overtaken
    assert shown == ["a"] * shown.count("a") + ["b"] * 20


def test_of_many_who_ask_at_once_one_is_left() -> None:
    shown: list[str] = []
    turn = Turn()
    writers = [Writer(turn, str(number), shown) for number in range(20)]
    time.sleep(0.2)
    assert sum(one.is_alive() for one in writers) == 1
    turn.stop()
    time.sleep(0.1)
    assert not any(one.is_alive() for one in writers)
    order = [shown[0], *(now for before, now in itertools.pairwise(shown) if now != before)]
    assert len(order) == len(set(order)), "no answer shows anything after another's"


def test_one_press_that_comes_twice_asks_once() -> None:
    shown: list[str] = []
    turn = Turn()
    first = begun(turn, "a", shown)
    again = begun(turn, "a", shown)
    again.join(5)
    assert again.twice and first.is_alive()
    turn.stop()
    first.join(5)
    assert not first.overtaken
    repeated = begun(turn, "a", shown, 1)
    repeated.join(5)
    assert not repeated.twice, "once it has ended it can be asked again"


def test_stop_waits_for_the_last_word() -> None:
    shown: list[str] = []
    turn = Turn()
    turn.stop()
    writer = begun(turn, "a", shown)
    turn.stop()
    written = len(shown)
    time.sleep(0.05)
    assert len(shown) == written
    writer.join(5)


def test_an_answer_whose_reader_is_gone_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turns, "LEAVES", 0.05)
    turn = Turn()
    left = turn.taken("a")
    left.__enter__()
    with turn.taken("b") as mine:
        assert mine is not None
        left.__exit__(None, None, None)  # comes back late
        with turn.taken("b") as again:
            assert again is None, "and does not end what came after it"


def test_a_failure_gives_the_turn_back() -> None:
    turn = Turn()
    with pytest.raises(ValueError), turn.taken("a"):
        raise ValueError
    with turn.taken("a") as mine:
        assert mine is not None and not mine.over


def test_every_page_has_its_own() -> None:
    turn = Turn()
    with turn.taken("a"), copy.deepcopy(turn).taken("a") as mine:
        assert mine is not None
