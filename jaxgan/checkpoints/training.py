"""Checkpoints of a training run in its working folder; the one file that names orbax.

A checkpoint holds three items: `config` (JSON: the stage and its whole configuration), `state` (what training resumes from) and
`networks` (variables for inference, those of earlier stages included; left out while a StyleGAN still grows). Arrays are
restored to the host first: a checkpoint saved on any number of devices loads on any other.

When all of it is on disk, a list of its files and their SHA-256 completes it. Files are compared with the list before they are
read, and a checkpoint that is damaged or incomplete gives way to the one before it.
"""

import contextlib
import errno
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from jaxgan.configs import Config, from_dict, to_dict
from jaxgan.errors import CheckpointError, DamagedError
from jaxgan.runtime import atomic_write
from jaxgan.training.stages import STAGES, stage_of

PyTree = Any
Read = TypeVar("Read")
FOLDER = "checkpoints"
LISTED = "files.json"  # in a step's folder: the SHA-256 of each file, by its path there
OVERHEAD = 2**20  # bytes of a checkpoint besides its arrays, at most
DAMAGED = "damaged"  # folder beside it for damaged checkpoints, once a run resumes from an older one


class Checkpoints:
    """The checkpoints of one working folder; saving is atomic, the newest `keep` are kept."""

    def __init__(self, workdir: str | Path, keep: int = 2, items: Sequence[str] = ("state", "networks")):
        """Opens a folder, which is created if it does not exist; `items` are the trees of arrays of a checkpoint."""
        self.folder = Path(workdir).absolute() / FOLDER
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True, enable_async_checkpointing=False)
        handlers = {name: ocp.PyTreeCheckpointHandler() for name in items}
        handlers["config"] = ocp.JsonCheckpointHandler()
        self._manager = ocp.CheckpointManager(self.folder, options=options, item_handlers=handlers)

    def latest_step(self) -> int | None:
        """Step of the newest complete checkpoint, None where there is none."""
        return self._manager.latest_step()

    def newest(self, read: Callable[[int], Read]) -> Read | None:
        """What `read` makes of the newest step at which it does not raise DamagedError; None where there is no checkpoint.

        Raises:
          DamagedError: every checkpoint is damaged.
        """
        steps: list[int] = []
        while (found := sorted(self._manager.all_steps(), reverse=True)) != steps:  # a run may replace them meanwhile
            steps = found
            for step in steps:
                try:
                    return read(step)
                except DamagedError as error:
                    if (self.folder / str(step)).exists():
                        print(f"{error}; looking for an older checkpoint", file=sys.stderr)
            self._manager.reload()
        if steps:
            raise DamagedError(f"{self.folder}: all checkpoints are damaged ({', '.join(map(str, steps))})")
        return None

    def set_aside_after(self, step: int) -> None:
        """Moves the checkpoints of later steps, which are damaged, to the folder `damaged` of the working folder."""
        for later in [each for each in self._manager.all_steps() if each > step]:
            aside = self.folder.parent / DAMAGED / f"{later}"
            while aside.exists():
                aside = aside.with_name(f"{aside.name}_")
            aside.parent.mkdir(exist_ok=True)
            os.replace(self.folder / str(later), aside)
        self._manager.reload()

    def save(self, step: int, config: Config, state: PyTree, networks: PyTree | None) -> None:
        """Writes the checkpoint of a step and returns when it is on disk; a step saved before is left as it is.

        Args:
          networks: Variables for inference; None while the networks grow.

        Raises:
          CheckpointError: It could not be written.
        """
        if step not in self._manager.all_steps():
            self.write(step, config, {"state": state, "networks": networks})

    def write(self, step: int, config: Config, trees: Mapping[str, PyTree | None]) -> None:
        """Like `save`, for arbitrary trees keyed by item name; None and empty trees are skipped."""
        described = {"stage": stage_of(config).name, "config": to_dict(config)}
        items: dict[str, Any] = {"config": ocp.args.JsonSave(described)}
        # orbax has no empty items, and of several processes it wants arrays that all of them know
        arrays = {name: jax.device_get(tree) for name, tree in trees.items() if tree}
        items |= {name: ocp.args.PyTreeSave(tree) for name, tree in arrays.items()}
        folder = self.folder / str(step)
        try:
            self._check_room(sum(np.asarray(leaf).nbytes for leaf in jax.tree.leaves(arrays)))
            self._manager.save(step, args=ocp.args.Composite(**items))
            self._manager.wait_until_finished()
            if jax.process_index() == 0:
                listed = json.dumps(_digests(folder), indent=1).encode()
                with atomic_write(folder / LISTED) as file:
                    file.write(listed)
        except Exception as error:  # each layer below has a type of its own for a full disk
            reason = next(iter(str(error).splitlines()), type(error).__name__)[:300]
            raise CheckpointError(f"{folder} could not be written, earlier checkpoints are as they were: {reason}") from error
        if jax.process_count() > 1:
            multihost_utils.sync_global_devices(f"checkpoint {step}")

    def _check_room(self, size: int) -> None:
        """Raises OSError where arrays of so many bytes find no room: orbax would notice in threads, and each of them shouts."""
        needed, free = size + OVERHEAD, shutil.disk_usage(self.folder).free
        if free < needed:
            reason = f"{os.strerror(errno.ENOSPC)}, {needed / 1e6:.1f} MB are needed and {free / 1e6:.1f} MB free"
            raise OSError(errno.ENOSPC, reason)

    @contextlib.contextmanager
    def _reading(self, step: int) -> Iterator[None]:
        """Tells what orbax raises where a run removes a checkpoint that is being read from all else."""
        try:
            yield
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            folder = self.folder / str(step)
            if (folder / LISTED).exists():
                raise
            raise DamagedError(f"{folder} was removed while it was read") from error

    def check(self, step: int) -> None:
        """Compares the files of a step with their list.

        Raises:
          DamagedError: naming what is missing or different.
        """
        folder = self.folder / str(step)
        try:
            listed = json.loads((folder / LISTED).read_bytes())
        except FileNotFoundError:
            raise DamagedError(f"{folder} is not complete: {LISTED} is missing") from None
        except ValueError as error:
            raise DamagedError(f"{folder} is damaged: {LISTED} cannot be read") from error
        with self._reading(step):
            found = _digests(folder)
        for name, digest in listed.items():
            if found.get(name) != digest:
                raise DamagedError(f"{folder} is damaged: {name} is {'not what was written' if name in found else 'missing'}")

    def restore_state(self, step: int, like: PyTree) -> PyTree:
        """The training state of a step, with the structure and shapes of `like` (arrays or ShapeDtypeStructs).

        Raises:
          DamagedError: it is not what was written.
          CheckpointError: another structure or shape, as after a change of the configuration, or no state at all.
        """
        with self._reading(step):
            return self._restore_state(step, like)

    def _restore_state(self, step: int, like: PyTree) -> PyTree:
        self.check(step)
        there, here = _shapes(self._manager.item_metadata(step)["state"].tree), _shapes(like)
        for name in sorted(there.keys() | here.keys()):
            if there.get(name) != here.get(name):
                found, wanted = there.get(name, "missing"), here.get(name, "missing")
                raise CheckpointError(f"{self.folder}/{step}: state {name} is {found} there, {wanted} by the configuration")
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), like)
        items = ocp.args.Composite(state=ocp.args.PyTreeRestore(like, restore_args=as_numpy))
        return jax.tree.map(jnp.asarray, self._manager.restore(step, args=items)["state"])

    def config(self, step: int) -> Config:
        """The configuration of a step; raises DamagedError where it is not what was written."""
        self.check(step)
        with self._reading(step):
            found = self._manager.restore(step, args=ocp.args.Composite(config=ocp.args.JsonRestore()))["config"]
        return from_dict(STAGES[found["stage"]].config, found["config"])

    def networks(self, step: int) -> dict[str, PyTree]:
        """The variables for inference of a step; empty if the networks still grew.

        Raises:
          DamagedError: They are not what was written.
        """
        self.check(step)
        with self._reading(step):
            return self.read_item(step, "networks")

    def read_item(self, step: int, name: str) -> dict[str, PyTree]:
        """The arrays of an item as nested dicts, without a check of its files; empty if the step lacks it."""
        if not (self.folder / str(step) / name).exists():
            return {}
        tree = self._manager.item_metadata(step)[name].tree
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        items = ocp.args.Composite(**{name: ocp.args.PyTreeRestore(restore_args=as_numpy)})
        return jax.tree.map(jnp.asarray, self._manager.restore(step, args=items)[name])


def _shapes(tree: PyTree) -> dict[str, tuple[int, ...]]:
    """Shape of each leaf by its path, the same for the dicts that orbax keeps and the dataclasses they were."""

    def name(path: tuple) -> str:
        return "/".join(str(getattr(key, "key", getattr(key, "name", getattr(key, "idx", key)))) for key in path)

    return {name(path): tuple(leaf.shape) for path, leaf in jax.tree.leaves_with_path(tree)}


def _digests(folder: Path) -> dict[str, str]:
    """SHA-256 of each file of a step but the list itself."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and path != folder / LISTED)
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
