"""Files of StyleGAN2 networks of any project, told apart by what they hold."""

from pathlib import Path

from jaxgan.configs import StyleGANConfig
from jaxgan.importers import nvlabs_pickle, persistence_pickle, stylegan2_pytorch, stylegan2_rosinality, stylegan2_tensorflow
from jaxgan.importers.recognise import check_file, is_torch
from jaxgan.importers.restricted_pickle import RefusedError, Unpickler, described, reading
from jaxgan.importers.stylegan2 import Published, convert
from jaxgan.importers.tensors import load_torch


def convert_stylegan2(path: str | Path) -> tuple[StyleGANConfig, dict]:
    """Configuration and networks of a file; see `stylegan2.convert`.

    Raises:
      FileNotFoundError: there is no such file.
      WeightsError: it holds no StyleGAN2 that ours can express; the message says what was found or refused.
    """
    return convert(read(path), path)


def read(path: str | Path) -> Published:
    """What a file says: a pickle of NVlabs', in PyTorch or TensorFlow, or a state dict of PyTorch's.

    Raises:
      FileNotFoundError, WeightsError: as of `convert_stylegan2`.
    """
    check_file(path)
    if Path(path).suffix == ".safetensors" or is_torch(path):
        return stylegan2_rosinality.published(load_torch(path), path)
    with reading(path):
        with open(path, "rb") as file:
            content = Unpickler(file, nvlabs_pickle.STAND_INS | persistence_pickle.STAND_INS, {}).load()
        if isinstance(content, dict):
            return stylegan2_pytorch.published(content)
        if isinstance(content, tuple | list):
            return stylegan2_tensorflow.published(nvlabs_pickle.typed(content))
        raise RefusedError(f"holds {described(content)}, not networks")
