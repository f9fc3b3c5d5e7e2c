"""Training steps: device invariance, replicas, what each variant trains, and the schedule of lazy terms."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan import losses
from jaxgan.configs import override, preset, validate
from jaxgan.errors import ConfigError
from jaxgan.models.stylegan import Generator
from jaxgan.training import discriminator, inverter, lazy, parallel, stylegan
from jaxgan.training.growing import phases
from jaxgan.training.stages import STAGES
from jaxgan.training.state import adam, moving_average, step_key

VARIANTS = {
    "naive": ("naive", "none"),
    "naive_image": ("naive", "image"),
    "difference_image": ("latent_difference", "image"),
    "keypoint_latent": ("keypoint", "latent"),
    "difference_latent": ("latent_difference", "latent"),
}


def editor_config(variant):
    config = preset("tiny", "editor")
    kind, cycle = VARIANTS[variant]
    return validate(dataclasses.replace(config, encoder=dataclasses.replace(config.encoder, kind=kind), cycle=cycle))


def make_batch(config, seed=0):
    rng, resolution = np.random.default_rng(seed), config.generator.resolution
    shape = (config.run.batch_size, 68, 2)
    return {
        "image": rng.integers(0, 256, (config.run.batch_size, resolution, resolution, 3), np.uint8),
        "keypoints": rng.uniform(0, resolution, shape).astype(np.float32),
        "target_keypoints": rng.uniform(0, resolution, shape).astype(np.float32),
    }


@pytest.fixture(scope="module")
def earlier():
    """Variables of untrained earlier stages, as the inverter and the editor get them."""
    made = stylegan.export(stylegan.init_state(preset("tiny", "stylegan")))
    return {**made, **inverter.export(inverter.init_state(preset("tiny", "inverter"), made))}


def run(stage, config, earlier, devices, steps=2, weights=None):
    """Steps with R1, unless weights are given; those of inverter and editor on four devices compile as the commands' first."""
    devices = jax.local_devices()[:devices]
    if weights is None:
        weights = [1.0] if stage == "stylegan" else [weight * interval for weight, interval in lazy.terms(config)]
    step = parallel.pmap_step(STAGES[stage].make_step(config, phases(config)[0], *weights), devices)
    earlier = STAGES[stage].without_own(earlier) if STAGES[stage].previous else {}
    state, frozen = (parallel.replicate(tree, devices) for tree in (STAGES[stage].init(config, earlier), earlier))
    for seed in range(steps):
        batch = make_batch(config, seed)
        if not STAGES[stage].reads_targets:
            del batch["target_keypoints"]
        state, metrics = step(state, frozen, parallel.put(batch, devices))
    return state, metrics


def max_difference(a, b):
    return max(float(jnp.abs(x - y).max()) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))


@pytest.fixture(scope="module", params=STAGES)
def stage_runs(request, earlier):
    """One stage, two steps of the same batches on one and on four devices."""
    stage = request.param
    config = validate(preset("tiny", stage))
    return stage, config, run(stage, config, earlier, 1), run(stage, config, earlier, 4)


def test_one_device_and_four_give_the_same_parameters(stage_runs):
    stage, config, (one, one_metrics), (four, four_metrics) = stage_runs
    one, four = jax.device_get((one, four))
    # Sums in another order differ in the last bits; Adam's first steps divide by them, so a parameter whose gradient is
    # rounding noise may move by a learning rate either way. All others agree far better.
    rate = config.adam.learning_rate
    different = [np.abs(a - b) for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(four.params), strict=True)]
    everything = np.concatenate([d.ravel() for d in different])
    assert everything.max() <= 4.1 * rate
    assert np.quantile(everything, 0.95) < 0.02 * rate
    moments = zip(jax.tree.leaves(one.opt_state), jax.tree.leaves(four.opt_state), strict=True)
    for a, b in moments:
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4 * max(1.0, float(np.abs(a).max())))
    for name in one_metrics:
        np.testing.assert_allclose(one_metrics[name], four_metrics[name], rtol=1e-3, atol=1e-4, err_msg=name)


def test_replicas_stay_bit_equal(stage_runs):
    *_, (four, _) = stage_runs
    for leaf in jax.tree.leaves(four):
        first, *others = [np.asarray(shard.data) for shard in leaf.addressable_shards]
        assert len(others) == 3
        for other in others:
            np.testing.assert_array_equal(first, other)


def test_a_step_trains_its_networks_and_counts(stage_runs, earlier):
    stage, config, (one, metrics), _ = stage_runs
    fresh = STAGES[stage].init(config, earlier)
    assert (int(one.step), int(one.images)) == (2, 16)
    for network in fresh.params:
        assert max_difference(fresh.params[network], one.params[network]) > 0
    assert all(np.isfinite(value) for value in metrics.values())


@pytest.mark.parametrize("variant", ["naive", "naive_image", "keypoint_latent"])
def test_each_variant_trains_with_its_terms(variant, earlier):
    config = editor_config(variant)
    state, metrics = run("editor", config, earlier, 1, steps=2, weights=[0.0])
    terms = {
        "naive": {"pixel", "perceptual", "adv_manipulated"},
        "naive_image": {"pixel", "perceptual", "direct_pixel", "direct_perceptual"}
        | {"adv_manipulated", "adv_cycle", "adv_direct"},
        "keypoint_latent": {"latent_cycle", "adv_manipulated", "adv_cycle"},
    }[variant]
    common = {"loss", "d_loss", "d_real_score", "d_fake_score", "r_t", "r1"}
    assert set(metrics) == terms | common
    adversarial = sum(float(metrics[name]) for name in terms if name.startswith("adv"))
    rest = sum(float(metrics[name]) for name in terms if not name.startswith("adv"))
    np.testing.assert_allclose(metrics["loss"], rest + 0.05 * adversarial, rtol=1e-5)
    if variant == "naive":  # the second step had shuffled landmarks, hence no reconstruction
        assert float(metrics["pixel"]) == 0.0
    assert max_difference(STAGES["editor"].init(config, earlier).params, jax.device_get(state.params)) > 0


def test_an_identity_term_joins_the_loss_of_the_inverter(earlier, monkeypatch):
    monkeypatch.setattr(losses, "identity_distance", lambda frozen, made, real: losses.mse(made[0], real[0]))
    config = validate(override(preset("tiny", "inverter"), ["identity_weight=0.5"]))
    _, metrics = run("inverter", config, earlier, 1, steps=1)
    np.testing.assert_allclose(metrics["identity"], 0.5 * metrics["pixel"], rtol=1e-4)
    rest = sum(float(metrics[name]) for name in ("pixel", "perceptual", "identity"))
    np.testing.assert_allclose(metrics["loss"], rest + config.adversarial_weight * metrics["adv"], rtol=1e-5)


@pytest.mark.parametrize("variant", ["naive", "difference_image"])
def test_edits_are_compared_with_their_source_or_with_another_picture_of_the_person(variant, earlier, monkeypatch):
    """At the landmarks that they should have; a cheap stand-in for the network shows which pictures and landmarks it got."""

    def distance(frozen, made, truth):
        return losses.mse(made[1], truth[1]) + 1e6 * jnp.mean(truth[0] > 0.997)

    monkeypatch.setattr(losses, "identity_distance", distance)
    config = validate(override(editor_config(variant), ["identity_weight=0.5", "paired_share=0.5"]))
    paired = np.arange(config.run.batch_size) % 4 == 0

    plain_batch = make_batch

    def white_pairs(config, seed=0):
        batch = plain_batch(config, seed)
        batch["image"] = np.minimum(batch["image"], 254)
        images = np.where(paired[:, None, None, None], np.uint8(255), batch["image"])
        return batch | {"paired": paired, "target_image": images}

    monkeypatch.setitem(globals(), "make_batch", white_pairs)
    state, metrics = run("editor", config, earlier, 1, steps=1, weights=[0.0])
    batch = make_batch(config)
    if variant == "naive":  # without a cycle the first step is of own landmarks
        expected, pair = 0.0, 0.0
    else:
        moved = np.mean((batch["target_keypoints"] - batch["keypoints"])[~paired] ** 2)
        expected, pair = 0.5 * (0.75 * moved + 0.25e6), metrics["pair"]
        assert pair > 0
    np.testing.assert_allclose(metrics["identity"], expected, rtol=1e-5)
    assert metrics["pair"] == pair
    terms = ("pixel", "perceptual", "identity", "pair")
    adversarial = sum(float(value) for name, value in metrics.items() if name.startswith("adv"))
    rest = sum(float(metrics[name]) for name in terms)
    np.testing.assert_allclose(metrics["loss"], rest + config.adversarial_weight * adversarial, rtol=1e-5)
    fresh = STAGES["editor"].init(config, earlier).params["encoder"]
    assert max_difference(fresh, jax.device_get(state.params["encoder"])) > 0


def test_impossible_variants_are_named():
    config = preset("tiny", "editor")
    naive = dataclasses.replace(config.encoder, kind="naive")
    with pytest.raises(ConfigError, match="cycle=latent"):
        validate(dataclasses.replace(config, encoder=naive))
    with pytest.raises(ConfigError, match="cycle=none"):
        validate(dataclasses.replace(config, cycle="none"))
    with pytest.raises(ConfigError, match="identity_weight must be at least 0, got -1"):
        validate(dataclasses.replace(config, identity_weight=-1.0))
    with pytest.raises(ConfigError, match="mismatched_share must lie in"):
        validate(dataclasses.replace(config, mismatched_share=1.5))


def test_terms_run_every_interval_with_the_weight_times_it():
    made = []
    schedule = lazy.schedule(lambda *weights: made.append(weights) or weights, [(5.0, 4), (2.0, 2)])
    assert [schedule(done) for done in range(5)] == [(20.0, 4.0), (0.0, 0.0), (0.0, 4.0), (0.0, 0.0), (20.0, 4.0)]
    assert len(made) == 3  # one step compiled for each combination
    assert np.mean([schedule(done) for done in range(8)], axis=0).tolist() == [5.0, 2.0]  # as when taken at every step
    always = lazy.schedule(lambda weight: weight, [(5.0, 1)])
    assert [always(done) for done in range(3)] == [5.0] * 3


def test_the_terms_of_a_stage_follow_from_its_configuration():
    config = override(preset("tiny", "stylegan"), ["r1_gamma=3", "path_weight=2", "path_interval=8"])
    assert lazy.terms(config) == [(1.5, 2), (2.0, 8)]
    assert lazy.terms(preset("tiny", "editor")) == [(5.0, 2)]


def test_style_mixing_cuts_uniformly_between_1_and_the_last_layer():
    layers, count = 8, 8000
    own, other = jnp.zeros((count, layers, 1), jnp.float32), jnp.ones((count, layers, 1), jnp.float32)
    mixed = stylegan.mix_styles(jax.random.split(jax.random.key(0), count), own, other, 0.9)[:, :, 0]
    cuts = np.asarray(layers - mixed.sum(axis=1)).astype(int)
    np.testing.assert_array_equal(np.asarray(mixed), np.arange(layers)[None, :] >= cuts[:, None])
    shares = np.bincount(cuts, minlength=layers + 1) / count
    assert shares[0] == 0
    np.testing.assert_allclose(shares[layers], 0.1, atol=0.015)
    np.testing.assert_allclose(shares[1:layers], 0.9 / (layers - 1), atol=0.015)


def test_moving_average_halves_in_its_half_life():
    average = {"a": jnp.ones(3, jnp.float32)}
    for _ in range(10):
        average = moving_average(average, {"a": jnp.zeros(3, jnp.float32)}, half_life=100, images=10)
    np.testing.assert_allclose(average["a"], 0.5, rtol=1e-5)
    followed = moving_average(average, {"a": jnp.full(3, 7.0, jnp.float32)}, half_life=0, images=10)
    np.testing.assert_array_equal(followed["a"], 7.0)


def test_learning_rate_decays_each_quarter():
    config = preset("tiny", "editor")
    run_config = dataclasses.replace(config.run, total_images=80, batch_size=10)  # 8 steps, 2 a quarter
    optimizer = adam(dataclasses.replace(config.adam, learning_rate=1.0, decay=0.8), run_config)
    params = jnp.zeros((), jnp.float32)
    state, sizes = optimizer.init(params), []
    for _ in range(8):
        with jax.numpy_dtype_promotion("standard"):
            update, state = optimizer.update(jnp.ones((), jnp.float32), state, params)
        sizes.append(-float(update))
    np.testing.assert_allclose(sizes, [1, 1, 0.8, 0.8, 0.64, 0.64, 0.512, 0.512], rtol=1e-4)


def test_step_keys_differ_by_step_and_seed():
    keys = {tuple(jax.random.key_data(step_key(seed, jnp.int32(step))).tolist()) for seed in (0, 1) for step in (0, 1)}
    assert len(keys) == 4


def test_a_batch_that_devices_cannot_share_is_named():
    with pytest.raises(ValueError, match="batch of 6 images .* 4 devices"):
        parallel.split({"image": np.zeros((6, 2))}, 4)


def test_mismatched_pairs_take_their_share_of_the_fakes_weight():
    def score(params, images, condition):
        return params["a"] * jnp.sum(images * condition, axis=1)

    rng = np.random.default_rng(0)
    real, fake, condition, other = (jnp.asarray(rng.standard_normal((6, 3)), jnp.float32) for _ in range(4))
    params = {"a": jnp.float32(0.7)}
    (gradient, metrics) = discriminator.gradients(score, params, (real, condition), (fake, condition), 0.0, (real, other), 0.25)

    def sigmoid(x):
        return 1 / (1 + np.exp(-x))

    matching, faked, mismatched = (
        np.asarray(jnp.sum(a * b, axis=1)) for a, b in ((real, condition), (fake, condition), (real, other))
    )
    expected = (
        -np.mean(sigmoid(-0.7 * matching) * matching)
        + 0.75 * np.mean(sigmoid(0.7 * faked) * faked)
        + 0.25 * np.mean(sigmoid(0.7 * mismatched) * mismatched)
    )
    np.testing.assert_allclose(gradient["a"], expected, rtol=1e-5)
    np.testing.assert_allclose(metrics["d_mismatched_score"], 0.7 * mismatched.mean(), rtol=1e-5)


def test_an_inverter_with_output_scale_starts_at_the_statistics_of_w(earlier):
    config = override(preset("tiny", "inverter"), ["trunk.output_scale=true"])
    gen = config.generator
    params = inverter.init_state(config, earlier).params["inverter"]
    z = jax.random.normal(jax.random.key(5), (20_000, gen.latent_size))
    w = Generator(gen).apply(earlier["generator"], z, method="map").reshape(len(z), -1)
    error = w.std(axis=0) / inverter.W_SAMPLES**0.5
    assert (abs(params["norm"]["bias"] - w.mean(axis=0)) < 6 * error).all()
    np.testing.assert_allclose(params["norm"]["scale"], w.std(axis=0), rtol=0.2)
    published = inverter.init_state(preset("tiny", "inverter"), earlier).params["inverter"]
    assert set(published["norm"]) == {"bias"} and not published["norm"]["bias"].any()


def test_lazy_r1_equals_frequent_r1_in_expectation():
    rng = np.random.default_rng(3)
    params = {"quadratic": jnp.asarray(rng.standard_normal((4, 4, 3)), jnp.float32)}
    real, fake = (jnp.asarray(rng.standard_normal((6, 4, 4, 3)), jnp.float32) for _ in range(2))

    def score(params, images, condition):
        return jnp.sum(params["quadratic"][None] * jnp.square(images), axis=(1, 2, 3))

    def gradient(r1_weight):
        return discriminator.gradients(score, params, (real, None), (fake, None), r1_weight)[0]["quadratic"]

    frequent, rare = (lazy.schedule(gradient, [(1.5, interval)]) for interval in (1, 5))
    mean = np.mean([rare(done) for done in range(10)], axis=0)
    np.testing.assert_allclose(mean, frequent(0), rtol=1e-4, atol=1e-4)
    assert np.abs(rare(1) - frequent(1)).max() > 0.1
