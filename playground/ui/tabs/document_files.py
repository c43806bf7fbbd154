"""What the Documents tab lets one do with files and collections beside adding them: a password, other names, another embedder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from playground.errors import InputError
from playground.rag.embedders import KNOWN, STARTER
from playground.ui.errors import Visitor
from playground.ui.health import named
from playground.ui.page import Page

QUIET: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "concurrency_limit": None}


@dataclass(frozen=True)
class Unlock:
    """Where a password is given for a document that failed for want of it."""

    box: gr.Column
    which: gr.Dropdown
    word: gr.Textbox
    button: gr.Button

    @property
    def shown(self) -> list[Any]:
        """What `locked` updates."""
        return [self.box, self.which]


def unlock(page: Page) -> Unlock:
    label = page.label
    with gr.Column(visible=False, elem_id="unlock") as box:
        which = gr.Dropdown(label=label("files.locked"), elem_id="unlock-which")
        word = gr.Textbox(
            label=label("files.password"), info=label("files.password_info"), type="password", max_lines=1, elem_id="document-password"
        )
        button = gr.Button(label("files.unlock"), size="sm", elem_id="unlock-button")
    return Unlock(box, which, word, button)


def locked(documents: Sequence[dict[str, Any]]) -> list[Any]:
    """The field appears when a document failed for its password."""
    names = [one["name"] for one in documents if one["needs_password"]]
    return [gr.update(visible=bool(names)), gr.update(choices=names, value=names[0] if names else None)]


@dataclass(frozen=True)
class Manage:
    """What can be done with one document, and with the collection shown."""

    new_name: gr.Textbox
    rename_document: gr.Button
    remove: gr.Button
    remove_sure: gr.Button
    collection_name: gr.Textbox
    rename_collection: gr.Button
    delete: gr.Button
    embedder: gr.Dropdown
    reindex: gr.Button


def manage(page: Page, own_embedders: bool) -> Manage:
    label = page.label
    new_name = gr.Textbox(label=label("files.new_name"), max_lines=1, elem_id="new-document-name")
    with gr.Row():
        rename_document = gr.Button(label("files.rename"), size="sm")
        remove = gr.Button(label("documents.remove"), size="sm", elem_id="remove-document")
    remove_sure = gr.Button(size="sm", variant="stop", visible=False, elem_id="remove-document-sure")
    embedder = gr.Dropdown(
        [(one.name, one.id) for one in KNOWN],
        value=STARTER,
        label=label("files.embedder"),
        info=label("files.embedder_info"),
        allow_custom_value=own_embedders,
        elem_id="reindex-embedder",
    )
    reindex = gr.Button(label("files.reindex"), size="sm")
    collection_name = gr.Textbox(label=label("files.collection_name"), max_lines=1, elem_id="new-collection-name")
    with gr.Row():
        rename_collection = gr.Button(label("files.rename_collection"), size="sm")
        delete = gr.Button(label("documents.delete"), size="sm")
    return Manage(new_name, rename_document, remove, remove_sure, collection_name, rename_collection, delete, embedder, reindex)


def embedder_now(embedder: str | None) -> Any:
    """The list of embedders stands on the one that the collection has, also where that is one of its owner's own."""
    embedder = embedder or STARTER
    listed = [(one.name, one.id) for one in KNOWN]
    own = [] if embedder in {one.id for one in KNOWN} else [(embedder, embedder)]
    return gr.update(choices=[*listed, *own], value=embedder)


def wire(page: Page, unlocking: Unlock, managing: Manage, collection: gr.State, document: gr.Dropdown, refresh: dict[str, Any]) -> None:
    """Connect the buttons; `refresh` shows the tab anew afterwards."""
    collections, on = page.services.collections, page.handler

    def with_password(visitor: Visitor, chosen: str, name: str | None, word: str) -> str:
        """Read a locked document again; the field is emptied, and the password goes nowhere else."""
        if not name or not word:
            raise InputError("There is no password yet. Write it, then open the document.")
        collections.add(visitor.owner, [], chosen, passwords={name: word})
        return ""

    def rename_document(visitor: Visitor, chosen: str, number: int | None, new: str) -> str:
        if number is None:
            raise InputError("No document is chosen. Choose one from the list first.")
        collections.rename_document(visitor.owner, chosen, number, new)
        return ""

    def ask_first(visitor: Visitor, chosen: str, number: int | None) -> Any:
        """Ask once more, by name, before a document is taken out."""
        found = [one for one in collections.documents(visitor.owner, chosen) if one["document_id"] == number]
        if not found:
            raise InputError("No document is chosen. Choose one from the list first.")
        say = page.say_in(visitor.language)
        return gr.update(value=say("documents.remove_sure", name=named(found[0], say)), visible=True)

    def take_out(visitor: Visitor, chosen: str, number: int | None) -> Any:
        if number is not None:
            collections.remove(visitor.owner, chosen, number)
        return gr.update(visible=False)

    def rename_collection(visitor: Visitor, chosen: str, new: str) -> tuple[str, str]:
        return collections.rename(visitor.owner, chosen, new)["collection"], ""

    def reindex(visitor: Visitor, chosen: str, embedder: str) -> None:
        collections.reindex(visitor.owner, chosen, embedder or STARTER)

    u, m = unlocking, managing
    opened = {"fn": on(with_password), "inputs": [page.owner, collection, u.which, u.word], "outputs": [u.word]}
    for event in (u.button.click, u.word.submit):
        event(**opened, **QUIET).then(**refresh)
    m.rename_document.click(on(rename_document), [page.owner, collection, document, m.new_name], m.new_name, **QUIET).then(**refresh)
    m.remove.click(on(ask_first), [page.owner, collection, document], m.remove_sure, **QUIET)
    document.change(lambda: gr.update(visible=False), None, m.remove_sure, **QUIET)
    sure = {"fn": on(take_out), "inputs": [page.owner, collection, document], "outputs": m.remove_sure}
    m.remove_sure.click(**sure, api_visibility="private").then(**refresh)
    names = [collection, m.collection_name]
    m.rename_collection.click(on(rename_collection), [page.owner, collection, m.collection_name], names, **QUIET).then(**refresh)
    m.reindex.click(on(reindex), [page.owner, collection, m.embedder], None, **QUIET).then(**refresh)
