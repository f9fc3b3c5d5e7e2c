"""The console script `jaxgan`: one subcommand a file of this package."""

import functools
import importlib
import importlib.metadata
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from jaxgan.commands.beside import leave
from jaxgan.errors import JaxganError

COMMANDS = {
    "edit": "edit photographs to the pose and expression of another",
    "drive": "move a portrait as a clip does, or change the face of a clip",
    "app": "open a page in which a face follows points and sliders live",
    "demo": "data, three training runs and evaluation, at a size for two CPU cores",
    "prepare": "find landmarks in portraits and write a dataset",
    "pack": "put a dataset into a folder that trains without TensorFlow",
    "train": "train a stage: stylegan, inverter or editor",
    "train_all": "train all stages, one after another",
    "evaluate": "measure trained editors",
    "ablation": "train every row of the report's Table 1",
    "export": "write a checkpoint as a small folder",
    "convert": "convert weights of other projects",
    "migrate": "bring working folders of version 0.1 to this version",
}


def command(name: str) -> Callable:
    """Decorates `main(argv) -> exit status` of a command: errors that a user can mend become one line and status 1.

    Anything else is a bug and keeps its traceback.
    """

    def decorate(function: Callable[..., int]) -> Callable[..., int]:
        @functools.wraps(function)
        def run(argv: Sequence[str] | None = None) -> int:
            try:
                return function(argv)
            except JaxganError as error:
                print(f"{name}: {error}", file=sys.stderr)
                return 1
            except OSError as error:  # a full disk, missing files and permissions
                named = error.strerror and isinstance(error.filename, str | Path)
                print(f"{name}: {f'{error.filename}: {error.strerror}' if named else error}", file=sys.stderr)
                return 1
            except KeyboardInterrupt:
                print(f"{name}: interrupted", file=sys.stderr)
                return 130

        return run

    return decorate


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a subcommand and returns its exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    name = arguments[0] if arguments else "--help"
    if name in COMMANDS:
        try:  # its import takes seconds, too
            return importlib.import_module(f"jaxgan.commands.{name}").main(arguments[1:])
        except KeyboardInterrupt:
            print(f"{name}: interrupted", file=sys.stderr)
            return 130
    if name == "--version":
        print(f"jaxgan {importlib.metadata.version('jaxgan')}")
        return 0
    asked = name in ("-h", "--help")
    width = max(map(len, COMMANDS))
    lines = ["usage: jaxgan COMMAND ...", "", *(f"  {name:<{width}}  {text}" for name, text in COMMANDS.items())]
    lines += ["", "jaxgan COMMAND --help lists the flags of a command."]
    if not asked:
        lines = [f"jaxgan: unknown command {name!r}", *lines]
    print("\n".join(lines), file=sys.stdout if asked else sys.stderr)
    return 0 if asked else 2


def script() -> NoReturn:
    """The console script."""
    leave(main)


if __name__ == "__main__":
    script()
