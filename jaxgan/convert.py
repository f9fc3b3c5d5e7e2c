"""Weights of other projects, converted into this project's .npz files.

    python -m jaxgan.convert vgg16 --weights vgg16-397923af.pth --out vgg16.npz

PyTorch is needed here and only here.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from jaxgan.atomic import atomic_write
from jaxgan.models.features import vgg16_layers, vgg16_shapes

# Position of each convolution in torchvision's `vgg16().features`, in the order of the layers.
TORCHVISION_INDEX = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21)


def vgg16_from_torchvision(state: Mapping[str, np.ndarray], origin: str) -> dict[str, np.ndarray]:
    """Tensors named and shaped as in `features.vgg16_shapes` from torchvision's VGG16 state dict.

    `state` maps "features.0.weight" [out, in, 3, 3], "features.0.bias" [out] and so on; layers above relu4_3 are left
    out. Raises ValueError, with `origin` and every torchvision name concerned, for missing or misshapen tensors.
    """
    tensors, problems = {}, []
    for layer, index in zip(vgg16_layers(), TORCHVISION_INDEX, strict=True):
        for leaf, source in (("kernel", f"features.{index}.weight"), ("bias", f"features.{index}.bias")):
            shape = vgg16_shapes()[f"{layer}.{leaf}"]
            torch_shape = shape if leaf == "bias" else (shape[3], shape[2], shape[0], shape[1])
            if source not in state:
                problems.append(f"missing {source}")
            elif tuple(state[source].shape) != torch_shape:
                problems.append(f"{source} has shape {tuple(state[source].shape)}, not {torch_shape}")
            else:
                array = np.asarray(state[source], np.float32)
                tensors[f"{layer}.{leaf}"] = array if leaf == "bias" else array.transpose(2, 3, 1, 0)
    if problems:
        raise ValueError(f"{origin}: not torchvision's VGG16: {'; '.join(problems)}")
    return tensors


def load_torch_state(path: str | Path) -> dict[str, np.ndarray]:
    """Tensors of a PyTorch state dict, as NumPy arrays; nothing but tensors is unpickled (weights_only).

    Raises FileNotFoundError for a missing file and ValueError when the file holds anything else.
    """
    import torch

    if not Path(path).is_file():
        raise FileNotFoundError(f"{path}: no such file")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises a different type for each way in which a file is no state dict
        raise ValueError(f"{path}: not a PyTorch state dict ({type(error).__name__})") from None
    if not isinstance(state, Mapping) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ValueError(f"{path}: not a PyTorch state dict")
    return {name: value.numpy() for name, value in state.items()}


def convert_vgg16(weights: str | Path, out: str | Path) -> None:
    """Convert torchvision's vgg16-397923af.pth into the .npz file that `features.load_vgg16` reads, in one step."""
    tensors = vgg16_from_torchvision(load_torch_state(weights), str(weights))
    with atomic_write(out) as file:
        np.savez(file, **tensors)


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m jaxgan.convert", description="Convert weights of other projects.")
    networks = parser.add_subparsers(dest="network", required=True)
    vgg16 = networks.add_parser("vgg16", help="torchvision's VGG16, up to relu4_3")
    vgg16.add_argument("--weights", required=True, metavar="FILE", help="vgg16-397923af.pth")
    vgg16.add_argument("--out", required=True, metavar="FILE", help=".npz file to write")
    arguments = parser.parse_args(argv)
    try:
        convert_vgg16(arguments.weights, arguments.out)
    except (OSError, ValueError) as error:
        print(f"convert: {error}", file=sys.stderr)
        return 1
    print(f"wrote {arguments.out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
