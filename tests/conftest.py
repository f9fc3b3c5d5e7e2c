"""Strict JAX for all tests and the commands they start: no silent promotion of types or ranks, and four CPU devices.

What one compiles others reuse. LLVM does not optimise: a third less time than as users compile, with the same XLA passes.
"""

import atexit
import os
import shutil
import tempfile

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "") + " --xla_force_host_platform_device_count=4 --xla_backend_optimization_level=0"
)
os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["JAX_NUMPY_DTYPE_PROMOTION"] = "strict"
os.environ["JAX_NUMPY_RANK_PROMOTION"] = "raise"
os.environ["JAX_PERSISTENT_CACHE_ENABLE_XLA_CACHES"] = "none"  # their folders' names would be part of the keys
os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0.2"
if "PYTEST_XDIST_WORKER" not in os.environ:  # workers inherit the folder, and so share what they compile
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="jaxgan-compiled-")

import jax
import pytest

if "PYTEST_XDIST_WORKER" not in os.environ:
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)


@pytest.fixture(autouse=True, scope="module")
def no_more_compiled_functions_than_needed():
    """A compiled step takes a thousand memory maps, of which Linux allows a process 65,530: beyond them it crashes."""
    yield
    jax.clear_caches()
