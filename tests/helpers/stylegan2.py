"""Weights and outputs of the StyleGAN2 reference networks, drawn again by their published rule, and pickles of them."""

import contextlib
import io
import json
import pickle
import sys
import zlib
from collections import OrderedDict
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from jaxgan.importers.stylegan2 import FILTER

FIXTURES = Path(__file__).parents[3] / "shared" / "reference" / "stylegan2"
needs_fixtures = pytest.mark.skipif(not FIXTURES.is_dir(), reason=f"no parity fixtures at {FIXTURES}")


def drawn_tensor(name: str, shape: tuple[int, ...], encoder: bool = False, prelu: bool = False) -> np.ndarray:
    """A tensor of the parity fixtures, drawn again by their published rule."""
    *scopes, leaf = name.split(".")
    scope = ".".join(scopes)
    if leaf in ("resample_filter", "kernel"):
        return ((4 if leaf == "kernel" else 1) * FILTER).astype(np.float32)  # of generators, which enlarge
    if leaf == "num_batches_tracked":
        return np.zeros(shape, np.int64)
    values = np.asarray(np.random.RandomState(zlib.crc32(f"dev-{name}".encode())).randn(*shape), np.float32)
    if leaf in ("running_var", "running_mean"):
        return np.float32(0.5) + np.abs(values) if leaf == "running_var" else np.float32(0.1) * values
    if encoder and leaf == "weight" and not scope.endswith("linear"):
        if len(shape) == 1:
            return np.float32(0.25) + np.float32(0.05) * values if prelu else 1 + np.float32(0.1) * values
        return values * np.float32(np.sqrt(0.3 / np.prod(shape[1:])))
    mapping = scope.startswith(("mapping.fc", "style."))  # encoders' "styles." are none
    if leaf == "bias":
        if scope.endswith(("affine", "modulation")):
            return 1 + np.float32(0.1) * values
        return np.float32(10 if mapping else 0.1) * values
    if leaf in ("noise_strength", "w_avg") or name.endswith("noise.weight"):
        return np.float32(0.1) * values
    return np.float32(100) * values if leaf == "weight" and mapping else values


def drawn_state(network: str) -> dict[str, np.ndarray]:
    """The state dict of a network such as "ada64_generator"."""
    keys, encoder = json.loads((FIXTURES / f"{network}_keys.json").read_text()), network.endswith("encoder")
    prelu = set(keys.get("prelu", ()))
    return {name: drawn_tensor(name, tuple(shape), encoder, name in prelu) for name, shape in keys["shapes"].items()}


def expected(network: str) -> dict[str, np.ndarray]:
    """The reference outputs of a network such as "ada64"; images are NCHW."""
    with np.load(FIXTURES / "expected.npz") as archive:
        return {name.removeprefix(f"{network}/"): archive[name] for name in archive.files if name.startswith(f"{network}/")}


def real_images(resolution: int) -> np.ndarray:
    """The images [4, R, R, 3] that the reference discriminators judged."""
    images = np.random.RandomState(6).uniform(-1, 1, (4, 3, resolution, resolution))
    return images.astype(np.float32).transpose(0, 2, 3, 1)


# ---- Pickles as torch_utils.persistence writes them ----


def _reconstruct_persistent_obj(meta):
    raise AssertionError("the reader must not call it")


_reconstruct_persistent_obj.__module__ = "torch_utils.persistence"


class Persistent:
    """A module that pickles as a persistent class does."""

    def __init__(self, class_name: str, state: dict, source: str):
        self.meta = {"type": "class", "version": 6, "module_src": source, "class_name": class_name, "state": state}

    def __reduce__(self):
        return _reconstruct_persistent_obj, (self.meta,), None


def persistent(class_name: str, state: dict[str, np.ndarray], source: str = "exit('ran')", **kwargs) -> Persistent:
    """A module with parameters, nested as the dots in their names say."""
    import torch

    own, inner = OrderedDict(), {}
    for name, value in state.items():
        first, _, rest = name.partition(".")
        if rest:
            inner.setdefault(first, {})[rest] = value
        else:
            own[first] = torch.from_numpy(np.array(value))
    buffers = {name: own.pop(name) for name in list(own) if name in ("resample_filter", "noise_const", "w_avg")}
    content = {
        "training": False,
        "_parameters": OrderedDict((name, torch.nn.Parameter(value, requires_grad=False)) for name, value in own.items()),
        "_buffers": OrderedDict(buffers),
        "_non_persistent_buffers_set": set(),
        "_modules": OrderedDict((name, persistent(f"Inner{name}", values, source)) for name, values in inner.items()),
        "_init_args": (),
        "_init_kwargs": kwargs,
        "weight_gain": np.float64(0.5),
    }
    return Persistent(class_name, content, source)


def write_pickle(path: Path, content: object, protocol: int = 4) -> Path:
    """Writes it with a module torch_utils.persistence that exists only meanwhile."""
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        for module in ("torch_utils", "torch_utils.persistence"):
            patch.setitem(sys.modules, module, ModuleType(module))
        sys.modules["torch_utils.persistence"]._reconstruct_persistent_obj = _reconstruct_persistent_obj
        buffer = io.BytesIO()
        pickle.dump(content, buffer, protocol)
    path.write_bytes(buffer.getvalue())
    return path


def ada_content(
    generator: dict, discriminator: dict, source: str = "raise SystemExit('ran')", clamp: float | None = None
) -> dict:
    """A snapshot of StyleGAN2-ADA: G is another network than G_ema, so that a mix-up cannot hide."""
    common = {"c_dim": 0, "img_resolution": 64, "img_channels": 3}
    critic = {**common, "conv_clamp": clamp, "epilogue_kwargs": {"mbstd_group_size": 4}}
    options = {"mapping_kwargs": {"num_layers": 2}, "synthesis_kwargs": {"conv_clamp": clamp, "num_fp16_res": 0}}
    other = {name: value + 1 for name, value in generator.items()}
    return {
        "G": persistent("Generator", other, source, **common, **options),
        "D": persistent("Discriminator", discriminator, source, **critic),
        "G_ema": persistent("Generator", generator, source, **common, **options),
        "training_set_kwargs": {"class_name": "training.dataset.ImageFolderDataset", "path": "x.zip"},
        "augment_pipe": None,
    }
