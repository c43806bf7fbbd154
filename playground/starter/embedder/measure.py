"""Measuring: ``python -m playground.starter.embedder.measure MODEL_DIR --corpus DIR --questions DIR`` measures.

Knows which sets choose the fusion's weight and which only report; trains nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from . import card, ranking
from .questions import QuestionSet, fairytales, pira, squad

WEIGHTS = tuple(round(0.05 * step, 2) for step in range(21))
FLAT = 0.002  # of mean reciprocal rank; a judgement
NORMALISATIONS: tuple[ranking.Normalisation, ...] = ("minmax", "z")


class Lists(NamedTuple):
    """What both searches found for each question of a set, and the right passages."""

    keyword: list[ranking.Scores]
    dense: list[ranking.Scores]
    gold: list[int]

    def fused(self, weight: float, how: ranking.Normalisation = "minmax") -> np.ndarray:
        """Places of the right passages after convex fusion."""
        return ranking.ranks([ranking.convex(k, d, weight, how) for k, d in zip(self.keyword, self.dense, strict=True)], self.gold)


def load(folder: Path) -> Any:
    """The shipped model, in float32, so that sums are not rounded to float16."""
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu", local_files_only=True).float()


def search(model: Any, asked: QuestionSet, width: int | None = None) -> Lists:
    """Both searches over one set, with vectors cut to ``width`` if one is given."""
    texts = [question.text for question in asked.questions]
    vectors = [model.encode(part, truncate_dim=width, normalize_embeddings=True) for part in (texts, asked.passages)]
    similarities = vectors[0] @ vectors[1].T
    return Lists(
        ranking.keyword_lists(asked.passages, texts),
        ranking.dense_lists(np.asarray(similarities)),
        [question.passage for question in asked.questions],
    )


def speed(model: Any, passages: Sequence[str], seconds: float = 2.0) -> float:
    """Passages in a second of processor time, that of the tokenizer's threads included: what one free core does."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        model.encode(list(passages[:8]))
        done, start = 0, time.process_time()
        while time.process_time() - start < seconds:
            model.encode(list(passages), batch_size=32)
            done += len(passages)
        return done / (time.process_time() - start)
    finally:
        torch.set_num_threads(threads)


def sweep(found: Lists) -> dict[str, list[float]]:
    """Mean reciprocal rank at each weight, for both normalisations."""
    return {how: [ranking.quality(found.fused(weight, how))["mrr@10"] for weight in WEIGHTS] for how in NORMALISATIONS}


def best_weight(sweeps: Sequence[Sequence[float]]) -> float:
    """The smallest weight whose mean over the sets is the best or hardly below it.

    The curve is flat at its top, and the dense part knows the kinds of text that choose better than it will know a stranger's.
    """
    means = np.mean(sweeps, axis=0)
    return WEIGHTS[int(np.argmax(means >= means.max() - FLAT))]


def figures(model: Any, choosing: Sequence[QuestionSet], reporting: Sequence[QuestionSet], narrow: int) -> dict[str, Any]:
    """Everything the card tells: the sets in ``choosing`` set the weight, those in ``reporting`` only show what it gives."""
    found = {asked.name: search(model, asked) for asked in (*choosing, *reporting)}
    sweeps = {name: sweep(lists) for name, lists in found.items()}
    weight = best_weight([sweeps[asked.name]["minmax"] for asked in choosing])
    sets = {}
    for asked in (*choosing, *reporting):
        lists = found[asked.name]
        keyword, dense = ranking.ranks(lists.keyword, lists.gold), ranking.ranks(lists.dense, lists.gold)
        fused = lists.fused(weight)
        cut = search(model, asked, narrow)
        pairs = zip(lists.keyword, lists.dense, strict=True)
        by_place = ranking.ranks([ranking.reciprocal(k, d) for k, d in pairs], lists.gold)
        better = keyword if ranking.reciprocals(keyword).mean() >= ranking.reciprocals(dense).mean() else dense
        sets[asked.name] = {
            "language": asked.language,
            "chooses": asked in choosing,
            "passages": len(asked.passages),
            "questions": len(asked.questions),
            "keyword": ranking.quality(keyword),
            "dense": ranking.quality(dense),
            "cut": ranking.quality(ranking.ranks(cut.dense, cut.gold)),
            "fused": ranking.quality(fused),
            "reciprocal": ranking.quality(by_place),
            "gain": ranking.difference(fused, better),
            "sweep": sweeps[asked.name],
        }
    return {
        "weight": weight,
        "weights": {
            how: {language: best_weight([sweeps[s.name][how] for s in choosing if s.language == language]) for language in ("en", "pt")}
            for how in NORMALISATIONS
        },
        "passages_per_second": round(speed(model, choosing[0].passages)),
        "sets": sets,
    }


def table(measured: dict[str, Any]) -> str:
    """The figures for the eye."""
    lines = [
        f"dense weight {measured['weight']} (minmax); per language {measured['weights']}; {measured['passages_per_second']} passages/s"
    ]
    for name, told in measured["sets"].items():
        lines.append(f"{name}: {told['passages']} passages, {told['questions']} questions")
        for way in ("keyword", "dense", "cut", "fused", "reciprocal"):
            lines.append(f"  {way:<10} " + "  ".join(f"{key} {value:.3f}" for key, value in told[way].items()))
        gain, low, high = told["gain"]
        lines.append(f"  fused over the better part: {gain:+.3f} [{low:+.3f}, {high:+.3f}]")
        lines += [f"  {how:<10} " + " ".join(f"{value:.3f}" for value in values) for how, values in told["sweep"].items()]
    return "\n".join(lines)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="the embedder's folder")
    parser.add_argument("--corpus", type=Path, required=True, help="folder of the corpus archives (*.tar.xz)")
    parser.add_argument("--questions", type=Path, required=True, help="folder of the question sets")
    parser.add_argument("--card", action="store_true", help="write figures.json and README.md into the model's folder")
    given = parser.parse_args()
    measured = figures(
        load(given.model),
        [fairytales(given.corpus / "fairytaleqa.tar.xz", "held"), squad(given.questions / "squad1_pt_sample.json", "held")],
        [pira(given.questions / "pira_validation.csv", "en"), pira(given.questions / "pira_validation.csv", "pt")],
        json.loads((given.model / "training.json").read_text())["dimensions"][1],
    )
    print(table(measured))
    if given.card:
        (given.model / "figures.json").write_text(json.dumps(measured, indent=1) + "\n")
        (given.model / "README.md").write_text(card.write(given.model, measured))


if __name__ == "__main__":
    main()
