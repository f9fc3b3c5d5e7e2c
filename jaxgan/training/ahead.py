"""Training steps lowered from shapes alone, before there is anything to train on: nothing is allocated or run."""

import math
from collections.abc import Callable, Sequence

import jax
import numpy as np

from jaxgan.configs import Config
from jaxgan.runtime import compiling_for
from jaxgan.training import lazy, parallel
from jaxgan.training.growing import phases
from jaxgan.training.stages import STAGES, Networks, stage_of


def networks_before(configs: dict[str, Config], stage: str) -> Networks:
    """Shapes of the networks that a stage starts from, by the configurations of the stages before it."""
    networks: Networks = {}
    for name in list(STAGES)[: list(STAGES).index(stage)]:
        state = jax.eval_shape(lambda networks, name=name: STAGES[name].init(configs[name], networks), networks)
        networks = networks | jax.eval_shape(STAGES[name].export, state)
    return networks


def lower(
    config: Config, frozen: Networks, weights: Sequence[float], devices: Sequence[jax.Device] | None = None
) -> jax.stages.Lowered:
    """A step of the last phase, lowered for devices, which need not be there.

    Args:
      config: Of the stage.
      frozen: Shapes of the networks that it starts from (`networks_before`), and of what else its losses read.
      weights: Of each of `lazy.terms` in this step.
      devices: They share the batch; None for those of this process.
    """
    stage, side, count = stage_of(config), config.generator.resolution, len(devices or jax.local_devices())
    share = config.run.batch_size // jax.process_count() // count
    state = jax.eval_shape(lambda networks: stage.init(config, networks), frozen)
    points = jax.ShapeDtypeStruct((count, share, 68, 2), np.float32)
    images = jax.ShapeDtypeStruct((count, share, side, side, 3), np.uint8)
    batch = {"image": images, "keypoints": points}
    if stage.reads_targets:
        batch["target_keypoints"] = points
    if stage.paired(config):
        batch |= {"target_image": images, "paired": jax.ShapeDtypeStruct((count, share), np.bool_)}
    step = parallel.pmap_step(stage.make_step(config, phases(config)[-1], *weights), devices)
    with compiling_for((devices or jax.local_devices())[0].platform):
        return step.lower(state, frozen, batch)


def compile_steps(config: Config, frozen: Networks, over: Callable[[], bool] = lambda: False) -> int:
    """Compiles every form that steps of the last phase take, for the compilation cache, and returns how many there were.

    Args:
      over: Whether to leave the rest; asked before each.
    """
    compiled = 0

    def compile(*weights: float) -> None:
        nonlocal compiled
        if not over():
            lower(config, frozen, weights).compile()
            compiled += 1

    terms = lazy.terms(config)
    step_for = lazy.schedule(compile, terms)
    for done in range(math.lcm(*(interval for _, interval in terms))):
        step_for(done)
    return compiled
