"""The curve is read while it is written: at any moment a prefix of the file is on disk."""

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from playground.training.metrics import KEYS, MetricsReader, read_since

LINES = [
    {"step": 0, "eval_loss": 3.5, "epoch": 0.0},
    {"step": 1, "loss": 3.0, "learning_rate": 0.001, "grad_norm": 1.5, "tokens": 10, "time": 0.5, "epoch": 0.1},
    {"step": 2, "loss": 2.0},
    {"step": 2, "eval_loss": 2.5, "epoch": 0.2},
    {"step": 3, "loss": 1.0},
    {"step": 3, "loss": 0.9},
]
WHOLE = b"".join(json.dumps(line).encode() + b"\n" for line in LINES)


def test_losses_logged_apart_are_one_point_and_a_later_value_wins(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(WHOLE)
    points = read_since(path)
    assert [point["step"] for point in points] == [0, 1, 2, 3]
    assert (points[2]["loss"], points[2]["eval_loss"], points[2]["epoch"]) == (2.0, 2.5, 0.2)
    assert points[3]["loss"] == 0.9
    assert all(tuple(point) == KEYS for point in points)
    assert points[0]["loss"] is None


def test_since_gives_what_came_after_and_zero_gives_all(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(WHOLE)
    assert [point["step"] for point in read_since(path, 1)] == [2, 3]
    assert [point["step"] for point in read_since(path, 0)] == [0, 1, 2, 3]
    assert read_since(path, 99) == []


@given(cuts=st.lists(st.integers(0, len(WHOLE)), max_size=12))
def test_reading_at_arbitrary_moments_ends_with_the_same_points(cuts: list[int], tmp_path_factory: object) -> None:
    path = tmp_path_factory.mktemp("curve") / "metrics.jsonl"  # type: ignore[attr-defined]
    reader, seen = MetricsReader(path), {}
    for cut in [*sorted(cuts), len(WHOLE)]:
        path.write_bytes(WHOLE[:cut])
        new = reader.new()
        assert [point["step"] for point in new] == sorted({point["step"] for point in new})
        seen.update({point["step"]: point for point in new})
    assert list(seen.values()) == read_since(path)
    assert reader.new() == []


def test_a_missing_file_is_an_empty_curve(tmp_path: Path) -> None:
    reader = MetricsReader(tmp_path / "metrics.jsonl")
    assert reader.new() == []
    (tmp_path / "metrics.jsonl").write_bytes(WHOLE)
    assert len(reader.new()) == 4


def test_what_is_no_point_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(b'\xff\xfe\n{"loss": 1}\n[1]\n{"step": true}\n{"step": "4"}\n\n{"step": 5, "loss": 1.0}\n{"step": 6, "lo')
    assert [point["step"] for point in read_since(path)] == [5]


def test_a_file_that_became_shorter_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(WHOLE)
    reader = MetricsReader(path)
    reader.new()
    path.write_bytes(b'{"step": 1, "loss": 7.0}\n')
    assert [(point["step"], point["loss"]) for point in reader.since(0)] == [(1, 7.0)]
    path.write_bytes(path.read_bytes() + b"".join(b'{"step": %d, "loss": 1.0}\n' % step for step in range(2, 9)))
    assert len(reader.since(0)) == 8
    path.write_bytes(b"".join(b'{"step": %d, "loss": 2.0}\n' % step for step in range(1, 20)))  # cut back, and longer by now
    assert [(point["step"], point["loss"]) for point in reader.since(0)] == [(step, 2.0) for step in range(1, 20)]
