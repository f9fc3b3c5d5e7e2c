"""Weights of other projects, converted into this project's files.

    python -m jaxgan.convert idinvert --generator G.pth --encoder E.pth --out DIR
    python -m jaxgan.convert stylegan --pickle karras2019stylegan-ffhq-1024x1024.pkl --out DIR
    python -m jaxgan.convert vgg16 --weights vgg16-397923af.pth --out vgg16.npz

DIR is then what the working folder of a training is: Editor.load, eval.py and the later trainings take it.

PyTorch's files need PyTorch to be read; nothing else here does.
"""

import argparse
import dataclasses
import functools
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.checkpoint import CheckpointError, Checkpoints
from jaxgan.config import Config
from jaxgan.weights import idinvert, nvlabs
from jaxgan.weights.facenet import facenet_params
from jaxgan.weights.inception import inception_params
from jaxgan.weights.npz import write_npz
from jaxgan.weights.tensors import load_torch_state
from jaxgan.weights.vgg16 import vgg16_params

NPZ = ".npz file to write"


@dataclasses.dataclass(frozen=True)
class Subcommand:
    """`convert` is called with one path per flag, by the flag's name, once all are given."""

    help: str
    flags: Mapping[str, str]  # name -> help
    convert: Callable[..., None]


def convert_features(
    network: str, params_of: Callable[[Mapping[str, np.ndarray], str], dict[str, Any]], weights: str, out: str
) -> None:
    """Writes the .npz of a frozen feature network from a PyTorch state dict."""
    write_npz(out, network, params_of(load_torch_state(weights), weights))


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


FOLDER = "folder to write the checkpoint to"
SUBCOMMANDS = {
    "idinvert": Subcommand(
        "generator and encoder of in-domain GAN inversion, from genforce/idinvert_pytorch",
        {"generator": "styleganinv_ffhq256_generator.pth", "encoder": "styleganinv_ffhq256_encoder.pth", "out": FOLDER},
        convert_idinvert,
    ),
    "stylegan": Subcommand(
        "a StyleGAN, from NVlabs/stylegan; no code in the file is run",
        {"pickle": "karras2019stylegan-ffhq-1024x1024.pkl, say", "out": FOLDER},
        convert_stylegan,
    ),
    "inception": Subcommand(
        "the Inception of the FID, from pytorch-fid",
        {"weights": "pt_inception-2015-12-05-6726825d.pth", "out": NPZ},
        functools.partial(convert_features, "inception", inception_params),
    ),
    "facenet": Subcommand(
        "FaceNet (Inception-ResNet v1), from facenet-pytorch",
        {"weights": "20180402-114759-vggface2.pt", "out": NPZ},
        functools.partial(convert_features, "facenet", facenet_params),
    ),
    "vgg16": Subcommand(
        "VGG16 up to relu4_3, from torchvision",
        {"weights": "vgg16-397923af.pth", "out": NPZ},
        functools.partial(convert_features, "vgg16", vgg16_params),
    ),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a subcommand; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m jaxgan.convert", description="Convert weights of other projects.")
    subparsers = parser.add_subparsers(dest="subcommand", required=True)
    for name, subcommand in SUBCOMMANDS.items():
        subparser = subparsers.add_parser(name, help=subcommand.help, description=f"Convert {subcommand.help}.")
        for flag, text in subcommand.flags.items():
            subparser.add_argument(f"--{flag}", required=True, metavar="PATH", help=text)
    arguments = vars(parser.parse_args(argv))
    subcommand = SUBCOMMANDS[arguments.pop("subcommand")]
    try:
        subcommand.convert(**arguments)
    except (CheckpointError, OSError, ValueError) as error:
        print(f"convert: {error}", file=sys.stderr)
        return 1
    print(f"wrote {arguments['out']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
