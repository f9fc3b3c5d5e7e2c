"""Weights of other projects, converted into this project's files.

    python -m jaxgan.convert idinvert --out DIR
    python -m jaxgan.convert stylegan --pickle karras2019stylegan-ffhq-1024x1024.pkl --out DIR
    python -m jaxgan.convert vgg16 --out vgg16.npz
    python -m jaxgan.convert lpips --out lpips.npz

Files that are not given are downloaded (`jaxgan.weights.registry`). DIR is then what the working folder of a training is:
Editor.load, eval.py and the later trainings take it.

PyTorch's files need PyTorch to be read; nothing else here does.
"""

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.checkpoints.training import Checkpoints
from jaxgan.configs.schema import Config
from jaxgan.errors import CheckpointError
from jaxgan.importers import idinvert, nvlabs
from jaxgan.importers.facenet import facenet_params
from jaxgan.importers.inception import inception_params
from jaxgan.importers.lpips import lpips_params
from jaxgan.importers.npz import write_npz
from jaxgan.importers.registry import WEIGHTS, fetch
from jaxgan.importers.tensors import load_torch_state
from jaxgan.importers.vgg16 import vgg16_params


@dataclasses.dataclass(frozen=True)
class Subcommand:
    """`convert` is called with one path per flag, by the flag's name."""

    help: str
    flags: Mapping[str, str]  # input -> the registry's name of the file that is taken where the flag is not given
    out: str  # what is written
    convert: Callable[..., None]


def convert_features(
    network: str, params_of: Callable[[Mapping[str, np.ndarray], str], dict[str, Any]], weights: str, out: str
) -> None:
    """Writes the .npz of a frozen feature network from a PyTorch state dict."""
    write_npz(out, network, params_of(load_torch_state(weights), weights))


def convert_lpips(vgg16: str, linear: str, out: str) -> None:
    """Writes the .npz of LPIPS from the state dicts of VGG16 and of the linear layers."""
    write_npz(out, "lpips", lpips_params(load_torch_state(vgg16), load_torch_state(linear), vgg16, linear))


def convert_idinvert(generator: str, encoder: str, out: str) -> None:
    """Writes an inverter's checkpoint from in-domain inversion's two state dicts."""
    made = idinvert.convert_idinvert(load_torch_state(generator), load_torch_state(encoder), generator, encoder)
    write_checkpoint(out, *made)


def convert_stylegan(pickle: str, out: str) -> None:
    """Writes a StyleGAN's checkpoint from a pickle of NVlabs/stylegan."""
    write_checkpoint(out, *nvlabs.convert_stylegan(pickle), {})


def write_checkpoint(out: str, config: Config, model: dict[str, Any], frozen: dict[str, Any]) -> None:
    """A checkpoint without a training state, at step 0, in a folder that has none yet.

    Raises:
      CheckpointError: the folder holds a checkpoint.
    """
    checkpoints = Checkpoints(out)
    if checkpoints.latest_step() is not None:
        raise CheckpointError(f"{out} holds a checkpoint already; choose another --out")
    checkpoints.save(0, config, None, model, frozen)


FOLDER, NPZ = "folder to write the checkpoint to", ".npz file to write"
SUBCOMMANDS = {
    "idinvert": Subcommand(
        "generator and encoder of in-domain GAN inversion, from genforce/idinvert_pytorch",
        {"generator": "idinvert-generator", "encoder": "idinvert-encoder"},
        FOLDER,
        convert_idinvert,
    ),
    "stylegan": Subcommand(
        "a StyleGAN, from NVlabs/stylegan; no code in the file is run", {"pickle": "stylegan-ffhq"}, FOLDER, convert_stylegan
    ),
    "inception": Subcommand(
        "the Inception of the FID, from pytorch-fid",
        {"weights": "inception"},
        NPZ,
        functools.partial(convert_features, "inception", inception_params),
    ),
    "facenet": Subcommand(
        "FaceNet (Inception-ResNet v1), from facenet-pytorch",
        {"weights": "facenet"},
        NPZ,
        functools.partial(convert_features, "facenet", facenet_params),
    ),
    "vgg16": Subcommand(
        "VGG16 up to relu4_3, from torchvision",
        {"weights": "vgg16"},
        NPZ,
        functools.partial(convert_features, "vgg16", vgg16_params),
    ),
    "lpips": Subcommand(
        "LPIPS 0.1 on VGG16, from torchvision and richzhang/PerceptualSimilarity",
        {"vgg16": "vgg16", "linear": "lpips-linear"},
        NPZ,
        convert_lpips,
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a subcommand; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m jaxgan.convert", description="Convert weights of other projects.")
    subparsers = parser.add_subparsers(dest="subcommand", required=True)
    for name, subcommand in SUBCOMMANDS.items():
        subparser = subparsers.add_parser(name, help=subcommand.help, description=f"Convert {subcommand.help}.")
        for flag, source in subcommand.flags.items():
            text = f"default: {WEIGHTS[source].file}, downloaded"
            subparser.add_argument(f"--{flag}", metavar="PATH", help=text)
        subparser.add_argument("--out", required=True, metavar="PATH", help=subcommand.out)
    arguments = vars(parser.parse_args(argv))
    subcommand = SUBCOMMANDS[arguments.pop("subcommand")]
    try:
        for flag, source in subcommand.flags.items():
            if arguments[flag] is None:
                arguments[flag] = str(fetch(source))
        subcommand.convert(**arguments)
    except (CheckpointError, OSError, ValueError) as error:
        print(f"convert: {error}", file=sys.stderr)
        return 1
    print(f"wrote {arguments['out']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
