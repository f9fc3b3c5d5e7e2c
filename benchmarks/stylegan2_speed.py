"""Measures StyleGAN2's synthesis beside PyTorch's, for docs/stylegan2.md.

    python benchmarks/stylegan2_speed.py [--repeats 5]

Networks have the published shapes of FFHQ at 256 and 1024 pixels and random weights, in float32; an image at a time. Calls take
turns, so that other load on the machine hits all of them; where there is some, PyTorch waits among its threads, and a single
one may be faster. Times are medians of `repeats` after two warm-up rounds.
"""

import argparse
import os
from functools import partial

os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

import jax
import jax.numpy as jnp
import numpy as np
import torch
from measure import table, timed
from torch_stylegan2 import synthesise, tensors

from jaxgan.configs import GeneratorConfig
from jaxgan.models import pipeline
from jaxgan.models.families import make_generator

SHAPES = {256: 16384, 1024: 32768}  # pixels: fmap_base
FORMS = {"PyTorch, a kernel an image, grouped": True, "PyTorch, styles on the image": False}


def published(resolution: int) -> tuple[GeneratorConfig, dict]:
    """The configuration and variables of a generator of the published shape."""
    config = GeneratorConfig(
        family="stylegan2", resolution=resolution, separate_w=False, fmap_base=SHAPES[resolution], tanh=False
    )
    shapes = jax.eval_shape(make_generator(config).init, jax.random.key(0), jnp.zeros((1, config.latent_size)))
    rng = np.random.default_rng(0)  # compiling the initialisation would take minutes
    return config, jax.tree.map(lambda leaf: jnp.asarray(rng.standard_normal(leaf.shape, np.float32)), shapes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args()
    default = torch.get_num_threads()
    for resolution in SHAPES:
        config, variables = published(resolution)
        w = np.random.default_rng(0).standard_normal((1, config.num_layers, config.latent_size), np.float32)
        params, noise = (tensors(variables[part]["synthesis"]) for part in ("params", "noise"))

        def theirs(grouped: bool, threads: int, params: dict = params, noise: dict = noise, w: np.ndarray = w) -> torch.Tensor:
            torch.set_num_threads(threads)
            with torch.inference_mode():
                return synthesise(params, noise, torch.from_numpy(w), grouped)

        calls = {"jaxgan": partial(jax.jit(partial(pipeline.render, config)), variables, w)}
        ours = np.asarray(calls["jaxgan"]()).transpose(0, 3, 1, 2)
        for name, grouped in FORMS.items():
            error = np.abs(theirs(grouped, default).numpy() - ours).max() / ours.std()
            assert error < 1e-3, f"{name} draws other images: {error}"
            calls |= {f"{name}, {threads} threads": partial(theirs, grouped, threads) for threads in sorted({default, 1})}
        seconds = timed(calls, args.repeats)
        fastest = min(each for name, each in seconds.items() if name != "jaxgan")
        print(f"\n{resolution} px, load {os.getloadavg()[0]:.0f}\n", flush=True)
        rows = ((name, 1 / each, each * 1e3, fastest / each if name == "jaxgan" else "") for name, each in seconds.items())
        table("who|images/s|ms|to PyTorch's fastest", rows)
    print(f"\nJAX {jax.__version__}, PyTorch {torch.__version__}")


if __name__ == "__main__":
    main()
