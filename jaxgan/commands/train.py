"""The training commands: flags, configuration, data, networks of earlier stages, checkpoints, and the loop.

Rerunning a command goes on from the newest checkpoint of its working folder.
"""

import argparse
import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

from jaxgan.checkpoints import training as checkpoint
from jaxgan.checkpoints.training import Checkpoints, Loaded
from jaxgan.configs.presets import PRESETS, preset
from jaxgan.configs.schema import Config, override, to_dict
from jaxgan.configs.validation import validate
from jaxgan.data.dataset import Records
from jaxgan.errors import CheckpointError, ConfigError, DatasetError, DivergedError
from jaxgan.runtime import EXIT_PREEMPTED, Preemption, add_host_flags, atomic_write, join_hosts, keep_compiled
from jaxgan.training.log import SilentLog, TrainingLog
from jaxgan.training.run import frozen_variables, images_seen, init_state, phases, train
from jaxgan.training.state import TrainState

EARLIER = {"inverter": "stylegan", "editor": "inverter"}  # the stage whose checkpoint a stage starts from
# Fields that may differ when a run is resumed.
DURATIONS = {"run.total_images", "run.tick_images", "run.sample_images", "run.checkpoint_images", "run.keep_checkpoints"}


def main(stage: str, argv: list[str] | None = None) -> int:
    """Runs the training command of a stage; returns the exit status."""
    args = _parse(stage, argv)
    try:
        join_hosts(args.coordinator, args.processes, args.process)
        keep_compiled()
        earlier = load_earlier(stage, args.earlier) if stage in EARLIER else None
        named = [f"run.dataset={json.dumps(args.dataset)}"] if args.dataset else []
        config = resolve(stage, args.config, named + args.overrides, earlier, earlier and args.earlier)
        if args.dry_run:
            _describe(stage, config, args, earlier)
        else:
            return _train(stage, config, args, earlier)
    except (ConfigError, CheckpointError, DatasetError, DivergedError, OSError, ValueError) as error:
        nameless = isinstance(error, OSError) and error.filename is None  # as of a disk that fills up while it is written to
        print(f"train_{stage}: {f'{args.workdir}: ' if nameless else ''}{error}", file=sys.stderr)
        return 1
    return 0


def _parse(stage: str, argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"train_{stage}.py", description=f"Train the {stage}.")
    parser.add_argument("overrides", nargs="*", metavar="FIELD=VALUE", help="fields to change, e.g. run.batch_size=32")
    parser.add_argument("--config", default="paper", help=f"preset to start from: {', '.join(PRESETS)} (default paper)")
    parser.add_argument("--workdir", required=True, type=Path, help="folder of the run: checkpoints, metrics, samples")
    parser.add_argument("--data_dir", required=True, help="folder of prepared datasets")
    parser.add_argument("--dataset", help="name of the dataset; sets run.dataset")
    if stage in EARLIER:
        before = EARLIER[stage]
        parser.add_argument(f"--{before}", required=True, dest="earlier", help=f"working folder of the {before} training")
    add_host_flags(parser)
    parser.add_argument("--dry_run", action="store_true", help="print configuration, networks and data, and stop")
    return parser.parse_args(argv)


def load_earlier(stage: str, folder: str | Path, load: Callable[[str | Path], Loaded] = checkpoint.load) -> Loaded:
    """What `load` reads of the run that a stage starts from.

    Raises:
      CheckpointError: there is none, or it is a run of another stage.
    """
    loaded = load(folder)
    if loaded.stage != EARLIER[stage]:
        raise CheckpointError(f"{folder} is a {loaded.stage} run; training the {stage} starts from {EARLIER[stage]}")
    return loaded


def resolve(stage: str, name: str, overrides: list[str], earlier: Loaded | None, source: str | Path | None) -> Config:
    """The preset of that name, with the networks of the earlier stage (from the folder `source`), then the overrides.

    Raises:
      ConfigError: its fields fit neither each other, nor the earlier stage, nor the devices.
    """
    config = preset(name, stage)
    if stage == "inverter":
        before = earlier.config
        config = dataclasses.replace(config, generator=before.generator, discriminator=before.discriminator)
    elif stage == "editor":
        before = earlier.config
        config = dataclasses.replace(
            config, generator=before.generator, inverter=before.trunk, stylegan_discriminator=before.discriminator
        )
    config = validate(override(config, overrides))
    if earlier and config.generator != earlier.config.generator:
        raise ConfigError(f"generator.* is that of {source} and cannot be overridden")
    critic = {**earlier.frozen, **earlier.model}.get("discriminator") if earlier else None
    if earlier and critic is None and (stage == "inverter" or config.perceptual.network == "discriminator"):
        raise ConfigError(
            f"{source} holds no StyleGAN discriminator; choose perceptual.network=none, or vgg16 with its weights"
        )
    devices = jax.local_device_count() * jax.process_count()
    for phase in phases(config):
        size, group = phase.batch_size if phase else config.run.batch_size, config.discriminator.stddev_group
        at = "" if phase is None else f" (growing, at {phase.resolution} px)"
        if size % devices:
            raise ConfigError(f"run.batch_size={size}{at} is not a multiple of {devices} devices")
        if phase and size // devices % min(group, size // devices):
            raise ConfigError(f"run.batch_size={size}{at} is not a multiple of discriminator.stddev_group={group} a device")
    return config


def _describe(stage: str, config: Config, args: argparse.Namespace, earlier: Loaded | None) -> None:
    print(json.dumps(to_dict(config), indent=2))
    state = jax.eval_shape(lambda: init_state(stage, config, earlier))
    print(f"\n{'network':<16}{'part':<24}{'parameters':>12}")
    for network, params in state.params.items():
        for part, tree in params.items():
            print(f"{network:<16}{part:<24}{_size(tree):>12,}")
        print(f"{network:<16}{'all':<24}{_size(params):>12,}")
    for phase in filter(None, phases(config)):
        fade = f", fading in over {phase.fade_images:,}" if phase.fade_images else ""
        print(f"{phase.resolution} px: images {phase.first_image:,} to {phase.last_image:,}{fade}; ", end="")
        print(f"batch {phase.batch_size}, learning rate {phase.learning_rate:g}")
    dataset = Records(args.data_dir, config.run.dataset, config.generator.resolution)
    images, keypoints = dataset.load("train", 256)
    print(f"\n{dataset.info}")
    mean, deviation = images.mean(axis=(0, 1, 2)).round(1), images.std(axis=(0, 1, 2)).round(1)
    print(f"of {len(images)} images: mean {mean}, deviation {deviation}")
    print(f"keypoints between {keypoints.min(axis=(0, 1)).round(1)} and {keypoints.max(axis=(0, 1)).round(1)} pixels")


def _size(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def _train(stage: str, config: Config, args: argparse.Namespace, earlier: Loaded | None) -> int:
    """Trains on from the newest checkpoint; returns the exit status."""
    run = config.run
    dataset = Records(args.data_dir, run.dataset, config.generator.resolution)
    checkpoints = Checkpoints(args.workdir, run.keep_checkpoints)
    state = init_state(stage, config, earlier)

    def read(step: int) -> TrainState:
        same_config(config, checkpoints.config(step), args.workdir)
        return checkpoints.restore_state(step, state)

    found = checkpoints.newest(read)
    newest = 0 if found is None else int(found.step)
    if found is not None:
        checkpoints.set_aside_after(newest)
        state = found
        print(f"{stage}: going on from {images_seen(config, state):,} images in {args.workdir}", flush=True)
    writes = jax.process_index() == 0
    if writes:
        with atomic_write(args.workdir / "config.json") as file:
            file.write(json.dumps({"stage": stage, "config": to_dict(config)}, indent=2).encode())
    frozen = frozen_variables(stage, earlier)

    def save(step: int, state: TrainState, model: dict[str, Any] | None) -> None:
        checkpoints.save(step, config, state, model, frozen)

    with TrainingLog(args.workdir, newest) if writes else SilentLog() as log, Preemption() as preemption:
        state = train(stage, config, earlier, state, dataset, log, save, preemption.reached)
    if preemption.signal:
        print(f"train_{stage}: {preemption.signal} at step {int(state.step)}: saved; the same command goes on", file=sys.stderr)
        return EXIT_PREEMPTED
    return 0


def same_config(config: Config, saved: Config, folder: Path) -> None:
    """Raises ConfigError where a run in a folder would go on with another configuration, durations aside."""
    now, before = _flat(to_dict(config)), _flat(to_dict(saved))
    changed = [name for name in now if now[name] != before.get(name) and name not in DURATIONS]
    if changed:
        listed = "; ".join(f"{name} is {before.get(name)!r} there and {now[name]!r} here" for name in changed)
        raise ConfigError(f"{folder} was trained with another configuration: {listed}. Choose another folder")


def _flat(values: dict, path: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return flat
