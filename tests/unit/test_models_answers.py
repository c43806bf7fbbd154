"""Several answers in one conversation, and texts without any: what is trained, what is cut, and what is split."""

from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from playground.errors import PromptError
from playground.messages import Conversation, Message, conversation
from playground.models.catalog import ModelRef
from playground.models.formats import format_of
from playground.models.template import encode, encode_many, encode_parts, end_ids, load_tokenizer, pieces
from playground.models.turns import without_oldest
from tests.helpers import make_tokenizer
from tests.unit.test_models_template import GEMMA, LLAMA_2, THINKING, spaced, specials

STARTER = Path(__file__).parents[2] / "assets/starter/language-model"
# as some reasoning models write: thoughts of earlier answers are dropped, and only the last answer begins with an empty thought
FORGETFUL = (
    "{% for message in messages %}{% set content = message['content'] %}{% if message['role'] == 'assistant' %}"
    "{% set content = content.split('</think>')[-1].lstrip('\n') %}{% endif %}{{ '<|im_start|>' + message['role'] + '\n' }}"
    "{% if message['role'] == 'assistant' and loop.last %}{{ '<think>\n\n</think>\n\n' }}{% endif %}{{ content + '<|im_end|>\n' }}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n<think>\n\n</think>\n\n' }}{% endif %}"
)
LENGTH = "{% for message in messages %}{{ message['content'] | length }}{{ '<|im_end|>' }}{% endfor %}"  # shows no content at all
SETTINGS = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
CONTENT = st.one_of(
    st.text(
        alphabet=st.characters(exclude_categories=["Cs", "Cn"], exclude_characters="|<>\0\U000f0000\U000f0001"), min_size=1, max_size=30
    ),
    st.lists(
        st.sampled_from(["<|im_end|>", "<|im_start|>", "assistant", "\n", "user", "User: ", "Assistant:", " x ", "🙂"]),
        min_size=1,
        max_size=6,
    ).map("".join),
)


@lru_cache
def tokenizer_of(kind: str):  # type: ignore[no-untyped-def]
    if kind == "starter":
        return load_tokenizer(ModelRef("starter", str(STARTER), None, 2048))
    templates = {"plain": None, "gemma": GEMMA, "thinking": THINKING, "forgetful": FORGETFUL, "length": LENGTH}
    made = make_tokenizer(chat_template=templates[kind])
    if kind == "gemma":
        made.bos_token = "<|endoftext|>"
    return made


@st.composite
def talks(draw) -> Conversation:  # type: ignore[no-untyped-def]
    opening = draw(st.lists(st.builds(Message, st.just("system"), CONTENT), max_size=1))
    shown = draw(st.integers(0, 1))  # turns that stand in the prompt, as examples do
    said = [
        Message(role, draw(CONTENT)) for _ in range(draw(st.integers(2, 4)) + shown) for role in ("user", "assistant")
    ]  # fmt: skip
    cut = 2 * shown + 1
    return Conversation((*opening, *said[:cut]), tuple(said[cut:]))


def answers(chat: Conversation) -> list[str]:
    return [turn.content for turn in chat.completion if turn.role == "assistant"]


def learnt(tokenizer, encoded) -> list[str]:  # type: ignore[no-untyped-def]
    return [text for text, trained in pieces(tokenizer, encoded) if trained]


@pytest.mark.parametrize(("kind", "space"), [("starter", ""), ("plain", " ")])
@SETTINGS
@given(chat=talks())
def test_the_trained_pieces_are_exactly_the_answers_and_their_ends(kind: str, space: str, chat: Conversation) -> None:
    tokenizer = tokenizer_of(kind)
    encoded = encode(tokenizer, chat)
    assert learnt(tokenizer, encoded) == [f"{space}{answer}<|im_end|>" for answer in answers(chat)]
    text = tokenizer.decode(encoded.ids)
    assert all(turn.content in text for turn in (*chat.prompt, *chat.completion))
    harmless = Conversation(*(tuple(Message(turn.role, "x") for turn in part) for part in (chat.prompt, chat.completion)))
    assert specials(tokenizer, encoded.ids) == specials(tokenizer, encode(tokenizer, harmless).ids), "a turn was forged"
    many = encode_many(tokenizer, [harmless, chat, conversation("a", "b"), Conversation((), (Message("text", "c"),))])
    assert many[1] == encoded and len(many) == 4


@SETTINGS
@given(chat=talks())
def test_what_is_trained_first_follows_what_a_chat_reads(chat: Conversation) -> None:
    for kind in ("starter", "plain"):
        tokenizer = tokenizer_of(kind)
        opening, whole = encode(tokenizer, chat, generation=True).ids, encode(tokenizer, chat)
        assert whole.ids[: len(opening)] == opening and whole.trained.index(True) == len(opening)


@SETTINGS
@given(chat=talks(), limit=st.integers(24, 160))
def test_old_turns_go_before_anything_of_an_answer(chat: Conversation, limit: int) -> None:
    for kind, space in (("starter", ""), ("plain", " ")):
        tokenizer = tokenizer_of(kind)
        full, cut = encode(tokenizer, chat), encode(tokenizer, chat, limit)
        assert len(cut.ids) == len(cut.trained) <= limit and cut.cut == len(full.ids) - len(cut.ids) >= 0
        if len(full.ids) <= limit:
            assert cut == full
            continue
        kept = learnt(tokenizer, cut)
        last = answers(chat)[-1]
        if len(kept) > 1 or len(encode(tokenizer, conversation("", last)).ids) <= limit // 2:
            assert kept == [f"{space}{answer}<|im_end|>" for answer in answers(chat)[-len(kept) :]]
        if len(kept) > 1 and chat.prompt[0].role == "system":
            assert chat.prompt[0].content in tokenizer.decode(cut.ids)
        alone = without_oldest(chat)[-1]
        if len(kept) == 1 and len(encode(tokenizer, alone).ids) > limit:
            single = encode(tokenizer, alone, limit)
            assert (cut.ids, cut.trained) == (single.ids, single.trained), "a single answer is cut as ever"


def test_as_many_answers_stay_as_fit() -> None:
    tokenizer = tokenizer_of("starter")
    said = [Message(role, f"{role} says {number}") for number in range(30) for role in ("user", "assistant")]
    chat = Conversation((Message("system", "Be brief."), said[0]), tuple(said[1:]))
    cut = encode(tokenizer, chat, 150)
    kept = learnt(tokenizer, cut)
    assert kept[-1] == "assistant says 29<|im_end|>" and len(kept) > 3
    assert tokenizer.decode(cut.ids).startswith("<|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\nuser says ")
    one_more = Conversation((chat.prompt[0], said[-2 * len(kept) - 2]), tuple(said[-2 * len(kept) - 1 :]))
    assert len(encode(tokenizer, one_more).ids) > 150


def test_several_answers_to_one_question_end_with_the_last() -> None:
    tokenizer = tokenizer_of("starter")
    chat = Conversation((Message("user", "Hi"),), tuple(Message("assistant", f"{word} " * 20) for word in ("a", "b", "c")))
    assert len(learnt(tokenizer, encode(tokenizer, chat))) == 3
    assert [shape.completion[0].content[0] for shape in without_oldest(chat)] == ["c"]
    assert learnt(tokenizer, encode(tokenizer, chat, 60)) == ["c " * 20 + "<|im_end|>"]


TALK = Conversation(
    (Message("system", "Be kind."), Message("user", "One?")),
    (
        Message("assistant", "First."),
        Message("user", "Two?"),
        Message("assistant", "<think>\nhm\n</think>\n\nSecond."),
        Message("user", "3?"),
        Message("assistant", "Third."),
    ),
)


def test_formats_that_forget_what_was_thought() -> None:
    tokenizer = tokenizer_of("forgetful")
    encoded = encode(tokenizer, TALK)
    assert learnt(tokenizer, encoded) == ["First.<|im_end|>", "Second.<|im_end|>", "Third.<|im_end|>"]
    assert "hm" not in tokenizer.decode(encoded.ids)
    thinking = tokenizer_of("thinking")
    assert learnt(thinking, encode(thinking, TALK)) == [f"{answer}<|im_end|>" for answer in answers(TALK)]


def test_formats_that_trim_and_want_alternation() -> None:
    tokenizer = tokenizer_of("gemma")
    spread = Conversation(
        (*TALK.prompt, Message("user", " more ")), tuple(Message(turn.role, f"{turn.content} ") for turn in TALK.completion)
    )
    assert learnt(tokenizer, encode(tokenizer, spread)) == [f"{answer}<|im_end|>" for answer in answers(TALK)]
    assert tokenizer.decode(encode(tokenizer, spread).ids).startswith("<|endoftext|><|im_start|>user\nBe kind.\n\nOne?\n\n more<|im_end|>")


@pytest.mark.parametrize("scheme", ["first", "always", "never"])
def test_tokenizers_that_put_a_space_before_words(scheme: str) -> None:
    tokenizer = spaced(scheme)
    assert tokenizer.chat_template == LLAMA_2
    for last in ("dab", "dab</s>"):
        said = [Message("user", "a cab"), Message("assistant", "bad"), Message("user", "bab"), Message("assistant", last)]
        encoded = encode(tokenizer, Conversation(tuple(said[:1]), tuple(said[1:])))
        assert ["".join(text.split()) for text in learnt(tokenizer, encoded)] == ["bad</s>", f"{last}</s>"]
        assert specials(tokenizer, encoded.ids) == [tokenizer.bos_token_id, tokenizer.eos_token_id] * 2


def test_formats_that_show_no_content_train_the_last_answer_only() -> None:
    tokenizer = tokenizer_of("length")
    assert len(learnt(tokenizer, encode(tokenizer, TALK))) == 1


def test_a_conversation_that_the_assistant_begins() -> None:
    tokenizer = tokenizer_of("starter")
    encoded = encode(tokenizer, Conversation((), TALK.completion))
    assert learnt(tokenizer, encoded) == [f"{answer}<|im_end|>" for answer in answers(TALK)]


def beginning(kind: str):  # type: ignore[no-untyped-def]
    """A tokenizer that opens every text with a token of its own."""
    from tokenizers import processors

    made = make_tokenizer(chat_template=None)
    made.bos_token = "<|endoftext|>"
    token = ("<|endoftext|>", made.bos_token_id)
    made.backend_tokenizer.post_processor = processors.TemplateProcessing(single="<|endoftext|> $A", special_tokens=[token])
    return made if kind == "bos" else tokenizer_of(kind)


def text(content: str) -> Conversation:
    return Conversation((), (Message("text", content),))


@pytest.mark.parametrize("kind", ["starter", "plain", "bos"])
@SETTINGS
@given(content=CONTENT)
def test_a_text_is_read_without_turns(kind: str, content: str) -> None:
    tokenizer = beginning(kind)
    encoded, begun = encode(tokenizer, text(content)), encode(tokenizer, Conversation((Message("text", content),)), generation=True)
    opening = [tokenizer.bos_token_id] if kind == "bos" else []
    assert encoded.ids == [*begun.ids, tokenizer.eos_token_id] and begun.ids[: len(opening)] == opening
    assert encoded.trained == [False] * len(opening) + [True] * (len(encoded.ids) - len(opening)) and not any(begun.trained)
    assert specials(tokenizer, begun.ids) == opening, "typed control tokens are ordinary text"
    assert tokenizer.decode(begun.ids[len(opening) :]) == content
    assert tokenizer.eos_token_id in end_ids(tokenizer)
    assert learnt(tokenizer, encoded) == [content + "<|im_end|>"]
    half = Conversation((Message("text", content),), (Message("text", content),))
    assert learnt(tokenizer, encode(tokenizer, half)) == [content + "<|im_end|>"]


@pytest.mark.parametrize("kind", ["starter", "plain", "bos"])
@SETTINGS
@given(content=st.text(alphabet="ab é🙂\n<|im_end>", min_size=1, max_size=300), limit=st.integers(16, 80))
def test_windows_cover_a_text_exactly_once(kind: str, content: str, limit: int) -> None:
    tokenizer = beginning(kind)
    whole = encode(tokenizer, text(content))
    (parts, [question]) = encode_parts(tokenizer, [text(content), conversation("a" * 400, "b")], limit)
    opening = int(format_of(tokenizer).add_bos)
    assert [id for part in parts for id, trained in zip(part.ids, part.trained, strict=True) if trained] == whole.ids[opening:]
    assert all(len(part.ids) <= limit for part in parts) and len(question.ids) <= limit
    lengths = [len(part.ids) for part in parts]
    assert max(lengths) - min(lengths) <= 2, "no part is a crumb"
    for before, after in pairwise(parts):
        assert after.ids[: opening + 1] == [*whole.ids[:opening], before.ids[-1]] and not any(after.trained[: opening + 1])
    cut = encode(tokenizer, text(content), limit)
    assert (cut.ids, cut.cut) == (whole.ids[:limit], max(0, len(whole.ids) - limit))
    begun = encode(tokenizer, Conversation((Message("text", content),)), limit, generation=True)
    assert begun.ids[opening:] == whole.ids[opening:-1][-(limit - opening) :]


def test_a_text_stands_alone() -> None:
    tokenizer = tokenizer_of("starter")
    for chat in (
        Conversation((Message("system", "x"), Message("text", "y"))),
        Conversation((Message("user", "x"),), (Message("text", "y"),)),
    ):
        with pytest.raises(PromptError):
            encode(tokenizer, chat)
    with pytest.raises(PromptError):
        encode(tokenizer, Conversation((Message("text", ""),)), generation=True)
