"""Progressive growing: networks while a resolution fades in, the schedule, the steps of a phase, and the whole command."""

import dataclasses
import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxgan.checkpoints import load
from jaxgan.commands import prepare
from jaxgan.commands import train as train_command
from jaxgan.configs import from_dict, override, preset, to_dict, validate
from jaxgan.errors import CheckpointError, ConfigError
from jaxgan.models.stylegan import Discriminator, Generator
from jaxgan.training import growing, parallel, stylegan

# 8 px for 2 steps of 16 images; 16 px fades in over 4 steps of 8 images, and goes on to 80 images
GROWING = ["generator.resolution=16", "growing.start=8", "growing.fade_images=32", "growing.stable_images=32"]
GROWING += ["growing.batch_sizes=[16]", "growing.learning_rates=[0.002]", "run.total_images=80", "r1_interval=1"]
CONFIG = validate(override(preset("tiny", "stylegan"), GROWING))
PLAIN = dataclasses.replace(CONFIG, growing=preset("tiny", "stylegan").growing)
GEN, CRITIC = Generator(CONFIG.generator), Discriminator(CONFIG.discriminator)
# the same batch size at both resolutions, and nothing that depends on the resolution by chance: mixed layers, shifts in pixels
STILL = ["style_mixing=0", "augment.color=false", "augment.translation=0", "augment.cutout=0"]
CERTAIN = override(CONFIG, ["growing.batch_sizes=[8]", *STILL])
R1_WEIGHT = 0.5 * CONFIG.r1_gamma  # as in the run of the command, which shares the step on four devices


def normal(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def enlarged(images):
    return np.repeat(np.repeat(images, 2, axis=1), 2, axis=2)


def halved(images):
    return (images[:, ::2, ::2] + images[:, 1::2, ::2] + images[:, ::2, 1::2] + images[:, 1::2, 1::2]) / 4


@pytest.fixture(scope="module")
def fresh():
    """The initial state, with random biases so that none of the layers to and from RGB equals another."""
    state = stylegan.init_state(CONFIG)
    leaves, tree = jax.tree.flatten(state.params)
    params = tree.unflatten([leaf + 0.1 * normal(i, *leaf.shape) for i, leaf in enumerate(leaves)])
    return state.replace(params=params, ema={"generator": jax.tree.map(jnp.copy, params["generator"])})


@pytest.fixture(scope="module")
def synthesize(fresh):
    variables = {"params": fresh.params["generator"], "noise": fresh.extra["noise"]}

    def apply(w, resolution=None, alpha=None):
        return GEN.apply(variables, w, None, resolution, alpha, method="synthesize")

    return jax.jit(apply, static_argnums=1)


@pytest.fixture(scope="module")
def score(fresh):
    return jax.jit(lambda images, alpha=None: CRITIC.apply({"params": fresh.params["discriminator"]}, images, None, alpha))


def test_a_generator_that_has_faded_in_is_the_plain_one_and_before_the_lower_one_enlarged(synthesize):
    w = normal(0, 3, GEN.config.num_layers, 8)
    plain, lower = synthesize(w), synthesize(w, 8)
    assert plain.shape == (3, 16, 16, 3) and lower.shape == (3, 8, 8, 3)
    np.testing.assert_allclose(synthesize(w, 16, jnp.float32(1)), plain, atol=1e-6)
    np.testing.assert_allclose(synthesize(w, 16, jnp.float32(0)), enlarged(lower), atol=1e-6)
    linear = 0.75 * np.arctanh(enlarged(lower)) + 0.25 * np.arctanh(plain)
    np.testing.assert_allclose(synthesize(w, 16, jnp.float32(0.25)), np.tanh(linear), atol=1e-4)
    np.testing.assert_allclose(synthesize(w[:, :4], 8), lower, atol=1e-6)


def test_a_discriminator_that_has_faded_in_is_the_plain_one_and_before_the_lower_one_of_the_means(score):
    images = np.tanh(normal(0, 4, 16, 16, 3))
    plain, lower = score(images), score(halved(images))
    assert np.abs(plain - lower).max() > 1e-3
    np.testing.assert_allclose(score(images, jnp.float32(1)), plain, atol=1e-5)
    np.testing.assert_allclose(score(images, jnp.float32(0)), lower, atol=1e-5)


def test_only_growing_networks_have_further_layers_and_share_the_others():
    grown, plain = stylegan.init_state(CONFIG), stylegan.init_state(PLAIN)
    flat, expected = ({tuple(k.key for k in p): v for p, v in jax.tree.leaves_with_path(s.params)} for s in (grown, plain))
    assert set(flat) - set(expected) == {
        ("generator", "synthesis", "to_rgb_8", "kernel"),
        ("generator", "synthesis", "rgb_bias_8"),
        ("discriminator", "from_rgb_8", "kernel"),
        ("discriminator", "from_rgb_8_bias"),
    }
    for path, leaf in expected.items():
        np.testing.assert_array_equal(flat[path], leaf)
    assert jax.tree.structure(stylegan.export(grown)) == jax.tree.structure(stylegan.export(plain))


def test_the_published_schedule():
    made = growing.phases(preset("paper", "stylegan"))
    # 600,000 images are 4,687.5 batches of 128, so that these phases end half a batch later each
    assert [
        (phase.resolution, phase.batch_size, phase.learning_rate, phase.first_image, phase.last_image) for phase in made
    ] == [
        (8, 128, 1e-3, 0, 600_064),
        (16, 128, 1e-3, 600_064, 1_800_192),
        (32, 64, 1e-3, 1_800_192, 3_000_192),
        (64, 32, 1e-3, 3_000_192, 4_200_192),
        (128, 16, 1.5e-3, 4_200_192, 25_000_000),
    ]
    first, *others = made
    assert first.alpha(jnp.int32(5)) is None
    for phase in others:
        seen = [phase.first_image, phase.first_image + 150_000, phase.first_image + 600_000, phase.last_image]
        np.testing.assert_allclose([phase.alpha(jnp.int32(images)) for images in seen], [0, 0.25, 1, 1], atol=1e-6)
        assert not phase.completes(preset("paper", "stylegan"), phase.first_image)
    assert made[-1].completes(preset("paper", "stylegan"), 4_800_192)


def test_the_schedule_up_to_1024_and_one_that_ends_early():
    high = override(preset("paper", "stylegan"), ["generator.resolution=1024", "run.batch_size=4", "adam.learning_rate=0.003"])
    made = growing.phases(validate(high))
    assert [phase.batch_size for phase in made] == [128, 128, 64, 32, 16, 8, 4, 4]
    assert [phase.learning_rate for phase in made] == [1e-3] * 4 + [1.5e-3, 2e-3, 3e-3, 3e-3]
    short = growing.phases(override(high, ["run.total_images=2000000"]))
    assert [phase.resolution for phase in short] == [8, 16, 32] and short[-1].last_image == 2_000_000
    assert short[:2] == made[:2]


@pytest.mark.parametrize(
    ("assignment", "message"),
    [
        ("growing.start=12", "growing.start must be 0 or a power of two from 8 to below 16, got 12"),
        ("growing.start=16", "growing.start must be 0 or"),
        ("growing.start=4", "growing.start must be 0 or"),
        ("growing.fade_images=0", "growing.fade_images must be positive"),
        ("growing.batch_sizes=[]", "growing.batch_sizes must have 1 numbers, for 8 to 8 px"),
        ("growing.batch_sizes=[-8]", "growing.batch_sizes must be positive"),
        ("growing.learning_rates=0.1", "growing.learning_rates must be a list"),
        ("growing.batch_sizes=[8.5]", r"growing.batch_sizes\[0\] must be int"),
        ("adam.decay=0.5", "adam.decay must be 1"),
    ],
)
def test_impossible_schedules_are_named(assignment, message):
    with pytest.raises(ConfigError, match=message):
        validate(override(CONFIG, [assignment]))


def test_lists_survive_json():
    assert from_dict(type(CONFIG), json.loads(json.dumps(to_dict(CONFIG)))) == CONFIG


def test_reals_are_shrunk_by_means_and_faded():
    images = normal(0, 2, 32, 32, 3)
    np.testing.assert_allclose(growing.shrink(images, 8, None), halved(halved(images)), atol=1e-6)
    expected = 0.75 * enlarged(halved(halved(images))) + 0.25 * halved(images)
    np.testing.assert_allclose(growing.shrink(images, 16, jnp.float32(0.25)), expected, atol=1e-6)
    np.testing.assert_array_equal(growing.shrink(images, 32, jnp.float32(1)), images)


def batch_of(seed):
    images = np.random.default_rng(seed).integers(0, 256, (8, 16, 16, 3), np.uint8)
    return {"image": images, "keypoints": np.zeros((8, 68, 2), np.float32)}


@pytest.fixture(scope="module")
def history():
    """A training on one device: states (on the host, the initial one first), metrics, the resolutions traced, the steps."""
    devices, traces, steps = jax.local_devices()[:1], [], []
    state = parallel.replicate(stylegan.init_state(CERTAIN), devices)
    states, metrics = [jax.device_get(state)], []
    for phase in growing.phases(CERTAIN):
        inner = stylegan.make_train_step(CERTAIN, phase, R1_WEIGHT)

        def counted(*args, inner=inner, resolution=phase.resolution):
            traces.append(resolution)
            return inner(*args)

        steps.append(parallel.pmap_step(counted, devices))
        while int(state.images) < phase.last_image:
            state, measured = steps[-1](state, {}, parallel.put(batch_of(len(metrics)), devices))
            states.append(jax.device_get(state))
            metrics.append(jax.device_get(measured))
    return states, metrics, traces, steps


def test_each_phase_compiles_once(history):
    assert history[2] == [8, 16]


def test_images_alpha_and_resolution_follow_the_schedule(history):
    states, metrics, *_ = history
    assert [int(state.images) for state in states] == list(range(0, 88, 8))
    assert [int(state.step) for state in states] == list(range(11))
    assert [float(each["resolution"]) for each in metrics] == [8] * 4 + [16] * 6
    assert [float(each["alpha"]) for each in metrics] == [1, 1, 1, 1, 0, 0.25, 0.5, 0.75, 1, 1]


def test_optimisers_start_afresh_with_a_fade_and_after_it(history):
    for network in ("generator", "discriminator"):
        counts = [int(state.opt_state[network][0].count) for state in history[0]]
        assert counts == [0, 1, 2, 3, 4, 1, 2, 3, 4, 1, 2]
        for step in (5, 9):  # with b1 = 0 and one step, the second moment is (1 - b2) times the square of the first
            moments, *_ = history[0][step].opt_state[network]
            for mu, nu in zip(jax.tree.leaves(moments.mu), jax.tree.leaves(moments.nu), strict=True):
                np.testing.assert_allclose(nu, 0.01 * np.square(mu), rtol=1e-4, atol=1e-12)


def test_a_step_trains_what_is_seen_and_nothing_else(history):
    def moved(step, network, *path):
        before, after = (history[0][i].params[network] for i in (step, step + 1))
        for name in path:
            before, after = before[name], after[name]
        return any((a != b).any() for a, b in zip(*map(jax.tree.leaves, (before, after)), strict=True))

    # steps 0 to 3 train at 8 px, 4 to 7 while 16 px fades in (4 at alpha 0), 8 and 9 at 16 px alone
    expected = {0: (True, False), 3: (True, False), 4: (True, False), 5: (True, True), 7: (True, True), 8: (False, True)}
    for step, (lower, upper) in expected.items():
        assert moved(step, "generator", "synthesis", "to_rgb_8") == lower
        assert moved(step, "generator", "synthesis", "rgb_bias_8") == lower
        assert moved(step, "generator", "synthesis", "to_rgb_16") == upper
        assert moved(step, "generator", "synthesis", "layer_4") == upper
        assert moved(step, "discriminator", "from_rgb_8") == lower
        assert moved(step, "discriminator", "from_rgb_16") == upper
        assert moved(step, "discriminator", "conv_8")


def test_images_and_losses_are_continuous_where_the_resolution_doubles(history):
    states, metrics, _, steps = history
    grids = [np.asarray(stylegan.make_sampler(CERTAIN, phase)(states[4], {}, {})) for phase in growing.phases(CERTAIN)]
    assert grids[0].shape == (*stylegan.GRID, 16, 16, 3)
    np.testing.assert_array_equal(*grids)

    devices = jax.local_devices()[:1]
    _, before = steps[0](parallel.replicate(states[4], devices), {}, parallel.put(batch_of(4), devices))
    for name in ("g_loss", "d_real_score", "d_fake_score"):
        np.testing.assert_allclose(metrics[4][name], before[name], rtol=1e-5, atol=1e-5)
    # each pixel of a mean has a quarter of the gradient, and there are four
    np.testing.assert_allclose(metrics[4]["r1"], before["r1"] / 4, rtol=1e-4)


def test_one_device_and_four_agree_in_mid_fade(history):
    states, metrics, *_ = history
    step = parallel.pmap_step(stylegan.make_train_step(CERTAIN, growing.phases(CERTAIN)[1], R1_WEIGHT))
    four, four_metrics = jax.device_get(step(parallel.replicate(states[6]), {}, parallel.put(batch_of(6))))
    for name, value in metrics[6].items():
        np.testing.assert_allclose(four_metrics[name], value, rtol=1e-3, atol=1e-4, err_msg=name)
    for a, b in zip(jax.tree.leaves(states[7].opt_state), jax.tree.leaves(four.opt_state), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=1e-4 * max(1.0, float(np.abs(a).max())))
    np.testing.assert_allclose(states[7].extra["w_avg"], four.extra["w_avg"], atol=1e-6)


def test_layers_are_mixed_and_images_augmented_in_all_phases():
    """Traced alone."""
    state = jax.eval_shape(lambda: stylegan.init_state(CONFIG))
    for phase in growing.phases(CONFIG):
        batch = {name: np.resize(each, (phase.batch_size, *each.shape[1:])) for name, each in batch_of(0).items()}
        step = parallel.pmap_step(stylegan.make_train_step(CONFIG, phase, R1_WEIGHT), jax.local_devices()[:1])
        after, metrics = jax.eval_shape(step, state, {}, parallel.split(batch, 1))
        assert jax.tree.map(lambda a: (a.shape, a.dtype), after) == jax.tree.map(lambda a: (a.shape, a.dtype), state)
        assert {leaf.shape for leaf in jax.tree.leaves(metrics)} == {()}


def test_a_growing_run_resumes_in_mid_fade_to_the_last_bit(tmp_path, capsys):
    flags = ["--synthetic", "32", "--name", "faces", "--data_dir", str(tmp_path / "data"), "--resolution", "16"]
    assert prepare.main([*flags, "--test_fraction", "0.25"]) == 0

    def train(workdir, *more, stage="stylegan", overrides=(*GROWING, *STILL, "run.keep_checkpoints=9")):
        where = ["--workdir", str(workdir), "--data_dir", str(tmp_path / "data"), "--dataset", "faces"]
        return train_command.main([stage, "--config", "tiny", *where, *overrides, *more])

    whole, resumed = tmp_path / "whole", tmp_path / "resumed"
    assert train(whole) == 0
    shutil.copytree(whole, resumed)
    steps = {int(folder.name) for folder in (whole / "checkpoints").iterdir()}
    assert steps == {1, 2, 4, 6, 8}
    for step in (6, 8):
        shutil.rmtree(resumed / "checkpoints" / str(step))
    with pytest.raises(CheckpointError, match="step 4: the networks still grow"):
        load(resumed)
    capsys.readouterr()
    assert train(resumed) == 0
    assert "resuming from 48 images" in capsys.readouterr().out

    lines = [[json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()] for run in (whole, resumed)]
    for line in [*lines[0], *lines[1]]:
        del line["images_per_second"]
    assert lines[0] == lines[1]
    seen = [(line["step"], line["images"], line["resolution"], line["alpha"]) for line in lines[0]]
    assert seen[1:5] == [(2, 32, 8.0, 1.0), (3, 40, 16.0, 0.0), (4, 48, 16.0, 0.25), (5, 56, 16.0, 0.5)]
    jax.tree.map(np.testing.assert_array_equal, *(load(folder).networks for folder in (whole, resumed)))

    grids = {}
    for file in (whole / "samples").iterdir():
        with Image.open(file) as grid:
            grids[file.name] = grid.size
    assert set(grids) == {f"{images:09d}.png" for images in (0, 16, 32, 48, 64, 80)} and len(set(grids.values())) == 1

    earlier = ["--stylegan", str(whole), "--dry_run"]
    assert train(tmp_path / "inverter", *earlier, stage="inverter", overrides=()) == 0
    capsys.readouterr()
    assert train(whole, "--dry_run") == 0
    assert "16 px: images 32 to 80, fading in over 32; batch 8, learning rate 0.0015" in capsys.readouterr().out
    assert train(whole, "growing.batch_sizes=[6]") == 1
    assert "run.batch_size=6 (growing, at 8 px) is not a multiple of 4 devices" in capsys.readouterr().err
