"""Every stage trains with networks of StyleGAN2, and knows of them by their configuration alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.configs import override, preset, validate
from jaxgan.errors import ConfigError
from jaxgan.runtime import AXIS
from jaxgan.training import lazy, parallel, path_length
from jaxgan.training.growing import phases
from jaxgan.training.stages import STAGES

# The published training, ADA and path length included, with a p that soon moves.
ADAPTIVE = ["augment.kind=adaptive", "augment.color=false", "augment.translation=0", "augment.cutout=0"]
ADAPTIVE += ["augment.interval=1", "augment.ramp_images=16", "path_weight=2"]
FAMILY = ["generator.family=stylegan2", "generator.tanh=false", "discriminator.family=stylegan2"]


def tiny(stage):
    more = {"stylegan": ADAPTIVE, "editor": ["stylegan_discriminator.family=stylegan2"]}.get(stage, [])
    return validate(override(preset("tiny", stage), FAMILY + more))


def batch_of(config):
    rng, side, count = np.random.default_rng(0), config.generator.resolution, config.run.batch_size
    points = {name: rng.uniform(0, side, (count, 68, 2)).astype(np.float32) for name in ("keypoints", "target_keypoints")}
    return {"image": rng.integers(0, 256, (count, side, side, 3), np.uint8), **points}


def step_of(stage, config, devices=1):
    weights = [1.0 for _ in lazy.terms(config)]
    return parallel.pmap_step(STAGES[stage].make_step(config, phases(config)[0], *weights), jax.local_devices()[:devices])


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


def start():
    """A training whose next step augments with p = 0.5."""
    state = STAGES["stylegan"].init(tiny("stylegan"), {})
    return state.replace(extra={**state.extra, "ada": {**state.extra["ada"], "p": jnp.float32(0.5)}})


@pytest.fixture(scope="module")
def steps():
    """State and metrics after a step with all terms, on one device and on four."""
    made, config = [], tiny("stylegan")
    for count in (1, 4):
        devices = jax.local_devices()[:count]
        state, batch = parallel.replicate(start(), devices), parallel.put(batch_of(config), devices)
        made.append(jax.device_get(step_of("stylegan", config, count)(state, {}, batch)))
    return made


def test_one_device_and_four_take_the_same_step(steps):
    (one, one_metrics), (four, four_metrics) = steps
    for name in one_metrics:
        np.testing.assert_allclose(one_metrics[name], four_metrics[name], rtol=1e-4, atol=1e-5, err_msg=name)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), one.extra, four.extra)
    for a, b in zip(jax.tree.leaves(one.opt_state), jax.tree.leaves(four.opt_state), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4 * max(1.0, float(np.abs(a).max())))


def test_a_step_moves_every_parameter_of_both_networks_p_and_the_mean_length(steps):
    state, metrics = steps[0]
    assert all(np.isfinite(value) for value in metrics.values())
    moved = jax.tree.map(lambda a, b: not np.array_equal(a, b), jax.device_get(start().params), state.params)
    still = [jax.tree_util.keystr(path) for path, value in jax.tree_util.tree_leaves_with_path(moved) if not value]
    assert still == []
    assert np.abs(state.extra["w_avg"]).max() > 0
    mean = state.extra["path_length"]
    assert metrics["path_length"] == mean > 0
    assert (99 * mean) ** 2 < 1.001 * metrics["path_penalty"]  # lengths are 100 times the first mean
    assert metrics["augment_p"] == 0.5
    assert state.extra["ada"] == {"p": 1.0 if metrics["r_t"] > 0.6 else 0.0, "signs": 0.0}


def test_lengths_are_those_of_directional_derivatives_one_by_one():
    rng = np.random.default_rng(0)
    first, second = (jnp.asarray(rng.standard_normal(shape), jnp.float32) for shape in ((6, 10), (10, 48)))
    w = jnp.asarray(rng.standard_normal((3, 2, 3)), jnp.float32)
    keys = jax.random.split(jax.random.key(2), 3)

    def synthesize(w):
        return jnp.tanh(jnp.tanh(w.reshape(-1, 6) @ first) @ second).reshape(-1, 4, 4, 3)

    def naive(w, key):
        normal = jax.random.normal(key, (4, 4, 3), jnp.float32) / 4
        axes = jnp.eye(6, dtype=jnp.float32).reshape(6, 1, 2, 3)
        slopes = [jnp.vdot(jax.jvp(synthesize, (w[None],), (axis,))[1][0], normal) for axis in axes]
        return np.sqrt(np.square(slopes).sum() / 2)

    found = path_length.lengths(synthesize, w, keys)
    np.testing.assert_allclose(found, [naive(*each) for each in zip(w, keys, strict=True)], rtol=1e-4)


def test_lengths_and_penalty_of_a_linear_generator():
    """image = A w, so that a length is |A^T y|; its running mean is one for all devices."""
    rng, count = np.random.default_rng(0), 4
    matrix = rng.standard_normal((3, 5, 4 * 6 * 2)).astype(np.float32)
    w = jnp.asarray(rng.standard_normal((count, 3, 5)), jnp.float32)
    keys = jax.random.split(jax.random.key(0), count)
    normal = jax.vmap(lambda key: jax.random.normal(key, (4, 6, 2), jnp.float32))(keys).reshape(count, -1)
    expected = np.linalg.norm(np.tensordot(np.asarray(normal), matrix, (1, 2)).reshape(count, -1), axis=1) / (3 * 24) ** 0.5

    def step(mean, w, keys):
        def synthesize(w):
            return jnp.tensordot(w, matrix, 2).reshape(-1, 4, 6, 2)

        penalty, new = path_length.penalty(path_length.lengths(synthesize, w, keys), mean, 0.99)
        return parallel.mean(penalty), new

    for devices in (1, 4):
        mapped = jax.pmap(step, axis_name=AXIS, in_axes=(None, 0, 0), out_axes=None, devices=jax.local_devices()[:devices])
        penalty, mean = mapped(jnp.float32(2), *(each.reshape(devices, -1, *each.shape[1:]) for each in (w, keys)))
        np.testing.assert_allclose(mean, 0.99 * 2 + 0.01 * expected.mean(), rtol=1e-5)
        np.testing.assert_allclose(penalty, np.mean((expected - mean) ** 2), rtol=1e-4)


def test_a_step_without_the_terms_keeps_their_state_and_metrics():
    """Traced alone: what averages metrics over steps finds the same names in all."""
    config = tiny("stylegan")
    state, batch = jax.eval_shape(start), parallel.split(batch_of(config), 1)
    devices, parts = jax.local_devices()[:1], STAGES["stylegan"]
    plain = parallel.pmap_step(parts.make_step(config, phases(config)[0], 0.0, 0.0), devices)
    assert jax.eval_shape(plain, state, {}, batch) == jax.eval_shape(step_of("stylegan", config), state, {}, batch)


def test_stylegan2_128_is_what_the_published_code_chooses():
    config = validate(preset("stylegan2_128", "stylegan"))
    generator, batch = config.generator, config.run.batch_size
    assert (generator.resolution, generator.latent_size, generator.mapping_layers, generator.fmap_base) == (128, 512, 2, 16384)
    assert config.discriminator.architecture == "resnet" and config.discriminator.stddev_group == 4
    assert (config.adam.learning_rate, config.adam.b1, config.adam.b2) == (0.0025, 0.0, 0.99)
    np.testing.assert_allclose(config.r1_gamma, 0.0002 * 128**2 / batch)
    assert lazy.terms(config) == [(config.r1_gamma / 2, 16), (2.0, 4)]
    assert (config.augment.kind, config.augment.target, config.augment.ramp_images) == ("adaptive", 0.6, 500_000)


@pytest.mark.parametrize("network", ["generator", "discriminator"])
def test_growing_is_for_the_other_family(network):
    config = override(preset("tiny", "stylegan"), ["growing.start=8", "generator.resolution=16", f"{network}.family=stylegan2"])
    with pytest.raises(ConfigError, match=f"growing.start must be 0 where {network}.family is stylegan2"):
        validate(config)
