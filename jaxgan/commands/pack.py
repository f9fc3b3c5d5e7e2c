"""Puts a prepared dataset into one folder that trains without TensorFlow."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from jaxgan.commands.flags import positive, whole
from jaxgan.commands.main import command
from jaxgan.data.packed import pack


@command("pack")
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="jaxgan pack", description=__doc__)
    parser.add_argument("--data_dir", required=True, help="folder of prepared datasets")
    parser.add_argument("--dataset", required=True, help="name of the dataset")
    parser.add_argument("--out", required=True, type=Path, help="folder to write")
    parser.add_argument("--quality", type=whole, help="of lossy WebP, 1 to 100; by default every pixel is kept")
    parser.add_argument("--max_file_mb", type=positive, help="size of the largest file; by default there is a single one")
    args = parser.parse_args(argv)
    largest = None if args.max_file_mb is None else round(args.max_file_mb * 1e6)
    info = pack(args.data_dir, args.dataset, args.out, args.quality, largest)
    size = sum(path.stat().st_size for path in args.out.glob("*.safetensors")) / 1e6
    print(f"{args.out}: {info.num_train:,} and {info.num_test:,} portraits of {info.resolution} px, {size:.1f} MB")
    return 0
