"""Working folders of version 0.1, brought to the form of this version bit for bit."""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.checkpoints import export
from jaxgan.checkpoints.training import FOLDER, Checkpoints
from jaxgan.errors import CheckpointError
from jaxgan.training.stages import Networks, Stage, stage_of
from jaxgan.training.state import TrainState

ITEMS = ("state", "model", "frozen")  # of a checkpoint then


def migrate(old: Path, new: Path) -> str:
    """Writes the newest sound checkpoint of a working folder to a new one, and says what it was.

    Converted weights, which have no training state, become a folder of networks.

    Raises:
      CheckpointError: The old folder holds no checkpoint, or the new one holds something already.
    """
    if not (old / FOLDER).is_dir():
        raise CheckpointError(f"{old} holds no checkpoints: is it the --workdir of a training run?")
    if new.exists() and any(new.iterdir()):
        raise CheckpointError(f"{new} is not empty; choose another folder")
    checkpoints = Checkpoints(old, items=ITEMS)

    def read(step: int) -> int:
        checkpoints.check(step)
        return step

    step = checkpoints.newest(read)
    if step is None or "networks" in {path.name for path in (checkpoints.folder / str(step)).iterdir()}:
        raise CheckpointError(f"{old} holds no checkpoint of version 0.1")
    config = checkpoints.config(step)
    stage, frozen = stage_of(config), checkpoints.read_item(step, "frozen")
    model = checkpoints.read_item(step, "model")
    networks = _networks(stage, model, frozen)
    if not (checkpoints.folder / str(step) / "state").exists():
        export.write_networks(new, step, config, networks)
        return f"{stage.name}, networks alone"
    like = jax.eval_shape(lambda: stage.init(config, networks))
    fields = {name: getattr(like, name) for name in ("step", "params", "opt_state", "extra", "ema")}
    grows = stage.name == "stylegan" and config.growing.start
    if grows:
        fields["extra"] = {**fields["extra"], "images": like.images}
    found = checkpoints.restore_state(step, fields)
    images = found["extra"].pop("images") if grows else jnp.int32(found["step"] * config.run.batch_size)
    Checkpoints(new, config.run.keep_checkpoints).save(step, config, TrainState(images=images, **found), networks or None)
    return f"{stage.name} of step {step}"


def _networks(stage: Stage, model: dict[str, Any], frozen: dict[str, Any]) -> Networks:
    """Networks by their present names: "discriminator" stood for the StyleGAN's and for the inverter's own."""
    if not model:
        return {}
    source = model if stage.name == "stylegan" else frozen
    renamed = {"stylegan_discriminator" if name == "discriminator" else name: tree for name, tree in source.items()}
    own = {name: tree for name, tree in model.items() if name in stage.adds}
    return {**renamed, **own}
