"""A table as a document of a collection: each row is a passage, and a page of its own.

Knows rows as texts; does not know tables, or what they are asked.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from playground.errors import InputError, WrongState
from playground.rag.store import Collections

LOOK_SECONDS = 0.05


def store_rows(collections: Collections, owner: str, name: str, rows: Sequence[str], stopping: Callable[[], bool] = lambda: False) -> str:
    """Make or bring up to date the collection of that name, with one document of the same name; gives the name.

    It is indexed as every document is, and so takes its turn with whatever else is done to that collection.

    Raises:
        InputError: no row has text; WrongState: they could not be indexed, with the reason.
    """
    texts = [" ".join(row.split()) for row in rows]
    if not any(texts):
        raise InputError("The table has no row with text in it. Choose another table.")
    job = collections.add_rows(owner, name, texts)
    while job is not None and not job.finished:
        if stopping():
            collections.jobs.stop(owner, job.job_id)
            return name
        time.sleep(LOOK_SECONDS)
    if job is not None and job.error is not None:
        raise WrongState(job.error.template, **job.error.values)
    return name
