"""Weight files of other projects: where they are, what they should be, and a cache of them.

Checksums and sizes are those under which others pin these files; no checksum is known of Google Drive's.
"""

import dataclasses
import hashlib
import os
import urllib.error
import urllib.request
from http.client import HTTPException
from pathlib import Path

from tqdm import tqdm

from jaxgan.errors import WeightsError
from jaxgan.runtime import cache_folder

CHUNK = 1 << 20  # bytes
TIMEOUT = 60  # seconds without an answer


@dataclasses.dataclass(frozen=True)
class WeightFile:
    """One file and its origin."""

    file: str  # name in the cache
    url: str
    licence: str  # what its project says
    sha256: str | None = None  # all of the hexadecimal digest or its beginning; None where none is published
    size: int | None = None  # bytes


NVIDIA = "NVIDIA Source Code License: for research or evaluation only, non-commercial"


def _stylegan2(file: str, folder: str = "") -> WeightFile:
    """One of the networks of NVlabs/stylegan2-ada-pytorch."""
    host = "https://nvlabs-fi-cdn.nvidia.com/stylegan2-ada-pytorch/pretrained"
    return WeightFile(f"stylegan2-{file}", f"{host}/{folder}{file}", f"{NVIDIA} (NVlabs/stylegan2-ada-pytorch)")


GOOGLE_DRIVE = "https://drive.usercontent.google.com/download?export=download&confirm=t&id="
WEIGHTS = {
    "inception": WeightFile(
        "pt_inception-2015-12-05-6726825d.pth",
        "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
        "Apache 2.0 (mseitzer/pytorch-fid, from TensorFlow's models)",
        "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
        95_628_359,
    ),
    "facenet": WeightFile(
        "20180402-114759-vggface2.pt",
        "https://github.com/timesler/facenet-pytorch/releases/download/v2.2.9/20180402-114759-vggface2.pt",
        "MIT (timesler/facenet-pytorch); trained on VGGFace2",
        "281cebca8662831adb987a874bdcb36e73f5b1c6dc5ee5878f305e985625d99b",
        111_898_327,
    ),
    "vgg16": WeightFile(
        "vgg16-397923af.pth",
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        "BSD 3-clause for the code (pytorch/vision), none stated for the weights; trained on ImageNet",
        "397923af8e79cdbb6a7127f12361acd7a2f83e06b05044ddf496e83de57a5bf0",
        553_433_881,
    ),
    "lpips-linear": WeightFile(
        "lpips-v0.1-vgg.pth",
        "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity/master/lpips/weights/v0.1/vgg.pth",
        "BSD 2-clause (richzhang/PerceptualSimilarity)",
        "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
        7_289,
    ),
    "idinvert-generator": WeightFile(
        "styleganinv_ffhq256_generator.pth",
        f"{GOOGLE_DRIVE}1SjWD4slw612z2cXa3-n38JwKZXqDUerG",
        "none found (genforce/idinvert_pytorch); trained on FFHQ",
    ),
    "idinvert-encoder": WeightFile(
        "styleganinv_ffhq256_encoder.pth",
        f"{GOOGLE_DRIVE}1gij7xy05crnyA-tUTQ2F3yYlAlu6p9bO",
        "none found (genforce/idinvert_pytorch); trained on FFHQ",
    ),
    "stylegan-ffhq": WeightFile(
        "karras2019stylegan-ffhq-1024x1024.pkl",
        f"{GOOGLE_DRIVE}1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ",
        "CC BY-NC 4.0 (NVlabs/stylegan)",
    ),
    "e4e-ffhq": WeightFile(
        "e4e_ffhq_encode.pt",
        f"{GOOGLE_DRIVE}1cUv_reLE6k3604or78EranS7XzuVMWeO",
        f"MIT (omertov/encoder4editing); of its generator: {NVIDIA}",
    ),
    "psp-ffhq": WeightFile(
        "psp_ffhq_encode.pt",
        f"{GOOGLE_DRIVE}1bMTNWkh5LArlaWSc_wa8VKyq2V42T2z0",
        f"MIT (eladrich/pixel2style2pixel); of its generator: {NVIDIA}",
    ),
    "stylegan2-ffhq256": _stylegan2("ffhq-res256-mirror-paper256-noaug.pkl", "transfer-learning-source-nets/"),
    "stylegan2-ffhq512": _stylegan2("ffhq-res512-mirror-stylegan2-noaug.pkl", "transfer-learning-source-nets/"),
    "stylegan2-ffhq1024": _stylegan2("ffhq-res1024-mirror-stylegan2-noaug.pkl", "transfer-learning-source-nets/"),
    "stylegan2-metfaces": _stylegan2("metfaces.pkl"),
    "stylegan2-afhqcat": _stylegan2("afhqcat.pkl"),
    "stylegan2-afhqdog": _stylegan2("afhqdog.pkl"),
    "stylegan2-afhqwild": _stylegan2("afhqwild.pkl"),
}


def fetch(name: str, cache: str | Path | None = None) -> Path:
    """Path of a file of WEIGHTS in the cache, downloaded if it is not there; an interrupted download is resumed.

    Args:
      cache: folder; None for `cache_folder`.

    Raises:
      WeightsError: an unknown name; no download, and then the message says where to put the file; or a file with another size
        or checksum, which is renamed to end in ".bad".
    """
    if name not in WEIGHTS:
        raise WeightsError(f"unknown weights {name!r}; there are {', '.join(WEIGHTS)}")
    wanted = WEIGHTS[name]
    path = (Path(cache) if cache else cache_folder()).absolute() / wanted.file
    if path.exists():  # perhaps put there by hand
        _check(path, wanted, path)
        return path
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _download(wanted, part)
    except (OSError, HTTPException) as error:
        said = f"HTTP {error.code} {error.reason}" if isinstance(error, urllib.error.HTTPError) else error
        reason = getattr(said, "reason", said)
        raise WeightsError(f"{wanted.url}: {reason}; run again to resume, or put the file at {path}") from None
    digest = _check(part, wanted, path)
    os.replace(part, path)
    print(f"{path}: licence {wanted.licence}")
    if wanted.sha256 is None:
        print(f"{path}: not verified, as no checksum is known; its SHA-256 is {digest}")
    return path


def _download(wanted: WeightFile, part: Path) -> None:
    """Downloads into `part`, from its end on where the server can. Raises OSError or HTTPException."""
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(wanted.url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416 or not have:
            raise
        part.unlink()  # as long as the file, or longer: not a part of it
        return _download(wanted, part)
    with response:
        if response.headers.get_content_type() == "text/html":
            raise OSError("a web page came in place of the file (Google Drive's limit of downloads, a login)")
        if response.status != 206:  # the server sends everything
            have = 0
        left = response.headers["Content-Length"]
        total = have + int(left) if left else None
        with (
            part.open("ab" if have else "wb") as file,
            tqdm(desc=wanted.file, total=total, initial=have, unit="B", unit_scale=True) as bar,
        ):
            while chunk := response.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
            if total and file.tell() < total:
                raise OSError(f"the connection broke after {file.tell():,} of {total:,} bytes")


def _check(file: Path, wanted: WeightFile, path: Path) -> str:
    """The file's SHA-256. A file that is not the wanted one is renamed to `path` with ".bad" at its end."""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").hexdigest()
    size, problem = file.stat().st_size, ""
    if wanted.size is not None and size != wanted.size:
        problem = f"{size:,} bytes instead of {wanted.size:,}"
    elif wanted.sha256 is not None and not digest.startswith(wanted.sha256):
        problem = f"SHA-256 {digest} instead of {wanted.sha256}"
    if problem:
        bad = path.with_name(f"{path.name}.bad")
        os.replace(file, bad)
        raise WeightsError(f"{bad}: {problem}; run again, or put the file of {wanted.url} at {path}")
    return digest
