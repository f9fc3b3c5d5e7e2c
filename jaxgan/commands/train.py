"""Trains a stage. Rerunning a command resumes from the newest checkpoint of its working folder.

jaxgan train stylegan --config small --workdir runs/stylegan --data_dir data --dataset faces
jaxgan train inverter --config small --workdir runs/inverter --data_dir data --dataset faces --stylegan runs/stylegan
"""

# ruff: noqa: E402
import time

STARTED = time.monotonic()  # before JAX is imported: that is part of a run's minutes

import argparse
import contextlib
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxgan import storage
from jaxgan.checkpoints import Checkpoints, Loaded, export, load
from jaxgan.commands.flags import positive
from jaxgan.commands.main import command
from jaxgan.commands.training_flags import add_training_flags, parse_training_flags
from jaxgan.configs import Config, override, preset, to_dict, validate
from jaxgan.data.dataset import Dataset, Records
from jaxgan.data.framing import FRAMINGS, is_framed
from jaxgan.data.packed import Packed
from jaxgan.errors import CheckpointError, ConfigError, InputError
from jaxgan.runtime import (
    EXIT_INTERRUPTED,
    EXIT_PREEMPTED,
    Preemption,
    add_host_flags,
    atomic_write,
    join_hosts,
    keep_compiled,
    lock_folder,
)
from jaxgan.training.clock import Clock
from jaxgan.training.growing import phases
from jaxgan.training.log import SilentLog, TrainingLog
from jaxgan.training.loop import train
from jaxgan.training.stages import STAGES, Networks, Stage
from jaxgan.training.state import TrainState

# Fields that may differ when a run is resumed.
DURATIONS = {"run.total_images", "run.tick_images", "run.sample_images", "run.checkpoint_images", "run.keep_checkpoints"}
MEMORY = {"run.remat", "run.micro_batch"}


@command("train")
def main(argv: Sequence[str] | None = None) -> int:
    """Trains the stage that the first argument names, and returns the exit status."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] in (["-h"], ["--help"]):
        print(f"usage: jaxgan train {{{','.join(STAGES)}}} ...\n\njaxgan train STAGE --help lists the flags of a stage.")
        return 0
    if not arguments or arguments[0] not in STAGES:
        raise InputError(f"the first argument is the stage, {', '.join(STAGES)}; got {(arguments or ['nothing'])[0]!r}")
    stage = STAGES[arguments[0]]
    args = _parse(stage, arguments[1:])
    join_hosts(args.coordinator, args.processes, args.process)
    keep_compiled()
    clock = _clock(args)
    saved = Saved(stage, args)
    source = saved.previous()
    config = resolve(stage, args.config, args.overrides, source, saved.origin)
    dataset = open_dataset(args, config)
    config = override(config, [f"run.dataset={json.dumps(dataset.info.name)}"])
    if stage.name == "stylegan" and config.generator.framing == "unknown":
        config = override(config, [f"generator.framing={dataset.info.framing}"])
    if args.dry_run:
        _describe(stage, config, source, dataset)
        return 0
    if stage.name == "stylegan" and not dataset.info.num_test:
        print(f"stylegan: dataset {dataset.info.name} has no test split, which `jaxgan evaluate` needs", file=sys.stderr)
    if config.generator.framing == "ffhq" and not is_framed(_keypoints(dataset), config.generator.resolution, FRAMINGS["ffhq"]):
        text = "the generator knows faces cropped as FFHQ's, and these lie elsewhere: prepare them with --framing ffhq"
        print(f"{stage.name}: dataset {dataset.info.name}: {text}", file=sys.stderr)
    with lock_folder(args.workdir) if jax.process_index() == 0 else contextlib.nullcontext():
        return _train(stage, config, saved, source.networks if source else {}, dataset, clock)


def open_dataset(args: argparse.Namespace, config: Config) -> Dataset:
    """The one that the flags name, or the configuration.

    Raises:
      DatasetError: There is none, or it is of another resolution.
    """
    if args.packed:
        return Packed(args.packed, config.generator.resolution)
    return Records(args.data_dir, args.dataset or config.run.dataset, config.generator.resolution)


def _parse(stage: Stage, argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"jaxgan train {stage.name}", description=f"Train the {stage.name}.")
    parser.add_argument("overrides", nargs="*", metavar="FIELD=VALUE", help="fields to change, e.g. run.batch_size=32")
    parser.add_argument("--workdir", required=True, type=Path, help="folder of the run: checkpoints, metrics, samples")
    if stage.previous:
        text = f"folder of the trained {stage.previous}; a run that is resumed has kept its own copy"
        parser.add_argument(f"--{stage.previous}", dest="previous", help=text)
    add_training_flags(parser)
    parser.add_argument("--save_minutes", type=positive, default=2.0, help="with --minutes: between two saves (default: 2)")
    add_host_flags(parser)
    parser.add_argument("--dry_run", action="store_true", help="print configuration, networks and data, and stop")
    return parse_training_flags(parser, argv)


def _clock(args: argparse.Namespace) -> Clock | None:
    return Clock(STARTED, 60 * args.minutes, 60 * args.save_minutes) if args.minutes else None


class Saved:
    """What earlier runs of the command have left, and the saving of this one."""

    def __init__(self, stage: Stage, args: argparse.Namespace):
        self.stage, self.args, self.origin = stage, args, getattr(args, "previous", None)
        self._exported = None
        self.checkpoints: Checkpoints | None = None
        if args.export and storage.is_stored(args.export):
            self._exported = export.read(args.export)
            if not isinstance(self._exported.config, stage.config):
                raise CheckpointError(f"{args.export} holds no run of the {stage.name}; choose another --export")

    def previous(self) -> Loaded | None:
        """The networks that the stage starts from: of the flag, or as a run that is resumed has kept them.

        Raises:
          CheckpointError: There are none, they are of another stage, or not those that the run has started from.
        """
        before, stage, workdir = self.stage.previous, self.stage, self.args.workdir
        if before is None:
            return None
        kept = None
        if (workdir / "checkpoints").is_dir() and Checkpoints(workdir).latest_step() is not None:
            loaded = load(workdir)
            kept = Loaded(loaded.step, loaded.stage, loaded.config, stage.without_own(loaded.networks))
        if self.origin:
            loaded = load(self.origin)
            if loaded.stage != before:
                raise CheckpointError(f"{self.origin} is a {loaded.stage} run; training the {stage.name} starts from {before}")
            if kept and not _equal(kept.networks, loaded.networks):
                raise CheckpointError(
                    f"{workdir} was started from another {before} than {self.origin}; leave out --{before} to resume, "
                    "or choose another --workdir"
                )
            return loaded
        if kept:
            self.origin = workdir
            return kept
        if self._exported:
            self.origin = self.args.export
            return Loaded(self._exported.step, stage.name, self._exported.config, self._exported.earlier)
        raise CheckpointError(f"training the {stage.name} starts from a trained {before}: give its folder as --{before}")

    def resume(self, config: Config, state: TrainState) -> tuple[TrainState, str]:
        """The state to continue from and where it was found, the newer of two; the given one and "" at the beginning.

        Raises:
          ConfigError: It was trained with another configuration.
        """
        self.checkpoints = Checkpoints(self.args.workdir, config.run.keep_checkpoints)

        def read(step: int) -> TrainState:
            same_config(config, self.checkpoints.config(step), self.args.workdir)
            return self.checkpoints.restore_state(step, state)

        found, exported = self.checkpoints.newest(read), self._exported
        if found is not None and (exported is None or exported.step <= int(found.step)):
            self.checkpoints.set_aside_after(int(found.step))
            return found, str(self.args.workdir)
        if exported and exported.state is not None:
            same_config(config, exported.config, self.args.export)
            return exported.state, str(self.args.export)
        return state, ""

    def save(self, step: int, config: Config, earlier: Networks, state: TrainState, own: Networks | None) -> None:
        """Writes a checkpoint and, if asked to, the small folder."""
        self.checkpoints.save(step, config, state, None if own is None else {**earlier, **own})
        if self.args.export and jax.process_index() == 0:
            limits = {f"max_{name}_bytes": _bytes(getattr(self.args, f"max_{name}_mb")) for name in ("total", "file")}
            export.write_run(self.args.export, config, earlier, state, usable=own is not None, **limits)


def _equal(networks: Networks, others: Networks) -> bool:
    same = jax.tree.structure(networks) == jax.tree.structure(others)
    return same and all(map(np.array_equal, jax.tree.leaves(networks), jax.tree.leaves(others)))


def _bytes(megabytes: float | None) -> int | None:
    return None if megabytes is None else round(megabytes * 1e6)


def resolve(stage: Stage, name: str, overrides: list[str], source: Loaded | None, origin: str | Path | None) -> Config:
    """The preset of that name, with the networks of `source` (from the folder `origin`), then the overrides.

    Raises:
      ConfigError: Its fields fit neither each other, nor the earlier stage, nor the devices.
    """
    config = stage.inherit(preset(name, stage.name), source.config) if source else preset(name, stage.name)
    inherited = config
    config = validate(override(config, overrides))
    for field in stage.inherited:
        if getattr(config, field) != getattr(inherited, field):
            raise ConfigError(f"{field}.* is that of {origin} and cannot be overridden")
    needs_critic = stage.name == "inverter" or (source and config.perceptual.network == "discriminator")
    if needs_critic and "stylegan_discriminator" not in source.networks:
        raise ConfigError(
            f"{origin} holds no StyleGAN discriminator; choose perceptual.network=none, or vgg16 with its weights"
        )
    devices, group = jax.local_device_count() * jax.process_count(), config.discriminator.stddev_group
    micro = config.run.micro_batch
    for phase in phases(config):
        size = phase.batch_size
        at = "" if phase.resolution == config.generator.resolution else f" (growing, at {phase.resolution} px)"
        if size % devices:
            raise ConfigError(f"run.batch_size={size}{at} is not a multiple of {devices} devices")
        share = size // devices
        at_once = min(micro, share) or share
        if share % at_once:
            raise ConfigError(f"run.batch_size={size}{at} is not a multiple of run.micro_batch={micro} a device")
        if at_once % min(group, at_once):
            field = f"run.micro_batch={micro}" if at_once < share else f"run.batch_size={size}{at}"
            raise ConfigError(f"{field} is not a multiple of discriminator.stddev_group={group} a device")
        shrink = config.path_batch_shrink if stage.name == "stylegan" and config.path_weight else 1
        if share % shrink:
            raise ConfigError(f"run.batch_size={size}{at} is not a multiple of path_batch_shrink={shrink} a device")
    return config


def _describe(stage: Stage, config: Config, source: Loaded | None, dataset: Dataset) -> None:
    print(json.dumps(to_dict(config), indent=2))
    state = jax.eval_shape(lambda: stage.init(config, source.networks if source else {}))
    print(f"\n{'network':<16}{'part':<24}{'parameters':>12}")
    for network, params in state.params.items():
        for part, tree in params.items():
            print(f"{network:<16}{part:<24}{_size(tree):>12,}")
        print(f"{network:<16}{'all':<24}{_size(params):>12,}")
    schedule = phases(config)
    for phase in schedule if len(schedule) > 1 else []:
        fade = f", fading in over {phase.fade_images:,}" if phase.fade_images else ""
        print(f"{phase.resolution} px: images {phase.first_image:,} to {phase.last_image:,}{fade}; ", end="")
        print(f"batch {phase.batch_size}, learning rate {phase.learning_rate:g}")
    images, keypoints = dataset.load("train", 256)
    print(f"\n{dataset.info}")
    mean, deviation = images.mean(axis=(0, 1, 2)).round(1), images.std(axis=(0, 1, 2)).round(1)
    print(f"of {len(images)} images: mean {mean}, deviation {deviation}")
    print(f"keypoints between {keypoints.min(axis=(0, 1)).round(1)} and {keypoints.max(axis=(0, 1)).round(1)} pixels")


def _keypoints(dataset: Dataset) -> np.ndarray:
    """Landmarks [N, 68, 2] of some training portraits."""
    return dataset.load("train", 256)[1]


def _size(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def _train(stage: Stage, config: Config, saved: Saved, earlier: Networks, dataset: Dataset, clock: Clock | None) -> int:
    """Trains from the newest checkpoint on; returns the exit status."""
    workdir = saved.args.workdir
    state, origin = saved.resume(config, stage.init(config, earlier))
    if origin:
        print(f"{stage.name}: resuming from {int(state.images):,} images in {origin}", flush=True)
    writes = jax.process_index() == 0
    if writes:
        with atomic_write(workdir / "config.json") as file:
            file.write(json.dumps({"stage": stage.name, "config": to_dict(config)}, indent=2).encode())

    def save(step: int, state: TrainState, own: Networks | None) -> None:
        saved.save(step, config, earlier, state, own)

    with TrainingLog(workdir, int(state.step)) if writes else SilentLog() as log, Preemption() as preemption:
        state = train(stage, config, earlier, state, dataset, log, save, preemption.reached, clock)
    if preemption.signal:
        step = int(state.step)
        print(f"{stage.name}: {preemption.signal} at step {step}: saved; the same command resumes", file=sys.stderr)
        return EXIT_INTERRUPTED if preemption.signal == "SIGINT" else EXIT_PREEMPTED
    seen, total = int(state.images), phases(config)[-1].last_image
    if seen < total:
        print(f"{stage.name}: {seen:,} of {total:,} images in {workdir}; the same command resumes")
    return 0


def same_config(config: Config, saved: Config, folder: Path) -> None:
    """Raises ConfigError if a run in a folder would resume with another configuration, durations and memory aside."""
    now, before = _flat(to_dict(config)), _flat(to_dict(saved))
    changed = [name for name in now if now[name] != before.get(name) and name not in DURATIONS | MEMORY]
    if changed:
        listed = "; ".join(f"{name} is {before.get(name)!r} there and {now[name]!r} here" for name in changed)
        raise ConfigError(f"{folder} was trained with another configuration: {listed}. Choose another folder")


def _flat(values: dict, path: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return flat
