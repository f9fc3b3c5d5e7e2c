"""Reading and writing moving pictures: videos with sound through PyAV, GIF and WebP through Pillow without it."""

import contextlib
import importlib.util
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from PIL import Image

from jaxgan.data.images import one_line, open_file
from jaxgan.errors import ImageError, InputError
from jaxgan.photos.writing import NOTE

ANIMATIONS = {".gif": "GIF", ".webp": "WEBP"}
VIDEOS = {".mp4": "mp4", ".mov": "mov", ".mkv": "matroska"}
MISSING = 'videos other than .gif and .webp need PyAV: pip install "jaxgan[video]"'
MILLISECOND = Fraction(1, 1000)
QUALITY = "18"  # x264's constant rate factor; lower is better, 18 looks like the original


class Frame(NamedTuple):
    """A picture of a clip."""

    image: np.ndarray  # uint8 [H, W, 3]
    start: int  # in time bases of its clip
    time: float  # seconds


class Clip:
    """A file with moving pictures; iterating decodes it from the start, any number of times.

    Attributes:
      path: of the file.
      time_base: seconds of one unit of time.
      rate: frames a second, on average.
      count: number of frames as the file says, which may be wrong; None where it does not.
      end: where the last frame ends, in time bases; None where it is not known.
    """

    def __init__(self, path: str | Path):
        """Opens a clip.

        Raises:
          ImageError: it is no clip, or damaged.
          InputError: it needs PyAV, which is not installed.
          OSError: it cannot be read.
        """
        self.path = Path(path)
        open_file(self.path).close()
        self._animated = self.path.suffix.lower() in ANIMATIONS
        if not self._animated:
            check_codec(self.path)
        with self._errors():
            if self._animated:
                with Image.open(self.path) as image:
                    self.count = getattr(image, "n_frames", 1)
                    self._durations = [self._duration(image, index) for index in range(self.count)]
                self.time_base, self.end = MILLISECOND, sum(self._durations)
                self.rate = Fraction(1000 * self.count, max(self.end, 1))
            else:
                with _av().open(str(self.path)) as container:
                    if not container.streams.video:
                        raise ImageError(f"{self.path}: holds no video")
                    stream = container.streams.video[0]
                    self.time_base, self.rate = stream.time_base, stream.average_rate or Fraction(25)
                    self.count, self.end = stream.frames or None, None

    def __iter__(self) -> Iterator[Frame]:
        with self._errors():
            yield from self._pictures() if self._animated else self._video()

    def _pictures(self) -> Iterator[Frame]:
        start = 0
        with Image.open(self.path) as image:
            for index, duration in enumerate(self._durations):
                image.seek(index)
                yield Frame(np.asarray(image.convert("RGB")), start, start / 1000)
                start += duration

    def _video(self) -> Iterator[Frame]:
        with _av().open(str(self.path)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            for frame in container.decode(stream):
                image = np.rot90(frame.to_ndarray(format="rgb24"), round(getattr(frame, "rotation", 0) / 90) % 4)
                start = frame.pts if frame.pts is not None else 0
                yield Frame(np.ascontiguousarray(image), start, float(start * self.time_base))

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        """Names the file in what decoders raise."""
        try:
            yield
        except (ImageError, InputError, GeneratorExit):
            raise
        except Exception as error:
            raise ImageError(f"{self.path}: no readable clip: {one_line(error)}") from error

    @staticmethod
    def _duration(image: Image.Image, index: int) -> int:
        image.seek(index)
        image.load()  # before that, WebP has the duration of another frame
        return int(image.info.get("duration", 0)) or 100  # browsers show frames without a duration for a tenth of a second


class Writer:
    """Writes a clip frame by frame; with the sound of another one, as it is."""

    def __init__(self, file: BinaryIO, path: Path, size: tuple[int, int], like: Clip, mark: bool = True):
        """Begins a clip of frames of a size (width, height), even for videos, with the times and the sound of `like`."""
        self._file, self._format, self._like, self._mark = file, ANIMATIONS.get(path.suffix.lower()), like, mark
        self._frames: list[Image.Image] = []
        self._starts: list[int] = []
        if self._format:
            return
        self._container = _av().open(file, "w", format=VIDEOS[path.suffix.lower()])
        if mark:
            self._container.metadata["comment"] = NOTE
        self._stream = self._container.add_stream("libx264", rate=like.rate, options={"crf": QUALITY})
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        self._stream.time_base = self._stream.codec_context.time_base = like.time_base
        self._source: Any = None
        if like.path.suffix.lower() not in ANIMATIONS:
            self._source = _av().open(str(like.path))
            sounds = self._source.streams.audio
            self._sound = (sounds[0], self._container.add_stream_from_template(sounds[0])) if sounds else None

    def write(self, image: np.ndarray, start: int) -> None:
        """Adds a frame uint8 [H, W, 3] that starts at a time of `like`."""
        if self._format:
            self._frames.append(Image.fromarray(image))
            self._starts.append(start)
            return
        frame = _av().VideoFrame.from_ndarray(image, format="rgb24")
        frame.pts, frame.time_base = start, self._like.time_base
        for packet in self._stream.encode(frame):
            self._container.mux(packet)

    def close(self) -> None:
        """Ends the clip, after its last frame."""
        if self._format:
            base = self._like.time_base
            step = round(1 / self._like.rate / base)
            ends = [*self._starts[1:], self._like.end or self._starts[-1] + step]
            times = [round(1000 * (end - start) * base) for start, end in zip(self._starts, ends, strict=True)]
            more = {"comment": NOTE} if self._mark and self._format == "GIF" else {}
            first, *rest = self._frames
            first.save(self._file, self._format, save_all=True, append_images=rest, duration=times, loop=0, **more)
            return
        for packet in self._stream.encode():
            self._container.mux(packet)
        if self._source:
            if self._sound:
                there, here = self._sound
                for packet in self._source.demux(there):
                    if packet.dts is not None:  # an empty packet flushes decoders
                        packet.stream = here
                        self._container.mux(packet)
            self._source.close()
        self._container.close()


def check_codec(path: Path) -> None:
    """Raises InputError for the name of a clip that cannot be read or written here."""
    ending = path.suffix.lower()
    if ending in ANIMATIONS:
        return
    if importlib.util.find_spec("av") is None:
        raise InputError(f"{path}: {MISSING}")


def check_output(path: Path) -> None:
    """Raises InputError for the name of a clip that cannot be written."""
    known = [*VIDEOS, *ANIMATIONS]
    if path.suffix.lower() not in known:
        raise InputError(f"{path}: the name must end in {', '.join(known)}")
    check_codec(path)


def _av() -> Any:
    import av  # 34 MB, an extra

    return av
