"""What editing a whole photograph costs beyond the edit itself: time and memory, by size.

    python benchmarks/photographs.py

The example portrait is enlarged and put onto a plain background; times are in seconds, memory is the process's peak.
"""

import resource
import time

import numpy as np
from PIL import Image

from jaxgan import Editor
from jaxgan.data.images import decode_image, read_image
from jaxgan.faces.target import Target
from jaxgan.photos.writing import encode

SIZES = ((640, 480), (2000, 1500), (4000, 3000), (6000, 4000), (8000, 6000))
PORTRAIT = "docs/examples/source.jpg"


def main() -> None:
    editor = Editor.pretrained()
    face = read_image(PORTRAIT)
    warm = editor.open_photo(face)
    change = Target(controls={"yaw": 10})
    warm.edit_to(change)
    print("| photograph | read | face found | edited and put back | the edit alone | written, PNG | JPEG | peak memory |")
    print("|---|---|---|---|---|---|---|---|")
    for width, height in SIZES:
        photo = np.random.default_rng(0).integers(96, 104, (height, width, 3)).astype(np.uint8)
        side = height * 3 // 4
        photo[:side, :side] = np.asarray(Image.fromarray(face).resize((side, side)))
        data = encode(photo, "jpeg")
        times = [time.perf_counter()]

        def lap(times: list[float] = times) -> None:
            times.append(time.perf_counter())

        photo = decode_image(data)
        lap()
        opened = editor.open_photo(photo)
        lap()
        made, _ = opened.edit_to(change)
        lap()
        opened.edit_to(change, paste=False)
        lap()
        encode(made)
        lap()
        encode(made, "jpeg")
        lap()
        read, found, edited, alone, png, jpeg = np.diff(times)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        cells = [f"{value:.2f}" for value in (read, found, edited, alone, png, jpeg)]
        print(f"| {width}x{height} | {' | '.join(cells)} | {peak:.2f} GiB |", flush=True)


if __name__ == "__main__":
    main()
