"""Inverter and editor encoders: shapes, what each reads, and batch normalisation over devices."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.configs import EncoderConfig, GeneratorConfig, TrunkConfig, preset
from jaxgan.models.encoder import Encoder
from jaxgan.models.inverter import AXIS, ConvNorm, Inverter, ResidualBlock, Trunk, batch_norm
from jaxgan.models.landmarks import Landmarks, landmarks_from_keypoints

TINY = preset("tiny", "editor")
BATCH, L, W, R = 4, TINY.generator.num_layers, TINY.generator.latent_size, TINY.generator.resolution
KINDS = ["latent_difference", "keypoint", "naive"]


def normal(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def random_variables(model, *inputs) -> dict:
    """Random NumPy variables of a model in place of its initial ones; variances are positive."""
    shapes = jax.eval_shape(lambda key: model.init(key, *inputs, train=False), jax.random.key(0))
    leaves, tree = jax.tree_util.tree_flatten_with_path(shapes)
    made = [normal(seed, *leaf.shape) for seed, (_, leaf) in enumerate(leaves)]
    positive = [path[-1].key == "var" for path, _ in leaves]
    return tree.unflatten([1 + np.abs(x) if p else x for x, p in zip(made, positive, strict=True)])


def tiny_inputs(seed: int = 0, batch: int = BATCH) -> tuple[np.ndarray, np.ndarray, Landmarks]:
    """Portraits, latents and landmarks of the tiny editor."""
    keypoints = np.random.default_rng(seed).uniform(0, R, (batch, 68, 2)).astype(np.float32)
    portraits = np.tanh(normal(seed, batch, R, R, 3))
    return portraits, normal(seed + 1, batch, L, W), landmarks_from_keypoints(keypoints, R)


def tiny_encoder(kind: str, shift_scale_init: float | None = None) -> Encoder:
    config = replace(TINY.encoder, kind=kind, shift_scale_init=shift_scale_init)
    return Encoder(config, TINY.generator)


@pytest.fixture(scope="module", params=KINDS)
def encoder(request):
    """Kind, variables and jitted inference of a tiny encoder."""
    model = tiny_encoder(request.param)
    variables = random_variables(model, *tiny_inputs())
    return request.param, variables, jax.jit(lambda *inputs: model.apply(variables, *inputs, train=False))


def test_inverter_gives_one_latent_for_each_style_layer():
    model = Inverter(TrunkConfig(), GeneratorConfig())
    images = jnp.zeros((2, 128, 128, 3))
    variables = jax.eval_shape(lambda key: model.init(key, images, train=False), jax.random.key(0))
    assert jax.eval_shape(lambda v: model.apply(v, images, train=False), variables).shape == (2, 12, 512)
    params = variables["params"]
    assert params["head"] == {"kernel": jax.ShapeDtypeStruct((16 * 1024, 12 * 512), jnp.float32)}, "no bias"
    assert params["norm"]["bias"].shape == (12 * 512,)
    leaves = {path[-1].key for path, _ in jax.tree_util.tree_flatten_with_path(params)[0]}
    assert leaves == {"kernel", "bias"}, "normalisations are centred, not scaled"


def test_trunk_doubles_its_width_at_each_halving():
    images = jnp.zeros((2, 128, 128, 3))
    variables = jax.eval_shape(lambda key: Trunk(TrunkConfig()).init(key, images, train=False), jax.random.key(0))
    params = variables["params"]
    assert params["stem"]["kernel"].shape == (3, 3, 3, 64)
    widths = {64: (64, 128), 32: (128, 256), 16: (256, 512), 8: (512, 1024), 4: (1024, 1024)}
    assert params.keys() == {"stem", *(f"block_{resolution}" for resolution in widths)}
    for resolution, (before, after) in widths.items():
        block = params[f"block_{resolution}"]
        assert block["conv_0"]["kernel"].shape == (3, 3, before, before)
        assert block["conv_1"]["kernel"].shape == (3, 3, before, after)
        assert ("shortcut" in block) == (before != after), "identity where widths agree"
        if before != after:
            assert block["shortcut"]["kernel"].shape == (1, 1, before, after)
    flat = jax.eval_shape(lambda v: Trunk(TrunkConfig()).apply(v, images, train=False), variables)
    assert flat.shape == (2, 4 * 4 * 1024) and flat.dtype == jnp.float32


def test_residual_block_is_a_sum_without_final_activation():
    block, x = ResidualBlock(3, jnp.float32), normal(0, 2, 4, 4, 3)
    variables = random_variables(block, x)
    silent = jax.tree.map(np.zeros_like, variables["params"])
    zeroed = {"params": silent, "batch_stats": jax.tree.map(np.zeros_like, variables["batch_stats"])}
    np.testing.assert_array_equal(block.apply(zeroed, x, train=False), x)


def test_trunk_computes_in_bfloat16_and_keeps_float32_parameters():
    model = Trunk(replace(TINY.inverter, dtype="bfloat16"))
    images = tiny_inputs()[0]
    variables = jax.tree.map(lambda p: 0.3 * p, random_variables(model, images))
    assert {leaf.dtype for leaf in jax.tree.leaves(variables)} == {jnp.dtype("float32")}
    half = jax.jit(lambda x: model.apply(variables, x, train=False))(images)
    full = jax.jit(lambda x: Trunk(TINY.inverter).apply(variables, x, train=False))(images)
    assert half.dtype == jnp.float32 and np.any(half != full)
    assert np.abs(half - full).mean() < 0.02 * np.std(full)


def test_convolutions_start_at_the_published_deviation():
    layer, x = ConvNorm(64, 3, jnp.float32), jnp.zeros((1, 4, 4, 32))
    kernel = jax.jit(lambda key: layer.init(key, x, train=False)["params"]["kernel"])(jax.random.key(0))
    assert np.std(kernel) == pytest.approx(0.02, rel=0.03) and np.mean(kernel) == pytest.approx(0, abs=1e-3)


def test_batch_norm_has_a_scale_only_where_asked():
    x = normal(0, 5, 3)
    published = batch_norm(False, "norm").init(jax.random.key(0), x)
    assert published["params"].keys() == {"bias"} and published["batch_stats"].keys() == {"mean", "var"}
    scaled = batch_norm(False, "norm", scale_init=0.1).init(jax.random.key(0), x)
    np.testing.assert_allclose(scaled["params"]["scale"], np.full(3, 0.1), rtol=1e-6)


def test_batch_norm_normalises_by_the_batch_of_all_devices():
    norm = batch_norm(True, "norm")
    x = 3 * normal(0, 4, 2, 5) + normal(1, 4, 1, 1) * 10  # devices of very different means
    variables = {
        "params": {"bias": np.arange(5, dtype=np.float32)},
        "batch_stats": {"mean": np.full(5, 2, np.float32), "var": np.full(5, 3, np.float32)},
    }
    step = jax.pmap(lambda x: norm.apply(variables, x, mutable="batch_stats"), axis_name=AXIS)
    y, state = step(x)
    flat = x.reshape(8, 5).astype(np.float64)
    expected = (flat - flat.mean(axis=0)) / np.sqrt(flat.var(axis=0) + 1e-5) + np.arange(5)
    np.testing.assert_allclose(np.reshape(y, (8, 5)), expected, rtol=1e-4, atol=1e-4)
    for device in range(4):
        running = {name: value[device] for name, value in state["batch_stats"].items()}
        np.testing.assert_allclose(running["mean"], 0.9 * 2 + 0.1 * flat.mean(axis=0), rtol=1e-5)
        np.testing.assert_allclose(running["var"], 0.9 * 3 + 0.1 * flat.var(axis=0), rtol=1e-4)


def test_batch_norm_uses_running_statistics_in_inference():
    x, variance = normal(0, 6, 3), np.array([0.5, 1, 4], np.float32)
    stats = {"mean": np.array([1, 2, 3], np.float32), "var": variance}
    variables = {"params": {"bias": np.ones(3, np.float32)}, "batch_stats": stats}
    expected = (x - stats["mean"]) / np.sqrt(variance + 1e-5) + 1
    np.testing.assert_allclose(batch_norm(False, "norm").apply(variables, x), expected, rtol=1e-4, atol=1e-5)


def test_inverter_on_four_devices_equals_one_big_batch():
    model = Inverter(TINY.inverter, TINY.generator)
    images = np.tanh(normal(0, 8, R, R, 3))
    variables = random_variables(model, images)

    def step(images):
        return model.apply(variables, images, train=True, mutable="batch_stats")

    together, one = jax.jit(jax.vmap(step, axis_name=AXIS))(images[None])
    split, four = jax.pmap(step, axis_name=AXIS)(images.reshape(4, 2, R, R, 3))
    np.testing.assert_allclose(np.reshape(split, (8, L, W)), together[0], rtol=1e-3, atol=1e-3)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(four), strict=True):
        np.testing.assert_allclose(b, np.broadcast_to(a, b.shape), rtol=1e-3, atol=1e-4)


def test_encoders_give_latents(encoder):
    _, _, apply = encoder
    result = apply(*tiny_inputs())
    assert result.shape == (BATCH, L, W) and result.dtype == jnp.float32
    assert np.all(np.ptp(result, axis=0) > 0)


def test_encoders_read_what_they_should_and_nothing_else(encoder):
    kind, _, apply = encoder
    portraits, latents, landmarks = tiny_inputs(0)
    other_portraits, other_latents, other = tiny_inputs(7)
    base = apply(portraits, latents, landmarks)
    moved = {
        "portraits": apply(other_portraits, latents, landmarks),
        "keypoints": apply(portraits, latents, Landmarks(other.keypoints, landmarks.image)),
        "image": apply(portraits, latents, Landmarks(landmarks.keypoints, other.image)),
    }
    read = {name for name, result in moved.items() if not np.array_equal(result, base)}
    assert read == {"latent_difference": {"image"}, "keypoint": {"keypoints"}, "naive": {"portraits", "image"}}[kind]
    assert np.array_equal(apply(portraits, other_latents, landmarks), base) == (kind == "naive")


def test_inputs_that_are_not_read_may_be_none(encoder):
    kind, _, apply = encoder
    portraits, latents, landmarks = tiny_inputs()
    reduced = (portraits, None) if kind == "naive" else (None, latents)
    np.testing.assert_allclose(apply(*reduced, landmarks), apply(portraits, latents, landmarks), atol=1e-5)


@pytest.mark.parametrize("kind", ["latent_difference", "keypoint"])
def test_difference_of_each_layer_reads_its_own_latent(kind):
    model = tiny_encoder(kind)
    _, latents, landmarks = tiny_inputs()
    variables = random_variables(model, None, latents, landmarks)
    difference = jax.jit(lambda w: model.apply(variables, None, w, landmarks, train=False) - w)
    base = difference(latents)
    changed = latents.copy()
    changed[:, 1] += 1
    differs = np.abs(difference(changed) - base).max(axis=(0, 2)) > 1e-4
    assert differs.tolist() == [False, True, False, False]


def test_layers_beyond_the_edited_ones_stay():
    whole = tiny_encoder("keypoint")
    _, latents, landmarks = tiny_inputs()
    variables = random_variables(whole, None, latents, landmarks)
    coarse = Encoder(replace(whole.config, edited_layers=2), TINY.generator)
    all_of_them, some = (model.apply(variables, None, latents, landmarks, train=False) for model in (whole, coarse))
    np.testing.assert_array_equal(some[:, :2], all_of_them[:, :2])
    np.testing.assert_array_equal(some[:, 2:], latents[:, 2:])
    assert not np.array_equal(all_of_them[:, 2:], latents[:, 2:])


@pytest.mark.parametrize("scale", [None, 0.0])
def test_the_shift_starts_at_unit_variance_or_at_zero(scale):
    model = tiny_encoder("keypoint", scale)
    _, latents, landmarks = tiny_inputs(batch=16)
    variables = random_variables(model, None, latents, landmarks)

    @jax.jit
    def initial_norm(key):
        return model.init(key, None, latents, landmarks, train=False)["params"]["difference"]["norm"]

    norm = initial_norm(jax.random.key(0))
    np.testing.assert_array_equal(norm["bias"], np.zeros((L, W)))
    centre = normal(9, L, W)
    variables["params"]["difference"]["norm"] = {**norm, "bias": centre}

    def edit(w):
        return model.apply(variables, None, w, landmarks, train=True, mutable="batch_stats")[0]

    shift = jax.jit(jax.vmap(edit, axis_name=AXIS))(latents[None])[0] - latents
    np.testing.assert_allclose(shift.mean(axis=0), centre, atol=1e-4)
    np.testing.assert_allclose(shift.std(axis=0), np.full((L, W), 1.0 if scale is None else 0.0), atol=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_paper_encoders_have_the_published_widths(kind):
    portraits, latents = jnp.zeros((2, 128, 128, 3)), jnp.zeros((2, 12, 512))
    landmarks = Landmarks(jnp.zeros((2, 68, 2)), portraits)
    model = Encoder(EncoderConfig(kind=kind), GeneratorConfig())
    made = jax.eval_shape(lambda key: model.init(key, portraits, latents, landmarks, train=False), jax.random.key(0))
    params = made["params"]
    if kind == "naive":
        assert params["naive"]["trunk"]["stem"]["kernel"].shape == (3, 3, 6, 64)
        assert params["naive"]["head"]["kernel"].shape == (16 * 1024, 12 * 512)
        return
    params = params["difference"]
    assert ("trunk" in params) == (kind == "latent_difference")
    shapes = {name: params[name]["kernel"].shape for name in ("landmark_dense", "latent_dense", "head")}
    read = 136 if kind == "keypoint" else 16 * 1024
    assert shapes == {"landmark_dense": (read, 160), "latent_dense": (12, 512, 32), "head": (12, 192, 512)}
    dense = [name for name in params if name != "trunk" and not name.endswith("norm")]
    assert all(params[name].keys() == {"kernel"} for name in dense), "no biases beside those of the normalisations"
    norms = {name: params[name]["bias"].shape for name in ("landmark_norm", "latent_norm", "norm")}
    assert norms == {"landmark_norm": (160,), "latent_norm": (12, 32), "norm": (12, 512)}
