"""Converts weights of other projects.

jaxgan convert idinvert --out FOLDER
jaxgan convert stylegan --pickle karras2019stylegan-ffhq-1024x1024.pkl --out FOLDER
jaxgan convert stylegan2 --weights ffhq.pkl --out FOLDER
jaxgan convert e4e --weights e4e_ffhq_encode.pt --out FOLDER
jaxgan convert vgg16 --out FOLDER

Photographs are cropped as a network's training images were, which --framing says, or else the name of its file: by FFHQ's
published alignment, not known how, or no people's faces at all.

Files that are not given are downloaded (jaxgan.importers.registry). Editor.load, eval.py and later stages read the folder of a
generator or inverter like the working folder of a training run. Only PyTorch files need PyTorch.
"""

import argparse
import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxgan import storage
from jaxgan.checkpoints import export
from jaxgan.commands.main import command
from jaxgan.configs import Config
from jaxgan.errors import CheckpointError, WeightsError
from jaxgan.importers import idinvert, nvlabs, pyramid, stylegan2_files
from jaxgan.importers.facenet import facenet_params
from jaxgan.importers.inception import inception_params
from jaxgan.importers.lpips import lpips_params
from jaxgan.importers.recognise import check_file, conversion_of, is_torch
from jaxgan.importers.registry import NVIDIA, WEIGHTS, fetch
from jaxgan.importers.subjects import framing_of
from jaxgan.importers.tensors import load_torch, load_torch_state
from jaxgan.importers.vgg16 import vgg16_params
from jaxgan.models.features.weights import save_features

CROPPED = {  # what becomes of photographs, by GeneratorConfig.framing
    "ffhq": "as FFHQ's",
    "unknown": "to the largest square around the face, as it is not known how the training images were",
    "faceless": "for none of these networks, as they draw no people's faces",
}


@dataclasses.dataclass(frozen=True)
class Subcommand:
    """`convert` is called with one path per flag, by the flag's name."""

    help: str
    flags: Mapping[str, str]  # input -> the registry's name of the file that is used if the flag is not given
    convert: Callable[..., None]
    framing: str | None = None  # of networks whose file's name does not tell theirs; None for feature networks


def convert_features(
    network: str, params_of: Callable[[Mapping[str, np.ndarray], str], dict[str, Any]], weights: str, out: str
) -> None:
    """Writes a feature network from a PyTorch state dict."""
    save_features(out, network, params_of(load_torch_state(weights), weights))


def convert_lpips(vgg16: str, linear: str, out: str) -> None:
    """Writes LPIPS from the state dicts of VGG16 and of the linear layers."""
    save_features(out, "lpips", lpips_params(load_torch_state(vgg16), load_torch_state(linear), vgg16, linear))


def convert_idinvert(generator: str, encoder: str, out: str, framing: str) -> None:
    """Writes an inverter from in-domain inversion's two state dicts."""
    made = idinvert.convert_idinvert(load_torch_state(generator), load_torch_state(encoder), generator, encoder)
    write_networks(out, framing, *made)


def convert_stylegan(pickle: str, out: str, framing: str) -> None:
    """Writes a StyleGAN from a pickle of NVlabs/stylegan."""
    write_networks(out, framing, *nvlabs.convert_stylegan(pickle))
    print_terms(pickle, f"licence {WEIGHTS['stylegan-ffhq'].licence}")


def convert_stylegan2(weights: str, out: str, framing: str) -> None:
    """Writes a StyleGAN2 from a file, or from one of the registry's by its name."""
    path = weights if weights not in WEIGHTS or Path(weights).exists() else str(fetch(weights))
    write_networks(out, framing, *stylegan2_files.convert_stylegan2(path))
    print_terms(path)


def convert_pyramid(kind: str, weights: str, out: str, framing: str) -> None:
    """Writes an inverter with its StyleGAN2 from a checkpoint of pSp or e4e."""
    write_networks(out, framing, *pyramid.convert_pyramid(kind, weights))
    print_terms(weights)


def print_terms(path: str, licence: str = NVIDIA) -> None:
    """Prints the licence of NVIDIA's weights, from which nearly all published StyleGANs descend."""
    print(f"{path}: weights that NVIDIA trained, and networks made of them, keep the {licence}")


def write_networks(out: str, framing: str, config: Config, networks: dict[str, Any]) -> None:
    """Writes networks to a folder that holds nothing of ours yet, with the framing of their training images.

    Raises:
      CheckpointError: It does.
    """
    if storage.is_stored(out) or (Path(out) / "checkpoints").exists():
        raise CheckpointError(f"{out} holds networks already; choose another --out")
    config = dataclasses.replace(config, generator=dataclasses.replace(config.generator, framing=framing))
    export.write_networks(out, 0, config, networks)
    print(f"{out}: photographs are cropped {CROPPED[framing]} (--framing {framing})")


SUBCOMMANDS = {
    "idinvert": Subcommand(
        "generator and encoder of in-domain GAN inversion, from genforce/idinvert_pytorch",
        {"generator": "idinvert-generator", "encoder": "idinvert-encoder"},
        convert_idinvert,
        framing="ffhq",
    ),
    "stylegan": Subcommand(
        "a StyleGAN, from NVlabs/stylegan; no code in the file is run",
        {"pickle": "stylegan-ffhq"},
        convert_stylegan,
        framing="unknown",
    ),
    "stylegan2": Subcommand(
        "a StyleGAN2, from NVlabs (PyTorch or TensorFlow) or rosinality/stylegan2-pytorch; no code in the file is run",
        {"weights": "stylegan2-ffhq256"},
        convert_stylegan2,
        framing="unknown",
    ),
    "e4e": Subcommand(
        "the encoder e4e with its StyleGAN2, from omertov/encoder4editing",
        {"weights": "e4e-ffhq"},
        functools.partial(convert_pyramid, "e4e"),
        framing="ffhq",
    ),
    "psp": Subcommand(
        "the encoder pSp with its StyleGAN2, from eladrich/pixel2style2pixel",
        {"weights": "psp-ffhq"},
        functools.partial(convert_pyramid, "psp"),
        framing="ffhq",
    ),
    "inception": Subcommand(
        "the Inception of the FID, from pytorch-fid",
        {"weights": "inception"},
        functools.partial(convert_features, "inception", inception_params),
    ),
    "facenet": Subcommand(
        "FaceNet (Inception-ResNet v1), from facenet-pytorch",
        {"weights": "facenet"},
        functools.partial(convert_features, "facenet", facenet_params),
    ),
    "vgg16": Subcommand(
        "VGG16 up to relu4_3, from torchvision",
        {"weights": "vgg16"},
        functools.partial(convert_features, "vgg16", vgg16_params),
    ),
    "lpips": Subcommand(
        "LPIPS 0.1 on VGG16, from torchvision and richzhang/PerceptualSimilarity",
        {"vgg16": "vgg16", "linear": "lpips-linear"},
        convert_lpips,
    ),
}


@command("convert")
def main(argv: Sequence[str] | None = None) -> int:
    """Runs a subcommand and returns the exit status."""
    parser = argparse.ArgumentParser(prog="jaxgan convert", description="Convert weights of other projects.")
    subparsers = parser.add_subparsers(dest="subcommand", required=True)
    for name, subcommand in SUBCOMMANDS.items():
        subparser = subparsers.add_parser(name, help=subcommand.help, description=f"Convert {subcommand.help}.")
        for flag, source in subcommand.flags.items():
            text = f"default: {WEIGHTS[source].file}, downloaded"
            subparser.add_argument(f"--{flag}", metavar="PATH", help=text)
        if subcommand.framing:
            text = f"how the training images were cropped; default: as the file's name says, otherwise {subcommand.framing}"
            subparser.add_argument("--framing", choices=CROPPED, help=text)
        subparser.add_argument("--out", required=True, metavar="FOLDER", help="folder to write")
    arguments = vars(parser.parse_args(argv))
    name = arguments.pop("subcommand")
    subcommand = SUBCOMMANDS[name]
    for flag, source in subcommand.flags.items():
        if arguments[flag] is None:
            arguments[flag] = str(fetch(source))
    if subcommand.framing and arguments["framing"] is None:
        named = arguments[next(iter(subcommand.flags))]  # the generator's file
        arguments["framing"] = framing_of(named, subcommand.framing)
    try:
        subcommand.convert(**arguments)
    except WeightsError as error:
        given = {flag: arguments[flag] for flag in subcommand.flags}
        raise WeightsError(f"{error}{'' if '`jaxgan convert' in str(error) else _hint(name, given)}") from None
    print(f"wrote {arguments['out']}")
    return 0


def _hint(name: str, given: Mapping[str, str]) -> str:
    """For an error of the subcommand `name`: what a file among those given (flag -> path) is for, if it is something else."""
    for flag, path in given.items():
        try:
            check_file(path)
            wanted = conversion_of(path, load_torch(path) if is_torch(path) else None)
        except (WeightsError, OSError):  # it holds nothing that could be told
            continue
        if wanted and wanted not in (name, f"{name} --{flag}") and (name, wanted) != ("psp", "e4e"):
            return f"; {Path(path).name} looks like a file for `jaxgan convert {wanted}`"
    return ""
