"""Strict JAX for all tests and the commands they start: no silent promotion of types or ranks, and four CPU devices.

What one compiles others reuse. LLVM optimises less than for users, and fusions have XLA's older code generator: half of the
time to compile, with the same XLA passes.
"""

import atexit
import os
import shutil
import tempfile
from pathlib import Path

os.environ["XLA_FLAGS"] = (
    os.environ.get("XLA_FLAGS", "")
    + " --xla_force_host_platform_device_count=4 --xla_backend_optimization_level=1 --xla_cpu_use_fusion_emitters=false"
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

# Folders of tests whose time is compilation.
STEPS = ("training", "checkpoints", "commands", "importers", "models")
# Half a minute and more, the longest first: begun last, they would have one worker wait for the other. Those that compile the
# same steps, as checkpoints/test_export.py and training/test_training.py do, are apart.
LONGEST = (
    "training/test_resume.py",
    "checkpoints/test_export.py",
    "importers/test_chain.py",
    "models/test_stylegan2.py",
    "training/test_training.py",
    "training/test_growing.py",
    "training/test_stylegan2.py",
    "test_tuning.py",
    "models/test_bfloat16.py",
    "importers/test_idinvert.py",
    "training/test_micro_batches.py",
    "video/test_clips.py",
    "commands/test_commands.py",
    "importers/test_pyramid.py",
    "test_tour.py",
)

if "PYTEST_XDIST_WORKER" not in os.environ:
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)


def pytest_configure(config):
    config.option.loadscopereorder = False  # xdist would begin with the files of the most tests


def pytest_collection_modifyitems(items):
    place = {Path(__file__).parent / name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


@pytest.fixture(autouse=True, scope="module")
def no_more_compiled_functions_than_needed():
    """A compiled step takes a thousand memory maps, of which Linux allows a process 65,530: beyond them it crashes."""
    yield
    jax.clear_caches()


@pytest.fixture(autouse=True, scope="module")
def compiled_in_less_time(request, no_more_compiled_functions_than_needed):
    """Steps run a few times each, and without LLVM's optimisations compile in two thirds of the time."""
    quick = request.path.parent.name in STEPS
    jax.config.update("jax_disable_most_optimizations", quick)
    os.environ["JAX_DISABLE_MOST_OPTIMIZATIONS"] = str(int(quick))  # for the commands that tests start
