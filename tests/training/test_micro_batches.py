"""Steps that save memory, by micro-batches and by rematerialisation, do what plain ones do."""

from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.commands.train import resolve, same_config
from jaxgan.configs import override, preset, validate
from jaxgan.errors import ConfigError
from jaxgan.models.families import make_discriminator, make_generator, make_inverter
from jaxgan.training import inverter, parallel, stylegan
from jaxgan.training.growing import phases
from jaxgan.training.micro_batches import in_micro_batches
from jaxgan.training.stages import STAGES

# StyleGAN's first bias acts on a constant image that is then normalised: its gradient is rounding and nothing else.
FAMILY = {"stylegan": ["generator.family=stylegan2", "generator.tanh=false", "discriminator.family=stylegan2"]}
SAVING = ["run.remat=true", "run.micro_batch=2"]  # groups of the minibatch deviation are of two, too


def test_micro_batches_give_arrays_means_and_gradients_of_one_call():
    def noisy(scale, images, keys, missing):
        assert missing is None
        noise = jax.vmap(lambda key: jax.random.normal(key, (3,), jnp.float32))(keys)
        made = scale * images + noise
        return made, {"square": jnp.mean(jnp.square(made))}

    def loss(scale, size):
        made, means = in_micro_batches(lambda *batch: noisy(scale, *batch), size, images, keys, None)
        return means["square"] + jnp.sum(made[0] * made[5]), (made, means)

    images, keys = jnp.arange(18.0, dtype=jnp.float32).reshape(6, 3), jax.random.split(jax.random.key(0), 6)
    plain, *others = (jax.value_and_grad(loss, has_aux=True)(jnp.float32(0.3), size) for size in (0, 2, 7))
    for other in others:
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5), plain, other)
    with pytest.raises(ValueError, match="batch of 6 images per device is not a multiple of run.micro_batch=4"):
        loss(jnp.float32(0.3), 4)


@pytest.fixture(scope="module")
def earlier():
    made = stylegan.export(stylegan.init_state(preset("tiny", "stylegan")))
    return {**made, **inverter.export(inverter.init_state(preset("tiny", "inverter"), made))}


def step_of(stage, assignments):
    config, devices = validate(override(preset("tiny", stage), assignments)), jax.local_devices()[:1]
    return parallel.pmap_step(STAGES[stage].make_step(config, phases(config)[0], 1.0), devices), config, devices


def batch_of(config):
    rng, side, count = np.random.default_rng(0), config.generator.resolution, config.run.batch_size
    points = {name: rng.uniform(0, side, (count, 68, 2)).astype(np.float32) for name in ("keypoints", "target_keypoints")}
    return {"image": rng.integers(0, 256, (count, side, side, 3), np.uint8), **points}


@pytest.mark.parametrize("stage", ["stylegan", "editor"])
def test_a_step_that_saves_memory_is_the_plain_one(stage, earlier):
    """Batch normalisation included: encoders see the whole batch."""

    def first_step(assignments):
        step, config, devices = step_of(stage, FAMILY.get(stage, []) + assignments)
        state, frozen = (parallel.replicate(tree, devices) for tree in (STAGES[stage].init(config, earlier), earlier))
        return jax.device_get(step(state, frozen, parallel.put(batch_of(config), devices)))

    (plain, plain_metrics), (saving, saving_metrics) = first_step([]), first_step(SAVING)
    # Adam's moments after one step are the gradients, and their squares, times constants. R1's are second derivatives, of which
    # float32 keeps three to four digits, as the processor happens to add.
    moments = [jax.tree_util.tree_leaves_with_path(state.opt_state) for state in (plain, saving)]
    for (path, a), (_, b) in zip(*moments, strict=True):
        bound = 3e-4 * max(float(np.abs(a).max()), 1e-6)
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=bound, err_msg=jax.tree_util.keystr(path))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-5), plain.extra, saving.extra)
    assert set(plain_metrics) == set(saving_metrics)
    for name, value in plain_metrics.items():
        np.testing.assert_allclose(value, saving_metrics[name], rtol=1e-4, atol=1e-6, err_msg=name)


def test_the_inverters_step_takes_micro_batches(earlier):
    """Traced alone: as many loops as there are networks to train, and the metrics of the plain step."""
    (saving, config, _), (plain, *_) = step_of("inverter", SAVING), step_of("inverter", [])
    shapes = jax.eval_shape(lambda: STAGES["inverter"].init(config, earlier)), earlier, parallel.split(batch_of(config), 1)
    assert jax.eval_shape(saving, *shapes) == jax.eval_shape(plain, *shapes)
    assert str(jax.make_jaxpr(saving)(*shapes)).count(f"length={config.run.batch_size // 2}") >= 2


GENERATOR = ["generator.resolution=16", "generator.tanh=false"]


def networks(family, architecture):
    """(configuration, makers) of generator, discriminator and inverter at 16 px, and calls of each for gradients."""
    config = override(preset("tiny", "inverter"), GENERATOR)
    for name in ("generator", "discriminator"):
        config = override(config, [f"{name}.family={family}", f"{name}.architecture={architecture}"])
    images = jnp.zeros((4, 16, 16, 3), jnp.float32)
    w = jnp.zeros((4, config.generator.num_layers, config.generator.latent_size), jnp.float32)
    return {
        "generator": (lambda remat: make_generator(config.generator, remat), (w, None), "synthesize"),
        "discriminator": (lambda remat: make_discriminator(config.discriminator, remat), (images,), None),
        "inverter": (lambda remat: make_inverter(config.trunk, config.generator, remat), (images, False), None),
    }


@pytest.mark.parametrize("family, architecture", [("stylegan", "skip"), ("stylegan2", "skip"), ("stylegan2", "resnet")])
def test_remat_keeps_less_for_gradients_and_the_same_parameters(family, architecture):
    """Traced alone."""
    for name, (make, arguments, method) in networks(family, architecture).items():
        found = {}
        for remat in (False, True):
            network = make(remat)
            variables = jax.eval_shape(lambda: network.init(jax.random.key(0), *arguments, method=method))  # noqa: B023
            first, *rest = arguments

            def kept(variables, first):
                return jax.vjp(lambda v, x: network.apply(v, x, *rest, method=method), variables, first)[1]  # noqa: B023

            residuals = jax.tree.leaves(jax.eval_shape(kept, variables, first))
            inputs = sum(leaf.size for leaf in jax.tree.leaves(variables)) + first.size
            found[remat] = variables, sum(leaf.size for leaf in residuals) - inputs
        (plain, much), (same, little) = found[False], found[True]
        assert jax.tree.structure(plain) == jax.tree.structure(same)
        assert jax.tree.map(lambda a: (a.shape, a.dtype), plain) == jax.tree.map(lambda a: (a.shape, a.dtype), same)
        assert little < 0.7 * much, (name, much, little)


@pytest.mark.parametrize(
    "assignments, message",
    [
        (["run.micro_batch=-1"], "run.micro_batch must be at least 0, got -1"),
        (["run.batch_size=32", "run.micro_batch=3"], "run.batch_size=32 is not a multiple of run.micro_batch=3 a device"),
        (
            ["run.batch_size=48", "run.micro_batch=6", "discriminator.stddev_group=4"],
            "run.micro_batch=6 is not a multiple of discriminator.stddev_group=4 a device",
        ),
    ],
)
def test_micro_batches_that_do_not_fit_are_named(assignments, message):
    with pytest.raises(ConfigError, match=message):
        resolve(STAGES["stylegan"], "tiny", assignments, None, None)


def test_memory_may_be_saved_otherwise_when_a_run_is_resumed():
    config = preset("tiny", "stylegan")
    same_config(resolve(STAGES["stylegan"], "tiny", SAVING, None, None), config, Path("run"))
