"""A tokenizer's chat format: what it is like, and a conversation written in it as text.

Does not know ids, lengths or what is trained.
"""

from __future__ import annotations

import logging
import re
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from playground.errors import PromptError
from playground.messages import Message
from playground.models.turns import alternating, without_system

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
SLOT = "\0"  # stands for a content where only what surrounds it is wanted
MARKERS = re.compile("[\U000f0000\U000f0001]")  # private-use characters with which the library marks typed control tokens
Turns = list[dict[str, str]]


@dataclass(frozen=True)
class Format:
    """What one tokenizer's chat format is like, found out once."""

    template: str
    plain: bool
    add_bos: bool
    control_ids: frozenset[int]
    typed: re.Pattern[str]
    fast: bool
    frames: dict[tuple[str, ...], list[str] | None] = field(default_factory=dict)  # roles -> what stands around their contents


_formats: weakref.WeakKeyDictionary[Any, Format] = weakref.WeakKeyDictionary()


def format_of(tokenizer: Any) -> Format:
    found = _formats.get(tokenizer)
    if found is None or found.template != (tokenizer.chat_template or PLAIN):
        template = tokenizer.chat_template or PLAIN
        template = tokenizer.get_chat_template() if isinstance(template, dict) else template
        added = {id: token for id, token in tokenizer.added_tokens_decoder.items() if not token.content.isspace()}
        typed = sorted((token.content for token in added.values()), key=len, reverse=True)
        begins = tokenizer("").input_ids
        found = _formats[tokenizer] = Format(
            template=template,
            plain=not tokenizer.chat_template,
            add_bos=bool(begins) and begins[0] == tokenizer.bos_token_id,
            control_ids=frozenset(id for id, token in added.items() if token.special or token.content in template),
            typed=re.compile("|".join([*map(re.escape, typed), MARKERS.pattern])),
            fast=bool(tokenizer.is_fast),
        )
    return found


def turns_of(messages: Sequence[Message]) -> Turns:
    return [{"role": message.role, "content": message.content} for message in messages]


def render_all(tokenizer: Any, form: Format, prompts: list[Turns], wholes: list[Turns], openings: list[bool]) -> list[tuple[str, str]]:
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
            render(tokenizer, form, prompt, opening) if prompt else header(tokenizer, form, whole),
            render(tokenizer, form, whole, False) if whole else "",
        )
        for prompt, whole, opening in zip(prompts, wholes, openings, strict=True)
    ]


def render(tokenizer: Any, form: Format, turns: Turns, opening: bool) -> str:
    """Turns as text, in whatever shape the format takes them; with `opening` the beginning of an answer follows."""
    return written(tokenizer, form, accepted(tokenizer, form, turns), opening)


def written(tokenizer: Any, form: Format, turns: Turns, opening: bool) -> str:
    """As `render`, for turns in a shape that the format is known to take, or else with its own error."""
    return str(tokenizer.apply_chat_template(_bare(turns), tokenize=False, **_options(form, opening)))


def header(tokenizer: Any, form: Format, whole: Turns) -> str:
    """What stands before an answer to nothing: the text that the chat format writes before a first turn's content."""
    return render(tokenizer, form, [{**whole[0], "content": SLOT}], False).partition(SLOT)[0]


def accepted(tokenizer: Any, form: Format, turns: Turns) -> Turns:
    """The turns in a shape that the chat format takes: some know no system turn, some want strict alternation."""
    from jinja2.exceptions import TemplateError

    for shape in (turns, without_system(turns), alternating(without_system(turns))):
        try:
            tokenizer.apply_chat_template(_bare(shape), tokenize=False, **_options(form, False))
            return shape
        except TemplateError:
            continue
    raise PromptError("This model's chat format cannot hold this conversation. Begin with a question and take turns, or use another model.")


def _bare(turns: Turns) -> Turns:
    """Turns with nothing that a template does not expect."""
    return [{"role": turn["role"], "content": turn["content"]} for turn in turns]


def _options(form: Format, opening: bool) -> dict[str, Any]:
    # Thinking aloud is switched off where a format knows the switch: an answer then begins where the examples' answers begin.
    return {"chat_template": form.template, "add_generation_prompt": opening, "add_bos": form.add_bos, "enable_thinking": False}
