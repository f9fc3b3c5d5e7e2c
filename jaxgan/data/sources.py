"""Image files of a folder or of a ZIP archive, by name."""

import hashlib
import os
import zipfile
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple

from jaxgan.data.images import EXTENSIONS, open_file, read_limited
from jaxgan.errors import SourceError


class Source(NamedTuple):
    """The image files of a folder or an archive."""

    files: list[str]  # sorted paths relative to the folder or archive, with forward slashes
    ignored: list[str]  # other files found there, sorted: hidden, or without the extension of an image
    open: Callable[[str], BinaryIO]  # opens one of the files; may be called from several threads
    size: Callable[[str], int]  # bytes of one of the files

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

    Hidden files and files without the extension of an image are named as ignored.

    Raises:
      SourceError: The path is missing, is neither folder nor ZIP archive, or holds no image file.
    """
    path = Path(path)
    if path.is_dir():
        found = (Path(folder, name) for folder, _, files in os.walk(path) for name in files)
        names = [file.relative_to(path).as_posix() for file in found]
        opener, size = partial(_open_file, path), partial(_file_size, path)
    elif not path.exists():
        raise SourceError(f"{path}: no such folder or ZIP archive")
    else:
        try:
            archive = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile) as error:
            raise SourceError(f"{path}: neither a folder nor a readable ZIP archive ({error})") from error
        names = [entry.filename for entry in archive.infolist() if not entry.is_dir()]
        opener, size = archive.open, lambda name: archive.getinfo(name).file_size
    files = sorted({name for name in names if _is_image(PurePosixPath(name))})
    if not files:
        raise SourceError(f"{path}: no image files found")
    return Source(files, sorted(set(names) - set(files)), opener, size)


def identical_files(source: Source, files: list[str]) -> dict[str, str]:
    """Files whose bytes are those of an earlier one, with the name of that one. Files that cannot be read are left out."""
    by_size: dict[int, list[str]] = {}
    for file in files:
        try:
            by_size.setdefault(source.size(file), []).append(file)
        except OSError:
            continue
    first: dict[bytes, str] = {}
    copies = {}
    for alike in by_size.values():
        for file in alike if len(alike) > 1 else ():
            try:
                digest = hashlib.sha256(source.read(file)).digest()
            except Exception:  # damaged archives; the file is reported when it is decoded
                continue
            if first.setdefault(digest, file) != file:
                copies[file] = first[digest]
    return copies


def describe_ignored(files: list[str]) -> str:
    """How many files were ignored and of what kinds: "3 files that are hidden or no images (.txt 2, .heic 1)"."""
    kinds = Counter(PurePosixPath(file).suffix.lower() or PurePosixPath(file).name for file in files)
    common = sorted(kinds.items(), key=lambda item: (-item[1], item[0]))[:5]
    listed = ", ".join(f"{kind} {count}" for kind, count in common)
    counted = "1 file that is hidden or no image" if len(files) == 1 else f"{len(files)} files that are hidden or no images"
    return f"{counted} ({listed}{', ...' if len(kinds) > 5 else ''})"


def _open_file(folder: Path, name: str) -> BinaryIO:
    return open_file(folder / name)


def _file_size(folder: Path, name: str) -> int:
    return (folder / name).stat().st_size


def _is_image(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") or part == "__MACOSX" for part in path.parts)
    return not hidden and path.suffix.lower() in EXTENSIONS
