"""The language a visitor chose on the page, kept in the browser and in a cookie.

Gradio translates its labels by what the browser says it speaks, and reads that before any script of ours would run; so a small script is
put at the very beginning of the page. Does not know any text.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from http.cookies import CookieError, SimpleCookie
from typing import Any

COOKIE = "playground-language"
COOKIE_CHARACTERS = 8_000
SCRIPT = f"""<script>
(() => {{
  const spoken = navigator.language || "en";
  let chosen = null;
  try {{ chosen = localStorage.getItem("{COOKIE}"); }} catch (error) {{ }}
  if (chosen) {{
    Object.defineProperty(navigator, "language", {{ get: () => chosen }});
    Object.defineProperty(navigator, "languages", {{ get: () => [chosen] }});
    document.cookie = "{COOKIE}=" + chosen + "; path=/; SameSite=Lax; max-age=31536000";
  }}
  document.documentElement.lang = (chosen || spoken).startsWith("pt") ? "pt-BR" : "en";
}})();
</script>"""
SWITCH = f"""() => {{
  const next = document.documentElement.lang.startsWith("pt") ? "en" : "pt-BR";
  localStorage.setItem("{COOKIE}", next);
  document.cookie = "{COOKIE}=" + next + "; path=/; SameSite=Lax; max-age=31536000";
  location.reload();
}}"""

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


def chosen(cookies: str) -> str | None:
    """The language in a request's cookies, as the browser sent it: whatever a stranger may have put there."""
    try:
        found = SimpleCookie(cookies[:COOKIE_CHARACTERS]).get(COOKIE)
    except CookieError:
        return None
    return found.value if found else None


class FirstScript:
    """ASGI middleware: the page itself, and nothing else, begins with our script."""

    def __init__(self, app: Callable[[Message, Receive, Send], Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] != "/" or scope["method"] != "GET":
            await self.app(scope, receive, send)
            return
        begun: Message | None = None
        body = b""

        async def hold(message: Message) -> None:
            nonlocal begun, body
            if message["type"] == "http.response.start":
                begun = message
                return
            body += message.get("body", b"")
            if message.get("more_body") or begun is None:
                return
            headers = [(name, value) for name, value in begun["headers"] if name.lower() != b"content-length"]
            plain = not any(name.lower() == b"content-encoding" for name, _ in headers)
            if plain and any(name.lower() == b"content-type" and b"text/html" in value for name, value in headers):
                body = body.replace(b"<head>", b"<head>" + SCRIPT.encode(), 1)
            headers.append((b"content-length", str(len(body)).encode()))
            await send({**begun, "headers": headers})
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, hold)
