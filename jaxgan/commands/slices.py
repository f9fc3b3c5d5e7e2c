"""Trains a stage in slices of a few minutes, each of which may run on another machine, from one packed file of data.

    python -m jaxgan.slices stylegan --config small --packed faces.npz --state stylegan --minutes 9 [FIELD=VALUE...]
    python -m jaxgan.slices inverter --config small --packed faces.npz --state inverter --minutes 9 --earlier stylegan
    python -m jaxgan.slices export --state inverter --workdir runs/inverter

Each slice goes on from what it finds in the folder of --state: the compact state (see jaxgan.compact), metrics.jsonl and
samples/. All are written every two minutes of wall time, at the end of the slice and on SIGTERM. `export` makes a working
folder of it, for evaluation, editing and the training commands. Neither TensorFlow nor clu is needed.
"""

# ruff: noqa: E402
import time

STARTED = time.monotonic()  # before JAX is imported: that is part of the slice

import argparse
import collections
import dataclasses
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax

from jaxgan.checkpoints import compact, parts
from jaxgan.checkpoints.compact import Compact, Found
from jaxgan.checkpoints.training import Checkpoints, Loaded
from jaxgan.commands.train import EARLIER, load_earlier, resolve, same_config
from jaxgan.configs.presets import PRESETS
from jaxgan.configs.schema import STAGES, Config, override, stage_of
from jaxgan.data.packed import Packed
from jaxgan.errors import CheckpointError, ConfigError, DatasetError, DivergedError
from jaxgan.runtime import EXIT_PREEMPTED, Preemption, keep_compiled
from jaxgan.training.log import TrainingLog
from jaxgan.training.loop import WARM_UP
from jaxgan.training.run import MODULES, frozen_variables, images_seen, init_state, train
from jaxgan.training.state import TrainState

FIRST_SAVE = 10.0  # seconds that a save may take while none has been measured; less in short slices


class Clock:
    """When a slice saves and when it ends, in seconds of wall time."""

    def __init__(self, began: float, limit: float, every: float):
        """A slice that began at time.monotonic() == `began`, is over `limit` later, and saves as often as `every` says."""
        self.over = False  # whether only time for the last save is left
        self._began, self._limit, self._every = began, limit, every
        self._pending: dict[str, jax.Array] = {}
        self._count, self._steps = 0, collections.deque[float](maxlen=32)
        self._saving, self._saves = min(FIRST_SAVE, limit / 10), False
        self._last = self._saved = time.monotonic()

    def due(self, metrics: dict[str, jax.Array]) -> bool:
        """Whether to save after the step with these metrics; asked after each step, it lets no more than one more be queued."""
        jax.block_until_ready(self._pending)
        self._pending = metrics
        now = time.monotonic()
        took, self._last, self._count = now - self._last, now, self._count + 1
        if self._count > WARM_UP:  # steps that compile say nothing of those to come
            if self._saves:
                self._saving = took
            else:
                self._steps.append(took)
        left = self._limit - (now - self._began)
        self.over = left < 2 * max(self._steps, default=0.0) + 1.5 * self._saving + 1.0
        self._saves = self.over or now - self._saved >= self._every
        if self._saves:
            self._saved = now
        return self._saves


def main(argv: Sequence[str] | None = None, began: float | None = None) -> int:
    """Runs a slice, or the export; returns the exit status.

    Args:
      argv: the flags.
      began: what time.monotonic() was when the slice began; None for now.
    """
    began = time.monotonic() if began is None else began
    args = _parse(argv)
    keep_compiled()
    try:
        return _export(args) if args.stage == "export" else _train(args, began)
    except (ConfigError, CheckpointError, DatasetError, DivergedError, OSError, ValueError) as error:
        print(f"slices: {error}", file=sys.stderr)
        return 1


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m jaxgan.slices", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="stage", required=True)
    for stage in STAGES:
        command = commands.add_parser(stage, help=f"train the {stage}")
        command.add_argument("overrides", nargs="*", metavar="FIELD=VALUE", help="fields to change, e.g. run.batch_size=32")
        command.add_argument("--config", required=True, help=f"preset to start from: {', '.join(PRESETS)}")
        command.add_argument("--packed", required=True, help="dataset, a file of python -m jaxgan.data.packed")
        command.add_argument("--state", required=True, type=Path, help="folder of the compact state, metrics and samples")
        command.add_argument("--minutes", required=True, type=float, help="length of the slice, with imports and compilation")
        command.add_argument("--every", default=2.0, type=float, help="minutes between two saves (default 2)")
        if stage in EARLIER:
            text = f"--state or --workdir of the {EARLIER[stage]} training; the first slice keeps what it needs of it"
            command.add_argument("--earlier", type=Path, help=text)
    export = commands.add_parser("export", help="make a working folder of a compact state")
    export.add_argument("--state", required=True, type=Path, help="folder of the compact state")
    export.add_argument("--workdir", required=True, type=Path, help="working folder that gets a checkpoint of it")
    return parser.parse_args(argv)


def _train(args: argparse.Namespace, began: float) -> int:
    """Trains on until the slice or the training ends; returns the exit status."""
    stage, folder = args.stage, args.state
    for name in ("minutes", "every"):
        if not getattr(args, name) > 0:
            raise ValueError(f"--{name} must be positive, got {getattr(args, name)}")
    found = compact.read(folder) if (folder / compact.LIST).exists() else None
    if found and found.listed["stage"] != stage:
        raise CheckpointError(f"{folder} is a {found.listed['stage']} run; choose another --state for the {stage}")
    earlier = _earlier(args, found) if stage in EARLIER else None
    config = resolve(stage, args.config, args.overrides, earlier, earlier and (args.earlier or folder))
    dataset = Packed(args.packed, config.generator.resolution)
    config = override(config, [f"run.dataset={json.dumps(dataset.info.name)}"])
    if found:
        same_config(config, found.config, folder)
    saved = Compact(folder, config, earlier, found)
    state = found.state if found else init_state(stage, config, saved.earlier)
    _announce(config, state, saved, found)

    def save(step: int, state: TrainState, model: dict[str, Any] | None) -> None:
        saved.save(state, usable=model is not None)

    # Saves and grids come by wall time alone.
    once = dataclasses.replace(config.run, sample_images=config.run.total_images, checkpoint_images=config.run.total_images)
    timed = dataclasses.replace(config, run=once)
    clock = Clock(began, 60 * args.minutes, 60 * args.every)
    with TrainingLog(folder, int(state.step)) as log, Preemption() as preemption:

        def due(metrics: dict) -> bool:
            return clock.due(metrics) or bool(preemption.signal)

        def stop(done: int) -> bool:
            return clock.over or preemption.reached(done)

        state = train(stage, timed, saved.earlier, state, dataset, log, save, stop, due)
    seen, total = images_seen(config, state), config.run.total_images
    if preemption.signal:
        print(f"{stage}: {preemption.signal} at {seen:,} images: saved; the same command goes on", file=sys.stderr)
        return EXIT_PREEMPTED
    print(f"{stage}: {seen:,} of {total:,} images in {folder}" + ("; the same command goes on" if seen < total else ""))
    return 0


def _earlier(args: argparse.Namespace, found: Found | None) -> Loaded:
    """The earlier stage as it was stored with the first slice, or, in the first slice, that of --earlier."""
    before = EARLIER[args.stage]
    named = load_earlier(args.stage, args.earlier, compact.load) if args.earlier else None
    if not found:
        if not named:
            raise CheckpointError(f"{args.state} holds no {args.stage} yet: give the folder of the {before} as --earlier")
        return named
    if named and parts.digest(frozen_variables(args.stage, named)) != found.listed["earlier"]["sha256"]:
        step = found.listed["earlier"]["step"]
        raise CheckpointError(
            f"{args.state} was trained from another {before} (its step {step}) than {args.earlier} holds; "
            "go on without --earlier, or choose another --state"
        )
    return found.earlier


def _announce(config: Config, state: TrainState, saved: Compact, found: Found | None) -> None:
    """Says where the training goes on and with what precision it is stored."""
    lines = [f"going on from {images_seen(config, state):,} images in {saved.folder}"] if found else []
    if found and found.listed["stored"].get("moments") == compact.DROPPED:
        lines.append("Adam's moments were not stored and start anew")
    for group, kind in saved.plan.items():
        how = "not stored and will start anew" if kind == compact.DROPPED else f"stored as {kind}"
        lines.append(f"{group} are {how}, for all to stay under {compact.TOTAL_BYTES / 1e6:.0f} MB")
    for line in lines:
        print(f"{stage_of(config)}: {line}", flush=True)


def _export(args: argparse.Namespace) -> int:
    """Writes a checkpoint of a compact state; returns the exit status."""
    found = compact.read(args.state)
    stage, step, config = found.listed["stage"], found.listed["step"], found.config
    checkpoints = Checkpoints(args.workdir, config.run.keep_checkpoints)
    newest = checkpoints.latest_step()
    if newest is not None:
        same_config(config, checkpoints.config(newest), args.workdir)
        if newest >= step:
            raise CheckpointError(
                f"{args.workdir} holds a checkpoint of step {newest} already, {args.state} one of step {step}"
            )
    model = MODULES[stage].inference_variables(found.state) if found.listed["usable"] else None
    checkpoints.save(step, config, found.state, model, frozen_variables(stage, found.earlier))
    stored = ", ".join(f"{group} {kind}" for group, kind in found.listed["stored"].items())
    print(f"{args.workdir}: {stage} of step {step}" + (f" (stored with {stored})" if stored else ""))
    return 0


if __name__ == "__main__":
    sys.exit(main(began=STARTED))
