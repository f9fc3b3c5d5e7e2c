"""NVlabs' StyleGAN pickles: parity with TensorFlow's computation, spelt out in NumPy, and refusal of everything else."""

import contextlib
import os
import pickle
import struct
import sys
from collections import OrderedDict
from functools import partial
from pathlib import Path
from types import ModuleType

import jax
import numpy as np
import pytest

from jaxgan.config import validate
from jaxgan.models.stylegan import Discriminator, Generator
from jaxgan.training.stylegan import generate, inference_variables, init_state
from jaxgan.weights.nvlabs import convert_stylegan, mean_w
from jaxgan.weights.nvlabs_pickle import read_networks
from jaxgan.weights.tensors import WeightsError

# ---- Writing such files ----


class Network:
    __module__ = "dnnlib.tflib.network"

    def __init__(self, **state):
        self.state = state

    def __getstate__(self):
        return self.state


class EasyDict(dict):
    __module__ = "dnnlib.util"


@contextlib.contextmanager
def dnnlib():
    """Modules in which pickle finds the classes while it writes; reading has none."""
    with pytest.MonkeyPatch.context() as patch:
        for module in ("dnnlib", "dnnlib.tflib", "dnnlib.tflib.network", "dnnlib.util"):
            patch.setitem(sys.modules, module, ModuleType(module))
        for kind in (Network, EasyDict):
            setattr(sys.modules[kind.__module__], kind.__name__, kind)
        yield


def width(resolution: int, fmap_base: int, fmap_max: int) -> int:
    """nf(log2(resolution) - 1) of networks_stylegan.py."""
    return min(2 * fmap_base // resolution, fmap_max)


def sides(resolution: int) -> list[int]:
    return [4 << i for i in range(resolution.bit_length() - 2)]


def random_networks(resolution=16, latent=12, fmap_base=8192, fmap_max=8, mapping_layers=3, seed=0) -> dict[str, dict]:
    """Variables drawn at random of "mapping", "synthesis", "Gs" and "D", by TensorFlow's names."""
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, np.float32)

    def affine(scope: str, *shape: int) -> dict[str, np.ndarray]:
        return {f"{scope}/weight": normal(*shape), f"{scope}/bias": normal(shape[-1])}

    nf = {r: width(r, fmap_base, fmap_max) for r in sides(resolution)}
    mapping = {}
    for i in range(mapping_layers):  # initialised with a standard deviation of 1 / lrmul
        mapping |= {name: 100 * value for name, value in affine(f"Dense{i}", latent, latent).items()}
    synthesis, d = {"lod": np.float32(0)}, {"lod": np.float32(0)}
    for layer in range(2 * len(nf)):
        synthesis[f"noise{layer}"] = normal(1, 1, 4 << layer // 2, 4 << layer // 2)
    synthesis["4x4/Const/const"] = normal(1, nf[4], 4, 4)
    for level, (r, features) in enumerate(nf.items()):
        lod, below = len(nf) - 1 - level, nf[max(4, r // 2)]
        for layer in ("Const", "Conv") if r == 4 else ("Conv0_up", "Conv1"):
            scope = f"{r}x{r}/{layer}"
            synthesis |= {f"{scope}/Noise/weight": normal(features), f"{scope}/bias": normal(features)}
            synthesis |= affine(f"{scope}/StyleMod", latent, 2 * features)
            if layer != "Const":
                synthesis[f"{scope}/weight"] = normal(3, 3, below if layer == "Conv0_up" else features, features)
        synthesis |= affine(f"ToRGB_lod{lod}", 1, 1, features, 3)
        d |= affine(f"FromRGB_lod{lod}", 1, 1, 3, features)
        if r > 4:
            d |= affine(f"{r}x{r}/Conv0", 3, 3, features, features)
            d |= affine(f"{r}x{r}/Conv1_down", 3, 3, features, below)
    d |= affine("4x4/Conv", 3, 3, nf[4] + 1, nf[4])
    d |= affine("4x4/Dense0", 16 * nf[4], nf[4]) | affine("4x4/Dense1", nf[4], 1)
    return {"mapping": mapping, "synthesis": synthesis, "Gs": {"lod": np.float32(0), "dlatent_avg": normal(latent)}, "D": d}


def network(name: str, variables: dict, components: dict | None = None, **kwargs) -> Network:
    state = {"version": 3, "name": name, "static_kwargs": EasyDict(kwargs), "components": EasyDict(components or {})}
    source = {"build_module_src": "raise SystemExit('ran the source')", "build_func_name": f"build_{name}"}
    return Network(**state, **source, variables=list(variables.items()))


def as_tuple(nets: dict[str, dict], **kwargs) -> tuple[Network, Network, Network]:
    """(G, D, Gs); G is another network than Gs, so that a mix-up cannot hide."""

    def generator(name: str, variables: dict) -> Network:
        components = {part: network(f"G_{part}", variables[part], **kwargs) for part in ("synthesis", "mapping")}
        return network(name, variables["Gs"], components, **kwargs)

    other = {part: {name: value + 1 for name, value in nets[part].items()} for part in nets}
    return generator("G", other), network("D", nets["D"], **kwargs), generator("Gs", nets)


def write(path: Path, content: object, protocol: int = 4) -> Path:
    with dnnlib():
        path.write_bytes(pickle.dumps(content, protocol))
    return path


# ---- TensorFlow's computation, NCHW in float64 ----


def lrelu(x):
    return np.maximum(x, 0.2 * x)


def dense(x, net, scope, gain=2**0.5, lrmul=1.0):
    weight = net[f"{scope}/weight"].astype(np.float64)
    return x @ (weight * (gain / np.sqrt(weight.shape[0]) * lrmul)) + net[f"{scope}/bias"] * lrmul


def weight_of(net, scope, gain):
    weight = net[f"{scope}/weight"].astype(np.float64)
    return weight * (gain / np.sqrt(np.prod(weight.shape[:3])))


def shifted_sum(weight):
    padded = np.pad(weight, ((1, 1), (1, 1), (0, 0), (0, 0)))
    return padded[1:, 1:] + padded[:-1, 1:] + padded[1:, :-1] + padded[:-1, :-1]


def correlate(x, weight, pad, stride=1):
    """tf.nn.conv2d: output pixel i sees input pixels stride * i - pad onwards."""
    size = weight.shape[0]
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    count = (x.shape[2] - size) // stride + 1
    out = 0.0
    for row in range(size):
        for column in range(size):
            window = x[:, :, row : row + stride * count : stride, column : column + stride * count : stride]
            out = out + np.einsum("bihw,io->bohw", window, weight[row, column], optimize=True)
    return out


def transposed(x, weight):
    """tf.nn.conv2d_transpose, 4x4, stride 2, SAME: the gradient of the convolution that sees 2i - 1 ... 2i + 2 from i."""
    batch, _, side, _ = x.shape
    out = np.zeros((batch, weight.shape[3], 2 * side + 2, 2 * side + 2))
    for row in range(4):
        for column in range(4):
            part = np.einsum("bihw,io->bohw", x, weight[row, column], optimize=True)
            out[:, :, row : row + 2 * side : 2, column : column + 2 * side : 2] += part
    return out[:, :, 1:-1, 1:-1]


def blur(x):
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    side = x.shape[2]
    taps = [(row, column, (1, 2, 1)[row] * (1, 2, 1)[column] / 16) for row in range(3) for column in range(3)]
    return sum(share * padded[:, :, row : row + side, column : column + side] for row, column, share in taps)


def tf_mapping(net, z):
    x = z / np.sqrt(np.mean(z.astype(np.float64) ** 2, axis=1, keepdims=True) + 1e-8)
    for i in range(len(net) // 2):
        x = lrelu(dense(x, net, f"Dense{i}", lrmul=0.01))
    return x


def tf_synthesis(net, w, fused_scale="auto"):
    """Images [B, 3, R, R] of w [B, latent] with the stored noise, at lod 0."""

    def epilogue(x, scope, layer):
        x = x + net[f"noise{layer}"] * net[f"{scope}/Noise/weight"][None, :, None, None]
        x = lrelu(x + net[f"{scope}/bias"][None, :, None, None])
        x = x - x.mean(axis=(2, 3), keepdims=True)
        x = x / np.sqrt((x**2).mean(axis=(2, 3), keepdims=True) + 1e-8)
        style = dense(w, net, f"{scope}/StyleMod", gain=1).reshape(len(w), 2, x.shape[1], 1, 1)
        return x * (style[:, 0] + 1) + style[:, 1]

    x = epilogue(np.tile(net["4x4/Const/const"].astype(np.float64), (len(w), 1, 1, 1)), "4x4/Const", 0)
    x = epilogue(correlate(x, weight_of(net, "4x4/Conv", 2**0.5), 1), "4x4/Conv", 1)
    layers = sum(name.startswith("noise") for name in net)
    for layer in range(2, layers, 2):
        side = 4 << layer // 2
        weight = weight_of(net, f"{side}x{side}/Conv0_up", 2**0.5)
        if fused_scale is True or (fused_scale == "auto" and side >= 128):
            x = transposed(x, shifted_sum(weight))
        else:
            x = correlate(x.repeat(2, axis=2).repeat(2, axis=3), weight, 1)
        x = epilogue(blur(x), f"{side}x{side}/Conv0_up", layer)
        x = epilogue(correlate(x, weight_of(net, f"{side}x{side}/Conv1", 2**0.5), 1), f"{side}x{side}/Conv1", layer + 1)
    return correlate(x, weight_of(net, "ToRGB_lod0", 1), 0) + net["ToRGB_lod0/bias"][None, :, None, None]


def tf_discriminator(net, images, fused_scale="auto"):
    """Scores [B] of images [B, 3, R, R]; one group of images for the minibatch standard deviation."""

    def activate(x, scope):
        return lrelu(x + net[f"{scope}/bias"][None, :, None, None])

    x = activate(correlate(images.astype(np.float64), weight_of(net, "FromRGB_lod0", 2**0.5), 0), "FromRGB_lod0")
    while (side := x.shape[2]) > 4:
        x = activate(correlate(x, weight_of(net, f"{side}x{side}/Conv0", 2**0.5), 1), f"{side}x{side}/Conv0")
        weight, x = weight_of(net, f"{side}x{side}/Conv1_down", 2**0.5), blur(x)
        if fused_scale is True or (fused_scale == "auto" and side >= 128):
            x = correlate(x, shifted_sum(weight) * 0.25, 1, stride=2)
        else:
            x = correlate(x, weight, 1)
            x = (x[:, :, ::2, ::2] + x[:, :, 1::2, ::2] + x[:, :, ::2, 1::2] + x[:, :, 1::2, 1::2]) / 4
        x = activate(x, f"{side}x{side}/Conv1_down")
    deviation = np.sqrt(((x - x.mean(axis=0)) ** 2).mean(axis=0) + 1e-8).mean()
    x = np.concatenate([x, np.full_like(x[:, :1], deviation)], axis=1)
    x = activate(correlate(x, weight_of(net, "4x4/Conv", 2**0.5), 1), "4x4/Conv")
    x = lrelu(dense(x.reshape(len(x), -1), net, "4x4/Dense0"))
    return dense(x, net, "4x4/Dense1", gain=1)[:, 0]


# ---- Parity ----


def test_the_reference_transposes_as_tensorflow_defines_it():
    """conv2d_transpose is the gradient of conv2d by its input: both give the same inner product."""
    rng = np.random.default_rng(0)
    x, y, weight = rng.normal(size=(1, 3, 8, 8)), rng.normal(size=(1, 2, 4, 4)), rng.normal(size=(4, 4, 3, 2))
    forward = np.sum(correlate(x, weight, 1, stride=2) * y)
    np.testing.assert_allclose(forward, np.sum(x * transposed(y, weight.transpose(0, 1, 3, 2))), rtol=1e-10)


def assert_close(output, expected):
    np.testing.assert_allclose(output, expected, rtol=0, atol=1e-4 * expected.std())


@pytest.mark.parametrize(
    ("resolution", "fmap_base", "fused_scale"),
    [(16, 8192, "auto"), (16, 40, True), (128, 256, False), (256, 512, "auto")],
)
def test_networks_compute_what_tensorflow_does(tmp_path, resolution, fmap_base, fused_scale):
    """Widths shrink with the resolution in all cases but the first; from 128 pixels on TensorFlow fuses."""
    nets = random_networks(resolution, fmap_base=fmap_base)
    kwargs = {} if fused_scale == "auto" else {"fused_scale": fused_scale}
    config, variables = convert_stylegan(write(tmp_path / "net.pkl", as_tuple(nets, **kwargs)))
    assert config.generator.resolution == resolution
    assert (config.generator.latent_size, config.generator.mapping_layers, config.generator.fmap_max) == (12, 3, 8)
    rng = np.random.default_rng(1)
    z = rng.standard_normal((2, 12), np.float32)
    w = Generator(config.generator).apply(variables["generator"], z, method="map")
    tf_w = tf_mapping(nets["mapping"], z)
    assert_close(w, np.repeat(tf_w[:, None], config.generator.num_layers, axis=1))
    images = jax.jit(lambda w: Generator(config.generator).apply(variables["generator"], w, method="synthesize"))(w)
    assert_close(images, tf_synthesis(nets["synthesis"], tf_w, fused_scale).transpose(0, 2, 3, 1))
    colours = rng.uniform(-4, 4, (3, 4, 1, 3)).repeat(resolution // 4, axis=1)  # images of noise alone all score the same
    real = (colours + rng.uniform(-1, 1, (3, resolution, resolution, 3))).astype(np.float32)
    score = jax.jit(lambda x: Discriminator(config.discriminator).apply({"params": variables["discriminator"]}, x))(real)
    assert_close(score, tf_discriminator(nets["D"], real.transpose(0, 3, 1, 2), fused_scale))


def test_variables_are_those_of_a_training(tmp_path):
    nets = random_networks()
    config, variables = convert_stylegan(write(tmp_path / "net.pkl", as_tuple(nets, mapping_lrmul=0.02, mbstd_group_size=8)))
    assert validate(config).generator.mapping_lr_multiplier == 0.02
    assert config.discriminator.stddev_group == 8
    assert not (config.generator.tanh or config.generator.separate_w)
    ours = jax.eval_shape(lambda: inference_variables(init_state(config)))
    kind = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), (ours, variables))
    assert kind[0] == kind[1]
    np.testing.assert_array_equal(variables["w_avg"], np.tile(nets["Gs"]["dlatent_avg"], (6, 1)))


def test_w_avg_can_be_missing_and_computed(tmp_path):
    nets = random_networks()
    del nets["Gs"]["dlatent_avg"]
    config, variables = convert_stylegan(write(tmp_path / "net.pkl", as_tuple(nets)))
    assert variables["w_avg"] is None
    mean = mean_w(config.generator, variables["generator"], samples=20_000)
    w = tf_mapping(nets["mapping"], np.random.default_rng(2).standard_normal((20_000, 12)))
    error = w.std(axis=0) * (2 / 20_000) ** 0.5
    assert mean.shape == (6, 12)
    assert np.all(np.abs(mean - w.mean(axis=0)) < 5 * error)
    assert np.any(np.abs(mean - w.mean(axis=0)) > 0.1 * error)


def test_networks_without_noise(tmp_path):
    nets = random_networks()
    nets["synthesis"] = {name: value for name, value in nets["synthesis"].items() if "oise" not in name}
    config, variables = convert_stylegan(write(tmp_path / "net.pkl", as_tuple(nets)))
    assert not config.generator.noise
    ours = jax.eval_shape(lambda: inference_variables(init_state(config)))
    assert jax.tree.structure(ours) == jax.tree.structure(variables)


def test_an_image_of_1024_pixels(tmp_path):
    nets = random_networks(1024, fmap_max=8)
    config, variables = convert_stylegan(write(tmp_path / "ffhq.pkl", as_tuple(nets)))
    z = np.random.default_rng(1).standard_normal((1, 12), np.float32)
    image = jax.jit(lambda z: generate(config.generator, variables, z, truncation=1.0))(z)
    assert image.shape == (1, 1024, 1024, 3)
    assert_close(image, tf_synthesis(nets["synthesis"], tf_mapping(nets["mapping"], z)).transpose(0, 2, 3, 1))


# ---- Files of every age ----


def assert_same(networks, nets):
    assert networks.averaged_generator.name == "Gs" and networks.discriminator.build_function == "build_D"
    components = networks.averaged_generator.components
    found = {name: components[name].variables for name in ("mapping", "synthesis")}
    found |= {"Gs": networks.averaged_generator.variables, "D": networks.discriminator.variables}
    jax.tree.map(np.testing.assert_array_equal, found, nets)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_is_read(tmp_path, protocol):
    """With an array of each byte order and of each order of axes."""
    nets = random_networks()
    nets["D"]["Dense0/weight"] = np.arange(6, dtype=">f4").reshape(2, 3).copy(order="F")
    content = as_tuple(nets, blur_filter=[1, 2, 1], table=OrderedDict(a=np.arange(3, dtype=">i4")))
    path = write(tmp_path / "net.pkl", content, protocol)
    assert_same(read_networks(path), nets)
    if protocol < 4:  # text without its length, so that names can be changed into those from before NumPy 2
        path.write_bytes(path.read_bytes().replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
        assert_same(read_networks(path), nets)


class Python2Pickler(pickle._Pickler):
    """Writes bytes as Python 2 did, as a string without an encoding."""

    def save_string(self, value):
        self.write(b"T" + struct.pack("<i", len(value)) + value)
        self.memoize(value)

    dispatch = {**pickle._Pickler.dispatch, bytes: save_string}


def test_python_2_strings_are_read(tmp_path):
    nets = random_networks()
    with dnnlib(), open(tmp_path / "net.pkl", "wb") as file:
        Python2Pickler(file, protocol=2).dump(as_tuple(nets))
    assert_same(read_networks(tmp_path / "net.pkl"), nets)


# ---- Refusals ----


class Call:
    """Pickles as the call of any function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def calls(marker: Path) -> dict[str, object]:
    """Objects whose unpickling by pickle.load makes the marker file, or could."""
    source = f"open({str(marker)!r}, 'w').close()"
    return {
        "posix.system": Call(os.system, f"touch {marker}"),
        "builtins.eval": Call(eval, source),
        "builtins.exec": Call(exec, source),
        "builtins.getattr": Call(getattr, marker, "touch"),
        "numpy.load": Call(np.load, str(marker)),
        "numpy.memmap": Call(np.memmap, str(marker), "u1", "w+", 0, (1,)),
        "functools.partial": partial(os.system, f"touch {marker}"),
    }


@pytest.mark.parametrize("place", ["outside", "setting", "variable", "component"])
@pytest.mark.parametrize("refused", list(calls(Path())))
def test_no_call_is_run(tmp_path, refused, place):
    marker = tmp_path / "made"
    bad = calls(marker)[refused]
    g, d, gs = as_tuple(random_networks())
    if place == "setting":
        d.state["static_kwargs"]["nonlinearity"] = bad
    elif place == "variable":
        gs.state["components"]["mapping"].state["variables"][0] = ("Dense0/weight", bad)
    elif place == "component":
        gs.state["components"]["mapping"] = bad
    path = write(tmp_path / "bad.pkl", bad if place == "outside" else (g, d, gs))
    with pytest.raises(WeightsError, match=rf"bad.pkl: refused: it asks for {refused}, "):
        convert_stylegan(path)
    assert not marker.exists()


def test_the_calls_are_real(tmp_path):
    """pickle.load itself runs what the reader refuses."""
    marker = tmp_path / "made"
    for name in ("posix.system", "builtins.eval", "builtins.exec", "numpy.memmap"):
        pickle.loads(pickle.dumps(calls(marker)[name]))
        assert marker.exists()
        marker.unlink()


@pytest.mark.parametrize(
    ("module", "name"), [("collections", "OrderedDict.fromkeys"), ("numpy", "ndarray.tofile"), ("dnnlib.util", "open_url")]
)
def test_only_whole_known_names_are_found(tmp_path, module, name):
    def short(text: str) -> bytes:
        return pickle.SHORT_BINUNICODE + bytes([len(text)]) + text.encode()

    (tmp_path / "bad.pkl").write_bytes(b"\x80\x04" + short(module) + short(name) + pickle.STACK_GLOBAL + b".")
    with pytest.raises(WeightsError, match=f"refused: it asks for {module}.{name}"):
        read_networks(tmp_path / "bad.pkl")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "holds NoneType, not the three networks"),
        ((1, 2), "holds 2 things, not the three networks"),
        ((1, 2, 3), "holds int in place of the network G"),
        ((Network(version=3), 2, 3), "the network G has no variables"),
        ((Network(variables=[("lod", "x")]), 2, 3), "the variable G/lod is str, not an array"),
        ((Network(variables=["lod"]), 2, 3), "no pair of name and array"),
        ((Network(variables=[("w", np.array([None]))]), 2, 3), "dtype 'O8'; only numbers are read"),
        ((Network(variables=[("w", np.array(["x"]))]), 2, 3), "dtype 'U1'; only numbers are read"),
    ],
)
def test_other_contents_are_refused(tmp_path, content, message):
    with pytest.raises(WeightsError, match=f"other.pkl: .*{message}"):
        read_networks(write(tmp_path / "other.pkl", content))


def test_other_files_are_refused(tmp_path):
    path = write(tmp_path / "net.pkl", as_tuple(random_networks()))
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], whole[:-1], b"", b"<!DOCTYPE html>", np.random.default_rng(0).bytes(1000)):
        path.write_bytes(content)
        with pytest.raises(WeightsError, match="net.pkl: not a readable pickle"):
            read_networks(path)
    with pytest.raises(FileNotFoundError, match="no.pkl: no such file"):
        read_networks(tmp_path / "no.pkl")


def assert_refused(path: Path, content: object, *parts: str) -> None:
    with pytest.raises(WeightsError) as caught:
        convert_stylegan(write(path, content))
    for part in (path.name, *parts):
        assert part in str(caught.value)


def test_every_bad_tensor_is_named(tmp_path):
    nets = random_networks()
    del nets["synthesis"]["8x8/Conv0_up/StyleMod/bias"], nets["mapping"]["Dense1/weight"]
    nets["synthesis"]["16x16/Conv1/weight"] = np.zeros((3, 3, 8, 9), np.float32)
    nets["synthesis"]["noise3"] = np.zeros((1, 1, 8, 4), np.float32)
    nets["mapping"]["LabelConcat/weight"] = np.zeros((2, 12), np.float32)
    nets["Gs"]["dlatent_avg"][0] = np.nan
    assert_refused(
        tmp_path / "bad.pkl",
        as_tuple(nets),
        "not the weights of a StyleGAN generator (Gs, built by build_Gs)",
        "missing synthesis/8x8/Conv0_up/StyleMod/bias",
        "missing mapping/Dense1/weight",
        "synthesis/16x16/Conv1/weight has shape (3, 3, 8, 9), not (3, 3, 8, 8)",
        "synthesis/noise3 has shape (1, 1, 8, 4), not (1, 1, 8, 8)",
        "unexpected mapping/LabelConcat/weight",
        "dlatent_avg holds NaN",
    )
    nets = random_networks()
    nets["D"]["4x4/Conv/weight"] = nets["D"]["4x4/Conv/weight"][:, :, :-1]
    del nets["D"]["FromRGB_lod0/bias"]
    nets["D"]["Q/weight"] = np.zeros(3, np.float32)
    misfits = "missing FromRGB_lod0/bias", "4x4/Conv/weight has shape (3, 3, 8, 8)", "unexpected Q/weight"
    assert_refused(tmp_path / "bad.pkl", as_tuple(nets), "a StyleGAN discriminator (D, built by build_D)", *misfits)


@pytest.mark.parametrize(
    ("setting", "value", "message"),
    [
        ("blur_filter", None, "Gs has blur_filter=None; only [1, 2, 1]"),
        ("use_pixel_norm", True, "Gs has use_pixel_norm=True; only False"),
        ("fused_scale", "often", "fused_scale='often'"),
        ("mapping_lrmul", "x", "mapping_lrmul='x', which is no number"),
    ],
)
def test_settings_that_our_networks_do_not_have_are_refused(tmp_path, setting, value, message):
    """Whether they stand in the outer network or in a component: the outer one hands its own on."""
    for place in ("outer", "component"):
        content = as_tuple(random_networks())
        gs = content[2] if place == "outer" else content[2].state["components"]["synthesis"]
        gs.state["static_kwargs"][setting] = value
        assert_refused(tmp_path / "net.pkl", content, message)


def test_networks_that_do_not_fit_are_refused(tmp_path):
    nets = random_networks()
    growing = nets | {"Gs": {**nets["Gs"], "lod": np.float32(1.5)}}
    assert_refused(tmp_path / "net.pkl", as_tuple(growing), "Gs was saved while it grew (lod=1.5)")
    larger = nets | {"D": random_networks(32)["D"]}
    assert_refused(tmp_path / "net.pkl", as_tuple(larger), "Gs makes images of 16 pixels, D judges images of 32")
    assert_refused(
        tmp_path / "net.pkl", as_tuple(nets | {"synthesis": {}}), "variables name no resolution such as synthesis/128x128/"
    )
