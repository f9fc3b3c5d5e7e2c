"""The training commands: flags, configuration, data, networks of earlier stages, checkpoints, and the loop.

Rerunning a command goes on from the newest checkpoint of its working folder.
"""

import argparse
import contextlib
import dataclasses
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import jax

from jaxgan import checkpoint
from jaxgan.atomic import atomic_write
from jaxgan.checkpoint import CheckpointError, Checkpoints, Loaded
from jaxgan.config import Config, ConfigError, StyleGANConfig, override, to_dict
from jaxgan.data.pipeline import dataset_info, load_split, prefetch, record_batches
from jaxgan.data.portraits import DatasetError
from jaxgan.presets import PRESETS, preset
from jaxgan.training import discriminator, editor, growing, inverter, loop, parallel, stylegan
from jaxgan.training.growing import Phase
from jaxgan.training.log import TrainingLog
from jaxgan.training.state import TrainState
from jaxgan.validation import validate
from jaxgan.weights.vgg16 import load_vgg16

MODULES: dict[str, ModuleType] = {"stylegan": stylegan, "inverter": inverter, "editor": editor}
EARLIER = {"inverter": "stylegan", "editor": "inverter"}  # the stage whose checkpoint a stage starts from
GRID_PORTRAITS = 8  # columns of the sample grids of inverter and editor
# Fields that may differ when a run is resumed.
DURATIONS = {"run.total_images", "run.tick_images", "run.sample_images", "run.checkpoint_images", "run.keep_checkpoints"}


def main(stage: str, argv: list[str] | None = None) -> int:
    """Runs the training command of a stage; returns the exit status."""
    args = _parse(stage, argv)
    try:
        earlier = _load_earlier(stage, args)
        config = _resolve(stage, args, earlier)
        if args.dry_run:
            _describe(stage, config, args, earlier)
        else:
            _train(stage, config, args, earlier)
    except (ConfigError, CheckpointError, DatasetError, loop.DivergedError, OSError, ValueError) as error:
        print(f"train_{stage}: {error}", file=sys.stderr)
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
    parser.add_argument("--dry_run", action="store_true", help="print configuration, networks and data, and stop")
    return parser.parse_args(argv)


def _load_earlier(stage: str, args: argparse.Namespace) -> Loaded | None:
    if stage not in EARLIER:
        return None
    loaded = checkpoint.load(args.earlier)
    if loaded.stage != EARLIER[stage]:
        raise CheckpointError(f"{args.earlier} is a {loaded.stage} run; training the {stage} starts from {EARLIER[stage]}")
    return loaded


def _resolve(stage: str, args: argparse.Namespace, earlier: Loaded | None) -> Config:
    """The preset, with the networks of the earlier stage, then the flags."""
    config = preset(args.config, stage)
    if stage == "inverter":
        before = earlier.config
        config = dataclasses.replace(config, generator=before.generator, discriminator=before.discriminator)
    elif stage == "editor":
        before = earlier.config
        config = dataclasses.replace(
            config, generator=before.generator, inverter=before.trunk, stylegan_discriminator=before.discriminator
        )
    named = [f"run.dataset={json.dumps(args.dataset)}"] if args.dataset else []
    config = validate(override(config, named + args.overrides))
    if earlier and config.generator != earlier.config.generator:
        raise ConfigError(f"generator.* is that of {args.earlier} and cannot be overridden")
    critic = {**earlier.frozen, **earlier.model}.get("discriminator") if earlier else None
    if earlier and critic is None and (stage == "inverter" or config.perceptual.network == "discriminator"):
        raise ConfigError(
            f"{args.earlier} holds no StyleGAN discriminator; choose perceptual.network=none, or vgg16 with its weights"
        )
    devices = jax.local_device_count() * jax.process_count()
    for phase in _phases(config):
        size, group = phase.batch_size if phase else config.run.batch_size, config.discriminator.stddev_group
        at = "" if phase is None else f" (growing, at {phase.resolution} px)"
        if size % devices:
            raise ConfigError(f"run.batch_size={size}{at} is not a multiple of {devices} devices")
        if phase and size // devices % min(group, size // devices):
            raise ConfigError(f"run.batch_size={size}{at} is not a multiple of discriminator.stddev_group={group} a device")
    return config


def _phases(config: Config) -> list[Phase | None]:
    """The phases of a growing training; [None] for one at a fixed resolution."""
    grows = isinstance(config, StyleGANConfig) and config.growing.start
    return growing.phases(config) if grows else [None]


def _frozen(stage: str, earlier: Loaded | None) -> dict[str, Any]:
    """The variables of earlier stages that the steps read and a checkpoint carries on."""
    if stage == "stylegan":
        return {}
    if stage == "inverter":
        return earlier.model
    return {**earlier.frozen, "inverter": earlier.model["inverter"]}


def _init_state(stage: str, config: Config, earlier: Loaded | None) -> TrainState:
    if stage == "inverter":
        return inverter.init_state(config, earlier.model)
    return MODULES[stage].init_state(config)


def _describe(stage: str, config: Config, args: argparse.Namespace, earlier: Loaded | None) -> None:
    print(json.dumps(to_dict(config), indent=2))
    state = jax.eval_shape(lambda: _init_state(stage, config, earlier))
    print(f"\n{'network':<16}{'part':<24}{'parameters':>12}")
    for network, params in state.params.items():
        for part, tree in params.items():
            print(f"{network:<16}{part:<24}{_size(tree):>12,}")
        print(f"{network:<16}{'all':<24}{_size(params):>12,}")
    for phase in filter(None, _phases(config)):
        fade = f", fading in over {phase.fade_images:,}" if phase.fade_images else ""
        print(f"{phase.resolution} px: images {phase.first_image:,} to {phase.last_image:,}{fade}; ", end="")
        print(f"batch {phase.batch_size}, learning rate {phase.learning_rate:g}")
    info = dataset_info(args.data_dir, config.run.dataset, config.generator.resolution)
    images, keypoints, _ = load_split(args.data_dir, config.run.dataset, "train", limit=256)
    print(f"\n{info}")
    mean, deviation = images.mean(axis=(0, 1, 2)).round(1), images.std(axis=(0, 1, 2)).round(1)
    print(f"of {len(images)} images: mean {mean}, deviation {deviation}")
    print(f"keypoints between {keypoints.min(axis=(0, 1)).round(1)} and {keypoints.max(axis=(0, 1)).round(1)} pixels")


def _size(tree: Any) -> int:
    return sum(leaf.size for leaf in jax.tree.leaves(tree))


def _train(stage: str, config: Config, args: argparse.Namespace, earlier: Loaded | None) -> None:
    module, run = MODULES[stage], config.run
    dataset_info(args.data_dir, run.dataset, config.generator.resolution)
    checkpoints = Checkpoints(args.workdir, run.keep_checkpoints)
    newest = checkpoints.latest_step()
    start = newest or 0
    state = _init_state(stage, config, earlier)
    if newest is not None:
        _same_config(config, checkpoints.load(start).config, args.workdir)
        state = checkpoints.restore_state(start, state)
        seen = int(state.extra.get("images", start * run.batch_size))
        print(f"{stage}: going on from {seen:,} images in {args.workdir}", flush=True)
    with atomic_write(args.workdir / "config.json") as file:
        file.write(json.dumps({"stage": stage, "config": to_dict(config)}, indent=2).encode())

    frozen = _frozen(stage, earlier)
    for_steps = dict(frozen)
    if stage != "stylegan" and config.perceptual.network == "vgg16" and config.perceptual.vgg16_weights:
        for_steps["vgg16"] = load_vgg16(config.perceptual.vgg16_weights)
    for_steps = parallel.replicate(for_steps)
    shown, state = _shown(stage, config, args), parallel.replicate(state)

    def through(phase: Phase | None, state: TrainState, log: TrainingLog) -> TrainState:
        """The state after one phase of a growing training, or after the whole of another."""
        name, part, seen, own = stage, run, int(state.step) * run.batch_size, ()
        if phase:
            name, seen, own = f"{stage} {phase.resolution}x{phase.resolution}", int(state.extra["images"]), (phase,)
            part = dataclasses.replace(run, batch_size=phase.batch_size, total_images=phase.last_image)
        if seen >= part.total_images:
            return state
        sampler = module.make_sampler(config, *own)

        def make_step(r1_weight: float) -> Callable:
            return parallel.pmap_step(module.make_train_step(config, r1_weight, *own))

        def save(step: int, state: TrainState) -> None:
            complete = phase is None or phase.completes(config, int(state.extra["images"]))
            checkpoints.save(step, config, state, module.inference_variables(state) if complete else None, frozen)

        with contextlib.closing(_batches(stage, config, args, part.batch_size, seen)) as batches:
            return loop.fit(
                stage=name,
                run=part,
                state=state,
                frozen=for_steps,
                step_for=discriminator.r1_schedule(make_step, config.r1_gamma, config.r1_interval),
                batches=batches,
                log=log,
                save=save,
                sample=lambda state: jax.device_get(sampler(state, for_steps, shown)),
                images=seen,
            )

    with TrainingLog(args.workdir, start) as log:
        for phase in _phases(config):
            state = through(phase, state, log)


def _same_config(config: Config, saved: Config, workdir: Path) -> None:
    """Refuses to go on with another configuration, durations aside."""
    now, before = _flat(to_dict(config)), _flat(to_dict(saved))
    changed = [name for name in now if now[name] != before.get(name) and name not in DURATIONS]
    if changed:
        listed = "; ".join(f"{name} is {before.get(name)!r} there and {now[name]!r} here" for name in changed)
        raise ConfigError(f"{workdir} was trained with another configuration: {listed}. Choose another --workdir")


def _flat(values: dict, path: str = "") -> dict[str, Any]:
    flat = {}
    for name, value in values.items():
        flat |= _flat(value, f"{path}{name}.") if isinstance(value, dict) else {f"{path}{name}": value}
    return flat


def _batches(stage: str, config: Config, args: argparse.Namespace, batch_size: int, seen: int) -> Iterator[Any]:
    """The stream of batches of a size, from its first one that holds no image among the first `seen`."""
    run = config.run
    batches = record_batches(
        args.data_dir,
        run.dataset,
        "train",
        batch_size // jax.process_count(),
        seed=run.seed,
        start_step=-(-seen // batch_size),
        mirror=run.mirror,
        targets=stage == "editor",
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )
    return prefetch(batches, parallel.put)


def _shown(stage: str, config: Config, args: argparse.Namespace) -> dict[str, Any]:
    """The portraits of the sample grids, from the test split; each takes the landmarks of the next."""
    if stage == "stylegan":
        return {}
    images, keypoints, _ = load_split(args.data_dir, config.run.dataset, "test", limit=GRID_PORTRAITS)
    return {"image": images, "keypoints": keypoints, "target_keypoints": keypoints[list(range(1, len(images))) + [0]]}
