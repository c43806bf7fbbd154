"""The size of passages: as it is set, kept with its collection, and shown before indexing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from playground.errors import SettingsError
from playground.rag import preview as previews
from playground.rag.chunks import Chunk, Size, chunk, size_in, size_of
from playground.rag.pdf import Page
from playground.rag.preview import preview, shared
from playground.settings import PROJECT
from playground.ui.i18n import Texts
from playground.ui.passage_size import drawn, limit

TEXT = " ".join(f"Sentence number {n} speaks of tea, cake and the harbour." for n in range(120))
TEXTS = Texts(PROJECT / "assets/locales")


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return Tokenizer.from_file(str(PROJECT / "assets/starter/embedder/tokenizer.json"))


def test_sizes_as_they_are_set() -> None:
    assert size_of(None) is None and size_of({}) is None
    assert size_of({"tokens": 100.0, "overlap": 25}) == Size(100, 25)
    assert Size.read() == Size(220, 0) == size_in({}) and size_in({"passage_tokens": 64, "passage_overlap": 8}) == Size(64, 8)


@pytest.mark.parametrize(
    "wanted", [{"tokens": 63}, {"tokens": 401}, {"tokens": 100, "overlap": 26}, {"overlap": -1}, {"tokens": "9"}, {"x": 1}]
)
def test_what_is_no_size_is_a_sentence(wanted: dict[str, Any]) -> None:
    with pytest.raises(SettingsError):
        size_of(wanted)


@settings(max_examples=40, deadline=None)
@given(tokens=st.integers(64, 400), part=st.floats(0, 0.25))
def test_passages_keep_to_their_size_and_repeat_no_more_than_asked(tokenizer: Tokenizer, tokens: int, part: float) -> None:
    overlap = int(tokens * part)
    chunks = list(chunk([Page(1, "", TEXT)], tokenizer, tokens, overlap))
    for one in chunks:
        assert len(tokenizer.encode(one.text, add_special_tokens=False).ids) <= tokens
        assert TEXT[one.start : one.start + len(one.text)] == one.text
    for before, one in pairwise(chunks):
        repeated = shared(before, one)
        assert before.text.endswith(one.text[:repeated])
        assert len(tokenizer.encode(one.text[:repeated], add_special_tokens=False).ids) <= overlap + 1
        assert overlap or not repeated


def test_small_passages_are_many_and_overlap_shows(tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr(previews.pdf, "read", lambda *_, **__: ((9, Page(n, "", TEXT)) for n in range(1, 10)))
    small, large = (preview(tmp_path, "a.pdf", tokenizer, Size(size, overlap)) for size, overlap in ((64, 16), (400, 0)))
    assert (small.pages, small.total) == (3, 9) and {one.page for one in small.cuts} == {1, 2, 3}
    assert len(small.cuts) > 3 * len(large.cuts)
    assert any(one.shared for one in small.cuts) and not any(one.shared for one in large.cuts)
    assert max(one.tokens for one in small.cuts) <= 64


@settings(max_examples=20, deadline=None)
@given(tokens=st.integers(64, 400), reads=st.integers(20, 300))
def test_no_passage_is_longer_than_the_embedder_reads(tokenizer: Tokenizer, tokens: int, reads: int) -> None:
    begins = TEXT[: TEXT.rfind(" ", 0, 900)]  # in the middle of a sentence, of which the next page has the end
    pages = [Page(1, "", begins), Page(2, "", "which " + "goes on and on " * 20 + "until it ends here. And more.")]
    chunks = list(chunk(pages, tokenizer, tokens, tokens // 4, reads))
    assert max(len(tokenizer.encode(one.text, add_special_tokens=False)) for one in chunks) <= reads
    words = " ".join(one.text for one in chunks)
    assert all(word in words for page in pages for word in page.text.split())


def test_that_an_embedder_reads_less_is_said_where_the_size_is_chosen() -> None:
    def say(key: str, **values: Any) -> str:
        return TEXTS.say(key, "en", **values)

    assert "the first 126 tokens of a passage" in limit(220, 126, say)
    assert limit(126, 126, say) == limit(400, None, say) == ""


def test_pages_share_nothing() -> None:
    assert shared(Chunk(0, 1, "", 0, "abc"), Chunk(1, 2, "", 0, "abc")) == 0 == shared(None, Chunk(0, 1, "", 0, "abc"))


def test_the_preview_is_drawn_and_data_is_no_markup() -> None:
    def say(key: str, **values: Any) -> str:
        return TEXTS.say(key, "en", **values)

    cuts = [previews.Cut(1, "<b>one</b>", 3, 0), previews.Cut(1, "<b>two</b>", 4, 3), previews.Cut(2, "three", 5, 0)]
    told = drawn(previews.Preview("<i>", 2, 9, cuts), say)
    assert "<b>one" not in told and told.count("<li>") == 3 and told.count('class="repeated"') == 1
    assert "Passages: 3" in told and "Pages read for this: 2 of 9." in told and "of 4 tokens on average" in told
    assert "&lt;i&gt; hold no text" in drawn(previews.Preview("<i>", 2, 9, []), say)
