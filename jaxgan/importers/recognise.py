"""What a file is that is none to convert, by its first bytes, and which conversion another one is for."""

import mmap
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from jaxgan import storage
from jaxgan.errors import WeightsError

SIGNATURES = {  # first bytes of a file: what it is
    b"\xff\xd8\xff": "a JPEG picture, no weights",
    b"\x89PNG": "a PNG picture, no weights",
    b"\x1f\x8b": "a gzip archive; unpack it first",
    b"version https://git-lfs": "a pointer of git-lfs, not the file it stands for; `git lfs pull` fetches that",
    b"<": "a web page, not the file it leads to (a login, or Google Drive's limit of downloads)",
}
LEGACY_TORCH = b"\x80\x02\x8a\n"  # PyTorch's files from before version 1.6: a pickle that begins with a long number
# The beginning of a tensor's name that only the files of one conversion have.
NAMES = {
    "g_ema": "stylegan2",
    "encoder.input_layer.": "e4e",  # or psp
    "synthesis.b4.": "stylegan2",
    "to_rgb1.": "stylegan2",
    "synthesis.layer0.": "idinvert --generator",
    "block0.conv.": "idinvert --encoder",
    "lin0.model.": "lpips --linear",
    "features.0.": "vgg16",
    "Conv2d_1a_3x3.": "inception",
    "conv2d_1a.": "facenet",
}


def check_file(path: str | Path) -> None:
    """Checks that a file can be one of weights.

    Raises:
      FileNotFoundError: there is none.
      WeightsError: it cannot; the message says what it is.
    """
    path = Path(path)
    if path.is_dir():
        what = ", converted already" if storage.is_stored(path) else ", not a file of weights"
        raise WeightsError(f"{path}: a folder{what}")
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file")
    with path.open("rb") as file:
        start = file.read(64).lstrip()
    if not start:
        raise WeightsError(f"{path}: the file is empty")
    for signature, what in SIGNATURES.items():
        if start.startswith(signature):
            raise WeightsError(f"{path}: {what}")
    if start.startswith(b"PK\x03\x04"):
        if not zipfile.is_zipfile(path):
            raise WeightsError(f"{path}: cut short, as a download that broke off; fetch it anew")
        if not is_torch(path):
            raise WeightsError(f"{path}: a ZIP archive, and none of PyTorch's")


def is_torch(path: str | Path) -> bool:
    """Whether a file, of those that pass `check_file`, is one of PyTorch's."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            return any(name.endswith("/data.pkl") for name in archive.namelist())
    with open(path, "rb") as file:
        return file.read(len(LEGACY_TORCH)) == LEGACY_TORCH


def conversion_of(path: str | Path, content: Any = None) -> str | None:
    """The arguments of `jaxgan convert` that a file is for, by names in it; None if they say nothing.

    Args:
      content: what PyTorch reads in the file; None if it is a pickle of another project.
    """
    if content is not None:
        return next((command for name in _names(content) for start, command in NAMES.items() if name.startswith(start)), None)
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        if data.find(b"SynthesisInput") >= 0:  # StyleGAN3, for which there is none
            return None
        if data.find(b"torch_utils.persistence") >= 0 or data.find(b"mod_weight") >= 0:
            return "stylegan2"
        return "stylegan" if data.find(b"dnnlib") >= 0 else None


def _names(content: Any) -> Iterator[str]:
    """Keys of a nested dict, without the "module." that parallel training puts before them."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield str(key).removeprefix("module.")
            yield from _names(value)
