"""What a compiled module launches on a GPU, by its text: kernels, and the bytes that they read and write."""

import math
import re
from typing import NamedTuple

# Dense TFLOP/s in bfloat16 and GB/s of memory, by what JAX calls the card: NVIDIA's data sheets of the SXM forms.
CARDS = {"A100": (312, 2039), "H100": (989, 3350), "H200": (989, 4800)}
IDLE = ("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "call", "while", "conditional", "after-all", "iota")
OPERATION = re.compile(r"^\s+(?:ROOT )?(%\S+) = (.*?) ([a-z0-9-]+)\((.*)", re.MULTILINE)
BITS = {"pred": 8, "bf16": 16}


class Launched(NamedTuple):
    kernels: int
    gigabytes: float  # arguments and results of each kernel, as if nothing stayed in a cache


def launched(compiled: str) -> Launched:
    """Of a module on one device; loops' bodies count once."""
    operations = {
        computation.split(maxsplit=1)[0]: OPERATION.findall(computation)
        for computation in compiled.split("\n\n")
        if computation.strip()
    }
    # what is called is launched one by one
    inlining = (rest for each in operations.values() for _, _, code, rest in each if code != "call")
    within = {name for rest in inlining for name in re.findall(r"(?:calls|to_apply)=(%[\w.-]+)", rest)}
    kernels, moved = 0, 0
    for computation, each in operations.items():
        if computation in within:
            continue
        shapes = {name: shape for name, shape, _, _ in each}
        for _, shape, code, rest in each:
            if code not in IDLE and not code.endswith("-done"):  # ends what its "-start" has launched
                arguments = re.findall(r"%[\w.-]+", rest.partition(")")[0])
                kernels += 1
                moved += _bytes(shape) + sum(_bytes(shapes.get(name, "")) for name in arguments)
    return Launched(kernels, moved / 1e9)


def _bytes(shape: str) -> int:
    """Of a shape such as bf16[8,4]{1,0}, or a tuple of them."""
    arrays = re.findall(r"\b(pred|bf16|[a-z]+(\d+))\[([\d,]*)\]", shape)
    sizes = (math.prod(map(int, filter(None, sides.split(",")))) for _, _, sides in arrays)
    return sum(BITS.get(kind, int(bits or 0)) // 8 * size for (kind, bits, _), size in zip(arrays, sizes, strict=True))
