"""The portraits that the edit command reads, and the files it writes."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from PIL import Image

from jaxgan.data.images import read_file
from jaxgan.data.sources import describe_ignored, open_source
from jaxgan.errors import InputError, SourceError

PICTURES = {ending for ending, format in Image.registered_extensions().items() if format in Image.SAVE}
ENDINGS = {".jpeg": ".jpg"}  # other names of the endings that are written


class Portrait(NamedTuple):
    """One source portrait: its name in messages, the file to write and the way to its bytes."""

    name: str
    output: Path
    read: Callable[[], bytes]


class Remark(NamedTuple):
    """What the user should know of a source: why it gave no edit, or what was done to it."""

    name: str
    text: str
    failed: bool = True


def list_portraits(sources: Sequence[str | Path], out: Path, ending: str = ".png") -> tuple[list[Portrait], list[Remark]]:
    """Portraits of files, folders (subfolders included) and ZIP archives, and what is to be said of these.

    Outputs are named after their sources, "a.jpg" -> "a.png"; of equal names the later ones are numbered, "a-2.png". If `out`
    ends as pictures do and there is one portrait, it is the file to write.

    Raises:
      InputError: `out` is the name of a picture, of another format or for several portraits.
    """
    found: list[tuple[str, str, Callable[[], bytes]]] = []
    remarks = []
    for path in map(Path, sources):
        if path.is_dir() or path.suffix.lower() == ".zip":
            try:
                source = open_source(path)
            except SourceError as error:
                remarks.append(Remark(str(path), str(error).removeprefix(f"{path}: ")))
                continue
            if source.ignored:
                remarks.append(Remark(str(path), f"ignored {describe_ignored(source.ignored)}", failed=False))
            found += [(f"{path}/{name}", PurePosixPath(name).stem, partial(source.read, name)) for name in source.files]
        else:
            found.append((str(path), path.stem, partial(read_file, path)))
    taken: set[str] = set()
    portraits = []
    for name, stem, read in found:
        unique, number = stem, 2
        while unique.lower() in taken:  # file systems may not tell "A" from "a"
            unique, number = f"{stem}-{number}", number + 1
        taken.add(unique.lower())
        if unique != stem:
            remarks.append(Remark(name, f"its edit is named {unique}{ending}", failed=False))
        portraits.append(Portrait(name, out / f"{unique}{ending}", read))
    if out.suffix.lower() in PICTURES and not out.is_dir():
        if len(portraits) != 1:
            raise InputError(f"--out {out} is the name of a picture, for {len(portraits)} sources: name a folder")
        if ENDINGS.get(out.suffix.lower(), out.suffix.lower()) != ending:
            raise InputError(f"--out {out}: pictures are written as {ending}; --format chooses")
        portraits = [portraits[0]._replace(output=out)]
    return portraits, remarks


def check_outputs(portraits: Sequence[Portrait], inputs: Sequence[str], overwrite: bool) -> None:
    """Raises InputError if a file to be written is an input, or is there already and not to be replaced."""
    kept = {Path(name).resolve() for name in inputs}
    for portrait in portraits:
        if portrait.output.resolve() in kept:
            raise InputError(f"{portrait.output} is an input and would be overwritten: choose another --out")
    there = [portrait.output for portrait in portraits if portrait.output.exists()]
    if there and not overwrite:
        more = f" and {len(there) - 1} more are" if len(there) > 1 else " is"
        raise InputError(f"{there[0]}{more} already there: choose another --out, or --overwrite")
