"""Image files of a folder or of a ZIP archive, by name."""

import os
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from jaxgan.data.images import EXTENSIONS, open_file, read_limited
from jaxgan.errors import SourceError


class Source(NamedTuple):
    """The image files of a folder or an archive."""

    files: list[str]  # sorted paths relative to the folder or archive, with forward slashes
    ignored: int  # other files found there
    open: Callable[[str], BinaryIO]  # opens one of the files; may be called from several threads

    def read(self, file: str) -> bytes:
        """The content of one of the files.

        Raises:
          ImageError: The file is too large or no regular file.
          OSError, zipfile.BadZipFile, RuntimeError: It is damaged, encrypted or not to be read.
        """
        with self.open(file) as opened:
            return read_limited(opened)


def open_source(path: str | Path) -> Source:
    """Lists the images of a folder, subfolders included, or of a ZIP archive.

    Hidden files and files without the extension of an image are counted, not listed.

    Raises:
      SourceError: The path is missing, is neither folder nor ZIP archive, or holds no image file.
    """
    path = Path(path)
    if path.is_dir():
        found = (Path(folder, name) for folder, _, files in os.walk(path) for name in files)
        names = [file.relative_to(path).as_posix() for file in found]
        opener = partial(_open_file, path)
    elif not path.exists():
        raise SourceError(f"{path}: no such folder or ZIP archive")
    else:
        try:
            archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise SourceError(f"{path}: neither a folder nor a readable ZIP archive ({error})") from error
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        opener = archive.open
    files = sorted({name for name in names if _is_image(PurePosixPath(name))})
    if not files:
        raise SourceError(f"{path}: no image files found")
    return Source(files, len(names) - len(files), opener)


def _open_file(folder: Path, name: str) -> BinaryIO:
    return open_file(folder / name)


def _is_image(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return not hidden and path.suffix.lower() in EXTENSIONS
