"""Measures how far StyleGAN2's networks are from the original implementation's outputs, for docs/stylegan2.md.

    python benchmarks/stylegan2_parity.py

Needs the parity fixtures in ../shared, by whose rule the weights are drawn again.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))  # for fixtures shared with the tests

import jax
import jax.numpy as jnp
import numpy as np
from helpers.stylegan2 import drawn_state, expected, real_images

from jaxgan.importers.pyramid import encoder_variables
from jaxgan.importers.stylegan2 import Published, convert
from jaxgan.importers.stylegan2_rosinality import generator_state
from jaxgan.models.families import make_discriminator, make_generator, make_inverter
from jaxgan.models.stylegan import truncate

NETWORKS = {"ada64": 256.0, "ada32_resnet_orig": None, "ada32_orig_skip": None, "ada256": None}  # and their clamps


def row(network: str, output: str, found: np.ndarray, wanted: np.ndarray) -> None:
    """Prints the largest and the mean error, in standard deviations of the output."""
    error = np.abs(np.asarray(found) - wanted) / wanted.std()
    print(f"| {network} | {output} | {error.max():.1e} | {error.mean():.1e} |", flush=True)


def nchw(images: jax.Array) -> np.ndarray:
    return np.transpose(images, (0, 3, 1, 2))


def main() -> None:
    print("| network | output | maximum | mean |\n|---|---|---|---|")
    for network, clamp in NETWORKS.items():
        states = (drawn_state(f"{network}_{part}") for part in ("generator", "discriminator"))
        config, networks = convert(Published(*states, generator_clamp=clamp, discriminator_clamp=clamp), network)
        wanted, variables = expected(network), networks["generator"]
        generator, critic = make_generator(config.generator), make_discriminator(config.discriminator)
        w = generator.apply(variables, wanted["z"], method="map")
        row(network, "w", w, wanted["w"])
        row(network, "w, psi 0.7", truncate(w, networks["w_avg"], 0.7, layers=w.shape[1]), wanted["w_psi07"])
        row(network, "w, psi 0.7, 8 layers", truncate(w, networks["w_avg"], 0.7), wanted["w_psi07_cutoff8"])
        render = jax.jit(lambda variables, w, generator=generator: generator.apply(variables, w, method="synthesize"))
        silent = {**variables, "noise": jax.tree.map(np.zeros_like, variables["noise"])}
        row(network, "image", nchw(render(variables, wanted["w"][:1])), wanted["image_const"])
        row(network, "image without noise", nchw(render(silent, wanted["w"][:1])), wanted["image_no_noise"])

        @jax.jit
        def judge(params: dict, images: jax.Array, critic: object = critic) -> tuple[jax.Array, jax.Array]:
            scores, pull_back = jax.vjp(lambda images: critic.apply({"params": params}, images), images)
            (gradient,) = pull_back(jnp.ones_like(scores))
            return scores, jnp.square(gradient).sum(axis=(1, 2, 3))

        scores, r1 = judge(networks["stylegan_discriminator"], real_images(config.generator.resolution))
        row(network, "score", scores, wanted["logits"][:, 0])
        row(network, "R1", r1, wanted["r1"])
    config, networks = convert(Published(generator_state(drawn_state("e4e256_decoder"), "e4e256")), "e4e256")
    wanted = expected("e4e256")
    image = make_generator(config.generator).apply(networks["generator"], wanted["codes_plus_average"], method="synthesize")
    row("e4e256", "image", nchw(image), wanted["image"])
    average = (np.float32(0.1) * np.random.RandomState(9).randn(14, 512)).astype(np.float32)
    for kind in ("e4e", "psp"):
        wanted, state = expected(f"{kind}256"), drawn_state(f"{kind}256_encoder")
        trunk, variables = encoder_variables(kind, state, config.generator, average, kind)
        codes = make_inverter(trunk, config.generator).apply(variables, wanted["input"].transpose(0, 2, 3, 1), False)
        row(f"{kind}256", "codes with the average", codes, wanted["codes_plus_average"])


if __name__ == "__main__":
    main()
