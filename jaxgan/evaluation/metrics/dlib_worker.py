"""A program that describes the faces it reads: `python dlib_worker.py WEIGHTS SIZE`.

dlib's network runs on one core and keeps Python's lock meanwhile, so that threads do not help: processes do. Reads faces, uint8
[SIZE, SIZE, 3] each, and writes for each its descriptor, float64 [128]. It imports nothing of this package, to start at once.
"""

import sys

import dlib
import numpy as np


def main() -> None:
    """Answers until the input ends."""
    network, size = dlib.face_recognition_model_v1(sys.argv[1]), int(sys.argv[2])
    while face := sys.stdin.buffer.read(size * size * 3):
        descriptor = network.compute_face_descriptor(np.frombuffer(face, np.uint8).reshape(size, size, 3))
        sys.stdout.buffer.write(np.array(descriptor).tobytes())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
