"""Training: ``python -m playground.starter.embedder.train --corpus DIR --questions DIR --out DIR`` makes the embedder's folder.

Knows the order of the steps and the settings; measures nothing (that is ``measure``).
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file
from sentence_transformers import SentenceTransformer
from sentence_transformers.sentence_transformer.losses import MatryoshkaLoss, MultipleNegativesRankingLoss
from sentence_transformers.sentence_transformer.modules import Normalize, StaticEmbedding
from tokenizers import Tokenizer

from . import tokenizer as pieces
from .batches import batches, drawn, thinned
from .pairs import Pair, training_pairs
from .rows import SharedRows, piece_weights, shared_rows

DIMENSIONS = (512, 256)  # the width, and the width to which vectors may be cut
ROWS = 7_000
STEPS, BATCH, RATE, WARMUP, SCALE = 300, 384, 2e-3, 30, 20.0
KEYWORD_SHARE = 0.3  # batches whose questions are drawn from the passages
PORTUGUESE_SHARE = 0.4  # of those
THINNED = 0.2  # pieces left out of each text of the other batches
MOST_BYTES = 8_000_000
_LONG = 50  # words of a passage that counts for rarity and for drawing
# Texts that stand in the tokenizer's diet more than once: little Portuguese, and little English of this century.
_OFTEN = {"cia_factbook": 3, "plainlanguage_gov": 3, "self_instruct": 3, "public_domain_recipes": 3, "squad_pt_train": 8, "ufam_acts": 8}


def diet(pairs: Sequence[Pair]) -> Iterator[str]:
    """The texts on which the tokenizer is trained: passages and the sets' questions, as often as their source asks."""
    questions = [(p.question, p.source) for p in pairs if p.source in ("squad_pt_train", "fairytaleqa_train")]
    for text, source in dict.fromkeys([(p.passage, p.source) for p in pairs] + questions):
        for _ in range(_OFTEN.get(source, 1)):
            yield text


def long_passages(pairs: Sequence[Pair], language: str) -> list[str]:
    """The distinct longer passages in a language, in a fixed order."""
    return list(dict.fromkeys(p.passage for p in pairs if p.language == language and len(p.passage.split()) > _LONG))


def _features(texts: Sequence[np.ndarray]) -> dict[str, torch.Tensor]:
    """What StaticEmbedding makes of texts, from pieces cut beforehand."""
    offsets = np.cumsum([0] + [len(text) for text in texts[:-1]])
    return {"input_ids": torch.from_numpy(np.concatenate(texts)), "offsets": torch.from_numpy(offsets)}


def fit(rows: SharedRows, tokenizer: Tokenizer, pairs: Sequence[Pair], steps: int, seed: int) -> None:
    """Contrastive training in place: a question's passage against the other passages of the batch."""
    texts = list(dict.fromkeys(text for pair in pairs for text in (pair.question, pair.passage)))
    cut = dict(zip(texts, pieces.encode(tokenizer, texts), strict=True))
    pools = [[cut[text] for text in long_passages(pairs, language)] for language in ("en", "pt")]
    model = SentenceTransformer(modules=[rows], device="cpu")
    loss_of = MatryoshkaLoss(model, MultipleNegativesRankingLoss(model, scale=SCALE), list(DIMENSIONS))
    optimizer = torch.optim.Adam(rows.parameters(), lr=RATE, betas=(0.9, 0.98))
    rng = np.random.default_rng(seed)
    dealt = batches(pairs, BATCH, seed)
    weights = rows.weights.numpy()
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / WARMUP) * (1 - step / steps)
        if rng.random() < KEYWORD_SHARE and all(pools):
            asked, told = drawn(pools[rng.random() < PORTUGUESE_SHARE], weights, BATCH, rng)
        else:
            batch = next(dealt)
            asked = [thinned(cut[pair.question], THINNED, rng) for pair in batch]
            told = [thinned(cut[pair.passage], THINNED, rng) for pair in batch]
        loss = loss_of([_features(asked), _features(told)], torch.zeros(0))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if (step + 1) % 50 == 0:
            print(f"step {step + 1} loss {loss.item():.3f}", flush=True)


def save(rows: SharedRows, tokenizer: Tokenizer, out: Path, facts: dict[str, Any]) -> Path:
    """Write the model with the facts of its making beside ``out``, then put the folder in its place."""
    temporary = out.with_name(f".{out.name}.new")
    shutil.rmtree(temporary, ignore_errors=True)
    # The small stand-in writes everything but the weights as the library wants it.
    stand_in = StaticEmbedding(tokenizer, embedding_dim=1)
    SentenceTransformer(modules=[stand_in, Normalize()], device="cpu", similarity_fn_name="cosine").save(
        str(temporary), create_model_card=False
    )
    save_file(rows.tensors(), temporary / "model.safetensors")
    (temporary / "model.safetensors").chmod(0o644)
    (temporary / "training.json").write_text(json.dumps(facts, indent=1) + "\n")
    size = sum(file.stat().st_size for file in temporary.rglob("*") if file.is_file())
    if size > MOST_BYTES:
        raise ValueError(f"The folder has {size:,} bytes, more than {MOST_BYTES:,}")
    if out.exists():
        shutil.rmtree(out)
    temporary.replace(out)
    return out


def make(corpus: Path, asked: Path, out: Path, steps: int = STEPS, seed: int = 1, kept: Path | None = None) -> Path:
    """All of it: pairs, tokenizer, first weights, training, folder.

    The trainer of the tokenizer breaks ties by chance, so only with the tokenizer ``kept`` from an earlier run are the pieces the same.
    """
    torch.manual_seed(seed)
    pairs = training_pairs(corpus, asked, seed)
    tokenizer = Tokenizer.from_file(str(kept)) if kept else pieces.train(diet(pairs))
    rarity = pieces.rarity(tokenizer, [long_passages(pairs, language) for language in ("en", "pt")])
    rows = SharedRows(shared_rows(rarity, ROWS, seed), piece_weights(rarity), DIMENSIONS[0], seed)
    fit(rows, tokenizer, pairs, steps, seed)
    facts = {
        "steps": steps,
        "batch": BATCH,
        "seed": seed,
        "dimensions": DIMENSIONS,
        "rows": ROWS,
        "keyword_share": KEYWORD_SHARE,
        "pairs": dict(Counter(p.source for p in pairs).most_common()),
    }
    return save(rows, tokenizer, out, facts)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="folder of the corpus archives (*.tar.xz)")
    parser.add_argument("--questions", type=Path, required=True, help="folder of the Portuguese questions")
    parser.add_argument("--out", type=Path, required=True, help="the folder to write")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--tokenizer", type=Path, help="a tokenizer.json to keep instead of training one")
    given = parser.parse_args()
    torch.set_num_threads(2)
    print(make(given.corpus, given.questions, given.out, given.steps, given.seed, given.tokenizer))


if __name__ == "__main__":
    main()
