"""Opens a page on this machine in which a face follows points and sliders live.

jaxgan app
jaxgan app --port 8080

Drop a photograph, and drag. Nothing is written to the disk, and nothing leaves the machine.
"""

import argparse
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path

import jax

from jaxgan.checkpoints import DEFAULT, shipped
from jaxgan.commands.flags import whole
from jaxgan.commands.main import command
from jaxgan.editor import Editor
from jaxgan.errors import InputError
from jaxgan.runtime import keep_compiled

NEEDED = ("starlette", "uvicorn", "websockets", "python_multipart")


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="jaxgan app", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--host", default="127.0.0.1", help="address to listen at; default: this machine alone")
    parser.add_argument("--port", type=whole, default=8000, help="default: %(default)s; 0 for any that is free")
    parser.add_argument("--workdir", default=shipped(DEFAULT), type=Path, metavar="DIR", help="folder of a trained editor")
    return parser.parse_args(argv)


@command("app")
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    args = parse_args(argv)
    if args.port > 65535:
        raise InputError(f"--port {args.port}: ports go up to 65535")
    if any(importlib.util.find_spec(name) is None for name in NEEDED):
        raise InputError('this needs `pip install "jaxgan[app]"`')
    from jaxgan.app.server import Server, is_open, listen, make_app, url_of
    from jaxgan.app.warmup import warm_up

    with listen(args.host, args.port) as bound:
        if is_open(args.host):
            print(
                f"app: warning: whoever reaches {args.host} over the network can use this page, unencrypted; "
                "cameras work on this machine alone",
                file=sys.stderr,
            )
        keep_compiled()
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)  # small functions together take seconds
        print("Getting ready ...", flush=True)
        editor = Editor.load(args.workdir)
        warm_up(editor)
        url = url_of(args.host, bound)
        server = Server(make_app(editor, args.host), lambda: print(f"{url} is ready; Ctrl-C stops it", flush=True))
        try:
            server.run(sockets=[bound])
        except KeyboardInterrupt:  # uvicorn raises it again, once all is closed
            print("Stopped; nothing is kept.")
    return 0
