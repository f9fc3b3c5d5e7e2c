"""Losses of short runs with bfloat16 activations differ from those with float32 by less than between seeds."""

import jax
import numpy as np
import pytest

from jaxgan.configs import override, preset, to_dict
from jaxgan.data.batches import array_batches
from jaxgan.faces.portraits import portraits
from jaxgan.training import inverter, parallel, stylegan
from jaxgan.training.growing import phases
from jaxgan.training.stages import STAGES

SEEDS, STEPS = range(5), 30


def in_bfloat16(config):
    """Every `dtype` of a configuration set to bfloat16."""

    def fields(values, path=""):
        for name, value in values.items():
            if isinstance(value, dict):
                yield from fields(value, f"{path}{name}.")
            elif name == "dtype":
                yield f"{path}{name}=bfloat16"

    return override(config, list(fields(to_dict(config))))


@pytest.fixture(scope="module")
def data():
    return portraits(seed=3, indices=range(64), resolution=8)


@pytest.fixture(scope="module")
def earlier():
    made = stylegan.export(stylegan.init_state(preset("tiny", "stylegan")))
    return {**made, **inverter.export(inverter.init_state(preset("tiny", "inverter"), made))}


def initial_states(stage, config):
    """A state on the host for each seed; parameters are always float32."""
    with jax.disable_jit():  # compiling for each seed takes longer
        return [jax.device_get(STAGES[stage].init(override(config, [f"run.seed={seed}"]), {})) for seed in SEEDS]


def losses(stage, config, states, data, earlier):
    """Mean of each metric over the second half of a short training run, for each seed of parameters and data."""
    devices = jax.local_devices()[:1]
    step = parallel.pmap_step(STAGES[stage].make_step(config, phases(config)[0], 1.0), devices)
    frozen, means = parallel.replicate(earlier, devices), []
    for seed, state in zip(SEEDS, states, strict=True):
        state, seen = parallel.replicate(state, devices), []
        batches = array_batches(*data, config.run.batch_size, seed=seed, targets=stage == "editor")
        for _ in range(STEPS):
            state, metrics = step(state, frozen, parallel.put(next(batches), devices))
            seen.append(metrics)
        half = jax.device_get(seen[STEPS // 2 :])
        means.append({name: np.mean([each[name] for each in half]) for name in half[0]})
    return {name: np.array([each[name] for each in means]) for name in means[0]}


@pytest.mark.parametrize("stage", ["stylegan", "editor"])  # the inverter's networks are in them
def test_bfloat16_changes_a_loss_less_than_another_seed_does(stage, data, earlier):
    config = override(preset("tiny", stage), ["run.batch_size=8"])
    states = initial_states(stage, config)
    single, half = (losses(stage, each, states, data, earlier) for each in (config, in_bfloat16(config)))
    changed = 0.0
    for name, values in single.items():
        difference = abs(half[name].mean() - values.mean())
        assert difference < values.std(ddof=1), (name, values, half[name])
        changed += difference
    assert changed > 0  # it did run in bfloat16
