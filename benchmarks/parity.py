"""Compares networks with the recorded outputs of the originals and with plain PyTorch: errors and times in one table.

    python benchmarks/parity.py [--repeats 5]

Needs the parity fixtures in ../shared. Errors are in standard deviations of the expected output. Times are medians of single
calls on the same input, without compilation and with the default number of threads of either framework. PyTorch's columns are
left out if it is not installed.
"""

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))  # for fixtures shared with the tests

import jax
import jax.numpy as jnp
import numpy as np
from helpers.idinvert import FIXTURES as IDINVERT
from helpers.idinvert import states
from helpers.reference import drawn_state, fixture_arrays

from jaxgan.evaluation.metrics.frechet import distance, fit
from jaxgan.importers.facenet import facenet_params
from jaxgan.importers.idinvert import convert_idinvert
from jaxgan.importers.inception import inception_params
from jaxgan.importers.vgg16 import vgg16_params
from jaxgan.models.features import facenet, inception
from jaxgan.models.features import vgg16 as features
from jaxgan.models.inverter import Inverter
from jaxgan.models.stylegan import Generator, truncate


class Row(NamedTuple):
    """A network: ours on NHWC input, the peer on NCHW input, and the output of the original (NCHW)."""

    name: str
    ours: Callable[..., jax.Array]
    variables: Any
    inputs: np.ndarray
    peer: str  # function of torch_networks
    state: dict[str, np.ndarray]
    peer_inputs: np.ndarray
    expected: np.ndarray


def nhwc(images: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(images.transpose(0, 2, 3, 1))


def rows() -> list[Row]:
    """All networks of the fixtures, with their weights regenerated."""
    generator_state, encoder_state = states()
    config, networks = convert_idinvert(generator_state, encoder_state, "generator", "encoder")
    with np.load(IDINVERT / "expected.npz") as archive:
        known = {name: archive[name] for name in archive.files}
    generator, inverter = Generator(config.generator), Inverter(config.trunk, config.generator)

    def mapping(variables: dict, z: jax.Array) -> jax.Array:
        return generator.apply(variables["generator"], z, method="map")

    def truncation(variables: dict, w: jax.Array) -> jax.Array:
        return truncate(w, variables["w_avg"], 0.7)

    def synthesis(variables: dict, w: jax.Array) -> jax.Array:
        return generator.apply(variables["generator"], w, method="synthesize")

    def encoder(variables: dict, images: jax.Array) -> jax.Array:
        return inverter.apply(variables, images, False)

    def vgg16(params: dict, images: jax.Array) -> jax.Array:
        return features.VGG16().apply({"params": params}, images)

    names = ("images_uint8", "inception_pool3", "facenet_input", "facenet_embedding", "vgg16_relu4_3")
    images, pool3, faces, embedding, relu4_3 = fixture_arrays(*names)
    unit = images.astype(np.float32) / 255
    mean, deviation = (
        np.array(values, np.float32)[:, None, None] for values in (features.IMAGENET_MEAN, features.IMAGENET_STD)
    )
    for_vgg = (unit[:2] - mean) / deviation
    inception_state, facenet_state = drawn_state("inception"), drawn_state("facenet")
    vgg_state = {f"features.{name}": value for name, value in drawn_state("vgg16_features").items()}
    z, w, wplus = known["z"], known["wplus_before_truncation"], known["wplus"]
    return [
        Row("idinvert mapping", mapping, networks, z, "mapping", generator_state, z, w),
        Row("idinvert truncation", truncation, networks, w, "truncate", generator_state, w, wplus),
        Row("idinvert synthesis", synthesis, networks, wplus, "synthesis", generator_state, wplus, known["synthesis"]),
        Row(
            "idinvert encoder", encoder, networks["inverter"], nhwc(known["image"]),
            "encoder", encoder_state, known["image"], known["code"],
        ),
        Row(
            "Inception pool3", inception.inception_features, inception_params(inception_state, "inception"), nhwc(images),
            "inception", inception_state, unit, pool3,
        ),
        Row(
            "FaceNet", facenet.face_embeddings, facenet_params(facenet_state, "facenet"), nhwc(faces),
            "facenet", facenet_state, faces, embedding,
        ),
        Row(
            "VGG16 relu4_3 (float16)", vgg16, vgg16_params(vgg_state, "vgg16"), nhwc(unit[:2]) * 2 - 1,
            "vgg16", vgg_state, for_vgg, relu4_3.astype(np.float32),
        ),
    ]  # fmt: skip


def timed(call: Callable[[], Any], repeats: int) -> tuple[Any, float]:
    """The result of a call, and the median seconds of `repeats` calls after two warm-up calls."""
    result, seconds = call(), []
    call()
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return result, float(np.median(seconds))


def errors(found: np.ndarray, expected: np.ndarray) -> tuple[float, float]:
    """Maximum and mean absolute error, in standard deviations of the expected values."""
    error = np.abs(found - expected) / expected.std()
    return float(error.max()), float(error.mean())


def peer(row: Row, repeats: int) -> tuple[np.ndarray, float] | None:
    """PyTorch's result and seconds; None if it is not installed."""
    try:
        import torch
        from helpers import torch_networks
    except ImportError:
        return None
    state = {name: torch.from_numpy(np.array(value)) for name, value in row.state.items()}
    inputs = torch.from_numpy(np.array(row.peer_inputs))
    with torch.inference_mode():
        result, seconds = timed(lambda: getattr(torch_networks, row.peer)(state, inputs), repeats)
    return result.numpy(), seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=5, help="timed calls of each network (default 5)")
    repeats = parser.parse_args().repeats
    print("| network | input | max error | mean error | ours ms | PyTorch ms | ratio | PyTorch's max error |")
    print("|---|---|---|---|---|---|---|---|")
    for row in rows():
        compiled, inputs = jax.jit(row.ours), jnp.asarray(row.inputs)
        variables = jax.tree.map(jnp.asarray, row.variables)
        found, seconds = timed(lambda: jax.block_until_ready(compiled(variables, inputs)), repeats)  # noqa: B023
        found = np.asarray(found)
        found = found.transpose(0, 3, 1, 2) if found.ndim == 4 else found
        most, mean = errors(found, row.expected)
        cells = [row.name, "x".join(map(str, row.peer_inputs.shape)), f"{most:.1e}", f"{mean:.1e}", f"{seconds * 1e3:.1f}"]
        if other := peer(row, repeats):
            result, their_seconds = other
            cells += [f"{their_seconds * 1e3:.1f}", f"{their_seconds / seconds:.2f}", f"{errors(result, row.expected)[0]:.1e}"]
        print("| " + " | ".join(cells) + " |", flush=True)
    a, b, expected = fixture_arrays("fd_a", "fd_b", "fd")
    found, seconds = timed(lambda: distance(fit(a), fit(b)), repeats)
    print(f"\nFréchet distance: relative error {abs(found / float(expected) - 1):.1e}, {seconds * 1e3:.1f} ms")


if __name__ == "__main__":
    main()
