"""Asking a whole list: a job that asks base and tuned model in groups, so that others who ask have their turn between two of them.

    job.result  {run_id, run, model, revision, quantised, adapter, step, settings, asked, source, questions, skipped, left_out, rows: [row]}
    row         {question, right, base: answer, tuned: answer, same, base_right, tuned_right}
    answer      {text, tokens, seconds, adapter, stopped_because, error, sentence}

Does not know where questions come from, screens or files.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Generator, Sequence
from dataclasses import asdict
from typing import Any, cast

from playground.asking import BASE, TUNED, How
from playground.errors import InputError, PlaygroundError, Sentence, SettingsError, WrongState, pack
from playground.inference.panes import Pane, PaneState
from playground.jobs import Job
from playground.many.questions import Listed, Taken
from playground.many.verdicts import judged
from playground.messages import Conversation
from playground.models.catalog import AdapterRef
from playground.services import Services

KIND = "compare_many"
GROUP = 16  # questions that are asked at once, of both models
PANES = (BASE, TUNED)
PATIENCE = 1.0  # seconds of waiting after which it is told; every group waits for a moment
ASKING, WAITING = Sentence("Asking both models"), Sentence("Waiting until the model is ready for these questions")


class Many:
    """Lists of questions for the owners of one playground; safe for many threads."""

    def __init__(self, services: Services) -> None:
        self.services = services
        self.most = services.settings.limits.many_questions

    def start(
        self,
        owner: str,
        run_id: str,
        taken: Taken,
        settings: dict[str, Any] | None = None,
        *,
        source: str = "list",
    ) -> Job:
        """Begin to ask; `settings` as `/compare` has them. What stops or fails on the way keeps the rows that are whole.

        Raises:
            InputError: no question, or more than one list may have; SettingsError: unknown settings or values out of range.
            WrongState: this owner's last list is still being asked, or the run has not learned anything; NotFound: no such run.
        """
        listed = taken.listed
        if not listed:
            raise InputError("There is no question to ask yet. Write one on each line, choose a file, or take unseen rows.")
        if len(listed) > self.most:
            raise InputError("These are {n:,} questions; at most {limit:,} can be asked at once.", n=len(listed), limit=self.most)
        how = self.services.asking.read(settings)
        if how.runs or how.collection:
            raise SettingsError("A list of questions is asked of the base and of one run, and without documents.")
        adapter = self.services.runs.adapter(owner, run_id)
        jobs = self.services.jobs
        if any(not jobs.get(owner, one["job_id"]).finished for one in jobs.kept(owner, KIND)):
            raise WrongState("Your last list of questions is still being asked. Wait for it, or stop it.")
        drawn = asdict(how.generation)
        told = {
            "run_id": run_id,
            "run": adapter.name,
            "model": adapter.model.id,
            "quantised": adapter.quantised,
            "revision": adapter.model.revision,
            "adapter": adapter.sha256,
            "step": adapter.step,
            "settings": {**drawn, "stop": list(how.generation.stop), "system": how.system, "use_template": how.use_template},
            "asked": time.time(),
            "source": source,
            "questions": len(listed),
            "skipped": taken.skipped,
            "left_out": taken.left_out,
        }

        def work(job: Job) -> dict[str, Any]:
            rows: list[dict[str, Any]] = []
            for first in range(0, len(listed), GROUP):
                if job.stopping():
                    break
                rows += self._ask(job, adapter, listed[first : first + GROUP], how)
                job.result = {**told, "rows": list(rows)}  # another list each time: the last one may be on its way to disk
            return {**told, "rows": rows}

        return jobs.start(owner, KIND, work, total=len(listed), about={"run": adapter.name, "questions": len(listed)}, apart=True)

    def unseen(self, owner: str, run_id: str, rows: int) -> Taken:
        """So many of the rows that a run never saw, as questions; fewer where there are fewer.

        Raises:
            InputError: not a number of rows that can be asked, or the run has kept no rows apart; NotFound: no such run.
        """
        rows = self.number(rows)
        found = [Listed(one.shown, one.answer, one.asked) for one in self.services.unseen(owner, run_id, rows)]
        if not found:
            raise InputError("This run has learnt from every row, so there is none that it never saw. Write questions of your own.")
        return Taken(found)

    def number(self, value: Any) -> int:
        """How many questions somebody wants to ask.

        Raises:
            InputError: not a number, or more than one list may have.
        """
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= self.most:
            raise InputError("The number of questions is a whole number from 1 to {limit:,}.", limit=self.most)
        return value

    def kept(self, owner: str) -> list[dict[str, Any]]:
        """The lists that were asked and are still there, newest first: [{job_id, created, run, questions}]."""
        return self.services.jobs.kept(owner, KIND)

    def _ask(self, job: Job, adapter: AdapterRef, group: Sequence[Listed], how: How) -> list[dict[str, Any]]:
        """The rows of one group; only those whose answers are whole, where a person has stopped it."""
        before, panes = job.done, []
        states: dict[str, PaneState] = {}
        for number, one in enumerate(group):
            try:
                conversation = self._put(one, adapter, how)
                self.services.host.check(conversation)
            except PlaygroundError as error:  # this question alone cannot be asked
                refused = PaneState(done=True, stopped_because="error", error=error.sentence)
                states |= {f"{number} {name}": refused for name in PANES}
                continue
            for name in PANES:
                worn = adapter if name == TUNED else None
                panes.append(Pane(f"{number} {name}", adapter.model, adapter.quantised, worn, conversation))
        whole: list[int] = []
        began = time.monotonic()
        stream = cast("Generator[dict[str, PaneState], None, None]", self.services.host.stream(panes, how.generation))
        with contextlib.closing(stream):  # or the models would go on writing what nobody reads
            for grown in stream:
                states |= grown
                whole = [number for number in range(len(group)) if all(states[f"{number} {name}"].done for name in PANES)]
                job.done = before + len(whole)
                begun = any(state.prompt_tokens or state.done for state in grown.values())
                if begun or time.monotonic() - began > PATIENCE:
                    job.doing = ASKING if begun else WAITING
                if job.stopping():
                    break
        return [row(group[number], {name: states[f"{number} {name}"] for name in PANES}) for number in whole]

    def _put(self, one: Listed, adapter: AdapterRef, how: How) -> Conversation:
        """What both models read: a row of the run's own as it stands there, unless somebody wants it put in another way."""
        if one.asked is not None and how.system is None and how.use_template:
            return one.asked
        return self.services.asking.question(one.question, adapter, how)


def row(one: Listed, states: dict[str, PaneState]) -> dict[str, Any]:
    """A row of the table."""
    said = {"question": one.question, "right": one.right or None, **{name: _answer(state) for name, state in states.items()}}
    return {**said, **judged(said)}


def _answer(state: PaneState) -> dict[str, Any]:
    told = state.to_dict()
    kept = {key: told[key] for key in ("text", "tokens", "seconds", "adapter", "stopped_because", "error")}
    return {**kept, "sentence": pack(state.error) if state.error else None}
