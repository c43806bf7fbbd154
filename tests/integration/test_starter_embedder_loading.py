"""The embedder as sentence-transformers loads it: the form it is shipped in, and that questions find their passages."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from playground.starter.embedder import rows, tokenizer

FOLDER = Path(__file__).parents[2] / "assets" / "starter" / "embedder"
needs_asset = pytest.mark.skipif(not (FOLDER / "model.safetensors").is_file(), reason="the embedder is not there")


def test_the_shipped_form_is_what_was_trained(tmp_path: Path):
    from sentence_transformers import SentenceTransformer

    from playground.starter.embedder import train

    made = tokenizer.train(["uma casa pequena, a small house on the hill"] * 20, vocabulary=80)
    rare = np.linspace(0.1, 6, made.get_vocab_size())
    module = rows.SharedRows(rows.shared_rows(rare, 30, 1), rows.piece_weights(rare), 16, 1)
    folder = train.save(module, made, tmp_path / "m", {})
    loaded = SentenceTransformer(str(folder), device="cpu", local_files_only=True).float()
    cut = tokenizer.encode(made, ["a small hill"])[0]
    own = module({"input_ids": torch.from_numpy(cut), "offsets": torch.tensor([0])})["sentence_embedding"].detach().numpy()
    assert np.allclose(loaded.encode(["a small hill"]), own, atol=3e-3)


@needs_asset
@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("When does the library close?", "The library opens at nine in the morning and closes at eight in the evening, except on Sundays."),
        ("How much does a ticket cost?", "Tickets for the ferry cost four dollars; children under six pay nothing."),
        ("Qual é o prazo para trancar a matrícula?", "O trancamento da matrícula deve ser pedido em até trinta dias do início do período."),
        ("Quem aprova o orçamento da universidade?", "O Conselho Universitário aprova o orçamento e as contas da universidade."),
    ],
)
def test_a_question_finds_its_passage(shipped, asked: str, told: str):
    others = [
        "The whale is the largest animal of the sea and feeds on krill.",
        "Mix the flour with butter and sugar, then bake it for half an hour.",
        "The king had three daughters, and the youngest loved the garden.",
        "A floresta amazônica abriga milhares de espécies de plantas e animais.",
        "O time venceu o campeonato depois de uma partida difícil na chuva.",
        "Asse o bolo por quarenta minutos e sirva com café.",
    ]
    similarities = shipped.similarity(shipped.encode([asked]), shipped.encode([told, *others]))[0]
    assert int(similarities.argmax()) == 0


@needs_asset
def test_a_vector_has_unit_length_and_no_text_breaks_it(shipped):
    made = shipped.encode(["a story of the sea", "história do mar", "", "!?", "日本語"])
    assert made.shape == (5, 512) and made.dtype == np.float32 and np.isfinite(made).all()
    assert np.allclose(np.linalg.norm(made[:2], axis=1), 1, atol=1e-5)


@pytest.fixture(scope="module")
def shipped():
    from playground.starter.embedder import measure

    return measure.load(FOLDER)
