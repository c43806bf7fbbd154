"""What a voter's phone shows: one small page of plain HTML beside Gradio's, at `vote?id=...` under whatever path the app lives.

A page of Gradio's would be 850 KB for each phone of a class, and a session on the server; this one is 4 KB and works without a script.
Nothing but the vote's id and a cookie of the voter's own comes in; every text is escaped, and the browser is told to run no script but
ours and to load nothing. Does not know how votes are kept or counted.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections.abc import Mapping
from html import escape
from typing import Any
from urllib.parse import parse_qs, urlencode

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from playground.errors import NotFound, PlaygroundError, WrongState
from playground.services import Services
from playground.ui import ballot
from playground.ui.errors import log_unexpected
from playground.ui.formatting import Say
from playground.ui.i18n import Texts

COOKIE = "playground-voter"
VOTER = re.compile(r"[A-Za-z0-9_-]{16,64}")
DAYS = 30
BODY_BYTES = 2_000  # of a vote as it arrives
# Looks now and then whether the result is there; without it, the link on the page does the same.
SCRIPT = """
(() => {
  if (document.body.dataset.state !== "open") return;
  const asked = new URL(location.href);
  asked.searchParams.set("only", "state");
  setInterval(async () => {
    if (document.hidden) return;
    try {
      const answer = await fetch(asked);
      if (answer.ok && (await answer.text()) !== "open") location.reload();
    } catch (error) { }
  }, 4000);
})();
"""


class VotePage:
    """The page of all votes; `route` is put into the app at launch."""

    def __init__(self, services: Services, texts: Texts) -> None:
        self.votes, self.texts = services.votes, texts
        self.style = (services.settings.assets / "vote.css").read_text("utf-8")
        self.headers = {
            "Content-Security-Policy": "default-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; "
            f"connect-src 'self'; style-src '{_fingerprint(self.style)}'; script-src '{_fingerprint(SCRIPT)}'",
            "Cache-Control": "no-store",
            "Referrer-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
            "X-Robots-Tag": "noindex",
        }
        self.route = Route("/vote", self.answer, methods=["GET", "POST"])

    async def answer(self, request: Request) -> Response:
        """Show the vote, or take one in and show it again."""
        language = self._language(request)
        try:
            if request.method == "POST":
                body = await _body(request)
                return await run_in_threadpool(self._take, request, body, language)
            return await run_in_threadpool(self._show, request, language)
        except PlaygroundError as error:
            return self._sorry(self.texts.sentence(error.sentence, language), language, 404 if isinstance(error, NotFound) else 400)
        except Exception as error:
            return self._sorry(self.texts.say("errors.unexpected", language, reference=log_unexpected(error)), language, 500)

    def _show(self, request: Request, language: str) -> Response:
        vote_id, voter = request.query_params.get("id", ""), _voter(request.cookies)
        vote = self.votes.get(None, vote_id)
        if request.query_params.get("only") == "state":
            return PlainTextResponse(vote["state"], headers=self.headers)
        chosen = self.votes.choice(vote_id, voter) if voter else None
        shown = self._page(vote, chosen, language, kept=request.query_params.get("cookies") != "none")
        if not voter:
            shown.set_cookie(
                COOKIE, secrets.token_urlsafe(24), max_age=DAYS * 86400, path=None, httponly=True, samesite="lax", secure=_secure(request)
            )
        return shown

    def _take(self, request: Request, body: bytes, language: str) -> Response:
        """A vote arrives. Without the cookie, nobody could tell who voted already; browsers send none along from other pages."""
        vote_id, voter = request.query_params.get("id", ""), _voter(request.cookies)
        given = parse_qs(body.decode("ascii", "replace")).get("choice", [""])[0]
        back = {"id": vote_id, **({"lang": language} if "lang" in request.query_params else {})}
        if not voter:
            back["cookies"] = "none"
        else:
            try:
                self.votes.cast(vote_id, given, voter)
            except WrongState as error:
                if self.votes.get(None, vote_id)["state"] == "open":
                    return self._sorry(self.texts.sentence(error.sentence, language), language, 409)
        # relative, so that it leads back here under any path; anew, so that reloading does not send the vote again
        return RedirectResponse(f"?{urlencode(back)}", status_code=303, headers=self.headers)

    def _language(self, request: Request) -> str:
        wanted = request.query_params.get("lang")
        return wanted if wanted in self.texts.locales else self.texts.language(request)

    def _page(self, vote: dict[str, Any], chosen: str | None, language: str, *, kept: bool) -> HTMLResponse:
        def say(key: str, **values: Any) -> str:
            return self.texts.say(key, language, **values)

        here = {"id": vote["vote_id"]}
        if "result" in vote:
            status, about = say("vote.over"), ""
            middle = (
                f'<p class="verdict">{escape(ballot.verdict(vote["result"], say))}</p>{ballot.table(vote["result"], say)}'
                f"{ballot.answers(vote['answers'], say)}"
            )
        else:
            status = say("vote.no_cookies") if not kept else say("vote.counted", letter=chosen) if chosen else say("vote.choose")
            about = f'<p class="quiet"><a href="?{escape(urlencode({**here, "lang": language}))}">{escape(say("vote.look"))}</a></p>'
            cards = "".join(card(one, chosen, say) for one in vote["answers"])
            middle = f'<form method="post" action="?{escape(urlencode({**here, "lang": language}))}"><ul class="ballot">{cards}</ul></form>'
        main = (
            f"<h1>{escape(say('vote.ask'))}</h1><blockquote>{escape(vote['question'])}</blockquote>"
            f'<p class="status{"" if kept else " warn"}" role="status">{escape(status)}</p>{middle}{about}'
        )
        return self._whole(main, language, state=vote["state"], here=here)

    def _sorry(self, sentence: str, language: str, status: int) -> HTMLResponse:
        title = escape(self.texts.say("vote.ask", language))
        return self._whole(f'<h1>{title}</h1><p class="status warn" role="status">{escape(sentence)}</p>', language, status=status)

    def _whole(
        self, main: str, language: str, *, state: str = "", status: int = 200, here: Mapping[str, str] | None = None
    ) -> HTMLResponse:
        other = next((name for name in self.texts.locales if name != language), None)
        switch = ""
        if here and other:
            link, label = escape(urlencode({**here, "lang": other})), escape(self.texts.say("app.other_language", language))
            switch = f'<footer><a href="?{link}" lang="{escape(other)}" hreflang="{escape(other)}">{label}</a></footer>'
        page = (
            f'<!doctype html><html lang="{escape(language)}"><head><meta charset="utf-8">'
            '<meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">'
            f"<title>{escape(self.texts.say('vote.ask', language))}</title><style>{self.style}</style></head>"
            f'<body data-state="{escape(state)}"><main>{main}</main>{switch}<script>{SCRIPT}</script></body></html>'
        )
        return HTMLResponse(page, status_code=status, headers=self.headers)


def card(one: dict[str, str], chosen: str | None, say: Say) -> str:
    """An answer with its button; the one that was chosen says so."""
    mine = one["label"] == chosen
    words = say("vote.yours" if mine else "vote.vote", letter=one["label"])
    return (
        f"<li{' class=mine' if mine else ''}><h2>{escape(say('vote.answer', letter=one['label']))}</h2>"
        f"<p>{escape(one['text'] or say('vote.nothing'))}</p>"
        f'<button name="choice" value="{escape(one["label"])}" aria-pressed="{"true" if mine else "false"}">{escape(words)}</button></li>'
    )


def _fingerprint(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _voter(cookies: Mapping[str, str]) -> str | None:
    found = cookies.get(COOKIE, "")
    return found if VOTER.fullmatch(found) else None


def _secure(request: Request) -> bool:
    return "https" in (request.url.scheme, request.headers.get("x-forwarded-proto", "").split(",")[0].strip())


async def _body(request: Request) -> bytes:
    """The beginning of what was sent; a vote is a few bytes."""
    body = b""
    async for piece in request.stream():
        body += piece
        if len(body) > BODY_BYTES:
            return b""
    return body
