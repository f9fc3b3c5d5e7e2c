"""Kernels and traffic of training steps, as XLA compiles them for an H200 that is not there.

    pip install --no-deps jax-cuda12-plugin jax-cuda12-pjrt nvidia-cuda-nvcc-cu12
    JAX_SKIP_CUDA_CONSTRAINTS_CHECK=1 python benchmarks/gpu_kernels.py --out kernels.jsonl [--presets portrait128] [--cpu_forms]

A JSON line for each stage's step in bfloat16, without R1: its kernels, what they read and write, and the images a second that
the memory's 4.8 TB/s would allow. No kernels are measured to choose the fastest, so those of a card may differ a little.
"""

import argparse
from pathlib import Path

import ahead
from jax.experimental.topologies import get_topology_desc
from launched import CARDS, launched
from tpu import configs

from jaxgan.configs import PRESETS, override
from jaxgan.models import strided
from jaxgan.training.ahead import lower, networks_before
from jaxgan.training.stages import STAGES

TARGET = Path(__file__).with_name("h200.txtpb")
_, BANDWIDTH = CARDS["H200"]
# No device to measure kernels on; kernels are counted one by one, not in command buffers.
OPTIONS = {"xla_gpu_autotune_level": 0, "xla_gpu_enable_triton_gemm": False, "xla_gpu_enable_command_buffer": ""}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file that gets a JSON line for each step")
    parser.add_argument("--presets", nargs="+", choices=PRESETS, default=["portrait64", "portrait128"])
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=["stylegan"])
    parser.add_argument("--batch", type=int, default=64, help="images a step (default %(default)s)")
    parser.add_argument("--cpu_forms", action="store_true", help="with the CPU's forms of convolutions of stride 2, to compare")
    args = parser.parse_args()
    if args.cpu_forms:
        strided._by_platform = lambda x, kernel, cpu, other: cpu(x, kernel)
    gpu = get_topology_desc("gpu", platform="cuda", topology="1x1x1", target_config=TARGET.read_text())
    with args.out.open("a") as out:
        for name in args.presets:
            made = configs(name)
            for stage in args.stages:
                config = override(made[stage], [f"run.batch_size={args.batch}"])
                lowered = lower(config, networks_before(made, stage), ahead.weights(config, False), gpu.devices)
                compiled = lowered.compile(compiler_options=OPTIONS)
                kernels, gigabytes = launched(compiled.as_text())
                row = {"preset": name, "stage": stage, "batch": args.batch, "cpu_forms": args.cpu_forms, "kernels": kernels}
                row |= {"gb": ahead.digits(gigabytes), "images_s_bound": round(args.batch * BANDWIDTH / gigabytes)}
                ahead.write(out, row | {"temp_gb": ahead.digits(compiled.memory_analysis().temp_size_in_bytes / 1e9)})


if __name__ == "__main__":
    main()
