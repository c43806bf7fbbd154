"""What a model reads, token by token: the one place where a conversation becomes ids, for the preview, the worker and the chat alike.

Text that somebody typed never becomes a control token, so nobody can forge a turn. The trained part is the answer with the token that
ends it. Does not know models, only their tokenizers.
"""

from __future__ import annotations

import logging
import re
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import groupby
from typing import Any

from playground.errors import ModelUnavailable, PromptError
from playground.messages import Conversation, Message
from playground.models import hub, library
from playground.models.catalog import ModelRef
from playground.models.turns import alternating, shorter, without_system

log = logging.getLogger(__name__)

PLAIN = (
    "{% if add_bos %}{{ bos_token }}{% endif %}"
    "{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ message['content'] + '\n\n' }}"
    "{% elif message['role'] == 'user' %}{{ 'User: ' + message['content'] + '\n' }}"
    "{% else %}{{ 'Assistant: ' + message['content'] + (eos_token or '') + '\n' }}{% endif %}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ 'Assistant:' }}{% endif %}"
)
PLAIN_STOP = "\nUser:"
PROMPT_SHARE = 4  # an answer that is too long by itself leaves a quarter of the length to its question
SLOT = "\0"  # stands for a content where only what surrounds it is wanted
MARKERS = re.compile("[\U000f0000\U000f0001]")  # private-use characters with which the library marks typed control tokens
MARKED = re.compile("\U000f0000(.)(.*?)\U000f0001", re.DOTALL)


@dataclass
class Encoded:
    """Token ids, which of them are trained, and how many tokens were cut away to fit. `ids` and `trained` have one length."""

    ids: list[int]
    trained: list[bool]
    cut: int = 0


@dataclass(frozen=True)
class _Format:
    """What one tokenizer's chat format is like, found out once."""

    template: str
    plain: bool
    add_bos: bool
    control_ids: frozenset[int]
    typed: re.Pattern[str]
    fast: bool


_formats: weakref.WeakKeyDictionary[Any, _Format] = weakref.WeakKeyDictionary()


def load_tokenizer(ref: ModelRef) -> Any:
    """The tokenizer of a model, kept in memory.

    Raises:
        ModelUnavailable: it is not there or cannot be read.
    """
    return _load_tokenizer(ref.id, ref.source, ref.revision)


@lru_cache(maxsize=8)
def _load_tokenizer(id: str, source: str, revision: str | None) -> Any:
    library.import_tokenizers()
    from transformers import AutoTokenizer

    folder = source if id != source else str(hub.download(source, revision, weights=False))
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, padding_side="left", local_files_only=True)
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelUnavailable("The tokenizer of {name} cannot be read, so neither can text. Choose another model.", name=id) from error
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def plain_template(tokenizer: Any) -> bool:
    """Whether the model has no chat format of its own and is given “User: … Assistant: …”."""
    return not tokenizer.chat_template


def end_ids(tokenizer: Any) -> list[int]:
    """The tokens that end an answer: the tokenizer's end of text and whatever closes a turn in its chat format."""
    probe = encode(tokenizer, Conversation((Message("user", "Hi"),), (Message("assistant", "Hello"),)))
    ends = {tokenizer.eos_token_id, probe.ids[-1]} & {tokenizer.eos_token_id, *_format(tokenizer).control_ids}
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
    encoded = _encode_whole(tokenizer, conversations, generation)
    return [
        one if max_length is None or len(one.ids) <= max_length else _cut(tokenizer, conversation, max_length, generation, len(one.ids))
        for one, conversation in zip(encoded, conversations, strict=True)
    ]


def pieces(tokenizer: Any, encoded: Encoded) -> list[tuple[str, bool]]:
    """The text that the model reads, control tokens visible, in runs of (text, trained)."""
    runs = groupby(zip(encoded.ids, encoded.trained, strict=True), key=lambda pair: pair[1])
    return [(tokenizer.decode([id for id, _ in run], skip_special_tokens=False), trained) for trained, run in runs]


def _format(tokenizer: Any) -> _Format:
    found = _formats.get(tokenizer)
    if found is None or found.template != (tokenizer.chat_template or PLAIN):
        template = tokenizer.chat_template or PLAIN
        template = tokenizer.get_chat_template() if isinstance(template, dict) else template
        added = {id: token for id, token in tokenizer.added_tokens_decoder.items() if not token.content.isspace()}
        typed = sorted((token.content for token in added.values()), key=len, reverse=True)
        begins = tokenizer("").input_ids
        found = _formats[tokenizer] = _Format(
            template=template,
            plain=not tokenizer.chat_template,
            add_bos=bool(begins) and begins[0] == tokenizer.bos_token_id,
            control_ids=frozenset(id for id, token in added.items() if token.special or token.content in template),
            typed=re.compile("|".join([*map(re.escape, typed), MARKERS.pattern])),
            fast=bool(tokenizer.is_fast),
        )
    return found


def _encode_whole(tokenizer: Any, conversations: Sequence[Conversation], generation: bool) -> list[Encoded]:
    """Every conversation at its full length."""
    if any(not one.prompt and (generation or not one.completion) for one in conversations):
        raise PromptError("There is nothing to read in this conversation. Write a question first.")
    form = _format(tokenizer)
    quick: list[tuple[int, str, str]] = []
    results: list[Encoded | None] = [None] * len(conversations)
    prompts = [_turns(one.prompt) for one in conversations]
    wholes = [
        prompt + _turns(one.completion) if one.completion and not generation else []
        for one, prompt in zip(conversations, prompts, strict=True)
    ]
    openings = [generation or bool(whole) for whole in wholes]
    rendered = _render_all(tokenizer, form, prompts, wholes, openings)
    for place, (prompt, whole, opening, (prompt_text, whole_text)) in enumerate(zip(prompts, wholes, openings, rendered, strict=True)):
        typed = any(form.typed.search(turn["content"]) for turn in whole or prompt)
        if typed or not form.fast or (whole and not whole_text.startswith(prompt_text)):
            results[place] = _encode_slowly(tokenizer, form, prompt, whole, opening)
        else:
            quick.append((place, prompt_text, whole_text or prompt_text))
    read = partial(tokenizer.encode, add_special_tokens=False)
    texts = [text for _, _, text in quick]
    encodings = tokenizer.backend_tokenizer.encode_batch(texts, add_special_tokens=False) if texts else []
    for (place, prompt_text, text), encoding in zip(quick, encodings, strict=True):
        ids, start = encoding.ids, len(encoding.ids)
        if len(text) > len(prompt_text):
            boundary = encoding.char_to_token(len(prompt_text))
            if boundary is None or encoding.token_to_chars(boundary)[0] != len(prompt_text):
                ids, start = _joined(read, prompt_text, text[len(prompt_text) :])
            else:
                start = boundary
        results[place] = _trained(tokenizer, form, ids, start)
    return [one for one in results if one is not None]


def _joined(read: Callable[[str], list[int]], prompt: str, rest: str) -> tuple[list[int], int]:
    """Ids of a prompt and of what follows it, kept apart: a token across the border would be one that no chat ever produces."""
    head, newline = read(prompt), read("\n")
    tail = read("\n" + rest)  # some tokenizers put a space before the first word of a text
    tail = tail[len(newline) :] if tail[: len(newline)] == newline else read(rest)
    return head + tail, len(head)


def _encode_slowly(tokenizer: Any, form: _Format, prompt: list[dict[str, str]], whole: list[dict[str, str]], opening: bool) -> Encoded:
    """Where a content holds the text of a control token: it is marked before the template is applied, and then read as text."""
    from transformers.utils.chat_template_utils import encode_marked_chat, mark_control_tokens

    def read(text: str) -> list[int]:
        try:
            return list(encode_marked_chat(tokenizer, text))
        except ValueError:  # the vocabulary itself spells a control token; parted by a space it cannot
            return list(encode_marked_chat(tokenizer, MARKED.sub(r"\1 \2", text)))

    prompt, whole = mark_control_tokens(prompt, form.typed), mark_control_tokens(whole, form.typed)
    prompt_text = _render(tokenizer, form, prompt, opening) if prompt else _header(tokenizer, form, whole)
    head = read(prompt_text)
    if not whole:
        return _trained(tokenizer, form, head, len(head))
    whole_text = _render(tokenizer, form, whole, False)
    ids = read(whole_text)
    if ids[: len(head)] != head and whole_text.startswith(prompt_text):
        ids, _ = _joined(read, prompt_text, whole_text[len(prompt_text) :])
    start = next((place for place, (one, other) in enumerate(zip(head, ids, strict=False)) if one != other), min(len(head), len(ids)))
    if start < len(head):
        log.info("the chat format writes a finished answer differently from an open one: trained from token %d, not %d", start, len(head))
    return _trained(tokenizer, form, ids, start)


def _trained(tokenizer: Any, form: _Format, ids: list[int], start: int) -> Encoded:
    """Mark what follows `start` as trained, and leave out blank tokens after the one that ends the answer."""
    end = len(ids)
    last = next((place for place in range(end - 1, start - 1, -1) if ids[place] in form.control_ids), None)
    if last is not None and last + 1 < end and not tokenizer.decode(ids[last + 1 :]).strip():
        end = last + 1
    return Encoded(ids[:end], [False] * start + [True] * (end - start))


def _turns(messages: Sequence[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


def _options(form: _Format, opening: bool) -> dict[str, Any]:
    # Thinking aloud is switched off where a format knows the switch: an answer then begins where the examples' answers begin.
    return {"chat_template": form.template, "add_generation_prompt": opening, "add_bos": form.add_bos, "enable_thinking": False}


def _render_all(
    tokenizer: Any, form: _Format, prompts: list[list[dict[str, str]]], wholes: list[list[dict[str, str]]], openings: list[bool]
) -> list[tuple[str, str]]:
    """Prompt and whole conversation as text; one call of the library each where the chat format takes all of them."""
    from jinja2.exceptions import TemplateError

    if prompts and all(prompts) and len(set(openings)) == 1:
        try:
            texts = tokenizer.apply_chat_template(prompts, tokenize=False, **_options(form, openings[0]))
            if any(wholes):
                return list(zip(texts, tokenizer.apply_chat_template(wholes, tokenize=False, **_options(form, False)), strict=True))
            return [(text, "") for text in texts]
        except TemplateError:
            log.debug("the chat format refuses a conversation; each is fitted to it by itself")
    return [
        (
            _render(tokenizer, form, prompt, opening) if prompt else _header(tokenizer, form, whole),
            _render(tokenizer, form, whole, False) if whole else "",
        )
        for prompt, whole, opening in zip(prompts, wholes, openings, strict=True)
    ]


def _render(tokenizer: Any, form: _Format, turns: list[dict[str, str]], opening: bool) -> str:
    return str(tokenizer.apply_chat_template(_accepted(tokenizer, form, turns), tokenize=False, **_options(form, opening)))


def _header(tokenizer: Any, form: _Format, whole: list[dict[str, str]]) -> str:
    """What stands before an answer to nothing: the text that the chat format writes before a first turn's content."""
    return _render(tokenizer, form, [{**whole[0], "content": SLOT}], False).partition(SLOT)[0]


def _accepted(tokenizer: Any, form: _Format, turns: list[dict[str, str]]) -> list[dict[str, str]]:
    """The turns in a shape that the chat format takes: some know no system turn, some want strict alternation."""
    from jinja2.exceptions import TemplateError

    for shape in (turns, without_system(turns), alternating(without_system(turns))):
        try:
            tokenizer.apply_chat_template(shape, tokenize=False, **_options(form, False))
            return shape
        except TemplateError:
            continue
    raise PromptError("This model's chat format cannot hold this conversation. Begin with a question and take turns, or use another model.")


def _cut(tokenizer: Any, conversation: Conversation, max_length: int, generation: bool, total: int) -> Encoded:
    """Shorten the prompt until all fits, then, if need be, the answer's end."""
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
