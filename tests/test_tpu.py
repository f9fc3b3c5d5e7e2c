"""A step compiles for a TPU, by its own compiler, where that is installed."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "tpu.py"
SLICE = {"TPU_SKIP_MDS_QUERY": "1", "TPU_ACCELERATOR_TYPE": "v5litepod-8", "TPU_WORKER_HOSTNAMES": "localhost"}


@pytest.mark.skipif(not importlib.util.find_spec("libtpu"), reason='libtpu is not installed; pip install -e ".[tpu-aot]"')
def test_a_step_compiles_for_a_tpu(tmp_path):
    out = tmp_path / "tpu.jsonl"
    command = [sys.executable, BENCHMARK, "--out", out, "--preset", "tiny", "--stages", "stylegan", "--shares", "2"]
    path = os.pathsep.join([str(BENCHMARK.parents[1]), os.environ.get("PYTHONPATH", "")])
    flags = {"XLA_FLAGS": ""}  # the TPU's compiler does not know those of CPUs
    environment = os.environ | flags | SLICE | {"TPU_WORKER_ID": "0", "JAX_PLATFORMS": "cpu", "PYTHONPATH": path}
    subprocess.run([*command, "--without_r1"], env=environment, check=True, capture_output=True)
    row = json.loads(out.read_text())
    assert row["fits"] and row["gflop"] > 0 and row["gb_accessed"] > 0
