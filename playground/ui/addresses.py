"""The address that phones in the room can open: the one at which a visitor's own browser reached the page, if phones can reach it too.

Does not know what is to be found there. No `from __future__ import annotations` here: Gradio looks for its request among the types.
"""

import contextlib
import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

import gradio as gr
import psutil

from playground.settings import LOOPBACK

LOOPS = {*LOOPBACK, "0.0.0.0"} - {""}  # noqa: S104 - some browsers open it as this machine
KNOWN = ("http", "https")
FAR = ("198.51.100.1", 9)  # an address for examples (RFC 5737); it only asks which way would be taken, and nothing is sent


@dataclass(frozen=True)
class Address:
    """`url`, and `note`: "" where phones can reach it, "loopback" where not, "offered" where another host was put in its place."""

    url: str
    note: str
    host: str = ""  # the one that the browser has


def reached(request: gr.Request) -> str:
    """The page's address as this visitor's browser has it, without a slash at its end.

    The browser says it itself (Referer, Origin), so that a proxy before us, its https and its path need not be guessed.
    """
    headers = request.headers
    origin, referer = headers.get("origin") or "", headers.get("referer") or ""
    if base(referer) and (origin in ("", "null") or base(referer).startswith(origin)):
        return base(referer)
    if base(origin):
        return base(origin)
    scheme = (headers.get("x-forwarded-proto") or "http").split(",")[0].strip()
    host = (headers.get("x-forwarded-host") or headers.get("host") or "").split(",")[0].strip()
    return base(f"{scheme}://{host}")


def base(address: str) -> str:
    """Scheme, host and path of an address, "" where it is none."""
    try:
        parts = urlsplit(address)
        if parts.scheme not in KNOWN or not parts.hostname or parts.username or (parts.port or 0) < 0:
            return ""
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}"


def for_phones(page: str, everywhere: bool) -> Address:
    """The page's address for others in the room; with `everywhere`, the app can be reached at this machine's address in the network."""
    parts = urlsplit(page)
    host = (parts.hostname or "").lower()
    if host not in LOOPS and not host.startswith("127."):
        return Address(page, "", host)
    local = local_address() if everywhere else None
    if local is None:
        return Address(page, "loopback", host)
    port = f":{parts.port}" if parts.port else ""
    return Address(f"{parts.scheme}://{local}{port}{parts.path}", "offered", host)


def local_address() -> str | None:
    """This machine's address in the local network (IPv4): the one it would go out by, else the first that is no loopback."""
    found: list[str] = []
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(FAR)
        found.append(probe.getsockname()[0])
    with contextlib.suppress(OSError):
        found += [one.address for all in psutil.net_if_addrs().values() for one in all if one.family == socket.AF_INET]
    usable = (ipaddress.ip_address(one) for one in found)
    return next((str(one) for one in usable if not one.is_loopback and not one.is_link_local and not one.is_unspecified), None)
