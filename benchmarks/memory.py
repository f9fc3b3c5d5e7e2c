"""GB that a training step of the editor needs on a GPU of 24 GB, with a frozen StyleGAN2 of the published widths.

    pip install --no-deps jax-cuda12-plugin jax-cuda12-pjrt nvidia-cuda-nvcc-cu12
    JAX_SKIP_CUDA_CONSTRAINTS_CHECK=1 python benchmarks/memory.py \\
        --out memory.jsonl [--resolutions 1024 512 256] [--settings "remat 2"]

XLA compiles each step for an RTX 3090 (rtx3090.txtpb) from shapes alone, on a machine without a GPU, and says what it would
allocate; nothing runs. The inverter is e4e, the batch 8 on one device, and R1 is taken. The workspace of cuDNN's convolutions
and the allocator's fragments come on top.
"""

import argparse
from pathlib import Path

import ahead
from jax.experimental.topologies import get_topology_desc

from jaxgan.configs import Config, override, preset
from jaxgan.training.ahead import lower, networks_before

TARGET = Path(__file__).with_name("rtx3090.txtpb")
BATCH = 8
SETTINGS = {
    "plain": [],
    "remat": ["run.remat=true"],
    "micro 2": ["run.micro_batch=2"],
    "remat 4": ["run.remat=true", "run.micro_batch=4"],
    "remat 2": ["run.remat=true", "run.micro_batch=2"],
    "remat 1": ["run.remat=true", "run.micro_batch=1"],
}
# No device to measure kernels on, nothing to run: sizes are the same with code that is not optimised.
OPTIONS = {"xla_gpu_autotune_level": 0, "xla_gpu_enable_triton_gemm": False, "xla_backend_optimization_level": 0}


def published(resolution: int, dtype: str) -> dict[str, Config]:
    """The three stages with StyleGAN2 of the published widths (Karras et al. 2019; half of them at 256 pixels)."""
    base = 32768 if resolution > 256 else 16384

    def network(name: str) -> list[str]:
        return [f"{name}.family=stylegan2", f"{name}.fmap_base={base}", f"{name}.dtype={dtype}"]

    generator = [f"generator.resolution={resolution}", "generator.tanh=false", "generator.separate_w=false"]
    shared = [*generator, *network("generator"), *network("discriminator")]
    inverter, encoder = "kind=e4e", f"encoder.trunk.dtype={dtype}"
    editor = [f"inverter.{inverter}", f"inverter.dtype={dtype}", encoder, f"run.batch_size={BATCH}"]
    more = {
        "stylegan": ["growing.start=0"],
        "inverter": [f"trunk.{inverter}", f"trunk.dtype={dtype}"],
        "editor": editor + network("stylegan_discriminator"),
    }
    return {stage: override(preset("paper", stage), shared + more[stage]) for stage in more}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file that gets a JSON line for each step")
    parser.add_argument("--resolutions", type=int, nargs="+", default=[1024, 512, 256])
    parser.add_argument("--dtypes", nargs="+", default=["bfloat16", "float32"])
    parser.add_argument("--settings", nargs="+", choices=SETTINGS, default=list(SETTINGS))
    args = parser.parse_args()
    gpu = get_topology_desc("gpu", platform="cuda", topology="1x1x1", target_config=TARGET.read_text())
    with args.out.open("a") as out:
        for resolution in args.resolutions:
            for dtype in args.dtypes:
                configs = published(resolution, dtype)
                networks = networks_before(configs, "editor")
                for setting in args.settings:
                    config = override(configs["editor"], SETTINGS[setting])
                    found = ahead.compiled(lower(config, networks, ahead.weights(config, True), gpu.devices), OPTIONS)
                    ahead.write(out, {"resolution": resolution, "dtype": dtype, "setting": setting, **found})


if __name__ == "__main__":
    main()
