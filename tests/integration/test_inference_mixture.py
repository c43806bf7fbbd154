"""Rows with adapters of their own in one pass: the same scores as PEFT's own way, and a note of what was really applied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from playground.inference.adapters import Adapters
from playground.inference.mixture import Mixture
from playground.models.catalog import ModelRef
from playground.models.loading import load
from tests.integration.conftest import MakeAdapter

IDS = torch.tensor([[5, 9, 33, 120], [7, 7, 260, 40], [5, 9, 33, 120], [1, 2, 3, 4], [5, 9, 33, 120]])


@pytest.fixture(params=[False, True], ids=["whole", "4-bit"])
def adapters(request: pytest.FixtureRequest, tiny_ref: ModelRef) -> Adapters:
    return Adapters(load(tiny_ref, request.param, "cpu"))


def near(one: torch.Tensor, other: torch.Tensor, adapters: Adapters) -> bool:
    """Whether scores are the same; the products of 4-bit layers are in bfloat16, and not the same for every shape."""
    return torch.allclose(one, other, atol=0.3 if getattr(adapters._base, "is_quantized", False) else 2e-4, rtol=1e-3)


def scores(adapters: Adapters, rows: list[Any]) -> torch.Tensor:
    with torch.inference_mode(), adapters.active(rows) as (model, options):
        return torch.as_tensor(model(input_ids=IDS, **options).logits)


def test_scores_are_those_of_peft(adapters: Adapters, adapter: MakeAdapter, monkeypatch: pytest.MonkeyPatch) -> None:
    one, two = (
        adapters.put_on(adapter(name, **options))
        for name, options in (("one", {}), ("wide", {"seed": 4, "r": 8, "target_modules": ["q_proj", "down_proj"]}))
    )
    rows = [None, one, two, None, one]
    ours = scores(adapters, rows)
    assert [adapters.witnessed(row) and adapters.witnessed(row)["name"] for row in range(5)] == [None, "one", "wide", None, "one"]  # type: ignore[index]
    assert not near(ours[0], ours[2], adapters)
    base = scores(adapters, [None] * 5)
    assert near(base[[0, 3]], ours[[0, 3]], adapters)
    monkeypatch.setattr(Mixture, "suits", staticmethod(lambda peft: False))
    adapters._mixture = None
    theirs = scores(adapters, rows)
    assert near(ours, theirs, adapters), (ours - theirs).abs().max()
    assert not near(theirs[2], theirs[0], adapters)


def test_nothing_is_left_on_the_model(adapters: Adapters, adapter: MakeAdapter) -> None:
    before = scores(adapters, [None] * 5)
    one = adapters.put_on(adapter("one"))
    with pytest.raises(ZeroDivisionError), adapters.active([one] * 5):
        raise ZeroDivisionError
    assert torch.equal(scores(adapters, [None] * 5), before), "the base stays itself to the last bit"
    assert not any("forward" in module.__dict__ and "Layer" in repr(module.__dict__["forward"]) for module in adapters._peft.modules())


def test_another_set_of_adapters_is_another_mixture(adapters: Adapters, adapter: MakeAdapter) -> None:
    first = adapters.put_on(adapter("one"))
    alone = scores(adapters, [first] * 5)
    second = adapters.put_on(adapter("two", seed=2))
    scores(adapters, [second] * 5)
    mixed = scores(adapters, [first, second, first, second, first])
    assert near(mixed[[0, 2, 4]], alone[[0, 2, 4]], adapters)
    assert not near(mixed[1], alone[1], adapters)


def test_what_is_no_plain_adapter_is_left_to_peft(tiny_ref: ModelRef, adapter: MakeAdapter, tmp_path: Path) -> None:
    adapters = Adapters(load(tiny_ref, False, "cpu"))
    adapters.put_on(adapter("dora", use_dora=True, seed=5))
    assert not Mixture.suits(adapters._peft)
