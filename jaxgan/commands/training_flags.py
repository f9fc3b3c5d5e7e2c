"""The flags that all commands that train share: preset, data, and the limits of short runs."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from jaxgan.commands.flags import positive
from jaxgan.configs import PRESETS


def add_training_flags(parser: argparse.ArgumentParser) -> None:
    """Adds them."""
    parser.add_argument("--config", default="paper", help=f"preset to start from: {', '.join(PRESETS)} (default: paper)")
    data = parser.add_mutually_exclusive_group(required=True)
    data.add_argument("--data_dir", help="folder of prepared datasets")
    data.add_argument("--packed", help="a dataset written by `jaxgan pack`, which needs no TensorFlow to read")
    parser.add_argument("--dataset", help="name of the dataset in --data_dir")
    limits = parser.add_argument_group("short runs", "on machines that can be had for minutes at a time")
    limits.add_argument("--minutes", type=positive, help="save and stop within so many minutes, imports included")
    limits.add_argument("--export", type=Path, help="also write checkpoints as small folders, to resume from elsewhere")
    limits.add_argument("--max_total_mb", type=positive, help="size of such a folder; precision is given up to stay below it")
    limits.add_argument("--max_file_mb", type=positive, help="size of its largest file")


def parse_training_flags(parser: argparse.ArgumentParser, argv: Sequence[str] | None) -> argparse.Namespace:
    """Parses a command line with them; --dataset goes with --data_dir alone."""
    args = parser.parse_args(argv)
    if args.packed and args.dataset:
        parser.error("--dataset goes with --data_dir; a packed dataset knows its name")
    return args
