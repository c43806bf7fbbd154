"""The programming interface: what a person can do by clicking, a program can do by name (`gradio_client`).

Names, arguments and keys are a contract. No `from __future__ import annotations` here: Gradio reads the types to describe the endpoints.
"""

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from playground.errors import InputError, SettingsError
from playground.ui import chat_api, documents_api, evidence_api, exam_api, vote_api
from playground.ui.errors import owner_of, told
from playground.ui.i18n import DEFAULT
from playground.ui.page import Page
from playground.ui.tabs.takeaway import packed

Settings = dict[str, Any] | None
Owner = str | None
FORMATS = ("settings",)  # in which a run can be taken away


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

    def list_models(owner: Owner = None) -> list:
        """List the models that can be taught: id, name, parameters, whether it can be had here, and if not, why.

        Those that only a visitor's own access token opens are told as open to this visitor, by `owner`.
        """
        with telling():
            known = who(owner) if owner or settings.mode == "personal" else ""
            return [
                {"id": m.id, "name": m.name, "parameters": m.parameters, "available": m.available, "reason": str(m.reason or "")}
                for m in services.catalog.list(known)
            ]

    def use_token(token: str, owner: Owner = None) -> dict:
        """Use one's own access token of the Hugging Face Hub for models whose licence has to be accepted; kept in memory only.

        It serves this owner until the playground is closed. `start_run` says so where a model stays closed to it.
        """
        with telling():
            services.catalog.tokens.keep(who(owner), token)
            return {"kept": True}

    def list_recipes(dataset_id: str, owner: Owner = None, model: str | None = None) -> list:
        """List the settings of published studies as this machine can have them for a dataset, and what had to be adapted, with reasons.

        `model` is taught in place of the studies' own, if given.
        """
        with telling():
            return [
                {key: str(value) if isinstance(value, str) else value for key, value in one.items()}
                | {"adapted": [str(sentence) for sentence in one["adapted"]]}
                for one in services.recipes(who(owner), dataset_id, model=model or None)
            ]

    def import_adapter(
        file: str | None,
        model: str | None = None,
        name: str | None = None,
        owner: Owner = None,
        path: str | None = None,
        files: list[str] | None = None,
    ) -> dict:
        """Bring in a PEFT adapter (LoRA or IA3) that was trained elsewhere, as a finished run to ask, compare and go on from.

        `file` is a ZIP archive of its folder; `files` are adapter_config.json and adapter_model.safetensors; on one's own machine `path`
        names the folder. `model` is the one it was trained on; left out, the one that the adapter names, if it is on the list.
        """
        with telling():
            sources = [Path(one) for one in [*([file] if file else []), *(files or [])]]
            return {"run_id": services.bringing.bring(who(owner), sources, model or "", name or "", path=path or "")}

    def estimate_run(dataset_id: str, settings: Settings = None, owner: Owner = None, start_from: str | None = None) -> dict:
        """Say what a run would need before it begins: memory_mb, disk_mb, seconds, parameters, whether it fits, and what to change.

        Told from formulas; `measured` is true where `rehearse_run` has tried the same steps. `fits`: fits, tight or does not fit.
        """
        with telling():
            return services.estimate_run(who(owner), dataset_id, settings, start_from=start_from or None).to_dict()

    def rehearse_run(dataset_id: str, settings: Settings = None, owner: Owner = None, start_from: str | None = None) -> dict:
        """Try three real steps on the longest rows, then say as `estimate_run` does what the run will need, measured.

        Waits for them; refused while a run is training. `error` says why it broke off, for instance for want of memory.
        """
        with telling():
            job = services.rehearse_run(who(owner), dataset_id, settings, start_from=start_from or None)
            return services.rehearsals.result(job).to_dict()

    def start_run(dataset_id: str, settings: Settings = None, owner: Owner = None, start_from: str | None = None) -> dict:
        """Put a training run in line. `settings` carry the names of TRL and PEFT; what is left out is chosen and explained.

        `start_from` is the id of an earlier run of the same model, whose adapter this one goes on from.
        """
        with telling():
            return {"run_id": services.start_run(who(owner), dataset_id, settings, start_from=start_from or None)}

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

    def resume_run(run_id: str, settings: Settings = None, owner: Owner = None) -> dict:
        """Go on with a run that has ended, from its last checkpoint; `max_steps` or `num_train_epochs` make it longer or shorter."""
        with telling():
            return services.runs.resume(who(owner), run_id, settings).to_dict()

    def move_run(run_id: str, place: int, owner: Owner = None) -> dict:
        """Let a waiting run wait at another place among one's own waiting runs, 1 being the first of them."""
        with telling():
            return services.runs.move(who(owner), run_id, place).to_dict()

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

    def search(question: str, collection: str, k: int = 5, mode: str = "hybrid", owner: Owner = None, settings: Settings = None) -> list:
        """Find the passages that speak to a question; `mode` is hybrid, dense or keyword. Pages count from 1, label is the printed one.

        `section` of a passage has the headings that it stands under, outermost first, by the outline of a PDF or the headings of a text.
        `settings` switch single steps: keyword, dense, thesaurus (true or false), weight (the vectors' share, 0 to 1), reranker (a name).
        """
        with telling():
            return services.collections.search(who(owner), question, collection, k, mode, settings)

    def ask(question: str, collection: str, run_id: str | None = None, settings: Settings = None, owner: Owner = None) -> Iterator[dict]:
        """Answer a question from a collection, with citations; a stream whose last item is whole. `run_id` asks a tuned model.

        Each of its `citations` has document, page, label (the printed page), `section` (the headings above the quote), quote and chunk.
        `settings`: mode (hybrid, dense, keyword), single steps as `search` has them, threshold (0 to 1; how sure the evidence must be),
        model (of `list_server_models`, in place of a run), max_new_tokens, temperature, top_p, top_k, repetition_penalty, stop, seed.
        """
        with telling():
            for state in services.asking.documents(who(owner), question, collection, run_id or None, settings):
                yield {**state, "answer": str(state["answer"]), "error": str(state["error"]) if state["error"] else None}

    def get_job(job_id: str, owner: Owner = None) -> dict:
        """Where a long piece of work stands: state, done, total, eta_seconds, result and error."""
        with telling():
            return services.jobs.get(who(owner), job_id).to_dict()

    def stop_job(job_id: str, owner: Owner = None) -> dict:
        """Ask a long piece of work to end; what it has done stays."""
        with telling():
            return services.jobs.stop(who(owner), job_id).to_dict()

    def export_run(run_id: str, format: str = "settings", owner: Owner = None) -> str:
        """Take a run away as a file. `settings`: a ZIP of its settings and examples, to be trained once more from the command line."""
        with telling():
            if format not in FORMATS:
                raise SettingsError(
                    "A run can be taken away as {known}, not as {format}.", known=", ".join(FORMATS), format=str(format)[:40]
                )
            return str(packed(services, who(owner), run_id, taken.GRADIO_CACHE))

    plain: list[Callable[..., Any]] = [
        list_samples,
        list_datasets,
        delete_dataset,
        preview_dataset,
        map_dataset,
        list_models,
    ]
    plain += [use_token]
    plain += [estimate_run, rehearse_run]
    plain += [list_recipes, start_run, get_run, get_metrics, stop_run, cancel_run, resume_run, move_run, list_runs, delete_run]
    plain += [check_dataset, fix_dataset, restore_dataset, edit_dataset, list_hub_splits, import_hub_dataset]
    plain += [search, get_job, stop_job]
    for endpoint in plain:
        gr.api(endpoint, api_name=endpoint.__name__, concurrency_limit=None)
    vote_api.build(page)
    chat_api.build(page)
    documents_api.build(page)
    # who asks at the same time is answered in the same batch; a limit here would be that of all who share the name
    gr.api(ask, api_name="ask", concurrency_id="model", concurrency_limit=None)
    evidence_api.build(page)
    exam_api.build(page)
    # a file needs a component to arrive through
    file, sample, options = gr.File(visible=False), gr.Textbox(visible=False), gr.JSON(visible=False)
    owner, result = gr.Textbox(visible=False), gr.JSON(visible=False)
    gr.Button(visible=False).click(
        import_dataset, [file, sample, options, owner], result, api_name="import_dataset", concurrency_limit=4, show_progress="hidden"
    )
    model, name, path, pair = (
        gr.Textbox(visible=False),
        gr.Textbox(visible=False),
        gr.Textbox(visible=False),
        gr.File(visible=False, file_count="multiple"),
    )
    gr.Button(visible=False).click(
        import_adapter,
        [file, model, name, owner, path, pair],
        result,
        api_name="import_adapter",
        concurrency_limit=4,
        show_progress="hidden",
    )
    run, form, taken = gr.Textbox(visible=False), gr.Textbox(visible=False), gr.File(visible=False)
    gr.Button(visible=False).click(
        export_run, [run, form, owner], taken, api_name="export_run", concurrency_limit=4, show_progress="hidden"
    )
