"""The training loop: ticks, images seen, stopping on NaN. What is trained, saved and shown comes in as callables."""

import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from jaxgan.configs.schema import RunConfig
from jaxgan.errors import DivergedError
from jaxgan.training.log import TrainingLog
from jaxgan.training.state import TrainState

WARM_UP = 2  # steps that may compile, with and without regularisation


def fit(
    *,
    stage: str,
    run: RunConfig,
    state: TrainState,
    frozen: dict,
    step_for: Callable[[int], Callable[[TrainState, dict, Any], tuple[TrainState, dict]]],
    batches: Iterator[Any],
    log: TrainingLog,
    save: Callable[[int, TrainState], None],
    sample: Callable[[TrainState], np.ndarray],
    stop: Callable[[int], bool] = lambda done: False,
    due: Callable[[dict], bool] = lambda metrics: False,
    images: int | None = None,
) -> TrainState:
    """Trains until run.total_images have been seen, or until told to stop.

    Args:
      stage: name for messages.
      run: durations, in images.
      state: where to start; its buffers are donated to the steps.
      frozen: constant variables, passed to each step.
      step_for: steps done -> the mapped step to run next.
      batches: yields batches already on the devices.
      log: receives metrics once a tick, and grids.
      save: writes a checkpoint, (step, state).
      sample: uint8 grid [rows, columns, R, R, 3] of a state.
      stop: steps done -> whether to save and return now; asked after each step.
      due: a step's metrics, which may still be in the making -> whether to write metrics, a grid and a checkpoint now, besides
        those that fall due by images; asked after each step, before `stop`.
      images: seen so far, where earlier steps had other batch sizes; by default state.step * run.batch_size.

    Returns:
      The last state, which is saved.

    Raises:
      DivergedError: metrics of a tick are not finite; nothing of that tick is saved.
    """
    batch_size = run.batch_size
    done = int(state.step)
    before = 0 if images is None else images - done * batch_size  # so that images seen = before + steps * batch_size
    total = -((before - run.total_images) // batch_size)
    every = {name: max(1, getattr(run, f"{name}_images") // batch_size) for name in ("tick", "sample", "checkpoint")}
    if done < total:
        batches = itertools.chain([next(batches)], batches)  # bad data is known before anything is compiled
        if before + done * batch_size == 0:
            log.grid(0, 0, sample(state))
    pending: list[dict] = []
    began = started = time.perf_counter()
    first = timed_from = done
    while done < total:
        state, metrics = step_for(done)(state, frozen, next(batches))
        done += 1
        pending.append(metrics)
        if done == first + WARM_UP:  # compilation is kept out of the rate
            jax.block_until_ready(metrics)
            log.say(f"{stage}: compiled in {time.perf_counter() - began:.0f} s")
            started, timed_from = time.perf_counter(), done
        now = due(metrics)
        stopped = stop(done)
        last = stopped or done == total
        if done % every["tick"] == 0 or done % every["checkpoint"] == 0 or last or now:  # nothing unchecked is saved
            means = _means(pending)
            pending = []
            elapsed, steps = time.perf_counter() - started, done - timed_from
            rate = steps * batch_size / elapsed if done > first + WARM_UP else None
            _stop_if_diverged(stage, done, means)
            seen = before + done * batch_size
            log.scalars(done, {"images": seen, "images_per_second": rate and round(rate, 2), **means})
            log.say(_line(stage, seen, before + total * batch_size, rate, means))
            started, timed_from = time.perf_counter(), done
        if done % every["sample"] == 0 or done == total or now:
            log.grid(done, before + done * batch_size, sample(state))
        if done % every["checkpoint"] == 0 or last or now:
            save(done, state)
        if stopped:
            break
    return state


def _means(pending: list[dict]) -> dict[str, float]:
    host = jax.device_get(pending)
    return {name: float(np.mean([metrics[name] for metrics in host])) for name in host[0]}


def _stop_if_diverged(stage: str, step: int, means: dict[str, float]) -> None:
    bad = {name: value for name, value in means.items() if not np.isfinite(value)}
    if bad:
        terms = ", ".join(f"{name}={value}" for name, value in bad.items())
        raise DivergedError(f"{stage} diverged before step {step}: {terms}; the last checkpoint is kept")


def _line(stage: str, seen: int, total: int, rate: float | None, means: dict[str, float]) -> str:
    terms = "  ".join(f"{name} {value:.4g}" for name, value in means.items())
    pace = ""
    if rate:
        left = round((total - seen) / rate)
        pace = f"  {rate:.1f}/s  ETA {left // 60}:{left % 60:02d}"
    return f"{stage} {seen:,}/{total:,} images{pace}  {terms}"
