"""Compiled functions are kept between runs."""

import jax

from jaxgan.weights.registry import cache_folder

FOLDER = "compiled"


def keep_compiled() -> None:
    """Has JAX keep what it compiles in `compiled` of the cache folder, and take it from there the next time.

    A folder that JAX was given already (JAX_COMPILATION_CACHE_DIR) stays; JAX_ENABLE_COMPILATION_CACHE=false turns it off.
    """
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(cache_folder() / FOLDER))
