"""What a model reads, token by token: the one place where a conversation becomes ids, for the preview, the worker and the chat alike.

Text that somebody typed never becomes a control token, so nobody can forge a turn. The trained parts are the answers, each with the token
that ends it, or the whole of a text. Does not know models, only their tokenizers.
"""

from __future__ import annotations

import logging
import weakref
from bisect import bisect_left
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate, chain, groupby, pairwise
from typing import Any

from playground.errors import ModelUnavailable, PromptError
from playground.messages import Conversation, Message
from playground.models import hub, library
from playground.models.catalog import ModelRef
from playground.models.formats import PLAIN_STOP, Format, Turns, format_of, header, render, render_all, turns_of
from playground.models.pairs import encode_pairs
from playground.models.reading import mark, read_all, read_parts, reader, token_places
from playground.models.spans import LEARNT, Span, answer_spans
from playground.models.texts import Encoded, encode_texts, is_text, shorten, windows
from playground.models.turns import shorter, without_oldest

__all__ = [
    "PLAIN_STOP",
    "Encoded",
    "encode",
    "encode_many",
    "encode_parts",
    "end_ids",
    "load_tokenizer",
    "pieces",
    "plain_template",
    "reads_first",
    "spelled",
]

log = logging.getLogger(__name__)

Way = Callable[[Any, Format, Sequence[Conversation], bool], list[Encoded]]
_pairs: weakref.WeakSet[Any] = weakref.WeakSet()  # tokenizers of encoder-decoder models
PROMPT_SHARE = 4  # an answer that is too long by itself leaves a quarter of the length to its question


def load_tokenizer(ref: ModelRef) -> Any:
    """The tokenizer of a model, kept in memory.

    Raises:
        ModelUnavailable: it is not there or cannot be read.
    """
    return _load_tokenizer(ref.id, ref.source, ref.revision, ref.encoder_decoder)


@lru_cache(maxsize=8)
def _load_tokenizer(id: str, source: str, revision: str | None, encoder_decoder: bool) -> Any:
    library.import_tokenizers()
    from transformers import AutoTokenizer

    folder = source if id != source else str(hub.download(source, revision, weights=False))
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, padding_side="left", local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelUnavailable("The tokenizer of {name} cannot be read, so neither can text. Choose another model.", name=id) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    if encoder_decoder:
        tokenizer.padding_side = "right"  # such models know where a question begins
        _pairs.add(tokenizer)
    return tokenizer


def reads_first(tokenizer: Any) -> bool:
    """Whether the model behind it reads the question whole and then writes, as T5 does."""
    return tokenizer in _pairs


def plain_template(tokenizer: Any) -> bool:
    """Whether the model has no chat format of its own and is given “User: … Assistant: …”."""
    return not tokenizer.chat_template and not reads_first(tokenizer)


def end_ids(tokenizer: Any) -> list[int]:
    """The tokens that end an answer: the tokenizer's end of text and whatever closes a turn in its chat format."""
    probe = encode(tokenizer, Conversation((Message("user", "Hi"),), (Message("assistant", "Hello"),)))
    ends = {tokenizer.eos_token_id, probe.ids[-1]} & {tokenizer.eos_token_id, *format_of(tokenizer).control_ids}
    return sorted(id for id in ends if id is not None)


def encode(tokenizer: Any, conversation: Conversation, max_length: int | None = None, generation: bool = False) -> Encoded:
    """The ids of one conversation, at most `max_length` of them.

    With `generation` the completion is left out and the opening of the answer is added. What is too long loses the oldest part of its
    prompt: earlier turns, then the beginning of the last question, then the end of the system prompt. An answer is cut only when it is
    too long by itself, and then at its end.

    Raises:
        PromptError: there is nothing in the conversation, or the model's chat format cannot hold it.
    """
    return encode_many(tokenizer, [conversation], max_length, generation)[0]


def encode_many(
    tokenizer: Any, conversations: Sequence[Conversation], max_length: int | None = None, generation: bool = False
) -> list[Encoded]:
    """As `encode`, for many conversations at once and much quicker."""
    if reads_first(tokenizer):
        return encode_pairs(tokenizer, conversations, max_length, generation)
    encoded = _encode_whole(tokenizer, conversations, generation)
    return [
        one if max_length is None or len(one.ids) <= max_length else _cut(tokenizer, conversation, max_length, generation, one)
        for one, conversation in zip(encoded, conversations, strict=True)
    ]


def encode_parts(tokenizer: Any, conversations: Sequence[Conversation], max_length: int) -> list[list[Encoded]]:
    """As `encode_many`, for learning: a text that is too long is not cut but comes in several parts, and nothing of it is lost."""
    if reads_first(tokenizer):
        return [[one] for one in encode_pairs(tokenizer, conversations, max_length, False)]
    form, texts = format_of(tokenizer), [is_text(one) for one in conversations]
    whole = iter(encode_many(tokenizer, [one for one, text in zip(conversations, texts, strict=True) if text]))
    turns = iter(encode_many(tokenizer, [one for one, text in zip(conversations, texts, strict=True) if not text], max_length))
    return [windows(form, next(whole), max_length) if text else [next(turns)] for text in texts]


CONTEXT = 8  # tokens that are decoded with one, to see what it adds


def pieces(tokenizer: Any, encoded: Encoded) -> list[tuple[str, bool]]:
    """The text that the model reads, control tokens visible, in runs of (text, trained)."""
    runs = groupby(zip(encoded.ids, encoded.trained, strict=True), key=lambda pair: pair[1])
    return [(tokenizer.decode([id for id, _ in run], skip_special_tokens=False), trained) for trained, run in runs]


def tokens(tokenizer: Any, encoded: Encoded) -> list[tuple[list[str], bool]]:
    """As `pieces`, each run as the texts of its tokens; tokens that make a character only together stand together."""
    runs = groupby(zip(encoded.ids, encoded.trained, strict=True), key=lambda pair: pair[1])
    return [([text for text, _ in spelled(tokenizer, [id for id, _ in run])], trained) for trained, run in runs]


def spelled(tokenizer: Any, ids: Sequence[int]) -> list[tuple[str, int]]:
    """What tokens add to the text, as (text, how many tokens): those that make a character only together stand together.

    A token of a SentencePiece model brings its blank only when something stands before it.
    """
    texts: list[tuple[str, int]] = []
    waiting: list[int] = []
    for place, id in enumerate(ids):
        waiting.append(id)
        known = place + 1 - len(waiting)
        whole = tokenizer.decode(ids[max(0, known - CONTEXT) : place + 1], skip_special_tokens=False)
        before = tokenizer.decode(ids[max(0, known - CONTEXT) : known], skip_special_tokens=False)
        if not whole.endswith("\ufffd") or place == len(ids) - 1:
            texts.append((whole[len(before) :], len(waiting)))
            waiting = []
    return texts


def _encode_whole(tokenizer: Any, conversations: Sequence[Conversation], generation: bool) -> list[Encoded]:
    """Every conversation at its full length: texts, conversations with several answers and those with one, each in its own way."""
    if any(not one.prompt and (generation or not one.completion) for one in conversations):
        raise PromptError("There is nothing to read in this conversation. Write a question first.")
    form = format_of(tokenizer)
    ways: dict[Way, list[int]] = {}
    for place, one in enumerate(conversations):
        way: Way = encode_texts if is_text(one) else _encode_several if len(one.completion) > 1 and not generation else _encode_turns
        ways.setdefault(way, []).append(place)
    results: dict[int, Encoded] = {}
    for way, places in ways.items():
        results.update(zip(places, way(tokenizer, form, [conversations[place] for place in places], generation), strict=True))
    return [results[place] for place in range(len(conversations))]


def _encode_turns(tokenizer: Any, form: Format, conversations: Sequence[Conversation], generation: bool) -> list[Encoded]:
    """Conversations with one answer, or none."""
    quick: list[tuple[int, str, str]] = []
    results: list[Encoded | None] = [None] * len(conversations)
    prompts = [turns_of(one.prompt) for one in conversations]
    wholes = [
        prompt + turns_of(one.completion) if one.completion and not generation else []
        for one, prompt in zip(conversations, prompts, strict=True)
    ]
    openings = [generation or bool(whole) for whole in wholes]
    rendered = render_all(tokenizer, form, prompts, wholes, openings)
    for place, (prompt, whole, opening, (prompt_text, whole_text)) in enumerate(zip(prompts, wholes, openings, rendered, strict=True)):
        typed = any(form.typed.search(turn["content"]) for turn in whole or prompt)
        if typed or not form.fast or (whole and not whole_text.startswith(prompt_text)):
            results[place] = _encode_slowly(tokenizer, form, prompt, whole, opening)
        else:
            quick.append((place, prompt_text, whole_text or prompt_text))
    encodings = read_all(tokenizer, [text for _, _, text in quick])
    for (place, prompt_text, text), encoding in zip(quick, encodings, strict=True):
        ids, start = encoding.ids, len(encoding.ids)
        if len(text) > len(prompt_text):
            found = token_places(encoding.offsets, [len(prompt_text)])
            if found is None:
                head, tail = read_parts(reader(tokenizer, False), [prompt_text, text[len(prompt_text) :]])
                ids, start = head + tail, len(head)
            else:
                start = found[0]
        results[place] = _trained(tokenizer, form, ids, [(start, len(ids))])
    return [one for one in results if one is not None]


def _encode_slowly(tokenizer: Any, form: Format, prompt: Turns, whole: Turns, opening: bool) -> Encoded:
    """Where a content holds the text of a control token: it is marked before the template is applied, and then read as text."""
    read = reader(tokenizer, True)
    prompt, whole = mark(form.typed, prompt), mark(form.typed, whole)
    prompt_text = render(tokenizer, form, prompt, opening) if prompt else header(tokenizer, form, whole)
    head = read(prompt_text)
    if not whole:
        return _trained(tokenizer, form, head, [])
    whole_text = render(tokenizer, form, whole, False)
    ids = read(whole_text)
    if ids[: len(head)] != head and whole_text.startswith(prompt_text):
        ids = list(chain.from_iterable(read_parts(read, [prompt_text, whole_text[len(prompt_text) :]])))
    start = next((place for place, (one, other) in enumerate(zip(head, ids, strict=False)) if one != other), min(len(head), len(ids)))
    if start < len(head):
        log.info("the chat format writes a finished answer differently from an open one: trained from token %d, not %d", start, len(head))
    return _trained(tokenizer, form, ids, [(start, len(ids))])


def _encode_several(tokenizer: Any, form: Format, conversations: Sequence[Conversation], generation: bool) -> list[Encoded]:
    """Conversations with several answers, of which each is trained with what ends it, and nothing between them."""
    results: dict[int, Encoded] = {}
    quick: list[tuple[int, str, list[Span]]] = []
    for place, one in enumerate(conversations):
        turns = turns_of(one.prompt) + [
            {**turn, LEARNT: "yes"} if turn["role"] == "assistant" else turn for turn in turns_of(one.completion)
        ]  # fmt: skip
        typed = not form.fast or any(form.typed.search(turn["content"]) for turn in turns)
        try:
            text, spans = answer_spans(tokenizer, form, mark(form.typed, turns) if typed else turns)
        except LookupError as error:
            log.info("only the last answer of a conversation is trained: %s", error)
            last = Conversation((*one.prompt, *one.completion[:-1]), one.completion[-1:])
            results[place] = _encode_turns(tokenizer, form, [last], False)[0]
            continue
        if typed:
            results[place] = _encode_parts(tokenizer, form, text, spans, typed)
        else:
            quick.append((place, text, spans))
    encodings = read_all(tokenizer, [text for _, text, _ in quick])
    for (place, text, spans), encoding in zip(quick, encodings, strict=True):
        found = token_places(encoding.offsets, [border for span in spans for border in span])
        if found is None:
            results[place] = _encode_parts(tokenizer, form, text, spans, False)
        else:
            results[place] = _trained(tokenizer, form, encoding.ids, list(zip(found[::2], found[1::2], strict=True)))
    return [results[place] for place in range(len(conversations))]


def _encode_parts(tokenizer: Any, form: Format, text: str, spans: list[Span], marked: bool) -> Encoded:
    """As the borders of the answers demand: read piece by piece."""
    borders = [0, *(border for span in spans for border in span), len(text)]
    parts = read_parts(reader(tokenizer, marked), [text[start:end] for start, end in pairwise(borders)])
    ends = list(accumulate(map(len, parts)))
    return _trained(
        tokenizer, form, list(chain.from_iterable(parts)), [(ends[place], ends[place + 1]) for place in range(0, len(ends) - 1, 2)]
    )


def _trained(tokenizer: Any, form: Format, ids: list[int], answers: list[Span]) -> Encoded:
    """Mark the answers as trained, up to the token that ends each: of blank ones after it the last answer's are left out."""
    trained = [False] * len(ids)
    end = len(ids)
    for start, stop in answers:
        last = next((place for place in range(stop - 1, start - 1, -1) if ids[place] in form.control_ids), None)
        if last is not None and last + 1 < stop and not tokenizer.decode(ids[last + 1 : stop]).strip():
            end = last + 1 if stop == len(ids) else end
            stop = last + 1
        trained[start:stop] = [True] * (stop - start)
    return Encoded(ids[:end], trained[:end])


def _cut(tokenizer: Any, conversation: Conversation, max_length: int, generation: bool, whole: Encoded) -> Encoded:
    """Without the oldest answers and what they answer, while there are several; then a shorter prompt, then, if need be, answer."""
    total = len(whole.ids)
    if is_text(conversation):
        return shorten(format_of(tokenizer), whole, max_length)
    if len(conversation.completion) > 1 and not generation:
        shapes = without_oldest(conversation)
        fits: dict[int, Encoded] = {}

        def long(number: int) -> bool:
            fits[number] = _encode_whole(tokenizer, [shapes[number]], False)[0]
            return len(fits[number].ids) <= max_length

        first = bisect_left(range(len(shapes)), True, key=long)
        if first < len(shapes):
            return Encoded(fits[first].ids, fits[first].trained, total - len(fits[first].ids))
        conversation = shapes[-1]
    answer = 0
    if conversation.completion and not generation:
        answer = sum(_encode_whole(tokenizer, [conversation], False)[0].trained)
    room = max_length if answer < max_length else max_length // PROMPT_SHARE + answer  # then the end of the answer goes as well
    prompt: list[Message] | None = list(conversation.prompt)
    encoded = Encoded([], [])
    extra = 0
    while prompt:
        encoded = _encode_whole(tokenizer, [Conversation(tuple(prompt), conversation.completion)], generation)[0]
        over = len(encoded.ids) - room
        if over <= 0:
            break
        prompt = shorter(tokenizer, prompt, over + extra)
        extra = extra * 2 + 1
    ids, trained = encoded.ids, encoded.trained
    if len(ids) > max_length:
        start = len(ids) - sum(trained)
        begin = len(ids) - max_length if answer < max_length else max(0, start - max_length // PROMPT_SHARE)
        ids, trained = ids[begin : begin + max_length], trained[begin : begin + max_length]
    return Encoded(ids, trained, total - len(ids))
