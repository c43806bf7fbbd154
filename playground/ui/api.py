"""The programming interface: what a person can do by clicking, a program can do by name (`gradio_client`).

Names, arguments and keys are a contract. No `from __future__ import annotations` here: Gradio reads the types to describe the endpoints.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from playground.errors import InputError
from playground.rag.store import DEFAULT_NAME
from playground.ui.errors import owner_of, told
from playground.ui.i18n import DEFAULT
from playground.ui.page import Page

Settings = dict[str, Any] | None
Owner = str | None


def build(page: Page) -> None:
    """Register every endpoint. `owner` is the key that a shared playground's page shows; on one's own machine it is left out."""
    services, settings = page.services, page.services.settings

    def who(key: Owner) -> str:
        return owner_of(settings, key)

    def telling() -> Any:
        return told(page.texts, DEFAULT)

    def list_samples() -> list:
        """List the sample datasets that lie in the box: name, kind, rows and description of each."""
        with telling():
            return services.datasets.samples()

    def import_dataset(file: str | None, sample: str | None = None, options: Settings = None, owner: Owner = None) -> dict:
        """Read a table (CSV, TSV, JSON, JSON Lines, Parquet, Excel) or take a sample by name; says what was understood.

        `options` may set format, encoding, delimiter, header or sheet where the guess is wrong.
        """
        with telling():
            if bool(file) == bool(sample):
                raise InputError("Give either a file or the name of a sample.")
            if sample:
                return services.datasets.import_sample(who(owner), sample, options)
            return services.datasets.import_file(who(owner), Path(file or ""), Path(file or "").name, options)

    def list_hub_splits(id: str) -> dict:
        """Say what a dataset of the Hugging Face Hub holds ("owner/name"): its commit, and each config and split with files and bytes."""
        with telling():
            return services.hub_datasets.look(id).to_dict()

    def import_hub_dataset(id: str, split: str | None = None, config: str | None = None, owner: Owner = None) -> dict:
        """Bring in a dataset of the Hugging Face Hub ("owner/name"), where the network allows; by default its train split.

        Only its Parquet, CSV or JSON files are fetched, never a script. Waits for the download, which goes on when the caller leaves.
        """
        with telling():
            for job in services.import_hub_dataset(who(owner), id, split, config):
                last = job
            return services.imported(who(owner), last)

    def list_datasets(owner: Owner = None) -> list:
        """List one's datasets, newest first."""
        with telling():
            return services.datasets.list(who(owner))

    def delete_dataset(dataset_id: str, owner: Owner = None) -> dict:
        """Delete a dataset. Runs that learnt from it keep their own copy of the examples."""
        with telling():
            services.datasets.delete(who(owner), dataset_id)
            return {"dataset_id": dataset_id, "deleted": True}

    def preview_dataset(dataset_id: str, offset: int = 0, limit: int = 20, owner: Owner = None, search: str = "", column: str = "") -> dict:
        """Read some rows of a dataset: columns, rows, their numbers, how many there are; `search` keeps rows with a text (in `column`)."""
        with telling():
            return services.datasets.preview(who(owner), dataset_id, offset, limit, search=search, column=column)

    def check_dataset(dataset_id: str, owner: Owner = None) -> dict:
        """Say what is wrong with a dataset, worst first, and what could be done about it."""
        with telling():
            found = services.check_dataset(who(owner), dataset_id)
            return {"issues": [{**asdict(one), "examples": list(one.examples)} for one in found]}

    def fix_dataset(dataset_id: str, issue_ids: list, owner: Owner = None) -> dict:
        """Mend what `check_dataset` found, by its ids, as a new version; the former one stays."""
        with telling():
            done = services.fix_dataset(who(owner), dataset_id, [str(one) for one in issue_ids])
            return {**done, "changes": [asdict(one) for one in done["changes"]]}

    def restore_dataset(dataset_id: str, version: int, owner: Owner = None) -> dict:
        """Bring a former version of a dataset back; the newer ones stay."""
        with telling():
            return services.datasets.restore(who(owner), dataset_id, version)

    def edit_dataset(
        dataset_id: str,
        cells: list | None = None,
        add: list | None = None,
        delete: list | None = None,
        owner: Owner = None,
        drop_columns: list | None = None,
    ) -> dict:
        """Change cells [{row, column, value}], add rows [{column: value}], take rows out by number, columns by name; as a new version."""
        with telling():
            return services.datasets.edit(who(owner), dataset_id, cells or [], add or [], delete or [], drop_columns or [])

    def map_dataset(dataset_id: str, settings: Settings = None, owner: Owner = None) -> dict:
        """Choose what is to be learnt: task, columns, instruction, system prompt, label names, split, seed.

        What is left out is guessed and reported. Gives one example exactly as the model reads it, lengths in tokens, and the rows in
        each part.
        """
        with telling():
            return services.map_dataset(who(owner), dataset_id, settings)

    def list_models() -> list:
        """List the models that can be taught: id, name, parameters, whether it can be had here, and if not, why."""
        with telling():
            return [
                {"id": m.id, "name": m.name, "parameters": m.parameters, "available": m.available, "reason": str(m.reason or "")}
                for m in services.catalog.list()
            ]

    def start_run(dataset_id: str, settings: Settings = None, owner: Owner = None) -> dict:
        """Put a training run in line. `settings` carry the names of TRL and PEFT; what is left out is chosen and explained."""
        with telling():
            return {"run_id": services.start_run(who(owner), dataset_id, settings)}

    def get_run(run_id: str, owner: Owner = None) -> dict:
        """Where a run stands: state, step, losses, seconds left, memory, settings with reasons, and the error if it failed."""
        with telling():
            return services.runs.get(who(owner), run_id).to_dict()

    def get_metrics(run_id: str, since_step: int = 0, owner: Owner = None) -> list:
        """The curve of a run from a step on: loss, eval_loss, learning_rate, grad_norm, tokens and time at each step."""
        with telling():
            return services.runs.metrics(who(owner), run_id, since_step)

    def stop_run(run_id: str, owner: Owner = None) -> dict:
        """Stop a run after its present step and keep what it learnt."""
        with telling():
            return services.runs.stop(who(owner), run_id).to_dict()

    def cancel_run(run_id: str, owner: Owner = None) -> dict:
        """Stop a run and throw away what it learnt."""
        with telling():
            return services.runs.cancel(who(owner), run_id).to_dict()

    def list_runs(owner: Owner = None) -> list:
        """List one's runs, newest first, each as `get_run` gives it."""
        with telling():
            return [run.to_dict() for run in services.runs.list(who(owner))]

    def delete_run(run_id: str, owner: Owner = None) -> dict:
        """Delete a run that has ended, with everything it learnt; gives the run as it last was."""
        with telling():
            last = services.runs.get(who(owner), run_id).to_dict()
            services.runs.delete(who(owner), run_id)
            return last | {"deleted": True}

    def compare(prompt: str | list, run_id: str, settings: Settings = None, owner: Owner = None) -> Iterator[dict]:
        """Answer one prompt (a text, or a list of messages) by the base and by a run; a stream whose last item is whole.

        `settings`: max_new_tokens, temperature, top_p, top_k, repetition_penalty, stop, seed, system, use_template.
        """
        with telling():
            states: dict[str, Any] = {}
            for states in services.compare(who(owner), prompt, run_id, settings):
                yield states
            if states and all(state["error"] for state in states.values()):
                raise gr.Error(str(states["tuned"]["error"]), print_exception=False)

    def index_documents(
        files: list[str] | None, collection: str | None = None, embedder: str | None = None, owner: Owner = None
    ) -> Iterator[dict]:
        """Add PDFs to a collection (made where it is not there) and follow the indexing; a stream, whose last item has each document.

        Without files, what an interrupted indexing left waiting is indexed. The job goes on when the caller leaves; see `get_job`.
        """
        with telling():
            named = [(Path(one), Path(one).name) for one in files or []]
            for job in services.index_documents(who(owner), named, collection or None, embedder or None):
                told = job.to_dict()
                documents = (told.pop("result") or {}).get("documents", [])
                yield {**told, "collection": collection or DEFAULT_NAME, "documents": documents}
                if job.state == "failed":
                    raise gr.Error(str(job.error), print_exception=False)

    def list_collections(owner: Owner = None) -> list:
        """List one's collections of documents, newest first: name, id, embedder, documents and passages."""
        with telling():
            return services.collections.list(who(owner))

    def list_documents(collection: str, owner: Owner = None) -> list:
        """List the documents of a collection (by name or id): pages, pages without text, passages, and why one failed."""
        with telling():
            return services.collections.documents(who(owner), collection)

    def delete_document(collection: str, name: str, owner: Owner = None) -> dict:
        """Take one document out of a collection."""
        with telling():
            return services.collections.remove(who(owner), collection, name)

    def delete_collection(collection: str, owner: Owner = None) -> dict:
        """Delete a collection with its documents."""
        with telling():
            return services.collections.delete(who(owner), collection)

    def search(question: str, collection: str, k: int = 5, mode: str = "hybrid", owner: Owner = None) -> list:
        """Find the passages that speak to a question; `mode` is hybrid, dense or keyword. Pages count from 1, label is the printed one."""
        with telling():
            return services.collections.search(who(owner), question, collection, k, mode)

    def ask(question: str, collection: str, run_id: str | None = None, settings: Settings = None, owner: Owner = None) -> Iterator[dict]:
        """Answer a question from a collection, with citations; a stream whose last item is whole. `run_id` asks a tuned model.

        `settings`: mode (hybrid, dense, keyword), max_new_tokens, temperature, top_p, top_k, repetition_penalty, stop, seed.
        """
        with telling():
            for state in services.answer_documents(who(owner), question, collection, run_id or None, settings):
                yield {**state, "answer": str(state["answer"]), "error": str(state["error"]) if state["error"] else None}

    def get_job(job_id: str, owner: Owner = None) -> dict:
        """Where a long piece of work stands: state, done, total, eta_seconds, result and error."""
        with telling():
            return services.jobs.get(who(owner), job_id).to_dict()

    def stop_job(job_id: str, owner: Owner = None) -> dict:
        """Ask a long piece of work to end; what it has done stays."""
        with telling():
            return services.jobs.stop(who(owner), job_id).to_dict()

    plain: list[Callable[..., Any]] = [list_samples, list_datasets, delete_dataset, preview_dataset, map_dataset, list_models, start_run]
    plain += [get_run, get_metrics, stop_run, cancel_run, list_runs, delete_run]
    plain += [check_dataset, fix_dataset, restore_dataset, edit_dataset, list_hub_splits, import_hub_dataset]
    plain += [list_collections, list_documents, delete_document, delete_collection, search, get_job, stop_job]
    for endpoint in plain:
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)
    gr.api(compare, api_name="compare", concurrency_id="model")
    gr.api(ask, api_name="ask", concurrency_id="model")
    # a file needs a component to arrive through
    file, sample, options = gr.File(visible=False), gr.Textbox(visible=False), gr.JSON(visible=False)
    owner, result = gr.Textbox(visible=False), gr.JSON(visible=False)
    gr.Button(visible=False).click(
        import_dataset, [file, sample, options, owner], result, api_name="import_dataset", concurrency_limit=4, show_progress="hidden"
    )
    files, collection, embedder = gr.File(visible=False, file_count="multiple"), gr.Textbox(visible=False), gr.Textbox(visible=False)
    gr.Button(visible=False).click(
        index_documents,
        [files, collection, embedder, owner],
        result,
        api_name="index_documents",
        concurrency_limit=8,
        show_progress="hidden",
    )
