"""A program that reads faces and writes their descriptors: `python dlib_worker.py WEIGHTS SIZE`.

dlib's network uses one core and holds Python's lock, so only processes run it in parallel. Each face on standard input is
uint8 [SIZE, SIZE, 3], and each descriptor on standard output float64 [128]. Nothing else of this package is imported, so that
the process starts quickly.
"""

import sys

import dlib
import numpy as np


def main() -> None:
    """Describes faces until the input ends."""
    network, size = dlib.face_recognition_model_v1(sys.argv[1]), int(sys.argv[2])
    while face := sys.stdin.buffer.read(size * size * 3):
        descriptor = network.compute_face_descriptor(np.frombuffer(face, np.uint8).reshape(size, size, 3))
        sys.stdout.buffer.write(np.array(descriptor).tobytes())
        sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
