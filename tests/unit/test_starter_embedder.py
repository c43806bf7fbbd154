"""The recipe of the embedder: pairs, rankings, rows, and what the shipped folder holds."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from playground.starter.embedder import batches, pairs, questions, ranking, rows, tokenizer
from playground.starter.sources import SOURCES, Document

FOLDER = Path(__file__).parents[2] / "assets" / "starter" / "embedder"
needs_asset = pytest.mark.skipif(not (FOLDER / "model.safetensors").is_file(), reason="the embedder is not there")
TEXT = " ".join(f"Sentence number {n} tells of the old mill and of miller {n}." for n in range(60))


def test_passages_keep_every_word_and_no_short_tail():
    parts = pairs.passages(TEXT, 50)
    assert " ".join(parts) == TEXT
    assert all(17 <= len(part.split()) <= 90 for part in parts)
    assert pairs.passages("") == []


def test_a_cloze_question_is_words_of_its_passage():
    for seed in range(20):
        made = pairs.cloze(random.Random(seed), pairs.passages(TEXT)[0])
        assert made is not None
        asked, rest = made
        assert set(asked.split()) <= set(TEXT.split()) and len(rest) > 100
    assert pairs.cloze(random.Random(0), "One short sentence.") is None


def test_countries_and_recipes_give_their_names_with_their_facts():
    country = Document(
        "cia_factbook", "xx", "Norway\n\nA kingdom in the north.\n\nCapital: name: Oslo\n\nClimate: temperate along the coast"
    )
    found = {(p.question, p.passage) for p in pairs.mined([country])}
    assert ("climate Norway", "Norway. Climate: temperate along the coast") in found
    assert any("Oslo" in passage for asked, passage in found if "capital" in asked.lower())
    recipe = Document("public_domain_recipes", "r", "Fish Soup\n\nIngredients\n- fish\n- water\nCook the fish in the water.")
    assert [p.question for p in pairs.mined([recipe])] == ["Fish Soup"]


def test_nothing_measured_is_trained_on(shared_data: Path):
    corpus, asked = shared_data / "corpus", shared_data / "questions"
    held = [questions.squad(asked / "squad1_pt_sample.json", "held"), questions.fairytales(corpus / "fairytaleqa.tar.xz", "held")]
    measured = [*held, questions.pira(asked / "pira_validation.csv", "en"), questions.pira(asked / "pira_validation.csv", "pt")]
    train = pairs.training_sets(corpus, asked)
    told = {passage for made in train for passage in made.passages}
    wanted = {question.text for made in train for question in made.questions}
    for made in measured:
        assert made.questions and not set(made.passages) & told
        # Short questions ("Who was the king?") are asked of more than one story.
        assert not {q.text for q in made.questions if len(q.text.split()) > 8} & wanted
    for learnt, kept in ((train[0], held[1]), (train[1], held[0])):
        assert not set(learnt.documents) & set(kept.documents)
    share = len(held[0].passages) / (len(held[0].passages) + len(train[1].passages))
    assert 0.2 < share < 0.3
    assert all("cc by-sa" not in source.licence.lower() for source in SOURCES if source.name in pairs.MINED)


def test_generated_pairs_have_their_answer_in_the_passage():
    made = list(pairs.generated(1, 200))
    assert {p.language for p in made} == {"en", "pt"} and len(made) > 100
    for pair in made:
        assert pair.question.endswith("?") and pair.question not in pair.passage


def test_a_batch_holds_no_passage_and_no_question_twice():
    made = [pairs.Pair("ufam_acts", f"g{n % 7}", "pt", f"question {n % 90}", f"passage {n % 60}") for n in range(400)]
    dealt = batches.batches(made, 32, 1)
    again = batches.batches(made, 32, 1)
    for _ in range(40):
        batch = next(dealt)
        assert batch == next(again) and batches.FEWEST <= len(batch) <= 32
        assert len({p.passage for p in batch}) == len({p.question for p in batch}) == len(batch)
    with pytest.raises(ValueError):
        next(batches.batches([], 32, 1))


def test_drawn_questions_are_pieces_of_their_passages():
    texts = [np.arange(n, n + 30) for n in range(50)]
    asked, told = batches.drawn(texts, np.ones(100), 32, np.random.default_rng(1))
    assert len(asked) == len(told) > 8
    assert all(set(a) <= set(t) and 1 <= len(a) <= 8 for a, t in zip(asked, told, strict=True))
    assert len(batches.thinned(np.arange(3), 1.0, np.random.default_rng(1))) == 3


def test_the_tokenizer_folds_case_accents_and_marks():
    made = tokenizer.train(["a previsão da precipitação, the forecast of rain " * 30], vocabulary=120)
    assert made.encode("PREVISAO!").ids == made.encode("previsão").ids
    assert made.encode("... !").ids == [] and tokenizer.encode(made, ["..."])[0].tolist() == [0]


def test_rarity_goes_by_the_language_in_which_a_piece_is_common():
    made = tokenizer.train(["que the casa house"] * 50, vocabulary=60)
    rare = tokenizer.rarity(made, [["the house"] * 100, ["que casa", "que"]])
    place = made.token_to_id
    assert rare[place("que")] == rare[place("the")] < 0.02 and rare[place("casa")] > 0.6


def test_common_pieces_have_rows_of_their_own():
    rare = np.linspace(0, 6, 100)
    mapping = rows.shared_rows(rare, 40, seed=1)
    assert sorted(set(mapping)) == list(range(40))
    assert len(set(mapping[:20])) == 20 and not set(mapping[:20]) & set(mapping[20:])
    assert np.bincount(mapping[20:])[20:].max() == 4
    assert rows.piece_weights(rare)[0] == 0


def test_keyword_search_folds_accents_and_bears_any_question():
    found = ranking.keyword_lists(["A previsão do tempo", "O mar e a areia"], ["PREVISAO?", 'mar" OR "', "?!", "zzz"])
    assert [list(scores) for scores in found] == [[0], [1], [], []]


def test_fusion_at_its_ends_is_one_of_its_parts():
    words, meaning = {1: 9.0, 2: 5.0, 3: 1.0}, {3: 0.9, 2: 0.5, 4: 0.1}
    assert max(ranking.convex(words, meaning, 0.0), key=ranking.convex(words, meaning, 0.0).get) == 1
    assert max(ranking.convex(words, meaning, 1.0), key=ranking.convex(words, meaning, 1.0).get) == 3
    assert max(ranking.reciprocal(words, meaning), key=ranking.reciprocal(words, meaning).get) == 3
    assert ranking.convex({}, {}, 0.5) == {}


@given(
    st.dictionaries(st.integers(0, 30), st.floats(-5, 5), max_size=20),
    st.dictionaries(st.integers(0, 30), st.floats(-5, 5), max_size=20),
    st.floats(0, 1),
    st.sampled_from(["minmax", "z"]),
)
@settings(max_examples=60, deadline=None)
def test_fusion_ranks_every_passage_once(words, meaning, weight, how):
    fused = ranking.convex(words, meaning, weight, how)
    assert set(fused) == {*words, *meaning}
    places = [int(ranking.ranks([fused], [at])[0]) for at in fused]
    assert sorted(places) == list(range(1, len(fused) + 1))


def test_quality_and_difference():
    places = np.array([1, 2, 0, 11])
    assert ranking.quality(places) == {"recall@1": 0.25, "recall@5": 0.5, "mrr@10": 0.375}
    gain, low, high = ranking.difference(np.array([1] * 50), np.array([2] * 50))
    assert gain == low == high == 0.5


@needs_asset
def test_the_folder_is_small_and_holds_no_code():
    files = [file for file in FOLDER.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) <= 8_000_000
    assert {file.suffix for file in files} <= {".json", ".safetensors", ".md"}


@needs_asset
def test_the_card_tells_the_measured_figures():
    text, told = (FOLDER / "README.md").read_text(), json.loads((FOLDER / "figures.json").read_text())
    assert text.startswith("---\nlicense: mit\n")
    assert set(told["sets"]) == {"fairytaleqa_held", "squad_pt_held", "pira_en", "pira_pt"}
    for name, figures in told["sets"].items():
        for way in ("keyword", "dense", "cut", "fused", "reciprocal"):
            assert f"{figures[way]['recall@1']:.2f} / {figures[way]['recall@5']:.2f} / {figures[way]['mrr@10']:.2f}" in text, name
        assert figures["gain"][2] >= 0, f"fusion is worse than its better part on {name}"
    for source in json.loads((FOLDER / "training.json").read_text())["pairs"]:
        assert f"| {source} |" in text
