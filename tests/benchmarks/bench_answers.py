"""Answers from documents against expected ones, and refusals of what the documents do not tell, on questions nothing was set with.

python -m tests.benchmarks.bench_answers [EMBEDDER]

Each set's passages are one collection, searched and quoted as the Documents tab does it; of the held sets, the starter is also let put the
answer into its own words. Questions without an answer are
Pirá's and the sample handbook's own, and those of documents that were left out of the collection. `evidence.ENOUGH` was set on the sample
handbook; the threshold that the `apart` questions below would choose is tried beside it on the `held` ones, which are of other documents.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from playground.asking import ANSWER_TOKENS
from playground.inference.generate import GenerationSettings
from playground.inference.host import Host
from playground.inference.panes import Pane
from playground.intervals import bootstrap
from playground.messages import conversation
from playground.models.catalog import STARTER, Catalog
from playground.rag import evidence
from playground.rag.answer import Generate, respond
from playground.rag.chunks import Chunk
from playground.rag.embedders import Embedder, Embedders
from playground.rag.exam.expected import Expected
from playground.rag.exam.figures import figures
from playground.rag.exam.marks import Row, marked
from playground.rag.exam.threshold import best, score, told_apart
from playground.rag.index import Index
from playground.rag.retrieve import CANDIDATES, fuse
from playground.rag.store import EVIDENCE_PASSAGES
from playground.rag.text import language_of
from playground.rag.thesaurus import Thesaurus
from playground.settings import PROJECT, Settings
from playground.starter import cleaning
from playground.starter.embedder import questions
from tests.benchmarks.bench_retrieval import DATA
from tests.benchmarks.report import write

PIRA, SQUAD = DATA / "questions" / "pira_validation.csv", DATA / "questions" / "squad1_pt_sample.json"
FAIRY = DATA / "corpus" / "fairytaleqa.tar.xz"
SAMPLES = PROJECT / "assets" / "samples"
Listed = list[tuple[Expected, int]]  # a question and the number of its passage, -1 where there is none
Texts = tuple[list[str], Listed]


def pira(language: str) -> Texts:
    """All texts; the questions with every right answer, and those that their text does not answer."""
    made = questions.pira(PIRA, language)  # type: ignore[arg-type]
    listed: Listed = []
    with PIRA.open(encoding="utf-8", newline="") as opened:
        for row in csv.DictReader(opened):
            text = cleaning.one_line(row["abstract" if language == "en" else "abstract_translated_pt"])
            told = [cleaning.one_line(row[f"answer_{language}_{kind}"]) for kind in ("origin", "validate")]
            answers = tuple(one for one in told if one) if row["at_labels"] != "0.0" else ()
            listed.append((Expected(cleaning.one_line(row[f"question_{language}_origin"]), answers), made.passages.index(text)))
    return made.passages, [one for one in listed if one[0].answers or one[0].question]


def fairytales(part: questions.Part, every: int = 1) -> Texts:
    """Every other story is left out, and with it what answers its questions."""
    sections, answers = questions.fairytales(FAIRY, part), {}
    split = "train" if part == "train" else "val"
    for _, rows in questions.csv_members(FAIRY, (f"questions/{split}",)):
        for row in rows:
            answers[cleaning.one_line(row["question"])] = tuple(
                a for n in range(1, 7) if (a := cleaning.one_line(row.get(f"answer{n}") or ""))
            )
    return _halved(sections, lambda text: answers.get(text, ()), every)


def squad(part: questions.Part, every: int = 1) -> Texts:
    """Every other paragraph is left out."""
    made, answers = questions.squad(SQUAD, part), {}
    for article in json.loads(SQUAD.read_text("utf-8"))["data"]:
        for paragraph in article["paragraphs"]:
            for asked in paragraph["qas"]:
                told = [cleaning.without_tags(one["text"]) for one in asked["answers"]]
                answers[cleaning.without_tags(asked["question"])] = tuple(told)
    made = made._replace(documents=[str(number) for number in range(len(made.passages))])
    return _halved(made, lambda text: answers.get(text, ()), every)


def _halved(made: questions.QuestionSet, answers: Callable[[str], tuple[str, ...]], every: int) -> Texts:
    known = list(dict.fromkeys(made.documents))
    gone = set(known[1::2])
    kept = [number for number, name in enumerate(made.documents) if name not in gone]
    place = {number: at for at, number in enumerate(kept)}
    listed = [
        (Expected(one.text, answers(one.text) if one.passage in place else ()), place.get(one.passage, -1))
        for one in made.questions[::every]
        if answers(one.text)
    ]
    return [made.passages[number] for number in kept], listed


def in_own_words(settings: Settings) -> Generate:
    """The starter, asked as the Documents tab asks it."""
    catalog = Catalog(settings)
    host, ref = Host(catalog), catalog.resolve(STARTER)

    def generate(prompt: str) -> Iterator[dict[str, Any]]:
        pane = Pane("answer", ref, False, None, conversation(prompt))
        for states in host.stream([pane], GenerationSettings(max_new_tokens=ANSWER_TOKENS)):
            yield vars(states["answer"])

    return generate


def rows(texts: Texts, embedder: Embedder, thesaurus: Thesaurus, path: Path, generate: Generate | None) -> list[Row]:
    """Each question's row, as the app makes it; `generate` also words the answers that there are."""
    passages, listed = texts
    index = Index(path)
    index.create()
    document = index.register("all", "all", "all")
    vectors = embedder.passages(passages).astype(np.float16).astype(np.float32)
    chunks = [Chunk(number, number + 1, "", 0, text) for number, text in enumerate(passages)]
    ids = index.finish(document.id, chunks, vectors, [])
    made = []
    for one, place in listed:
        asked = evidence.asked(one.question)
        related = thesaurus.related(asked)
        cosines = vectors @ embedder.question(one.question)
        dense = [(ids[at], float(cosines[at])) for at in np.argsort(-cosines)[:CANDIDATES]]
        others = index.related([word for group in related.values() for word in group], CANDIDATES)
        weight = embedder.weight(language_of(one.question))
        found = fuse(dense, index.keyword(one.question, CANDIDATES), weight, 10, others)
        known = index.passages([r.id for r in found])
        best_of = [known[r.id] for r in found[:EVIDENCE_PASSAGES]]
        sentences = evidence.find(one.question, best_of, index.rarity(asked), embedder.passages, related)
        words = generate if one.answers else None
        *_, last = respond(one.question, sentences, lambda passage: passage.text, words, small=True)
        page = place + 1 if one.answers and place >= 0 else None
        wanted = Expected(one.question, one.answers, "", page)
        hits = [{"page": known[r.id].page, "document": "all", "text": known[r.id].text} for r in found]
        made.append(marked(wanted, vars(last), hits, stands=False, asked_model=words is not None))
    return made


def handbook(collections: Any) -> list[Row]:
    told = json.loads((SAMPLES / "harbour_cafe_questions.json").read_text("utf-8"))
    listed = [Expected(one["question"], (one["answer"],), "", one["page"]) for one in told["answerable"]]
    listed += [Expected(one["question"]) for one in told["unanswerable"]]
    made = []
    for one in listed:
        hits = collections.search("me", one.question, "Handbook", 10)
        *_, last = collections.ask("me", one.question, "Handbook", None, small=True)
        made.append(marked(one, last, hits, stands=False, asked_model=False))
    return made


def measured(home: Path, embedder: str = "starter") -> dict[str, list[Row]]:
    """The rows of every set by its name; `apart` ones are those that the threshold may be set on."""
    from playground.jobs import Jobs, follow
    from playground.rag.store import Collections
    from playground.workspace import Workspace

    settings = Settings(home=home)
    loaded = Embedders(settings).load(embedder)
    thesaurus = Thesaurus(settings.assets / "starter" / "related_words.txt")
    sets: dict[str, Texts] = {
        "fairytaleqa, apart": fairytales("train", 12),
        "squad in Portuguese, apart": squad("train", 4),
        "Pirá in English, held": pira("en"),
        "Pirá in Portuguese, held": pira("pt"),
        "fairytaleqa, held": fairytales("held", 2),
        "squad in Portuguese, held": squad("held"),
    }
    words = in_own_words(settings)
    told = {
        name: rows(texts, loaded, thesaurus, home / f"{number}.sqlite", words if name.endswith("held") else None)
        for number, (name, texts) in enumerate(sets.items())
    }
    collections = Collections(Workspace(home), settings, Jobs(Workspace(home)))
    book = SAMPLES / "harbour_cafe_handbook.pdf"
    job, _ = collections.add("me", [(book, book.name)], "Handbook", embedder)
    for _ in follow(job):
        pass
    return {**told, "the sample handbook": handbook(collections)}


def refusing(found: Sequence[Row], threshold: float) -> list[str]:
    """Precision, recall and F1 of refusing below a threshold, the last with its interval."""
    answerable, unanswerable = told_apart(found)
    precision, recall, f1 = score(answerable, unanswerable, threshold)
    wrong, right = (answerable < threshold).astype(float), (unanswerable < threshold).astype(float)
    parts = np.concatenate([np.stack([0 * wrong, wrong], 1), np.stack([2 * right, right + 1], 1)])
    low, high = bootstrap(parts) or (f1, f1)
    return [f"{precision:.2f}", f"{recall:.2f}", f"{f1:.2f} [{low:.2f}, {high:.2f}]"]


def chosen_apart(found: dict[str, list[Row]]) -> float:
    """The threshold with the highest mean F1 over the sets that are apart, in steps of 0.01."""
    apart = [told_apart(those) for name, those in found.items() if name.endswith("apart")]
    return float(max(np.arange(0.2, 0.8, 0.01), key=lambda tried: np.mean([score(*kinds, tried)[2] for kinds in apart])))


def main() -> int:
    if not DATA.is_dir():
        print("the shared question sets are not here", file=sys.stderr)
        return 1
    embedder = sys.argv[1] if len(sys.argv) > 1 else "starter"
    with tempfile.TemporaryDirectory() as home:
        report(measured(Path(home), embedder), embedder)
    return 0


def report(found: dict[str, list[Row]], embedder: str) -> None:
    """Both sections of RESULTS.md."""
    table = []
    for name, those in found.items():
        told = figures(those)
        cells = [
            f"{told[key]['value']:.3f} [{told[key]['low']:.3f}, {told[key]['high']:.3f}]" if key in told else ""
            for key in ("exact_match", "token_f1", "right", "model_token_f1")
        ]
        table.append([f"{name} ({told['token_f1']['n']} / {told['right']['n']})", *cells])
    write(
        "Answers from documents",
        f"The document's own sentence as the answer, embedder {embedder}, threshold {evidence.ENOUGH}. Exact match and token F1 as in "
        "SQuAD, over questions with an answer (a refusal scores 0); a whole sentence around a short answer costs F1. Right: it holds the "
        "expected answer word for word, or nothing was there and it was refused; over all questions. The last column is what the starter, "
        "a model of 8 M parameters, makes of the evidence in its own words, which the page shows below the sentence.",
        ["set (with an answer / all)", "exact match", "token F1", "right", "token F1 of the starter's own words"],
        table,
    )
    table, apart = [], chosen_apart(found)
    for name, those in found.items():
        answerable, unanswerable = told_apart(those)
        own = best(answerable, unanswerable)
        count = f"{name} ({len(answerable)} / {len(unanswerable)})"
        other = "" if name.endswith("apart") else refusing(those, apart)[2]
        table.append([count, *refusing(those, evidence.ENOUGH), other, f"{own:.2f}: {score(answerable, unanswerable, own)[2]:.2f}"])
    write(
        "Refusals",
        f"Questions with and without an answer in the documents, refused where the evidence is below a threshold, embedder {embedder}. "
        f"The playground's, {evidence.ENOUGH}, was set on the sample handbook; {apart:.2f} is what the sets that are apart choose. F1 with "
        "its 95 % interval; the last column is the best threshold for just this set, chosen with its answers known. Pirá's questions "
        "without an answer are about a text in the collection that does not tell: no threshold knows them by how near that text is.",
        [
            "set (with / without an answer)",
            "refusals that were right",
            "unanswerable ones refused",
            f"F1 at {evidence.ENOUGH}",
            f"F1 at {apart:.2f}",
            "its own best threshold: F1",
        ],
        table,
    )


if __name__ == "__main__":
    sys.exit(main())
