"""One training, from whatever state it finds to its end: networks of earlier stages, batches, phases, and the loop."""

import contextlib
import dataclasses
from collections.abc import Callable
from types import ModuleType
from typing import Any

import jax

from jaxgan.checkpoints.training import Loaded
from jaxgan.configs.schema import Config, StyleGANConfig
from jaxgan.data.batches import prefetch
from jaxgan.data.dataset import Dataset
from jaxgan.importers.vgg16 import load_vgg16
from jaxgan.training import discriminator, editor, growing, inverter, loop, parallel, stylegan
from jaxgan.training.growing import Phase
from jaxgan.training.log import TrainingLog
from jaxgan.training.state import TrainState

MODULES: dict[str, ModuleType] = {"stylegan": stylegan, "inverter": inverter, "editor": editor}
GRID_PORTRAITS = 8  # columns of the sample grids of inverter and editor

# (step, state, the variables for inference or None while a network still grows)
Save = Callable[[int, TrainState, dict[str, Any] | None], None]


def init_state(stage: str, config: Config, earlier: Loaded | None) -> TrainState:
    """The state that a training of a stage starts from."""
    return inverter.init_state(config, earlier.model) if stage == "inverter" else MODULES[stage].init_state(config)


def frozen_variables(stage: str, earlier: Loaded | None) -> dict[str, Any]:
    """The variables of earlier stages that the steps read and a checkpoint carries on."""
    if stage == "stylegan":
        return {}
    if stage == "inverter":
        return earlier.model
    return {**earlier.frozen, "inverter": earlier.model["inverter"]}


def phases(config: Config) -> list[Phase | None]:
    """The phases of a growing training; [None] for one at a fixed resolution."""
    grows = isinstance(config, StyleGANConfig) and config.growing.start
    return growing.phases(config) if grows else [None]


def images_seen(config: Config, state: TrainState) -> int:
    """Images that a state was trained on."""
    return int(state.extra.get("images", int(state.step) * config.run.batch_size))


def train(
    stage: str,
    config: Config,
    earlier: Loaded | None,
    state: TrainState,
    dataset: Dataset,
    log: TrainingLog,
    save: Save,
    stop: Callable[[int], bool],
    due: Callable[[dict], bool] = lambda metrics: False,
) -> TrainState:
    """Trains a stage on from `state` (on the host) until its end, or until `stop`, asked after each step, says so.

    `due` has it save at other times than the configuration says; `stop` and `due` are those of training.loop.fit.

    Raises:
      DivergedError: a loss is no longer finite.
    """
    module, run = MODULES[stage], config.run
    for_steps = frozen_variables(stage, earlier)
    if stage != "stylegan" and config.perceptual.network == "vgg16" and config.perceptual.vgg16_weights:
        for_steps = {**for_steps, "vgg16": load_vgg16(config.perceptual.vgg16_weights)}
    for_steps = parallel.replicate(for_steps)
    shown = {} if stage == "stylegan" else _shown(dataset)
    state, stopped = parallel.replicate(state), False

    def stop_now(done: int) -> bool:
        nonlocal stopped
        stopped = stop(done)
        return stopped

    for phase in phases(config):
        name, part, seen, own = stage, run, images_seen(config, state), ()
        if phase:
            name, own = f"{stage} {phase.resolution}x{phase.resolution}", (phase,)
            part = dataclasses.replace(run, batch_size=phase.batch_size, total_images=phase.last_image)
        if seen >= part.total_images:
            continue
        sampler = module.make_sampler(config, *own)

        def make_step(r1_weight: float, own: tuple = own) -> Callable:
            return parallel.pmap_step(module.make_train_step(config, r1_weight, *own))

        def save_complete(step: int, state: TrainState, phase: Phase | None = phase) -> None:
            complete = phase is None or phase.completes(config, images_seen(config, state))
            save(step, state, module.inference_variables(state) if complete else None)

        batches = dataset.batches(
            part.batch_size // jax.process_count(),
            seed=run.seed,
            start_step=-(-seen // part.batch_size),  # the first batch that holds no image among those seen
            mirror=run.mirror,
            targets=stage == "editor",
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )
        with contextlib.closing(prefetch(batches, parallel.put)) as placed:
            state = loop.fit(
                stage=name,
                run=part,
                state=state,
                frozen=for_steps,
                step_for=discriminator.r1_schedule(make_step, config.r1_gamma, config.r1_interval),
                batches=placed,
                log=log,
                save=save_complete,
                sample=lambda state, sampler=sampler: jax.device_get(sampler(state, for_steps, shown)),
                stop=stop_now,
                due=due,
                images=seen,
            )
        if stopped:
            break
    return state


def _shown(dataset: Dataset) -> dict[str, Any]:
    """The portraits of the sample grids, from the test split; each takes the landmarks of the next."""
    images, keypoints = dataset.load("test", GRID_PORTRAITS)
    return {"image": images, "keypoints": keypoints, "target_keypoints": keypoints[list(range(1, len(images))) + [0]]}
