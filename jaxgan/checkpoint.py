"""Checkpoints of a training run; the one file that names orbax.

A checkpoint holds four items: `config` (JSON: the stage and its whole configuration), `state` (what training resumes from),
`model` (the stage's variables for inference; not of a StyleGAN that still grows) and `frozen` (the variables of earlier stages,
so that one folder is enough to edit with). Arrays are restored to the host first: a checkpoint saved on any number of devices
loads on any other.
"""

import dataclasses
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp

from jaxgan.config import STAGES, Config, from_dict, stage_of, to_dict

PyTree = Any
FOLDER = "checkpoints"


class CheckpointError(RuntimeError):
    """A checkpoint that is missing or does not fit; the message names the folder."""


@dataclasses.dataclass(frozen=True)
class Loaded:
    """A checkpoint as inference and later stages read it."""

    step: int
    stage: str  # "stylegan", "inverter" or "editor"
    config: Config
    model: dict[str, PyTree]  # the stage's own variables
    frozen: dict[str, PyTree]  # those of earlier stages


class Checkpoints:
    """The checkpoints of one working folder; saving is atomic, the newest `keep` are kept."""

    def __init__(self, workdir: str | Path, keep: int = 2):
        self.folder = Path(workdir).absolute() / FOLDER
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True, enable_async_checkpointing=False)
        handlers = {name: ocp.PyTreeCheckpointHandler() for name in ("state", "model", "frozen")}
        handlers["config"] = ocp.JsonCheckpointHandler()
        self._manager = ocp.CheckpointManager(self.folder, options=options, item_handlers=handlers)

    def latest_step(self) -> int | None:
        """Step of the newest complete checkpoint, None where there is none."""
        return self._manager.latest_step()

    def save(self, step: int, config: Config, state: PyTree | None, model: PyTree | None, frozen: PyTree) -> None:
        """Writes the checkpoint of a step and returns when it is on disk; a step saved before is left as it is.

        Without a state it can be used but not trained further, without a model trained further but not used.
        """
        if step in self._manager.all_steps():
            return
        items: dict[str, Any] = {"config": ocp.args.JsonSave({"stage": stage_of(config), "config": to_dict(config)})}
        trees = {"state": state, "model": model, "frozen": frozen}
        items |= {name: ocp.args.PyTreeSave(tree) for name, tree in trees.items() if tree}  # orbax has no empty items
        self._manager.save(step, args=ocp.args.Composite(**items))
        self._manager.wait_until_finished()

    def restore_state(self, step: int, like: PyTree) -> PyTree:
        """The training state of a step, with the structure and shapes of `like` (arrays or ShapeDtypeStructs).

        Raises:
          CheckpointError: another structure or shape, as after a change of the configuration, or no state at all.
        """
        if not (self.folder / str(step) / "state").exists():
            raise CheckpointError(f"{self.folder}/{step} holds converted weights, not a training; choose another --workdir")
        as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), like)
        try:
            items = ocp.args.Composite(state=ocp.args.PyTreeRestore(like, restore_args=as_numpy))
            state = self._manager.restore(step, args=items)["state"]
        except (ValueError, KeyError) as error:
            raise CheckpointError(f"{self.folder}/{step} does not fit the configuration: {error}") from error
        for (path, wanted), found in zip(jax.tree.leaves_with_path(like), jax.tree.leaves(state), strict=True):
            if wanted.shape != found.shape:
                name = jax.tree_util.keystr(path)
                raise CheckpointError(f"{self.folder}/{step}: {name} is {found.shape}, the configuration says {wanted.shape}")
        return jax.tree.map(jnp.asarray, state)

    def load(self, step: int) -> Loaded:
        """What inference needs of a step; an empty model if it was saved without."""
        names = [name for name in ("model", "frozen") if (self.folder / str(step) / name).exists()]
        meta = self._manager.item_metadata(step)
        items: dict[str, Any] = {"config": ocp.args.JsonRestore()}
        for name in names:
            as_numpy = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), meta[name].tree)
            items[name] = ocp.args.PyTreeRestore(restore_args=as_numpy)
        found = self._manager.restore(step, args=ocp.args.Composite(**items))
        stage = found["config"]["stage"]
        config = from_dict(STAGES[stage], found["config"]["config"])
        trees = {name: jax.tree.map(jnp.asarray, found[name]) for name in names}
        return Loaded(step, stage, config, trees.get("model", {}), trees.get("frozen", {}))


def load(workdir: str | Path, step: int | None = None) -> Loaded:
    """The newest checkpoint of a working folder, or that of a step.

    Raises:
      CheckpointError: the folder holds no checkpoint, or not that one, or it was saved while the networks grew.
    """
    if not (Path(workdir) / FOLDER).is_dir():
        raise CheckpointError(f"{workdir} holds no checkpoints: is it the --workdir of a training?")
    checkpoints = Checkpoints(workdir)
    newest = checkpoints.latest_step()
    if newest is None:
        raise CheckpointError(f"{workdir} holds no complete checkpoint yet")
    if step is not None and not (checkpoints.folder / str(step)).is_dir():
        raise CheckpointError(f"{workdir} holds no checkpoint of step {step}; the newest is {newest}")
    loaded = checkpoints.load(newest if step is None else step)
    if not loaded.model:
        raise CheckpointError(f"{workdir}, step {loaded.step}: the networks still grow; train them to the last resolution")
    return loaded
