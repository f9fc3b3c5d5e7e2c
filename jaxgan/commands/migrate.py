"""Brings the working folder of a training run of version 0.1, or an editor it shipped, to the form of this version."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from jaxgan.checkpoints import legacy
from jaxgan.commands.main import command


@command("migrate")
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="jaxgan migrate", description=__doc__)
    parser.add_argument("old", type=Path, help="working folder of a training run, or a folder with networks.json")
    parser.add_argument("new", type=Path, help="folder to write; must not hold checkpoints yet")
    args = parser.parse_args(argv)
    print(f"{args.new}: {legacy.migrate(args.old, args.new)}")
    return 0
