"""Who is on a portrait, told from the name of its file."""

import re
from collections.abc import Callable
from typing import NamedTuple

from jaxgan.errors import InputError


class Label(NamedTuple):
    """Who is on a portrait. Frames of one clip show one person in one light: one is the true picture of an edit of another."""

    person: str  # "" where it is not known
    clip: str  # told apart within a person; "" where there are none


def labeller(pattern: str) -> Callable[[str], Label]:
    """What tells from a file's path in its source who is on it.

    Args:
      pattern: A regular expression, searched for in the path. Its group `person`, or the first, names the person, and its group
        `clip`, or the second if there is one, the clip. A path in which it is not found is of nobody known.

    Raises:
      InputError: It is no regular expression, or has no group.
    """
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError(f"--people {pattern!r} is no regular expression: {error}") from None
    person, clip = compiled.groupindex.get("person", 1), compiled.groupindex.get("clip", 2)
    if not compiled.groups or person == clip:
        raise InputError(f"--people {pattern!r} needs a group that names the person, such as '^([^_]+)_'")

    def label(file: str) -> Label:
        found = compiled.search(file)
        if not found or not found[person]:
            return Label("", "")
        return Label(found[person], (found[clip] or "") if compiled.groups > 1 else "")

    return label
