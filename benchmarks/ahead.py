"""Training steps compiled ahead of time from shapes alone: no device is needed and nothing is allocated."""

import json
import time
from collections.abc import Sequence
from typing import Any, TextIO

import jax
import numpy as np

from jaxgan.configs import Config
from jaxgan.training import parallel
from jaxgan.training.growing import phases
from jaxgan.training.stages import STAGES, Networks, stage_of


def networks_before(configs: dict[str, Config], stage: str) -> Networks:
    """Shapes of the networks that a stage starts from, by the configurations of the stages before it."""
    networks: Networks = {}
    for name in list(STAGES)[: list(STAGES).index(stage)]:
        state = jax.eval_shape(lambda networks, name=name: STAGES[name].init(configs[name], networks), networks)
        networks = networks | jax.eval_shape(STAGES[name].export, state)
    return networks


def lower(config: Config, networks: Networks, r1: bool, devices: Sequence[jax.Device]) -> jax.stages.Lowered:
    """A training step at full resolution, lowered for `devices`, which need not be there and share its batch.

    Args:
      networks: What `networks_before` gives.
      r1: Whether the step regularises the discriminator.
    """
    stage, side, share = stage_of(config), config.generator.resolution, config.run.batch_size // len(devices)
    state = jax.eval_shape(lambda networks: stage.init(config, networks), networks)
    points = jax.ShapeDtypeStruct((len(devices), share, 68, 2), np.float32)
    image = jax.ShapeDtypeStruct((len(devices), share, side, side, 3), np.uint8)
    weight = 0.5 * config.r1_gamma * config.r1_interval if r1 else 0.0
    step = parallel.pmap_step(stage.make_step(config, phases(config)[-1], weight), devices)
    return step.lower(state, networks, {"image": image, "keypoints": points, "target_keypoints": points})


def compiled(lowered: jax.stages.Lowered, options: dict[str, int | bool] | None = None) -> dict[str, float]:
    """What the compiler says of a step on one device: seconds to compile, GB that it needs, operations and traffic.

    The GB are arguments, temporaries and results less those results that take an argument's place. Operations inside of a loop
    are counted once, whatever its length.
    """
    started = time.perf_counter()
    done = lowered.compile(compiler_options=options)
    seconds, memory, cost = time.perf_counter() - started, done.memory_analysis(), done.cost_analysis()
    cost = (cost[0] if isinstance(cost, list) else cost) or {}  # GPUs that are not there have none
    needed = memory.argument_size_in_bytes + memory.temp_size_in_bytes + memory.output_size_in_bytes
    return {
        "compile_s": round(seconds, 1),
        "gb": round((needed - memory.alias_size_in_bytes) / 1e9, 3),
        "temp_gb": round(memory.temp_size_in_bytes / 1e9, 3),
        "gflop": round(cost.get("flops", float("nan")) / 1e9, 1),
        "gb_accessed": round(cost.get("bytes accessed", float("nan")) / 1e9, 2),
    }


def write(out: TextIO, row: dict[str, Any]) -> None:
    """Appends a JSON line, at once: a run that is cut off loses none."""
    print(json.dumps(row), file=out, flush=True)
