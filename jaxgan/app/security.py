"""Who may ask for what: only the server's own page, by the server's own name, and not more than a few megabytes.

A browser sends requests to this machine on behalf of any page that is open in it. A page elsewhere gives itself away by Origin,
and one that has made its name point at this machine (DNS rebinding) by Host.
"""

import ipaddress
import json
import socket
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jaxgan.errors import JaxganError

MAX_BODY = 2**25  # 32 MiB
LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    "Cache-Control": "no-store",
}
POLICY = (
    "default-src 'self'; img-src 'self' blob:; connect-src 'self' ws://{host} wss://{host}; object-src 'none'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class TooLargeError(JaxganError, ValueError):
    """A request with more bytes than the server takes."""


class Guard:
    """ASGI middleware that refuses strangers and large bodies, and tells browsers to be strict."""

    def __init__(self, app: ASGIApp, host: str):
        """`host` is the address that the server is bound to."""
        self._app, self._host = app, host

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not is_allowed(name_of(host), self._host):
            await _refuse(scope, send, 421, "this server does not go by that name; see --host")
            return
        changes = scope["type"] == "websocket" or scope["method"] not in ("GET", "HEAD")
        if changes and not is_own(headers.get("origin", ""), host):
            await _refuse(scope, send, 403, "only the server's own page may ask for this")
            return
        if scope["type"] == "websocket":
            await self._app(scope, receive, send)
            return
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > MAX_BODY:
            await _refuse(scope, send, 413, f"the file is too large: more than {MAX_BODY // 2**20} MiB")
            return

        async def strict(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS | {"Content-Security-Policy": POLICY.format(host=host)})
            await send(message)

        await self._app(scope, _bounded(receive), strict)


def name_of(host: str) -> str:
    """The name in a Host header, without its port."""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def is_allowed(name: str, bound: str) -> bool:
    """Whether a server bound to an address may be called by a name.

    On this machine that is its loopback name. Elsewhere it is the address given; one that stands for all (0.0.0.0) goes by any
    address, which no name server can make up, and by this machine's name.
    """
    if name in LOOPBACK or name == bound.lower():
        return True
    if bound not in ("0.0.0.0", "::", ""):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name == socket.gethostname().lower()
    return True


def is_own(origin: str, host: str) -> bool:
    """Whether an Origin header names the page of the server that was asked by this Host header."""
    scheme, _, rest = origin.partition("://")
    return scheme in ("http", "https") and rest.lower() == host.lower()


def _bounded(receive: Receive) -> Receive:
    """`receive` of a body whose length was not announced, or not truly."""
    seen = 0

    async def counted() -> Message:
        nonlocal seen
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > MAX_BODY:
            raise TooLargeError(f"the file is too large: more than {MAX_BODY // 2**20} MiB")
        return message

    return counted


async def _refuse(scope: Scope, send: Send, status: int, why: str) -> None:
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008, "reason": why})  # before it is accepted: 403
        return
    body = json.dumps({"message": why}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode()), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
