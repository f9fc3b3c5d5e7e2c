"""NVlabs' StyleGAN pickles: files of every age are read, and everything else is refused without running its code."""

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
from helpers.nvlabs_files import Network, as_tuple, dnnlib, random_networks, write

from jaxgan.errors import WeightsError
from jaxgan.importers.nvlabs import convert_stylegan
from jaxgan.importers.nvlabs_pickle import read_networks

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
    for content in (whole[: len(whole) // 2], whole[:-1], np.random.default_rng(0).bytes(1000)):
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


class Persistent:
    __module__ = "torch_utils.persistence"


def test_networks_of_stylegan2_are_named(tmp_path, monkeypatch):
    with dnnlib():
        built = {"build_func_name": "G_main", "variables": [], "static_kwargs": {}, "components": {}}
        content = pickle.dumps(tuple(Network(name=name, **built) for name in ("G", "D", "Gs")))
    (tmp_path / "two.pkl").write_bytes(content)
    module = ModuleType("torch_utils.persistence")
    module.Persistent = Persistent
    for name in ("torch_utils", "torch_utils.persistence"):
        monkeypatch.setitem(sys.modules, name, module)
    (tmp_path / "ada.pkl").write_bytes(pickle.dumps({"G_ema": Persistent()}))
    for name, what in (("two.pkl", "holds networks of StyleGAN2, not"), ("ada.pkl", "holds networks in PyTorch, not")):
        with pytest.raises(WeightsError, match=f"{name}: {what}"):
            read_networks(tmp_path / name)
