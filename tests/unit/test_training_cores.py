"""Training leaves a core to whoever else works on the machine, and takes it back afterwards."""

import pytest

from playground.training.cores import EVERY, Cores, fitting


@pytest.mark.parametrize(
    ("cores", "others", "threads"),
    [(2, 0.0, 2), (2, 0.2, 2), (2, 0.9, 1), (2, 2.0, 1), (2, 5.0, 1), (1, 0.0, 1), (1, 1.0, 1), (8, 0.3, 8), (8, 3.0, 5), (8, 8.0, 1)],
)
def test_threads_that_fit(cores: int, others: float, threads: int) -> None:
    assert fitting(cores, others) == threads


def test_the_number_follows_what_others_take(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    clock = iter(
        [
            (0.0, 0.0, 0.0),
            (EVERY / 2, 9.0, 0.0),  # too early to look
            (EVERY, 2 * EVERY, EVERY),  # others hold one core
            (2 * EVERY, 4 * EVERY, 2 * EVERY),  # still: nothing changes
            (3 * EVERY, 6 * EVERY, 4 * EVERY),  # all busy time is ours
        ]
    )
    monkeypatch.setattr(Cores, "_now", staticmethod(lambda: next(clock)))
    cores = Cores(2, seen.append)
    for _ in range(4):
        cores.adapt()
    assert seen == [1, 2] and cores.threads == 2


def test_a_real_machine_can_be_looked_at() -> None:
    wall, busy, own = Cores._now()
    assert wall > 0 and busy > own > 0
