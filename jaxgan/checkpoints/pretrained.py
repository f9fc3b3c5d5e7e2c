"""Trained editors that come with the package.

    python -m jaxgan.pretrained --workdir runs/editor --data_dir data --dataset faces --out jaxgan/weights/NAME

writes a folder of one: the networks in half precision, in parts of less than 15 MiB, and `networks.json`, which lists the
parts with their SHA-256 and holds the configuration and how the training portraits were cropped.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax.traverse_util import unflatten_dict

from jaxgan.checkpoints import parts
from jaxgan.checkpoints import training as checkpoint
from jaxgan.checkpoints.training import Loaded
from jaxgan.configs.schema import STAGES, from_dict, to_dict
from jaxgan.data.batches import load_split
from jaxgan.data.framing import Framing, measure
from jaxgan.errors import CheckpointError
from jaxgan.runtime import atomic_write

FOLDER = Path(__file__).parent
LIST = "networks.json"
DEFAULT = "portrait64"


def names() -> list[str]:
    """What `folder` takes."""
    return sorted(path.parent.name for path in FOLDER.glob(f"*/{LIST}"))


def folder(name: str) -> Path:
    """The folder of a trained editor by its name.

    Raises:
      CheckpointError: there is none of that name; the message lists them.
    """
    if name not in names():
        raise CheckpointError(f"no pretrained editor {name!r}; there are {', '.join(names())}")
    return FOLDER / name


def is_one(path: str | Path) -> bool:
    """Whether `write` wrote that folder."""
    return (Path(path) / LIST).exists()


def read(path: str | Path) -> tuple[Loaded, Framing]:
    """The editor that `write` wrote, and how its portraits are cropped.

    Raises:
      DamagedError: a file is missing or not what was written; the message names it.
    """
    listed = json.loads((Path(path) / LIST).read_bytes())
    networks = jax.tree.map(jnp.asarray, unflatten_dict(parts.read(Path(path), listed["networks"]), sep="/"))
    config = from_dict(STAGES[listed["stage"]], listed["config"])
    loaded = Loaded(listed["step"], listed["stage"], config, networks["model"], networks["frozen"])
    return loaded, Framing(**listed["framing"])


def write(path: str | Path, loaded: Loaded, framing: Framing) -> None:
    """Writes what inference needs of a checkpoint, in half precision (statistics keep theirs)."""
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    networks = {"model": loaded.model, "frozen": loaded.frozen}
    listed = {
        "stage": loaded.stage,
        "step": loaded.step,
        "config": to_dict(loaded.config),
        "framing": dataclasses.asdict(framing),
        "networks": parts.write(path, "networks-{}-of-{}.npz", networks, _stored_as),
    }
    with atomic_write(path / LIST) as file:
        file.write(json.dumps(listed, indent=1).encode())


def _stored_as(path: str, leaf: Any) -> np.dtype:
    return np.dtype(leaf.dtype if "batch_stats" in path.split("/") else np.float16)


def main(argv: Sequence[str] | None = None) -> int:
    """Writes the folder of a trained editor; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m jaxgan.pretrained", description="Write a trained editor to ship.")
    parser.add_argument("--workdir", required=True, help="folder of a trained editor")
    parser.add_argument("--data_dir", required=True, help="folder of prepared datasets")
    parser.add_argument("--dataset", required=True, help="dataset it was trained on, for how portraits are cropped")
    parser.add_argument("--out", required=True, type=Path, help="folder to write")
    args = parser.parse_args(argv)
    try:
        loaded = checkpoint.load(args.workdir)
        _, keypoints, _ = load_split(args.data_dir, args.dataset, "train")
        write(args.out, loaded, measure(keypoints, loaded.config.generator.resolution))
    except (CheckpointError, OSError, ValueError) as error:
        print(f"pretrained: {error}", file=sys.stderr)
        return 1
    sizes = [path.stat().st_size / 1e6 for path in args.out.glob("*.npz")]
    print(f"{args.out}: {loaded.stage} of step {loaded.step}, {len(sizes)} files, {sum(sizes):.1f} MB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
