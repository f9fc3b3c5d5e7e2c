"""The training loop: phases, ticks, images seen, stopping in time or on NaN. Data, log and checkpoints come in from outside."""

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxgan.configs import Config, RunConfig, StyleGANConfig
from jaxgan.data.batches import prefetch
from jaxgan.data.dataset import Dataset
from jaxgan.errors import DivergedError
from jaxgan.models.features.dlib_face import load_dlib_face
from jaxgan.models.features.weights import load_vgg16
from jaxgan.training import lazy, parallel
from jaxgan.training.clock import WARM_UP, Clock
from jaxgan.training.growing import Phase, phases
from jaxgan.training.held_out import make_scores
from jaxgan.training.log import TrainingLog
from jaxgan.training.stages import Networks, Stage
from jaxgan.training.state import TrainState

GRID_PORTRAITS = 8  # columns of the sample grids of inverter and editor

# (step, state, the networks that the stage adds, or None while they still grow)
Save = Callable[[int, TrainState, Networks | None], None]


def train(
    stage: Stage,
    config: Config,
    networks: Networks,
    state: TrainState,
    dataset: Dataset,
    log: TrainingLog,
    save: Save,
    stop: Callable[[int], bool] = lambda done: False,
    clock: Clock | None = None,
) -> TrainState:
    """Trains a stage from `state` (on the host) to the end of the run, or until told to stop.

    Args:
      networks: Variables of earlier stages, which stay as they are.
      save: Writes a checkpoint.
      stop: Steps done -> whether to save and return now; asked after each step.
      clock: Saves, draws grids and stops by wall time instead of images; None for images.

    Raises:
      DivergedError: A loss is no longer finite; nothing of that tick is saved.
    """
    run = config.run
    frozen, state = parallel.replicate(frozen_by(config, networks)), parallel.replicate(state)
    shown = _shown(dataset) if stage.reads_portraits else {}
    schedule = phases(config)
    for phase in schedule:
        if (seen := int(state.images)) >= phase.last_image:
            continue
        sampler = stage.make_sampler(config, phase)
        began, retargeted = time.perf_counter(), stage.retargeted(config)
        batches = dataset.batches(
            phase.batch_size // jax.process_count(),
            seed=run.seed,
            start_step=-(-seen // phase.batch_size),  # the first batch that holds no image among those seen
            mirror=run.mirror,
            targets=stage.reads_targets,
            retargeted=retargeted,
            paired=stage.paired(config),
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )
        if retargeted:
            log.say(f"{stage.name}: data read and faces fitted in {time.perf_counter() - began:.0f} s")

        def make_step(*weights: float, phase: Phase = phase) -> Callable:
            return parallel.pmap_step(stage.make_step(config, phase, *weights))

        def save_networks(step: int, state: TrainState, phase: Phase = phase) -> None:
            complete = phase.completes(config, int(state.images))
            save(step, state, stage.export(state) if complete else None)

        with contextlib.closing(prefetch(batches, parallel.put)) as placed:
            state, stopped = fit(
                f"{stage.name} {phase.resolution}x{phase.resolution}" if len(schedule) > 1 else stage.name,
                run,
                phase,
                state,
                frozen,
                lazy.schedule(make_step, lazy.terms(config)),
                placed,
                log,
                save_networks,
                lambda state, sampler=sampler: jax.device_get(sampler(state, frozen, shown)),
                make_scores(config, phase, dataset),
                stop,
                clock,
            )
        if stopped:
            break
    return state


def frozen_by(config: Config, networks: Networks) -> Networks:
    """All that steps read and leave as it is: networks of earlier stages, and those of other projects for the losses."""
    if isinstance(config, StyleGANConfig):
        return networks
    others = {}
    if config.perceptual.network == "vgg16" and config.perceptual.vgg16_weights:
        others["vgg16"] = load_vgg16(config.perceptual.vgg16_weights)
    if config.identity_weight:
        others["dlib_face"] = load_dlib_face()
    return {**networks, **others}


def fit(
    name: str,
    run: RunConfig,
    phase: Phase,
    state: TrainState,
    frozen: dict,
    step_for: Callable[[int], Callable[[TrainState, dict, Any], tuple[TrainState, dict]]],
    batches: Iterator[Any],
    log: TrainingLog,
    save: Callable[[int, TrainState], None],
    sample: Callable[[TrainState], np.ndarray],
    held_out: Callable[[TrainState], dict[str, float]],
    stop: Callable[[int], bool] = lambda done: False,
    clock: Clock | None = None,
) -> tuple[TrainState, bool]:
    """Trains one phase to its last image, or until told to stop.

    Args:
      name: For messages.
      run: Intervals between metrics, grids and checkpoints, in images.
      state: Where to start; its buffers are donated to the steps.
      frozen: Constant variables, passed to each step.
      step_for: Steps done -> the mapped step to run next.
      batches: Yields batches already on the devices.
      log: Receives metrics once a tick, and grids.
      save: Writes a checkpoint, (step, state).
      sample: uint8 grid [rows, columns, R, R, 3] of a state.
      held_out: Further metrics of a state, taken once a tick.
      stop, clock: As in `train`.

    Returns:
      The last state, which is saved, and whether it was told to stop.

    Raises:
      DivergedError: As in `train`.
    """
    batch_size = phase.batch_size
    done, seen = int(state.step), int(state.images)
    total = done - ((seen - phase.last_image) // batch_size)
    every = {each: max(1, getattr(run, f"{each}_images") // batch_size) for each in ("tick", "sample", "checkpoint")}
    if done < total:
        batches = itertools.chain([next(batches)], batches)  # bad data is known before anything is compiled
        if seen == 0:
            log.grid(0, 0, sample(state))
    pending: list[dict] = []
    began = started = time.perf_counter()
    first = timed_from = done
    stopped = False
    while done < total and not stopped:
        state, metrics = step_for(done)(state, frozen, next(batches))
        done, seen = done + 1, seen + batch_size
        pending.append(metrics)
        if done == first + WARM_UP:  # compilation is kept out of the rate
            jax.block_until_ready(metrics)
            log.say(f"{name}: compiled in {time.perf_counter() - began:.0f} s")
            started, timed_from = time.perf_counter(), done
        due = clock is not None and clock.due(metrics)
        stopped = stop(done) or (clock is not None and clock.over)
        last = stopped or done == total
        saves = last or (due if clock else done % every["checkpoint"] == 0)
        if saves or done % every["tick"] == 0:  # nothing unchecked is saved
            means = _means(pending)
            pending = []
            elapsed, steps = time.perf_counter() - started, done - timed_from
            rate = steps * batch_size / elapsed if done > first + WARM_UP else None
            _stop_if_diverged(name, done, means)
            if done % every["tick"] == 0:
                means |= held_out(state)
            log.scalars(done, {"images": seen, "images_per_second": rate and round(rate, 2), **means})
            log.say(_line(name, seen, phase.last_image, rate, means))
            started, timed_from = time.perf_counter(), done
        if done == total or (due if clock else done % every["sample"] == 0):
            log.grid(done, seen, sample(state))
        if saves:
            save(done, state)
    return state, stopped


def _shown(dataset: Dataset) -> dict[str, Any]:
    """The portraits of the sample grids, from the test split if there is one; each gets the landmarks of the next."""
    images, keypoints = dataset.load("test" if dataset.info.num_test else "train", GRID_PORTRAITS)
    return {"image": images, "keypoints": keypoints, "target_keypoints": keypoints[list(range(1, len(images))) + [0]]}


def _means(pending: list[dict]) -> dict[str, float]:
    host = jax.device_get(pending)
    return {name: float(np.mean([metrics[name] for metrics in host])) for name in host[0]}


def _stop_if_diverged(name: str, step: int, means: dict[str, float]) -> None:
    bad = {name: value for name, value in means.items() if not np.isfinite(value)}
    if bad:
        terms = ", ".join(f"{name}={value}" for name, value in bad.items())
        raise DivergedError(f"{name} diverged before step {step}: {terms}; the last checkpoint is kept")


def _line(name: str, seen: int, total: int, rate: float | None, means: dict[str, float]) -> str:
    terms = "  ".join(f"{name} {value:.4g}" for name, value in means.items())
    pace = ""
    if rate:
        left = round((total - seen) / rate)
        pace = f"  {rate:.1f}/s  ETA {left // 60}:{left % 60:02d}"
    return f"{name} {seen:,}/{total:,} images{pace}  {terms}"
