"""What an exported starter model can do: ``python -m playground.starter.measure MODEL --corpus DIR --data DIR`` writes it into its card.

Knows prompts, greedy answers and scores: exact match and F1 over words as in SQuAD (Rajpurkar et al. 2016, arXiv 1606.05250), the best of
the answers given. Trains nothing.
"""

from __future__ import annotations

import argparse
import re
import string
import time
from collections import Counter
from pathlib import Path
from typing import Any

from . import exams
from .card import put_section

_ARTICLES = {"a", "an", "the", "o", "as", "os", "um", "uma"}
STORIES = (
    "Once upon a time there was a little girl",
    "The old king called his three sons",
    "In the morning the sea was",
    "A recipe for a good soup begins with",
    "Era uma vez",
)
ROOM = 1024  # tokens that the model reads


def words(text: str) -> list[str]:
    """Small letters, no punctuation, no articles."""
    plain = text.lower().translate(str.maketrans("", "", string.punctuation))
    return [word for word in plain.split() if word not in _ARTICLES]


def f1(given: str, right: str) -> float:
    """Harmonic mean of precision and recall over words, 0 to 1; two empty answers agree."""
    one, two = words(given), words(right)
    if not one or not two:
        return float(one == two)
    common = sum((Counter(one) & Counter(two)).values())
    return 2 * common / (len(one) + len(two))


def repetition(text: str, length: int = 4) -> float:
    """Share of the runs of ``length`` words that stood in the text before, 0 to 1 (as Welleck et al. 2019, arXiv 1908.04319)."""
    said = text.lower().split()
    runs = [tuple(said[at : at + length]) for at in range(len(said) - length + 1)]
    return 1 - len(set(runs)) / len(runs) if runs else 0.0


def answers(model: Any, tokenizer: Any, exam: exams.Exam, tokens: int = 40, batch: int = 32) -> list[str]:
    """Greedy answers, in the exam's order; prompts longer than the model reads lose their beginning."""
    import torch

    tokenizer.padding_side = tokenizer.truncation_side = "left"
    prompts = [tokenizer.apply_chat_template([t._asdict() for t in a.turns], add_generation_prompt=True, tokenize=False) for a in exam]
    said = [""] * len(exam)
    order = sorted(range(len(exam)), key=lambda at: len(prompts[at]))
    for start in range(0, len(order), batch):
        chosen = order[start : start + batch]
        encoded = tokenizer(
            [prompts[at] for at in chosen],
            return_tensors="pt",
            padding=True,
            truncation=True,
            max_length=ROOM - tokens,
            add_special_tokens=False,
        )
        with torch.no_grad():
            out = model.generate(input_ids=encoded.input_ids, attention_mask=encoded.attention_mask, max_new_tokens=tokens, do_sample=False)
        for at, row in zip(chosen, out[:, encoded.input_ids.shape[1] :], strict=True):
            said[at] = tokenizer.decode(row, skip_special_tokens=True).strip()
    return said


def score(exam: exams.Exam, said: list[str]) -> dict[str, float]:
    """Questions, exact match and F1 (means, 0 to 1)."""
    pairs = [[(f1(given, right), words(given) == words(right)) for right in a.answers] for a, given in zip(exam, said, strict=True)]
    return {
        "questions": len(exam),
        "exact": sum(any(same for _, same in pair) for pair in pairs) / len(exam),
        "f1": sum(max(value for value, _ in pair) for pair in pairs) / len(exam),
    }


def measure(model: Any, tokenizer: Any, corpus: Path, data: Path, count: int = 200) -> dict[str, dict[str, float]]:
    """Scores by the name of the exam, and under ``repetition`` the share of repeated runs in free writing."""
    told = {"fairytaleqa (validation)": exams.fairytales(corpus / "fairytaleqa.tar.xz")}
    for language, name in (("en", "English"), ("pt", "Portuguese")):
        known, unknown = exams.pira(data / "questions" / "pira_validation.csv", language)
        told |= {f"pira, {name}": known, f"pira, {name}, not in the text": unknown}
    told["emotion, labels named, nothing taught"] = exams.feelings(data / "reports" / "emotion_validation.csv", 1000)
    told |= {f"skill: {name}": exam for name, exam in exams.skills(count).items()}
    found: dict[str, dict[str, float]] = {}
    for name, exam in told.items():
        began = time.time()
        found[name] = score(exam, answers(model, tokenizer, exam))
        print(f"{name}: {found[name]} ({time.time() - began:.0f} s)", flush=True)
    return found


def free_writing(model: Any, tokenizer: Any) -> list[tuple[str, float, str]]:
    """(beginning, temperature, what follows) for each beginning at temperature 0 and 0.7."""
    import torch

    from .sample import generate

    torch.manual_seed(1)
    written = []
    for beginning in STORIES:
        ids = tokenizer(beginning, return_tensors="pt", add_special_tokens=False).input_ids
        written += [(beginning, temperature, generate(model, tokenizer, ids, 80, temperature)) for temperature in (0.0, 0.7)]
    return written


def section(found: dict[str, dict[str, float]], written: list[tuple[str, float, str]]) -> str:
    """The figures and the page of samples, as the card shows them."""
    rows = "\n".join(f"| {name} | {its['questions']:,.0f} | {its['exact']:.2f} | {its['f1']:.2f} |" for name, its in found.items())
    repeated = " and ".join(
        f"{sum(repetition(text) for _, t, text in written if t == wanted) / len(STORIES):.2f} at temperature {wanted:g}"
        for wanted in (0.0, 0.7)
    )
    page = "\n\n".join(
        f"**{beginning}** ({temperature:g})\n\n> " + re.sub(r"\s*\n+\s*", " / ", text) for beginning, temperature, text in written
    )
    return f"""Greedy answers; exact match and F1 over words, the better of the right answers. A skill is measured with wordings that
training never saw.

| exam | questions | exact | F1 |
|---|---:|---:|---:|
{rows}

Share of repeated runs of four words in free writing: {repeated}. What was written there (temperature in brackets):

{page}
"""


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=Path, help="the exported model's folder")
    parser.add_argument("--corpus", type=Path, required=True, help="folder of the corpus archives (*.tar.xz)")
    parser.add_argument("--data", type=Path, required=True, help="folder with questions/ and reports/")
    parser.add_argument("--count", type=int, default=200, help="questions of each skill")
    parser.add_argument("--card", action="store_true", help="write the figures into the model's README.md")
    given = parser.parse_args()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(given.model, local_files_only=True).float().eval()
    tokenizer = AutoTokenizer.from_pretrained(given.model, local_files_only=True)
    text = section(measure(model, tokenizer, given.corpus, given.data, given.count), free_writing(model, tokenizer))
    print(text)
    if given.card:
        card = given.model / "README.md"
        card.write_text(put_section(card.read_text("utf-8"), "Measured", text), "utf-8")


if __name__ == "__main__":
    main()
