"""Between a handler and the page: who is asking, and what they are told when it fails.

Expected failures become their sentence; unexpected ones are logged with a reference, which is all that the visitor sees of them.
"""

from __future__ import annotations

import hashlib
import inspect
import logging
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from playground.errors import PlaygroundError, WrongState
from playground.settings import Settings
from playground.ui.i18n import Texts
from playground.workspace import PERSONAL

log = logging.getLogger("playground")


@dataclass(frozen=True)
class Visitor:
    """Who asks: the owner whose data they see, and the language they read."""

    owner: str
    language: str


def owner_of(settings: Settings, key: str | None, login: str | None = None) -> str:
    """The owner behind a login or a browser's key. The key itself is never stored, only its digest.

    Raises:
        WrongState: shared mode, and neither is there.
    """
    if settings.mode == "personal":
        return PERSONAL
    if login:
        return f"login:{login}"
    if not key or len(key) < 16:
        raise WrongState(
            "This playground is shared, and it could not tell who you are. Reload the page, or pass the key that it shows as owner."
        )
    return "key:" + hashlib.sha256(key.encode()).hexdigest()


@contextmanager
def told(texts: Texts, language: str, *, page: bool = False) -> Iterator[None]:
    """Turn whatever is raised inside into one sentence for the visitor; the page shows it as HTML, so there it is escaped."""
    try:
        yield
    except PlaygroundError as error:
        sentence = texts.sentence(error.sentence, language)
        raise gr.Error(escape(sentence, quote=False) if page else sentence, print_exception=False) from error
    except (gr.Error, GeneratorExit):
        raise
    except Exception as error:
        message = texts.say("errors.unexpected", language, reference=log_unexpected(error))
        raise gr.Error(message, print_exception=False) from error


def log_unexpected(error: Exception) -> str:
    """Log with traceback, and give the reference under which it stands in the log."""
    reference = secrets.token_hex(3)
    log.error("unexpected failure, reference %s", reference, exc_info=error)
    return reference


def handlers(settings: Settings, texts: Texts) -> Callable[..., Callable[..., Any]]:
    """Make event handlers of functions `fn(visitor, *inputs)`; the event's first input is the browser's owner key.

    With `selects`, of `fn(visitor, selected, *inputs)`, where `selected` says what was clicked (`gr.SelectData`).
    The wrapper does not carry `fn`'s signature: Gradio would look for its own special arguments there.
    """

    def visitor(request: gr.Request, key: str | None) -> Visitor:
        return Visitor(owner_of(settings, key, request.username if request else None), texts.language(request))

    def handler(fn: Callable[..., Any], selects: bool = False) -> Callable[..., Any]:
        def chosen(request: gr.Request, event: gr.SelectData, key: str | None, *inputs: Any) -> Any:
            with told(texts, texts.language(request), page=True):
                return fn(visitor(request, key), event, *inputs)

        def call(request: gr.Request, key: str | None, *inputs: Any) -> Any:
            with told(texts, texts.language(request), page=True):
                return fn(visitor(request, key), *inputs)

        def stream(request: gr.Request, key: str | None, *inputs: Any) -> Iterator[Any]:
            with told(texts, texts.language(request), page=True):
                yield from fn(visitor(request, key), *inputs)

        wrapper: Callable[..., Any] = chosen if selects else stream if inspect.isgeneratorfunction(fn) else call
        # an event's name would take that of an endpoint away which is called the same
        wrapper.__name__, wrapper.__doc__ = f"on_{fn.__name__}", fn.__doc__
        # the module's annotations are strings, and Gradio compares types
        wrapper.__annotations__ = {"request": gr.Request, **({"event": gr.SelectData} if selects else {})}
        return wrapper

    return handler
