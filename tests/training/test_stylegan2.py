"""Every stage trains with networks of StyleGAN2, and knows of them by their configuration alone."""

import jax
import numpy as np
import pytest

from jaxgan.configs import override, preset, validate
from jaxgan.errors import ConfigError
from jaxgan.training import parallel
from jaxgan.training.growing import phases
from jaxgan.training.stages import STAGES

FAMILY = ["generator.family=stylegan2", "generator.tanh=false", "discriminator.family=stylegan2"]


def tiny(stage):
    more = ["stylegan_discriminator.family=stylegan2"] if stage == "editor" else []
    return validate(override(preset("tiny", stage), FAMILY + more))


def batch_of(config):
    rng, side, count = np.random.default_rng(0), config.generator.resolution, config.run.batch_size
    points = {name: rng.uniform(0, side, (count, 68, 2)).astype(np.float32) for name in ("keypoints", "target_keypoints")}
    return {"image": rng.integers(0, 256, (count, side, side, 3), np.uint8), **points}


def step_of(stage, config):
    return parallel.pmap_step(STAGES[stage].make_step(config, phases(config)[0], 1.0), jax.local_devices()[:1])


def test_the_steps_of_all_stages_and_their_grids():
    """Traced alone: shapes and types fit, from each stage to the next."""
    networks = {}
    for stage, parts in STAGES.items():
        config = tiny(stage)
        state = jax.eval_shape(lambda: parts.init(config, networks))  # noqa: B023
        batch = batch_of(config)
        after, metrics = jax.eval_shape(step_of(stage, config), state, networks, parallel.split(batch, 1))
        assert jax.tree.map(lambda a: (a.shape, a.dtype), after) == jax.tree.map(lambda a: (a.shape, a.dtype), state)
        assert {leaf.shape for leaf in jax.tree.leaves(metrics)} == {()}
        if stage != "stylegan":
            grid = jax.eval_shape(parts.make_sampler(config, phases(config)[0]), state, networks, batch)
            assert grid.dtype == np.uint8
        networks |= jax.eval_shape(parts.export, state)
    assert set(networks) == {"generator", "w_avg", "stylegan_discriminator", "inverter", "encoder"}


@pytest.mark.parametrize("kind", ["psp", "e4e"])
def test_pyramids_train_from_the_average_on(kind):
    """Traced alone: their trunk reads 256 pixels whatever the portraits' size."""
    networks = jax.eval_shape(lambda: STAGES["stylegan"].export(STAGES["stylegan"].init(tiny("stylegan"), {})))
    config = override(tiny("inverter"), [f"trunk.kind={kind}", "trunk.width=2"])
    state = jax.eval_shape(lambda networks: STAGES["inverter"].init(config, networks), networks)
    assert state.params["inverter"]["average"].shape == networks["w_avg"].shape
    after, _ = jax.eval_shape(step_of("inverter", config), state, networks, parallel.split(batch_of(config), 1))
    assert jax.tree.structure(after) == jax.tree.structure(state)
    with pytest.raises(ConfigError, match=f"trunk.output_scale must be false where trunk.kind is {kind}"):
        validate(override(config, ["trunk.output_scale=true"]))
    with pytest.raises(ConfigError, match="encoder.trunk.kind must be residual"):
        validate(override(tiny("editor"), [f"encoder.trunk.kind={kind}"]))


def test_a_step_moves_every_parameter_of_both_networks():
    config = tiny("stylegan")
    before = STAGES["stylegan"].init(config, {})
    kept = jax.device_get(before.params)
    step, devices = step_of("stylegan", config), jax.local_devices()[:1]
    state, metrics = step(parallel.replicate(before, devices), {}, parallel.put(batch_of(config), devices))
    assert all(np.isfinite(value) for value in metrics.values())
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), kept, jax.device_get(state.params))
    still = [jax.tree_util.keystr(path) for path, value in jax.tree_util.tree_leaves_with_path(moved) if not value]
    assert still == []
    assert np.abs(state.extra["w_avg"]).max() > 0


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_growing_is_for_the_other_family(network):
    config = override(preset("tiny", "stylegan"), ["growing.start=8", "generator.resolution=16", f"{network}.family=stylegan2"])
    with pytest.raises(ConfigError, match=f"growing.start must be 0 where {network}.family is stylegan2"):
        validate(config)
