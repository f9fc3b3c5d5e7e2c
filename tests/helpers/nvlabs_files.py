"""Writes pickles as NVlabs/stylegan does, for the tests that read them."""

import contextlib
import pickle
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


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
