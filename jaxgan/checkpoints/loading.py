"""Reading what a folder holds, whatever wrote it: a training run, an export, converted weights or a shipped editor."""

import dataclasses
from pathlib import Path
from typing import Any

from jaxgan import storage
from jaxgan.checkpoints import export
from jaxgan.checkpoints.training import FOLDER, Checkpoints
from jaxgan.configs import Config
from jaxgan.data.framing import FRAMINGS, Framing, MeanFraming
from jaxgan.errors import CheckpointError
from jaxgan.training.stages import stage_of

SHIPPED = Path(__file__).parent  # folders of the editors that come with the package
DEFAULT = "portrait64"


@dataclasses.dataclass(frozen=True)
class Loaded:
    """The networks of a checkpoint, as inference and later stages read them."""

    step: int
    stage: str  # "stylegan", "inverter" or "editor"
    config: Config
    networks: dict[str, Any]  # variables by the network's name, see training.stages.Networks
    framing: Framing | None = None  # how the training portraits were cropped, if that is known


def load(folder: str | Path, step: int | None = None) -> Loaded:
    """The networks in a folder: the newest sound checkpoint of a training run, or whatever `jaxgan` wrote there.

    Args:
      folder: Working folder of a training run, or an export, converted weights, or a shipped editor.
      step: The step of a training run's checkpoint; None for the newest.

    Raises:
      DamagedError: That step, or every one, is damaged.
      CheckpointError: The folder holds no networks, or not that step, or the networks still grow.
    """
    if step is None and storage.is_stored(folder):
        found = export.read(folder)
        mean = MeanFraming(**found.framing) if found.framing else None
        loaded = _loaded(found.step, found.config, found.networks, mean)
    else:
        loaded = _load_run(Path(folder), step)
    if not loaded.networks:
        raise CheckpointError(f"{folder}, step {loaded.step}: the networks still grow; train them to the last resolution")
    return loaded


def _loaded(step: int, config: Config, networks: dict[str, Any], mean: MeanFraming | None = None) -> Loaded:
    """Networks whose training portraits were cropped as the configuration says, or else had this mean."""
    return Loaded(step, stage_of(config).name, config, networks, FRAMINGS[config.generator.framing] or mean)


def _load_run(workdir: Path, step: int | None) -> Loaded:
    if not (workdir / FOLDER).is_dir():
        raise CheckpointError(f"{workdir} holds no checkpoints: is it the --workdir of a training run?")
    checkpoints = Checkpoints(workdir)
    newest = checkpoints.latest_step()
    if newest is None:
        raise CheckpointError(f"{workdir} holds no complete checkpoint yet")
    if step is not None and not (checkpoints.folder / str(step)).is_dir():
        raise CheckpointError(f"{workdir} holds no checkpoint of step {step}; the newest is {newest}")

    def read(step: int) -> Loaded:
        config = checkpoints.config(step)
        return _loaded(step, config, checkpoints.networks(step))

    return checkpoints.newest(read) if step is None else read(step)


def shipped(name: str) -> Path:
    """The folder of an editor that comes with the package.

    Raises:
      CheckpointError: There is none of that name; the message lists them.
    """
    names = sorted(path.parent.name for path in SHIPPED.glob(f"*/{storage.LIST}"))
    if name not in names:
        raise CheckpointError(f"no pretrained editor {name!r}; there are {', '.join(names)}")
    return SHIPPED / name
