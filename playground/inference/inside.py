"""Looking inside: what each model held possible at every place of answers that are there already, side by side.

Each answer is read once by every model (teacher forcing); the numbers are the plain softmax at temperature 1, whatever the answer was drawn
with. Where models disagree is told by the Jensen-Shannon divergence of their distributions over the next token, in bits (Lin, 1991,
"Divergence measures based on the Shannon entropy", IEEE Transactions on Information Theory 37:1): 0 where they are the same, 1 where two
of them have nothing in common. Does not know runs, owners or screens; which bases there are, it is told.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from playground.errors import ModelUnavailable, PromptError
from playground.inference.adapters import Loaded
from playground.inference.base import Base, Given
from playground.inference.forced import Forced, force, namer, shown
from playground.inference.panes import MEMORY_FULL, Pane
from playground.models.formats import format_of
from playground.models.template import spelled

log = logging.getLogger(__name__)
LIKELIEST = 5
MARKS, LEAST_BITS = 5, 0.1  # the strongest disagreements of an answer are marked, if they are any
MOST_ANSWERS = 8
MOST_BYTES = 256 * 1024**2  # of logits at a time, in float32
MOST_TOKENS = 8_192  # read at a time
PLACES = 64  # compared at a time
GIVE_WAY = 0.01  # seconds between two passes, in which others may ask
OTHERS_NUMBERS = "These numbers were not computed by the model that they would be shown for, so they are not shown. Try again."

Hold = Callable[[Pane], AbstractContextManager[Base]]
Place = dict[str, Any]


@dataclass(frozen=True)
class Answered:
    """An answer to look into; `ended`: it came to an end by itself. The right answer has no key."""

    key: str | None
    text: str
    ended: bool = True


def answered(answers: Any, right: str | None, characters: int) -> list[Answered]:
    """Read what is to be looked into: {key: text}, or {key: {text, ended}}, or a list of {key, text, ended}; and the right answer.

    Raises:
        PromptError: nothing at all, too many, too long, or of another shape.
    """
    if isinstance(answers, list):
        pairs = [(one.get("key"), one) if isinstance(one, dict) else (None, None) for one in answers]
    else:
        pairs = list(answers.items()) if isinstance(answers, dict) else [] if answers is None else [(None, None)]
    found: list[Answered] = []
    for key, one in pairs:
        text, ended = (one.get("text"), one.get("ended", True)) if isinstance(one, dict) else (one, True)
        if not isinstance(key, str) or not isinstance(text, str) or not isinstance(ended, bool) or key in {other.key for other in found}:
            raise PromptError("Answers to look into are texts, each under a name of its own.")
        found.append(Answered(key, text, ended))
    if right is not None and not isinstance(right, str):
        raise PromptError("The right answer is a text.")
    if len(found) > MOST_ANSWERS:
        raise PromptError("At most {most} answers can be looked into at a time.", most=MOST_ANSWERS)
    found += [Answered(None, right)] if right and right.strip() else []
    if not found:
        raise PromptError("There is no answer to look into yet. Ask a question first.")
    if max(len(one.text) for one in found) > characters:
        raise PromptError("An answer to look into can have {limit:,} characters. Shorten it.", limit=characters)
    return found


def look(shared: Sequence[Sequence[Pane]], answers: Sequence[Answered], hold: Hold, wanted: int) -> dict[str, Any]:
    """Every answer read by the model of every pane.

    Args:
        shared: the panes, those of one base together.
        hold: gives the base of a pane, loaded and locked for as long as it is needed; it is let go between two passes.

    Returns:
        `prompts`: for each pane `raw` (runs of (text, is a control token)), `tokens` and `cut`; `proofs`: who computed each pane's
        numbers; `answers` by key, and `right` or None, each as `_told` gives it.

    Raises:
        ModelUnavailable: a model or an adapter cannot be had, was not the one that computed, or memory is full.
    """
    panes = [pane for group in shared for pane in group]
    forced: dict[str, list[Forced]] = {}
    prompts: dict[str, Any] = {}
    vocabulary = 0
    for group in shared:
        with hold(group[0]) as base:
            tokenizer, vocabulary = base.tokenizer, max(vocabulary, base.vocabulary)
            for pane in group:
                given = [force(tokenizer, pane.conversation, one.text, one.ended, base.ref.window, base.room(wanted)) for one in answers]
                first = given[0]
                forced[pane.key] = given
                prompts[pane.key] = {"raw": shown(tokenizer, first.prompt), "tokens": len(first.prompt), "cut": first.cut}
    one_of_them = forced[panes[0].key]
    if any([one.answer for one in given] != [one.answer for one in one_of_them] for given in forced.values()):
        raise ModelUnavailable("These models write with different tokens, so their numbers cannot be set side by side.")
    found: list[list[Place]] = [[] for _ in answers]
    proofs: dict[str, dict[str, str] | None] = {}
    for number, block in enumerate(blocks(list(forced.values()), vocabulary)):
        if number:
            time.sleep(GIVE_WAY)  # a lock that is let go for no time at all is taken again before anybody else wakes
        logits: dict[str, list[Any]] = {}
        for group in shared:
            with hold(group[0]) as base:
                for pane, parts, proof in _read(base, group, forced, block):
                    logits[pane.key], proofs[pane.key] = parts, proof
        for place, (answer, start, stop) in enumerate(block):
            ids = one_of_them[answer].answer[start:stop]
            found[answer] += compared({key: parts[place] for key, parts in logits.items()}, ids)
    keys = [pane.key for pane in panes]
    told = [_told(tokenizer, *one, keys) for one in zip(answers, one_of_them, found, strict=True)]
    return {
        "prompts": prompts,
        "proofs": proofs,
        "answers": {one.key: this for one, this in zip(answers, told, strict=True) if one.key is not None},
        "right": next((this for one, this in zip(answers, told, strict=True) if one.key is None), None),
    }


Part = tuple[int, int, int]  # an answer's number, and which of its places


def blocks(forced: Sequence[Sequence[Forced]], vocabulary: int) -> Iterator[list[Part]]:
    """What is read in one pass: whole answers as long as their numbers fit into memory, or a part of a very long one."""
    most = max(1, MOST_BYTES // (4 * len(forced) * vocabulary))
    block: list[Part] = []
    for number, given in enumerate(zip(*forced, strict=True)):
        tokens, places = max(len(one.prompt) + len(one.answer) for one in given), len(given[0].answer)
        if places > most:
            yield from ([(number, start, min(places, start + most))] for start in range(0, places, most))
        elif places:
            longest = max(places, *(stop for _, _, stop in block), 0)
            if block and ((len(block) + 1) * longest > most or (len(block) + 1) * len(forced) * tokens > MOST_TOKENS):
                yield block
                block = []
            block.append((number, 0, places))
    if block:
        yield block


def _read(
    base: Base, group: Sequence[Pane], forced: Mapping[str, Sequence[Forced]], block: Sequence[Part]
) -> Iterator[tuple[Pane, list[Any], dict[str, str] | None]]:
    """The logits of a block for every pane of a base, in one batch where its adapters can share one. The base's lock is held."""
    loaded: dict[str, Loaded | None] = {}
    for pane in group:
        keep = frozenset(one.key for one in loaded.values() if one)
        own = None if pane.adapter is None or pane.adapter.whole else pane.adapter
        loaded[pane.key] = base.adapters.put_on(own, keep) if own and base.adapters else None
    mixed = all(one is None or one.mixable for one in loaded.values())
    for turn in [list(group)] if mixed else [[pane] for pane in group]:
        rows = [
            Given(this.prompt, this.answer[:stop], loaded[pane.key], start)
            for pane in turn
            for this, start, stop in ((forced[pane.key][answer], start, stop) for answer, start, stop in block)
        ]
        read = _watched(base, rows)
        for place, pane in enumerate(turn):
            own_rows = read[place * len(block) : (place + 1) * len(block)]
            sha = pane.adapter.sha256 if pane.adapter else None
            if any((proof or {}).get("sha256") != sha for _, proof in own_rows):
                log.error("pane %s was read by %s instead of %s", pane.key, own_rows[0][1], pane.adapter)
                raise ModelUnavailable(OTHERS_NUMBERS)
            yield pane, [part for part, _ in own_rows], own_rows[0][1]


def _watched(base: Base, rows: Sequence[Given]) -> list[tuple[Any, dict[str, str] | None]]:
    try:
        return base.read(rows)
    except Exception as error:
        base.forget()  # PEFT leaves its hooks on the model when a pass breaks off
        if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
            raise ModelUnavailable(MEMORY_FULL) from error
        raise


def compared(logits: Mapping[str, Any], ids: Sequence[int]) -> list[Place]:
    """The numbers of each place, by pane: of tensors of shape (places, vocabulary), and the tokens that stand there.

    Returns:
        For each place `divergence` (bits), `by` pane `log_probability` (natural), `rank` (from 1) and `likeliest` (token, probability),
        and `likeliest`: the five that any of them held likeliest, as (token, its probability by pane).
    """
    import torch

    places: list[Place] = []
    if len({part.shape for part in logits.values()}) > 1:
        raise ModelUnavailable("These models write with different tokens, so their numbers cannot be set side by side.")
    for start in range(0, len(ids), PLACES):
        wanted = ids[start : start + PLACES]
        one = next(iter(logits.values()))
        each = torch.stack([part[start : start + PLACES].to(one.device).float().log_softmax(-1) for part in logits.values()])
        middle = each.logsumexp(0) - math.log(len(logits))
        bits = (each.exp() * (each - middle)).nan_to_num(0.0).sum(-1).mean(0).clamp(min=0) / math.log(2)
        own = each.gather(-1, torch.tensor(wanted, device=one.device).expand(len(logits), -1).unsqueeze(-1))
        ranks = ((each > own).sum(-1) + 1).tolist()
        top = each.topk(min(LIKELIEST, each.shape[-1]), -1)
        top_ids, top_values = top.indices.tolist(), top.values.exp().tolist()
        any_ids = each.amax(0).topk(min(LIKELIEST, each.shape[-1]), -1).indices
        any_values = each.gather(-1, any_ids.expand(len(logits), -1, -1)).exp().tolist()
        own_values, bit_values, any_listed = own.squeeze(-1).tolist(), bits.tolist(), any_ids.tolist()
        for place, id in enumerate(wanted):
            by = {
                key: {
                    "log_probability": own_values[number][place],
                    "rank": ranks[number][place],
                    "likeliest": list(zip(top_ids[number][place], top_values[number][place], strict=True)),
                }
                for number, key in enumerate(logits)
            }
            any_of_them = [
                (token, {key: any_values[number][place][which] for number, key in enumerate(logits)})
                for which, token in enumerate(any_listed[place])
            ]
            places.append({"id": id, "divergence": bit_values[place], "by": by, "likeliest": any_of_them})
    return places


def _told(tokenizer: Any, one: Answered, given: Forced, places: Sequence[Place], keys: Sequence[str]) -> dict[str, Any]:
    """An answer in plain values.

    `by` pane: `probability`, the mean probability of a token (geometric: exp of the mean log-probability, the inverse of perplexity), the
    token that ends the answer counted in, and `log_probability`, natural, of the whole. `pieces`: `text`, `control` and `tokens`, of which
    there are several only where a character is made of them. The strongest disagreements have a `mark`, from 1.
    """
    name, control = namer(tokenizer), format_of(tokenizer).control_ids
    strongest = sorted((-place["divergence"], number) for number, place in enumerate(places) if place["divergence"] >= LEAST_BITS)
    marks = {number: mark for mark, (_, number) in enumerate(strongest[:MARKS], 1)}
    tokens = [_token(place, marks.get(number), name) for number, place in enumerate(places)]
    pieces, at = [], 0
    for text, count in spelled(tokenizer, given.answer):
        pieces.append({"text": text, "control": given.answer[at] in control, "tokens": tokens[at : at + count]})
        at += count
    totals = {key: sum(place["by"][key]["log_probability"] for place in places) for key in keys}
    return {
        "text": one.text,
        "ended": one.ended,
        "tokens": len(places),
        "left_out": given.left_out,
        "by": {
            key: {"probability": math.exp(total / len(places)) if places else None, "log_probability": total}
            for key, total in totals.items()
        },
        "pieces": pieces,
        "raw": shown(tokenizer, given.answer),
    }


def _token(place: Place, mark: int | None, name: Callable[[int], str]) -> dict[str, Any]:
    by = {
        key: {
            "probability": math.exp(own["log_probability"]),
            "rank": own["rank"],
            "likeliest": [{"text": name(id), "probability": probability} for id, probability in own["likeliest"]],
        }
        for key, own in place["by"].items()
    }
    likeliest = [{"id": id, "text": name(id), "by": probabilities} for id, probabilities in place["likeliest"]]
    return {"id": place["id"], "divergence": place["divergence"], "mark": mark, "by": by, "likeliest": likeliest}
