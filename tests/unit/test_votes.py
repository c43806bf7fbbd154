"""Blind votes: the statistics against known values and their own laws; one vote a voter; who may see what."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from playground.errors import InputError, NotFound, WrongState
from playground.intervals import wilson
from playground.services import Services
from playground.settings import Settings, load
from playground.ui import addresses, ballot
from playground.ui.i18n import Texts
from playground.ui.vote_page import BODY_BYTES, COOKIE, VotePage
from playground.votes import store
from playground.votes.statistics import lead, upper_tail
from playground.votes.store import LABELS, Votes
from playground.workspace import Workspace

ANSWERS = [{"key": "base", "name": "Base", "text": "No."}, {"key": "tuned", "name": "Café run", "text": "Yes <b>all</b> & more"}]
TEXTS = Texts(Path(__file__).resolve().parents[2] / "assets/locales")
counts = st.lists(st.integers(0, 120), min_size=2, max_size=7)


@pytest.fixture
def votes(tmp_path: Path) -> Votes:
    return Votes(Workspace(tmp_path))


def open_vote(votes: Votes, owner: str = "me", answers: Any = ANSWERS) -> str:
    return votes.open(owner, "Are dogs allowed?", answers)["vote_id"]


# statistics


@pytest.mark.parametrize(
    ("k", "n", "low", "high"),
    [(8, 10, 0.490, 0.943), (0, 10, 0.0, 0.278), (10, 10, 0.722, 1.0), (1, 2, 0.095, 0.905), (0, 0, 0.0, 1.0), (500, 1000, 0.469, 0.531)],
)
def test_wilson_has_the_known_values(k: int, n: int, low: float, high: float) -> None:
    assert wilson(k, n) == pytest.approx((low, high), abs=0.0005)


@given(st.integers(1, 2000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_an_interval_around_the_share_and_the_same_from_both_sides(case: tuple[int, int]) -> None:
    k, n = case
    low, high = wilson(k, n)
    assert 0 <= low <= k / n <= high <= 1
    assert (1 - high, 1 - low) == pytest.approx(wilson(n - k, n))
    known = binomtest(k, n).proportion_ci(0.95, method="wilson")
    assert (low, high) == pytest.approx((known.low, known.high), abs=1e-9)
    wider = wilson(k, n, 0.99)
    assert wider[0] <= low and high <= wider[1]


@given(st.integers(0, 300), st.integers(0, 300))
def test_two_answers_are_judged_by_the_two_sided_exact_test(a: int, b: int) -> None:
    known = binomtest(a, a + b, 0.5).pvalue if a + b else 1.0
    verdict = lead([a, b])
    assert verdict.p == pytest.approx(known, abs=1e-12)
    assert verdict.clear == (a != b and known < 0.05)


@given(counts)
def test_more_answers_are_judged_by_the_leader_against_an_equal_share(counted: list[int]) -> None:
    verdict, most, n = lead(counted), max(counted), sum(counted)
    known = binomtest(most, n, 1 / len(counted), alternative="greater").pvalue if n else 1.0
    assert verdict.p == pytest.approx(min(1.0, len(counted) * known), abs=1e-9)
    assert (verdict.leader is None) == (counted.count(most) > 1)
    assert verdict.leader is None or counted[verdict.leader] == most


def test_known_verdicts() -> None:
    assert lead([8, 2]).p == pytest.approx(0.109375)
    assert not lead([8, 2]).clear
    assert lead([9, 1]).p == pytest.approx(0.021484375) and lead([9, 1]) == lead([9, 1]) and lead([9, 1]).clear
    assert lead([0, 0]).leader is None and lead([0, 0]).p == 1
    assert upper_tail(0, 2000, 6) == 1
    assert lead([1667, 333]).p < 1e-100, "two thousand voters are counted exactly, and at once"


@given(st.integers(0, 60), st.integers(0, 60))
def test_one_more_vote_for_the_leader_never_makes_it_less_sure(a: int, b: int) -> None:
    if a > b:
        assert lead([a + 1, b]).p <= lead([a, b]).p + 1e-12


# one vote a voter


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.integers(2, 7).flatmap(lambda n: st.tuples(st.just(n), st.lists(st.tuples(st.text(min_size=1, max_size=5), st.integers(0, n - 1)))))
)
def test_the_last_vote_of_each_voter_counts_and_no_other(votes: Votes, case: tuple[int, list[tuple[str, int]]]) -> None:
    n, cast = case
    one = open_vote(votes, answers=[{"key": str(i), "name": f"n{i}", "text": f"t{i}"} for i in range(n)])
    for voter, place in cast:
        votes.cast(one, LABELS[place], voter)
    last = {voter.encode("utf-8", "replace"): place for voter, place in cast}
    result = votes.reveal("me", one)["result"]
    assert [line["votes"] for line in result["answers"]] == [list(last.values()).count(place) for place in range(n)]
    assert result["voters"] == len(last) and sum(line["share"] for line in result["answers"]) == pytest.approx(1 if last else 0)


def test_many_threads_lose_no_vote(votes: Votes) -> None:
    one = open_vote(votes)

    def crowd(group: int) -> None:
        for n in range(10):
            votes.cast(one, "AB"[n % 2], f"{group}-{n}")

    threads = [threading.Thread(target=crowd, args=(group,)) for group in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [line["votes"] for line in votes.reveal("me", one)["result"]["answers"]] == [30, 30]


# who sees what


def test_nothing_of_the_authors_is_told_before_the_reveal_and_never_to_others(votes: Votes, tmp_path: Path) -> None:
    one = open_vote(votes)
    assert "Café" not in json.dumps(votes.get("me", one), ensure_ascii=False)
    for seen in (votes.get(None, one), votes.get("stranger", one), votes.cast(one, "a", "anna")):
        assert seen.keys() == {"vote_id", "state", "question", "answers"}
        assert all(answer.keys() == {"label", "text"} for answer in seen["answers"])
    assert votes.get("me", one)["voters"] == 1
    own = votes.reveal("me", one)
    assert {line["name"] for line in own["result"]["answers"]} == {"Base", "Café run"}
    by_text = {a["text"]: line["key"] for a, line in zip(own["answers"], own["result"]["answers"], strict=True)}
    assert by_text == {"No.": "base", "Yes <b>all</b> & more": "tuned"}
    told = votes.get("stranger", one)
    assert told["result"]["voters"] == 1 and "voters" not in told
    assert "Café" not in json.dumps(told, ensure_ascii=False) and "tuned" not in json.dumps(told)
    assert "anna" not in (tmp_path / "votes" / f"{one}.json").read_text("utf-8")


def test_only_the_owner_reveals_and_a_closed_vote_stays_as_it_is(votes: Votes) -> None:
    one = open_vote(votes)
    with pytest.raises(NotFound):
        votes.reveal("stranger", one)
    assert votes.get(None, one)["state"] == "open"
    votes.cast(one, "A", "anna")
    first = votes.reveal("me", one)
    with pytest.raises(WrongState):
        votes.cast(one, "B", "anna")
    assert votes.reveal("me", one) == first


def test_a_vote_survives_a_restart(votes: Votes, tmp_path: Path) -> None:
    one = open_vote(votes)
    votes.cast(one, "B", "anna")
    later = Votes(Workspace(tmp_path))
    assert later.newest_open("me") == one and later.newest_open("stranger") is None
    assert later.choice(one, "anna") == "B" and later.choice(one, "bruno") is None
    later.cast(one, "A", "anna")
    assert later.reveal("me", one)["result"]["voters"] == 1
    assert later.newest_open("me") is None


def test_the_answers_are_shuffled_and_ids_cannot_be_guessed(votes: Votes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_OF_ONE", 100)
    made = [votes.open("me", "?", ANSWERS) for _ in range(40)]
    assert len({one["answers"][0]["text"] for one in made}) == 2
    assert len({one["vote_id"] for one in made}) == 40 and all(len(one["vote_id"]) == 24 for one in made)


@pytest.mark.parametrize("id", ["", "../manifest", "0" * 24, "A" * 24, None, 7, ["x"], "0" * 25])
def test_an_id_that_is_none_is_not_found(votes: Votes, id: Any) -> None:
    for use in (lambda: votes.get("me", id), lambda: votes.cast(id, "A", "anna"), lambda: votes.reveal("me", id)):
        with pytest.raises(NotFound):
            use()


@pytest.mark.parametrize(
    "answers",
    [None, [], ANSWERS[:1], [{"key": str(n), "text": str(n)} for n in range(8)], ["a", "b"], [{"key": 1, "text": "a"}] * 2,
     [{"key": "a", "text": "x"}, {"key": "a", "text": "y"}], [{"key": "a", "text": "same "}, {"key": "b", "text": "same"}], "ab"],
)  # fmt: skip
def test_answers_that_cannot_be_voted_on_are_refused(votes: Votes, answers: Any) -> None:
    with pytest.raises(InputError):
        votes.open("me", "Are dogs allowed?", answers)


@pytest.mark.parametrize(
    ("choice", "voter"), [("C", "anna"), ("", "anna"), ("AB", "anna"), (None, "anna"), ("A", ""), ("A", None), ("A", "x" * 201)]
)
def test_a_vote_that_is_none_is_refused(votes: Votes, choice: Any, voter: Any) -> None:
    one = open_vote(votes)
    with pytest.raises(InputError):
        votes.cast(one, choice, voter)
    with pytest.raises(InputError):
        votes.open("me", " ", ANSWERS)


def test_what_is_kept_has_bounds(votes: Votes, monkeypatch: pytest.MonkeyPatch) -> None:
    long = votes.open("me", "q" * 9_000, [{"key": "a", "text": "x" * 50_000}, {"key": "b", "text": "\ud800"}])
    assert len(long["question"]) == store.QUESTION_CHARACTERS
    assert max(len(one["text"]) for one in long["answers"]) == store.ANSWER_CHARACTERS
    monkeypatch.setattr(store, "MOST_OF_ONE", 3)
    made = [open_vote(votes) for _ in range(4)]
    assert len(list(votes.folder.iterdir())) == 3
    with pytest.raises(NotFound):
        votes.get("me", made[0])
    monkeypatch.setattr(store, "MOST_VOTERS", 2)
    for voter in ("anna", "bruno", "anna"):
        votes.cast(made[-1], "A", voter)
    with pytest.raises(WrongState, match="At most 2"):
        votes.cast(made[-1], "A", "carla")
    monkeypatch.setattr(store, "MOST_OF_ALL", 4)
    open_vote(votes, "other")
    with pytest.raises(WrongState, match="Too many"):  # those of others are still going on
        open_vote(votes, "third")
    votes.reveal("other", str(votes.newest_open("other")))
    open_vote(votes, "third")
    assert len(list(votes.folder.iterdir())) == 4


def test_a_damaged_file_is_no_vote(votes: Votes) -> None:
    one = open_vote(votes)
    (votes.folder / f"{one}.json").write_text("{")
    assert votes.newest_open("me") is None
    with pytest.raises(NotFound):
        votes.get("me", one)


# words and addresses


@pytest.mark.parametrize("language", list(TEXTS.locales))
@pytest.mark.parametrize("cast", [[], [0], [0, 1], [0] * 10 + [1], [0] * 40])
def test_every_result_has_its_sentence(votes: Votes, language: str, cast: list[int]) -> None:
    one = open_vote(votes)
    for voter, place in enumerate(cast):
        votes.cast(one, LABELS[place], str(voter))
    result = votes.reveal("me", one)["result"]

    def say(key: str, **values: Any) -> str:
        return TEXTS.say(key, language, **values)

    said = ballot.verdict(result, say)
    expected = {0: "nobody", 1: "unclear", 2: "tie"}.get(len(cast), "clear")
    assert said[:20] == say(f"vote.{expected}", letter="A", chance="")[:20] if expected != "clear" else "chance" in said or "acaso" in said
    assert ballot.table(result, say).count("<tr") == 2 and "Caf" in ballot.table(result, say)
    assert ballot.terms(result, say) and "Wilson" in ballot.terms(result, say)


class Asked:
    def __init__(self, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"origin": "http://127.0.0.1:7860", "referer": "http://127.0.0.1:7860/?__theme=dark"}, "http://127.0.0.1:7860"),
        (
            {"origin": "https://uni.example", "referer": "https://uni.example/ai/lab/?x=1", "host": "10.0.0.3:7860"},
            "https://uni.example/ai/lab",
        ),
        ({"origin": "https://uni.example", "host": "10.0.0.3:7860"}, "https://uni.example"),
        ({"origin": "https://uni.example", "referer": "https://other.example/"}, "https://uni.example"),
        ({"host": "192.168.0.7:7860"}, "http://192.168.0.7:7860"),
        ({"host": "inner", "x_forwarded_host": "uni.example, inner", "x_forwarded_proto": "https,http"}, "https://uni.example"),
        ({"referer": "javascript:alert(1)", "host": "a b:c:d"}, ""),
        ({}, ""),
    ],
)
def test_the_link_is_where_the_browser_is(headers: dict[str, str], expected: str) -> None:
    assert addresses.reached(Asked(**headers)) == expected  # type: ignore[arg-type]


def test_an_address_that_phones_cannot_reach_is_told_or_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(addresses, "local_address", lambda: "192.168.0.7")
    assert addresses.for_phones("https://uni.example/ai", True) == addresses.Address("https://uni.example/ai", "", "uni.example")
    for host in ("localhost", "127.0.0.1", "[::1]", "0.0.0.0"):  # noqa: S104
        assert addresses.for_phones(f"http://{host}:7861/x", False).note == "loopback"
        offered = addresses.for_phones(f"http://{host}:7861/x", True)
        assert (offered.url, offered.note) == ("http://192.168.0.7:7861/x", "offered")
    monkeypatch.setattr(addresses, "local_address", lambda: None)
    assert addresses.for_phones("http://localhost:7861", True).note == "loopback"
    assert load({"GRADIO_SERVER_NAME": "0.0.0.0"}).everywhere and not load({}).everywhere  # noqa: S104


def test_a_local_address_is_none_of_this_machine_alone() -> None:
    found = addresses.local_address()
    assert found is None or not found.startswith("127.")


# the voters' page


@pytest.fixture
def phone(tmp_path: Path) -> tuple[TestClient, Votes]:
    services = Services.make(Settings(tmp_path))
    return TestClient(Starlette(routes=[VotePage(services, TEXTS).route])), services.votes


def test_the_page_escapes_everything_and_lets_no_other_script_run(phone: tuple[TestClient, Votes]) -> None:
    client, votes = phone
    nasty = '<img src=x onerror="alert(1)"></style></script>'
    one = votes.open("me", nasty, [{"key": "a", "name": nasty, "text": nasty}, {"key": "b", "text": "{n} {letter}"}])["vote_id"]
    for _ in range(2):
        shown = client.get(f"/vote?id={one}&lang=%22%3E%3Cscript%3E")
        assert "<img" not in shown.text and "&lt;img" in shown.text and shown.text.count("<script>") == 1
        assert "default-src 'none'" in shown.headers["content-security-policy"]
        assert "unsafe" not in shown.headers["content-security-policy"]
        votes.reveal("me", one)
    assert 'onerror="' not in shown.text


def test_a_phone_votes_changes_its_mind_and_counts_once(phone: tuple[TestClient, Votes]) -> None:
    client, votes = phone
    one = open_vote(votes)
    address = f"/vote?id={one}"
    refused = client.post(address, data={"choice": "A"}, follow_redirects=False)
    assert refused.status_code == 303 and "cookies=none" in refused.headers["location"]
    assert votes.get("me", one)["voters"] == 0, "without a cookie nobody votes"
    first = client.get(address)
    assert "httponly" in first.headers["set-cookie"].lower() and "samesite=lax" in first.headers["set-cookie"].lower()
    assert "Vote for answer A" in first.text and len(client.cookies[COOKIE]) >= 16
    assert "Your vote for answer A is counted" in client.post(address, data={"choice": "A"}).text
    assert "Your vote for answer B is counted" in client.post(address, data={"choice": "B"}).text
    assert "voto" in client.get(f"{address}&lang=pt-BR").text
    kept = client.post(f"{address}&lang=pt-BR", data={"choice": "B"}, follow_redirects=False).headers["location"]
    assert parse_qs(urlsplit(kept).query) == {"id": [one], "lang": ["pt-BR"]} and kept.startswith("?")
    assert client.get(f"{address}&only=state").text == "open"
    votes.reveal("me", one)
    assert client.get(f"{address}&only=state").text == "closed"
    over = client.post(address, data={"choice": "A"})
    assert over.status_code == 200 and "The vote is over" in over.text and "Café" not in over.text
    assert [line["votes"] for line in votes.get("me", one)["result"]["answers"]] == [0, 1]


def test_the_page_works_under_a_path(tmp_path: Path) -> None:
    services = Services.make(Settings(tmp_path))
    one = open_vote(services.votes)
    client = TestClient(Starlette(routes=[Mount("/ai/lab", routes=[VotePage(services, TEXTS).route])]))
    assert f'action="?id={one}' in client.get(f"/ai/lab/vote?id={one}").text
    voted = client.post(f"/ai/lab/vote?id={one}", data={"choice": "B"})
    assert voted.url.path == "/ai/lab/vote" and "Your vote for answer B is counted" in voted.text


@pytest.mark.parametrize("body", [b"", b"choice=Z", b"choice=A" * BODY_BYTES, b"\xff\xfe", b"&".join([b"choice=Q"] * 50)])
def test_what_is_no_vote_is_refused_with_a_sentence(phone: tuple[TestClient, Votes], body: bytes) -> None:
    client, votes = phone
    one = open_vote(votes)
    client.get(f"/vote?id={one}")
    answer = client.post(f"/vote?id={one}", content=body)
    assert answer.status_code in (400, 404) and "by its letter" in answer.text
    assert votes.get("me", one)["voters"] == 0


def test_a_link_that_leads_nowhere_says_so_in_both_languages(phone: tuple[TestClient, Votes]) -> None:
    client, _ = phone
    for accepted, told in (("en", "no such vote"), ("pt-BR", "Esta votação não existe mais")):
        for query in ("", "?id=../../etc/passwd", f"?id={'0' * 24}"):
            answer = client.get(f"/vote{query}", headers={"accept-language": accepted})
            assert answer.status_code == 404 and told in answer.text


def test_the_unexpected_is_told_by_a_reference_alone(phone: tuple[TestClient, Votes], monkeypatch: pytest.MonkeyPatch) -> None:
    client, _ = phone

    def broken(*_: Any) -> None:
        raise RuntimeError("secret path")

    monkeypatch.setattr(Votes, "get", broken)
    answer = client.get(f"/vote?id={'0' * 24}")
    assert answer.status_code == 500 and "secret path" not in answer.text
