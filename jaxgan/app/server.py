"""The server of the live page."""

import asyncio
import contextlib
import errno
import logging
import socket
import sys
from collections.abc import AsyncIterator, Callable

import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from jaxgan.app.live import Live
from jaxgan.app.messages import MAX_MESSAGE
from jaxgan.app.pages import Pages, failed, left
from jaxgan.app.security import LOOPBACK, Guard
from jaxgan.app.sessions import Sessions
from jaxgan.app.worker import Worker
from jaxgan.editor import Editor
from jaxgan.errors import InputError, JaxganError

SWEEP = 60.0  # seconds between two looks for photographs to forget
CONNECTIONS = 64  # pages at once
PATIENCE = 3  # seconds that open connections are given at the end


def make_app(editor: Editor, host: str = "127.0.0.1", sessions: Sessions | None = None) -> ASGIApp:
    """The application, to be bound to `host`; it may be started once.

    Args:
      editor: with an encoder.
      host: the address that it is bound to, which says by what names it may be called.
      sessions: what it remembers; None for the usual bounds.
    """
    sessions, worker = Sessions() if sessions is None else sessions, Worker()
    pages, connected = Pages(editor, sessions, worker), set()

    async def live(socket: WebSocket) -> None:
        await socket.accept()
        if len(connected) >= CONNECTIONS:
            await socket.send_json({"type": "error", "message": "too many pages are open; close one"})
            await socket.close(1013)
            return
        connected.add(socket)
        try:
            await Live(socket, socket.path_params["session"], sessions, worker).serve()
        finally:
            connected.discard(socket)

    async def sweep() -> None:
        while True:
            await asyncio.sleep(SWEEP)
            sessions.sweep()

    @contextlib.asynccontextmanager
    async def lifespan(app: Starlette) -> AsyncIterator[None]:
        sweeping = asyncio.create_task(sweep())
        yield
        sweeping.cancel()
        sessions.clear()
        await asyncio.to_thread(worker.stop)

    posts = {"photo": pages.photo, "face": pages.face, "target": pages.target}
    posts |= {"expression": pages.expression, "download": pages.download}
    routes = [
        WebSocketRoute("/live/{session}", live),
        *(Route(f"/{name}", handler, methods=["POST"]) for name, handler in posts.items()),
        Route("/", pages.file),
        Route("/{name}", pages.file),
    ]
    handlers = {JaxganError: failed, ClientDisconnect: left}
    return Guard(Starlette(routes=routes, lifespan=lifespan, exception_handlers=handlers), host)


def listen(host: str, port: int) -> socket.socket:
    """A socket bound to an address, so that a port in use is told before anything is loaded.

    Raises:
      InputError: the port is in use, or the address is not one of this machine.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
    except (socket.gaierror, UnicodeError):
        raise InputError(f"--host {host}: no such address") from None
    bound = socket.socket(family, kind, protocol)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind(address)
        bound.listen()
    except OSError as error:
        bound.close()
        if error.errno == errno.EADDRINUSE:
            raise InputError(f"port {port} is in use: choose another with --port") from None
        raise InputError(f"cannot listen at {host}:{port}: {error.strerror}") from None
    return bound


def url_of(host: str, bound: socket.socket) -> str:
    """Where the page is, for the user to open."""
    name = {"0.0.0.0": "localhost", "::": "localhost"}.get(host, host)
    return f"http://{f'[{name}]' if ':' in name else name}:{bound.getsockname()[1]}/"


def is_open(host: str) -> bool:
    """Whether other machines can reach a server bound to this address."""
    return host.lower() not in LOOPBACK and not host.startswith("127.")


class Server(uvicorn.Server):
    """uvicorn's, which says when it is ready."""

    def __init__(self, app: ASGIApp, ready: Callable[[], None] = lambda: None):
        """`ready` is called once requests are answered."""
        logging.getLogger("jaxgan.app").addHandler(logging.StreamHandler(sys.stderr))
        super().__init__(
            uvicorn.Config(
                app,
                log_level="error",
                access_log=False,  # it would show the names of photographs
                ws="websockets-sansio",
                ws_max_size=MAX_MESSAGE,
                ws_per_message_deflate=False,  # pictures are compressed, and the way is short
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=PATIENCE,
            )
        )
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._ready()
