"""Collections and documents for programs; a part of the programming interface.

Names, arguments and keys are a contract. No `from __future__ import annotations` here: Gradio reads the types to describe the endpoints.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from playground.rag.chunks import size_of
from playground.rag.store import DEFAULT_NAME
from playground.ui.errors import owner_of, told
from playground.ui.i18n import DEFAULT
from playground.ui.page import Page

Owner = str | None
Passwords = dict[str, str] | None
Settings = dict[str, Any] | None


def build(page: Page) -> None:
    services = page.services
    collections = services.collections

    def who(key: Owner) -> str:
        return owner_of(services.settings, key)

    def telling() -> Any:
        return told(page.texts, DEFAULT)

    def index_documents(
        files: list[str] | None,
        collection: str | None = None,
        embedder: str | None = None,
        owner: Owner = None,
        passwords: Passwords = None,
        settings: Settings = None,
    ) -> Iterator[dict]:
        """Add documents to a collection (made where it is not there) and follow the indexing; a stream, whose last item has each of them.

        PDF, Word, PowerPoint, Excel, OpenDocument sheets, CSV, text, Markdown, HTML, and pictures (PNG, JPEG, TIFF). Without files, what
        an interrupted indexing left waiting is indexed. `passwords` is {file name: password}, also for documents that failed for want of
        one; they are never stored. For a new collection, `settings` may set its passages' tokens (64 to 400, usually 220; no more than the
        embedder reads) and overlap (up to a quarter of them). Files that come while others of the collection are being read are taken by
        the same job. `notes` are sentences about files that were there already, took the place of another one, or have another name than
        they came with. The job goes on when the caller leaves; see `get_job`.
        """
        with telling():
            named = [(Path(one), Path(one).name) for one in files or []]
            for job in services.index_documents(who(owner), named, collection or None, embedder or None, passwords, size_of(settings)):
                state = job.to_dict()
                told = {"documents": [], "notes": [], **(state.pop("result") or {})}
                yield {**state, "collection": collection or DEFAULT_NAME, "documents": told["documents"], "notes": told["notes"]}
                if job.state == "failed":
                    raise gr.Error(str(job.error), print_exception=False)

    def list_collections(owner: Owner = None) -> list:
        """List one's collections of documents, newest first: name, id, embedder, documents and passages."""
        with telling():
            return collections.list(who(owner))

    def list_documents(collection: str, owner: Owner = None) -> list:
        """List the documents of a collection (by name or id) with the health of each.

        A new version that could not be read stands beside the one that was there before, under the same name and another `document_id`.
        `unit` is what its pages are (page, slide, sheet, section or part). pages = pages_text + pages_ocr (read from a picture) +
        pages_garbled (hardly readable) + pages_empty; ocr_confidence (0 to 1), language (en, pt or empty), `sections` (by the outline of a
        PDF, or by headings), tables, attachments, `left_out` (sentences: what was not read, and why), `orders` (pages with text that tries
        to give orders to a model; it changes nothing), `needs_password`, `error` where it could not be read.
        """
        with telling():
            return collections.documents(who(owner), collection)

    def rename_document(collection: str, name: str, new_name: str, owner: Owner = None, document_id: int | None = None) -> dict:
        """Give a document of a collection another name.

        Where a good version and one that could not be read have the same name, the good one is meant, or the one of `document_id`.
        """
        with telling():
            return collections.rename_document(who(owner), collection, name if document_id is None else document_id, new_name)

    def delete_document(collection: str, name: str, owner: Owner = None, document_id: int | None = None) -> dict:
        """Take one document out of a collection.

        Where a good version and one that could not be read have the same name, the latter is meant, or the one of `document_id`.
        """
        with telling():
            return collections.remove(who(owner), collection, name if document_id is None else document_id)

    def rename_collection(collection: str, new_name: str, owner: Owner = None) -> dict:
        """Give a collection another name; its id stays."""
        with telling():
            return collections.rename(who(owner), collection, new_name)

    def reindex_collection(collection: str, embedder: str, owner: Owner = None) -> dict:
        """Make the passages and vectors of a collection anew with another embedder; gives a job (see `get_job`).

        Until it is done, and where it is stopped or killed, questions are answered from the old ones.
        """
        with telling():
            return {"job_id": collections.reindex(who(owner), collection, embedder).job_id}

    def delete_collection(collection: str, owner: Owner = None) -> dict:
        """Delete a collection with its documents."""
        with telling():
            return collections.delete(who(owner), collection)

    plain: list[Callable[..., Any]] = [list_collections, list_documents, rename_document, delete_document]
    for endpoint in [*plain, rename_collection, reindex_collection, delete_collection]:
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)
    # a file needs a component to arrive through
    files, passwords, result = gr.File(visible=False, file_count="multiple"), gr.JSON(visible=False), gr.JSON(visible=False)
    collection, embedder, owner = gr.Textbox(visible=False), gr.Textbox(visible=False), gr.Textbox(visible=False)
    passages = gr.JSON(visible=False)
    gr.Button(visible=False).click(
        index_documents,
        [files, collection, embedder, owner, passwords, passages],
        result,
        api_name="index_documents",
        concurrency_limit=8,
        show_progress="hidden",
    )
