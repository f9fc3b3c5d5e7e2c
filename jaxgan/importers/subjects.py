"""How the training images of a published network were cropped, by the name of its file: the files themselves do not say."""

import re
from pathlib import Path

ALIGNED = ("ffhq", "metfaces", "celebahq")  # aligned as published with FFHQ
FACELESS = ("afhq", "lsun", "cifar", "brecahad", "bedroom", "tower", "church", "horse", "cars", "cats")


def framing_of(file: str | Path, otherwise: str) -> str:
    """A value of GeneratorConfig.framing, by the words of a file's name; `otherwise` where they say nothing."""
    words = re.split(r"[^a-z0-9]+", Path(file).name.lower().replace("celeba-hq", "celebahq").replace("celeba_hq", "celebahq"))
    for framing, names in (("ffhq", ALIGNED), ("faceless", FACELESS)):
        if any(word.startswith(names) for word in words):
            return framing
    return otherwise
