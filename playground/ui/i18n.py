"""The words on the screen, one locale file a language.

Static labels are translated in the browser (`gr.I18n`), sentences made while handling an event are looked up here. A sentence that arose in
a service is its own key: its English template. Does not know what any text means.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from string import Formatter
from typing import Any

import gradio as gr

from playground.errors import Sentence, Sentences
from playground.ui.language import chosen

DEFAULT = "en"
COMMA_NUMBERS = ("pt-BR",)  # languages that divide thousands by a point and decimals by a comma
SWAPPED = str.maketrans(",.", ".,")
log = logging.getLogger(__name__)


class Texts:
    """All locales of a folder: `<language>.json`, nested objects of strings, read as dotted keys."""

    def __init__(self, folder: Path) -> None:
        self.locales: dict[str, dict[str, str]] = {}
        self._sentences: dict[str, dict[str, str]] = {}
        for path in sorted(folder.glob("*.json")):
            tree = json.loads(path.read_text("utf-8"))
            self._sentences[path.stem] = tree.pop("sentences", {})
            self.locales[path.stem] = _flat(tree)
        self.gradio = gr.I18n(**self.locales, **{name.split("-")[0]: texts for name, texts in self.locales.items() if "-" in name})

    def label(self, key: str) -> Any:
        """A static text, translated by the browser. Unknown keys are a mistake of ours and fail at start."""
        if key not in self.locales[DEFAULT]:
            raise KeyError(key)
        return self.gradio(key)

    def say(self, key: str, language: str = DEFAULT, /, **values: Any) -> str:
        """A finished sentence for one visitor."""
        template = self.locales.get(language, {}).get(key) or self.locales[DEFAULT][key]
        return _filled(template, values, language) if values else template

    def sentence(self, sentence: str, language: str = DEFAULT) -> str:
        """A service's sentence in the visitor's language; in English where there is no translation."""
        template = self._sentences.get(language, {}).get(getattr(sentence, "template", sentence))
        if not template:
            return str(sentence)
        values = {key: self._value(value, language) for key, value in getattr(sentence, "values", {}).items()}
        return _filled(template, values, language) if values else template

    def _value(self, value: Any, language: str) -> Any:
        """A value of a sentence: where it is made of words, those in the visitor's language too."""
        if isinstance(value, Sentences):
            return Sentences(self.sentence(one, language) for one in value)
        return self.sentence(value, language) if isinstance(value, Sentence) else value

    def language(self, request: gr.Request | None) -> str:
        """The language chosen on the page, else the first one the browser asks for that there is a file for."""
        headers = request.headers if request and request.headers else {}
        wanted = [chosen(headers.get("cookie", "")) or "", *headers.get("accept-language", "").split(",")]
        for tag in (part.split(";")[0].strip().lower() for part in wanted):
            for name in self.locales:
                if tag == name.lower() or (tag and tag.split("-")[0] == name.split("-")[0].lower()):
                    return name
        return DEFAULT


class _CommaNumbers(Formatter):
    """As `str.format`, with 1.234,5 for what English writes as 1,234.5."""

    def format_field(self, value: Any, format_spec: str) -> str:
        text = str(super().format_field(value, format_spec))
        return text.translate(SWAPPED) if isinstance(value, (int, float)) else text


def _filled(template: str, values: dict[str, Any], language: str) -> str:
    return _CommaNumbers().vformat(template, (), values) if language in COMMA_NUMBERS else template.format(**values)


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in tree.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return flat
