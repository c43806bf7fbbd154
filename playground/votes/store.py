"""Blind votes: a question, its answers shuffled and unnamed, one vote a voter, and who wrote what only after the reveal.

One file a vote, HOME/votes/<id>.json, written whole; it is read afresh at every call, so that nothing is lost when the app starts again.
The id is the key of the link that the class gets: unguessable, and all that a voter needs. Of a voter only a digest is kept, made with the
vote's id, so that it says nothing about who voted elsewhere. Does not know how a vote is shown or how a voter's browser is told apart.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import string
import threading
import time
from pathlib import Path
from typing import Any

from playground.errors import InputError, NotFound, WrongState, storage_errors
from playground.intervals import wilson
from playground.votes.statistics import lead
from playground.workspace import Workspace, read_json, write_json

ID = re.compile(r"[0-9a-f]{24}")
LABELS = string.ascii_uppercase[:7]  # at most so many answers; as many as there can be panes in Chat
QUESTION_CHARACTERS = 2_000
ANSWER_CHARACTERS = 6_000
NAME_CHARACTERS = 200
VOTER_CHARACTERS = 200
MOST_VOTERS = 2_000  # of one vote
MOST_OF_ONE = 20  # votes that one owner keeps; the oldest go
MOST_OF_ALL = 1_000
OLD = 24 * 3600  # seconds after which a vote may make room for those of others
NO_VOTE = "There is no such vote any more. Ask whoever started it for a new link."


class Votes:
    """All votes of one home folder, safe for many threads of one app."""

    def __init__(self, workspace: Workspace) -> None:
        self.folder = workspace.home / "votes"
        self._lock = threading.RLock()

    # for the one who asks

    def open(self, owner: str, question: Any, answers: Any) -> dict[str, Any]:
        """Start a vote on answers {key, name, text}, shuffled; gives what `get` gives. Long texts are kept up to a length, with “…”.

        Raises:
            InputError: no question, or answers that cannot be voted on; WrongState: too many votes are being held.
        """
        if not isinstance(question, str) or not question.strip():
            raise InputError("A vote needs a question. Write one, then start the vote.")
        kept = checked(answers)
        secrets.SystemRandom().shuffle(kept)
        vote = {
            "vote_id": secrets.token_hex(12),
            "owner": owner,
            "created": time.time(),
            "question": cut(question.strip(), QUESTION_CHARACTERS),
            "answers": kept,
            "votes": {},
            "state": "open",
        }
        with self._lock:
            with storage_errors():
                self.folder.mkdir(exist_ok=True)
            self._make_room(owner)
            self._write(vote)
        return told(vote, own=True)

    def get(self, owner: str | None, vote_id: str) -> dict[str, Any]:
        """A vote: what everybody with its link may see; its owner also sees how many have voted, and after the reveal who wrote what.

        Raises:
            NotFound: there is no such vote.
        """
        vote = self._read(vote_id)
        return told(vote, own=owner == vote["owner"])

    def reveal(self, owner: str, vote_id: str) -> dict[str, Any]:
        """Close a vote and give its result; a second time gives the same.

        Raises:
            NotFound: there is no such vote, or it is another owner's; the two are not told apart.
        """
        with self._lock:
            vote = self._read(vote_id)
            if vote["owner"] != owner:
                raise NotFound(NO_VOTE)
            if vote["state"] != "closed":
                vote["state"] = "closed"
                self._write(vote)
            return told(vote, own=True)

    def newest_open(self, owner: str) -> str | None:
        """The id of an owner's vote that is still going on, for a page that was opened anew."""
        with self._lock:
            going = [vote for vote in self._all() if vote["owner"] == owner and vote["state"] == "open"]
        return max(going, key=lambda vote: vote["created"])["vote_id"] if going else None

    # for those who vote

    def cast(self, vote_id: str, choice: Any, voter: Any) -> dict[str, Any]:
        """Vote for an answer by its letter, or vote again, which replaces the former one; gives what `get` gives to a voter.

        Raises:
            NotFound: there is no such vote; WrongState: it is closed, or too many have voted; InputError: no such answer, or no voter.
        """
        if not isinstance(voter, str) or not 0 < len(voter) <= VOTER_CHARACTERS:
            raise InputError("A vote is given with the voter’s own key, a text of at most {n} characters.", n=VOTER_CHARACTERS)
        with self._lock:
            vote = self._read(vote_id)
            letters = LABELS[: len(vote["answers"])]
            letter = choice.strip().upper() if isinstance(choice, str) else ""
            if len(letter) != 1 or letter not in letters:
                raise InputError("A vote is for one of the answers, by its letter: {letters}.", letters=", ".join(letters))
            if vote["state"] != "open":
                raise WrongState("This vote is over, and its result is shown.")
            who = digest(vote_id, voter)
            if who not in vote["votes"] and len(vote["votes"]) >= MOST_VOTERS:
                raise WrongState("At most {n:,} can take part in one vote, and so many have.", n=MOST_VOTERS)
            if vote["votes"].get(who) != letters.index(letter):
                vote["votes"][who] = letters.index(letter)
                self._write(vote)
            return told(vote, own=False)

    def choice(self, vote_id: str, voter: str) -> str | None:
        """The letter that a voter chose last, None where they have not voted.

        Raises:
            NotFound: there is no such vote.
        """
        place = self._read(vote_id)["votes"].get(digest(vote_id, voter))
        return None if place is None else LABELS[place]

    # on disk

    def _path(self, vote_id: str) -> Path:
        if not isinstance(vote_id, str) or not ID.fullmatch(vote_id):
            raise NotFound(NO_VOTE)
        return self.folder / f"{vote_id}.json"

    def _read(self, vote_id: str) -> dict[str, Any]:
        vote = read_json(self._path(vote_id))
        if not isinstance(vote, dict):
            raise NotFound(NO_VOTE)
        return vote

    def _write(self, vote: dict[str, Any]) -> None:
        write_json(self._path(vote["vote_id"]), vote)

    def _all(self) -> list[dict[str, Any]]:
        paths = [path for path in self.folder.glob("*.json") if ID.fullmatch(path.stem)] if self.folder.is_dir() else []
        return [vote for vote in (read_json(path) for path in paths) if isinstance(vote, dict)]

    def _make_room(self, owner: str) -> None:
        """Let the oldest go: of this owner's beyond what one keeps; of everybody's only those that no class can still be at."""
        votes = sorted(self._all(), key=lambda vote: vote["created"])
        mine = [vote for vote in votes if vote["owner"] == owner]
        going = mine[: max(0, len(mine) + 1 - MOST_OF_ONE)]
        gone = {vote["vote_id"] for vote in going}
        over = len(votes) - len(gone) + 1 - MOST_OF_ALL
        if over > 0:
            old = [v for v in votes if v["vote_id"] not in gone and (v["state"] == "closed" or time.time() - v["created"] > OLD)]
            if len(old) < over:
                raise WrongState("Too many votes are being held here at this moment. Try again later.")
            going += old[:over]
        for vote in going:
            self._path(vote["vote_id"]).unlink(missing_ok=True)


def checked(answers: Any) -> list[dict[str, str]]:
    """Answers as they are kept.

    Raises:
        InputError: too few or too many, of a wrong shape, or all alike.
    """
    if not isinstance(answers, list) or not 2 <= len(answers) <= len(LABELS):
        raise InputError("A vote is between two and {n} answers.", n=len(LABELS))
    kept = []
    for one in answers:
        if not isinstance(one, dict) or not isinstance(one.get("key"), str) or not isinstance(one.get("text"), str):
            raise InputError("Each answer of a vote has a key, a name and a text.")
        name = one.get("name") or one["key"]
        kept.append(
            {"key": cut(one["key"], NAME_CHARACTERS), "name": cut(str(name), NAME_CHARACTERS), "text": cut(one["text"], ANSWER_CHARACTERS)}
        )
    if len({one["key"] for one in kept}) < len(kept):
        raise InputError("Two answers of a vote have the same key. Give each its own.")
    if len({one["text"].strip() for one in kept}) == 1:
        raise InputError("All answers are the same word for word, so there is nothing to choose between. Ask another question.")
    return kept


def told(vote: dict[str, Any], *, own: bool) -> dict[str, Any]:
    """A vote without its secrets. Names and keys of the answers are the owner's alone, and even the owner's only after the reveal."""
    revealed = vote["state"] == "closed"
    shown: dict[str, Any] = {
        "vote_id": vote["vote_id"],
        "state": vote["state"],
        "question": vote["question"],
        "answers": [{"label": LABELS[place], "text": one["text"]} for place, one in enumerate(vote["answers"])],
    }
    if own:
        shown["voters"] = len(vote["votes"])
    if revealed:
        shown["result"] = result(vote)
        if own:
            for line, one in zip(shown["result"]["answers"], vote["answers"], strict=True):
                line |= {"key": one["key"], "name": one["name"]}
    return shown


def result(vote: dict[str, Any]) -> dict[str, Any]:
    """Votes, share and interval of each answer, and whether the lead is more than chance."""
    chosen = list(vote["votes"].values())
    counts = [chosen.count(place) for place in range(len(vote["answers"]))]
    verdict, total = lead(counts), len(chosen)
    lines = []
    for place, count in enumerate(counts):
        low, high = wilson(count, total)
        lines.append({"label": LABELS[place], "votes": count, "share": count / total if total else 0.0, "low": low, "high": high})
    leader = None if verdict.leader is None else LABELS[verdict.leader]
    return {"voters": total, "answers": lines, "leader": leader, "p": verdict.p, "more_than_chance": verdict.clear}


def digest(vote_id: str, voter: str) -> str:
    """A voter in one vote; the vote's id is in it, so that it is another one in the next vote."""
    return hashlib.sha256(f"{vote_id}:{voter}".encode("utf-8", "replace")).hexdigest()[:32]


def cut(text: str, characters: int) -> str:
    # a lone half of a surrogate pair cannot be written as UTF-8
    whole = text.encode("utf-8", "replace").decode()
    return whole if len(whole) <= characters else whole[: characters - 1] + "…"
