"""Image files to RGB arrays, and square crops resampled with the landmarks kept in place."""

import io
import threading
import warnings
from pathlib import Path
from typing import BinaryIO

import numpy as np
from PIL import Image, ImageCms, ImageOps

from jaxgan.errors import ImageError

FILTERS = {
    "lanczos": Image.Resampling.LANCZOS,
    "bicubic": Image.Resampling.BICUBIC,
    "bilinear": Image.Resampling.BILINEAR,
    "box": Image.Resampling.BOX,
}
EXTENSIONS = frozenset(
    """
    .apng .avif .avifs .bmp .dib .gif .j2c .j2k .jfif .jif .jp2 .jpc .jpe .jpeg .jpf .jpg .jpx .mpo .pbm .pgm .pjp .pjpeg
    .png .pnm .ppm .tif .tiff .webp
    """.split()
)
MIN_SIDE = 16  # px; nothing smaller can hold a face that a detector would find
MAX_PIXELS = 2**26  # 67 megapixels; larger files are taken for decompression bombs
MAX_FILE_BYTES = 2**28  # 256 MiB; archives can claim any size, and devices have none
# Formats that start an interpreter (EPS) or read other files are left out.
_FORMATS = ("AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP")


def decode_image(data: bytes, alpha: bool = False) -> np.ndarray:
    """Decodes an image file of any common format to uint8 [H, W, 3], RGB.

    See `to_rgb`; of an animation the first frame is taken. With `alpha`, transparent images are [H, W, 4], not composited.

    Raises:
      ImageError: The bytes are no image, are damaged, or have fewer than MIN_SIDE pixels a side or more than
          MAX_PIXELS in all.
    """
    if not data:
        raise ImageError("unreadable: empty file")
    try:
        Image.init()  # Image.open knows only a few formats before
        formats = [name for name in _FORMATS if name in Image.OPEN]
        with _SILENCE, Image.open(io.BytesIO(data), formats=formats) as image:
            width, height = image.size
            if min(width, height) < MIN_SIDE:
                raise ImageError(f"too small: {width}x{height} px, needs {MIN_SIDE} px a side")
            if width * height > MAX_PIXELS:
                raise ImageError(f"too large: {width}x{height} px, more than {MAX_PIXELS} in all")
            return to_rgb(image, alpha)
    except ImageError:
        raise
    except Image.DecompressionBombError as error:  # names a limit of its own
        raise ImageError(f"too large: more than {MAX_PIXELS} px in all") from error
    except Image.UnidentifiedImageError as error:
        raise ImageError("unreadable: not an image of a known format") from error
    except Exception as error:  # decoders fail with whatever their format module happens to raise
        raise ImageError(f"unreadable: {one_line(error)}") from error


def to_rgb(image: Image.Image, alpha: bool = False) -> np.ndarray:
    """A picture that Pillow has opened as uint8 [H, W, 3], upright and in sRGB; with `alpha`, a transparent one as [H, W, 4].

    The EXIF orientation is applied and an embedded colour profile is converted to sRGB (damaged ones are passed over),
    transparency is composited on white, 16-bit grey is scaled to the full 8-bit range, and CMYK without a profile is converted
    without colour management.

    Raises:
      ImageError: Its pixels are of a kind that cannot be converted.
    """
    upright = _to_srgb(_upright(image))
    return np.array(upright.convert("RGBA") if alpha and upright.has_transparency_data else _to_rgb(upright))


def open_file(path: str | Path) -> BinaryIO:
    """Opens a file that is to hold an image.

    Raises:
      ImageError: It is no regular file.
      OSError: It cannot be opened.
    """
    path = Path(path)
    if path.exists() and not path.is_file():
        raise ImageError("unreadable: not a regular file")  # opening a pipe would wait for ever
    return path.open("rb")


def read_limited(file: BinaryIO) -> bytes:
    """The content of an open file.

    Raises:
      ImageError: It has more than MAX_FILE_BYTES.
    """
    data = file.read(MAX_FILE_BYTES + 1)
    if len(data) > MAX_FILE_BYTES:
        raise ImageError(f"too large: more than {MAX_FILE_BYTES} bytes")
    return data


def read_file(path: str | Path) -> bytes:
    """The content of a file that is to hold an image; see open_file and read_limited for what is raised."""
    with open_file(path) as file:
        return read_limited(file)


def read_image(path: str | Path, alpha: bool = False) -> np.ndarray:
    """Reads an image file to uint8 [H, W, 3], RGB, or [H, W, 4]; see decode_image.

    Raises:
      ImageError: The file is no usable image; the message names it.
      OSError: The file cannot be read.
    """
    try:
        return decode_image(read_file(path), alpha)
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error


def one_line(error: Exception) -> str:
    """The message of an exception on one line."""
    return " ".join(str(error).split()) or type(error).__name__


class _Silence:
    """Keeps Pillow's own warnings (damaged metadata, many pixels), which name no file, from standard error.

    Decoders run in several threads: the first one in sets the filter, the last one out takes it back.
    """

    def __init__(self) -> None:
        self._lock, self._inside = threading.Lock(), 0

    def __enter__(self) -> None:
        with self._lock:
            if self._inside == 0:
                self._filters = warnings.catch_warnings()
                self._filters.__enter__()
                warnings.filterwarnings("ignore", module=r"PIL\.")
            self._inside += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if self._inside == 0:
                self._filters.__exit__(None, None, None)


_SILENCE = _Silence()


def _upright(image: Image.Image) -> Image.Image:
    """The image turned as its EXIF orientation says."""
    image.load()  # so that damaged pixels are told from damaged metadata, which may follow them
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # damaged metadata says nothing against the pixels
        return image


def _to_srgb(image: Image.Image) -> Image.Image:
    """The image with the colours of its embedded profile converted to sRGB."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK"):
        return image
    alpha = None
    if image.has_transparency_data:
        alpha = image.convert("RGBA").getchannel("A")
    plain = image.convert({"CMYK": "CMYK", "L": "L", "1": "L", "LA": "L"}.get(image.mode, "RGB"))
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(embedded):  # already: lcms would round once more
            return image
        converted = ImageCms.profileToProfile(plain, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except Exception:  # damaged, or of another kind of colours: the pixels may still be good
        return image
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ImageError("unsupported pixels: floating point has no fixed white")
    if image.mode == "I" or image.mode.startswith("I;16"):
        grey = np.asarray(image).astype(np.int64)
        if grey.min() < 0 or grey.max() > 65535:
            raise ImageError("unsupported pixels: integers beyond 16 bits")
        return Image.fromarray(((grey + 128) // 257).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        return _on_white(image.convert("RGBA"))
    return image.convert("RGB")


def _on_white(image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")


def on_white(pixels: np.ndarray) -> np.ndarray:
    """uint8 [H, W, 4] composited on white, as [H, W, 3]; [H, W, 3] as it is."""
    return pixels if pixels.shape[2] == 3 else np.asarray(_on_white(Image.fromarray(pixels)))


def encode_png(image: np.ndarray) -> bytes:
    """Encodes uint8 [H, W, 3] as PNG; the same bytes for the same pixels."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG", compress_level=6)
    return file.getvalue()


def resample(
    image: np.ndarray, width: int, height: int, filter: str = "lanczos", box: tuple[int, int, int, int] | None = None
) -> np.ndarray:
    """Resamples uint8 [H, W, 3], or its box (left, top, right, bottom), to uint8 [height, width, 3].

    All filters of FILTERS are widened when shrinking, so they do not alias.
    """
    if image.shape[:2] == (height, width) and box in (None, (0, 0, width, height)):
        return image
    return np.array(Image.fromarray(image).resize((width, height), FILTERS[filter], box))


def enlarge(image: np.ndarray, side: int) -> np.ndarray:
    """Enlarges uint8 [H, W, 3] until its shorter side has `side` pixels; larger images come back as they are.

    Raises:
      ImageError: The enlarged image would have more than MAX_PIXELS.
    """
    height, width = image.shape[:2]
    factor = max(1.0, side / min(width, height))
    if width * height * factor**2 > MAX_PIXELS:
        raise ImageError(f"too narrow: {width}x{height} px")
    return resample(image, round(width * factor), round(height * factor))
