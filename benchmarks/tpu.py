"""What the compiler of TPUs predicts for the training steps: compiled ahead of time, on a machine without one.

    pip install -e ".[tpu-aot]"
    TPU_SKIP_MDS_QUERY=1 TPU_ACCELERATOR_TYPE=v5litepod-8 TPU_WORKER_HOSTNAMES=localhost TPU_WORKER_ID=0 JAX_PLATFORMS=cpu \
        python benchmarks/tpu.py --out tpu.jsonl --topology v5e:2x4 --preset portrait128 [--stages editor] [--shares 8 16 32]

Each line holds a stage, images a chip and step, whether the step fits, seconds to compile it, GFLOP and GB of traffic a chip,
and the images a second that the slower of the two would allow (the roofline, Williams et al. 2009). XLA's traffic counts the
zeros with which a few channels fill 128 lanes, its FLOPs do not: `lanes` is the share of the discriminator's products that are
not of zeros, as long as channels lie in lanes. From some 128 images a chip on, images do.
"""

import argparse
import dataclasses
import math
from pathlib import Path

import ahead
import jax
from jax.experimental.topologies import get_topology_desc

from jaxgan.configs import PRESETS, Config, GrowingConfig, PerceptualConfig, override, preset
from jaxgan.models.stylegan import feature_maps
from jaxgan.training.ahead import lower, networks_before
from jaxgan.training.stages import STAGES

# TFLOP/s in bfloat16, GB/s and GB of memory of a chip: cloud.google.com/tpu/docs, pages v5e and v5p.
CHIPS = {"v5e": (197, 819, 16), "v5p": (459, 2765, 95)}
LANES = 128


def configs(name: str) -> dict[str, Config]:
    """A preset in bfloat16 at full resolution, without weights from other projects."""
    made = {}
    for stage in STAGES:
        config = preset(name, stage)
        if stage == "stylegan":
            config = dataclasses.replace(config, growing=GrowingConfig())
        elif config.perceptual.network == "vgg16":
            config = dataclasses.replace(config, perceptual=PerceptualConfig(network="discriminator", weight=0.1))
        if stage != "stylegan":
            config = dataclasses.replace(config, identity_weight=0.0)
        parts = ["generator", "discriminator", "trunk", "inverter", "stylegan_discriminator", "encoder.trunk"]
        own = [part for part in parts if hasattr(config, part.partition(".")[0])]
        made[stage] = override(config, [f"{part}.dtype=bfloat16" for part in own])
    return made


def filled_lanes(config: Config) -> float:
    """Share of the products of the discriminator's 3x3 convolutions that are not of zeros, with channels filled up to lanes."""
    real = padded = 0
    side = config.generator.resolution
    while side > 4:
        wide, narrow = feature_maps(config.discriminator, side), feature_maps(config.discriminator, side // 2)
        for outputs in (wide, narrow):
            real += side**2 * wide * outputs
            padded += side**2 * math.prod(LANES * math.ceil(width / LANES) for width in (wide, outputs))
        side //= 2
    return real / padded


def predict(config: Config, networks: dict, devices: list[jax.Device], share: int, r1: bool, chip: str) -> dict:
    """One line: the step of `share` images a device, or why it does not compile."""
    config = override(config, [f"run.batch_size={share * len(devices)}"])
    flops, traffic, memory = CHIPS[chip]
    try:
        found = ahead.compiled(lower(config, networks, ahead.weights(config, r1), devices))
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return {"fits": False, "why": str(error).splitlines()[0][:200]}
    compute, moved = found["gflop"] / flops / 1e3, found["gb_accessed"] / traffic
    return {
        "fits": found["gb"] < memory,
        **found,
        "flop_a_byte": round(found["gflop"] / found["gb_accessed"], 1),
        "bound": "compute" if compute > moved else "memory",
        "images_s": round(share / max(compute, moved)),
        "lanes": round(filled_lanes(config), 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file that gets a JSON line for each step")
    parser.add_argument("--topology", default="v5e:2x4", help="chips and how they are laid out, such as v5p:2x2x2")
    parser.add_argument("--preset", choices=PRESETS, default="portrait128")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument(
        "--shares", type=int, nargs="+", default=[8], help="images a device, tried in turn until one does not fit"
    )
    parser.add_argument("--without_r1", action="store_true")
    args = parser.parse_args()
    topology, made = get_topology_desc(platform="tpu", topology_name=args.topology), configs(args.preset)
    with args.out.open("a") as out:
        for stage in args.stages:
            networks = networks_before(made, stage)
            for share in args.shares:
                row = {
                    "topology": args.topology,
                    "preset": args.preset,
                    "stage": stage,
                    "share": share,
                    "r1": not args.without_r1,
                }
                chip = args.topology.partition(":")[0]
                found = predict(made[stage], networks, topology.devices, share, not args.without_r1, chip)
                ahead.write(out, row | found)
                if not found["fits"]:
                    break


if __name__ == "__main__":
    main()
