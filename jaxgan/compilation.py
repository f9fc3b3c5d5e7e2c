"""Compiled functions are kept between runs."""

import jax

from jaxgan.weights.registry import cache_folder

FOLDER = "compiled"


def keep_compiled() -> None:
    """Has JAX keep what it compiles for accelerators in `compiled` of the cache folder, and take it from there the next time.

    Not for CPUs: a process that loads a kept executable there has been seen to abort. A folder that JAX was given by its user
    (JAX_COMPILATION_CACHE_DIR) is used with any device. Asks for the devices, so hosts must have been joined before.
    """
    if jax.config.jax_compilation_cache_dir is None and jax.default_backend() != "cpu":
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / FOLDER))
