"""A StyleGAN's training steps on one GPU: rate, share of the peak, kernels and traffic, beside PyTorch's in the same process.

    python benchmarks/gpu.py --out gpu.jsonl [--presets portrait64 portrait128 paper] [--batches 64 128 256] [--repeats 5]

A JSON line for each form of the step, at full resolution in bfloat16, without augmentation: ours; PyTorch's with channels last
under autocast; the same with torch.compile, which knows no gradients of gradients and so no R1. GFLOP are those of the
networks' definitions (XLA's analysis before it optimises), the same for all; `of_peak` is the share of the card's dense
bfloat16 rate that they are, `images_s_bound` what its memory's rate would allow for our traffic. Elsewhere than on a known GPU
these are left out, and what is printed is a rehearsal.
"""

import argparse
import dataclasses
import itertools
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))  # for the peer shared with the tests

import ahead
import jax
from launched import CARDS, launched
from measure import Step, configs, timed, training_batch

from jaxgan.configs import PRESETS, AugmentConfig, StyleGANConfig, override

COMPARED = [name for name, stages in PRESETS.items() if stages["stylegan"].generator.family == "stylegan"]  # as the peer's


def launches(step: Callable[[], Any]) -> int:
    """Kernels that PyTorch launches on a GPU in a call."""
    import torch

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        step()
        torch.cuda.synchronize()
    return sum(event.device_type == torch.autograd.DeviceType.CUDA for event in profile.events())


def peers(config: StyleGANConfig, weight: float) -> dict[str, Callable[[], Any]]:
    """PyTorch's steps by name; that with torch.compile only where it compiles."""
    import torch
    from helpers import torch_stylegan

    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    torch.set_float32_matmul_precision("high")
    images = torch.from_numpy(training_batch(config)["image"].transpose(0, 3, 1, 2).copy()).to(device)

    def finished(trainer: torch_stylegan.Trainer) -> None:
        with torch.autocast(device, torch.bfloat16):
            trainer.step(images, weight)
        if device == "cuda":
            torch.cuda.synchronize()

    made = {"PyTorch": partial(finished, torch_stylegan.Trainer(config, device, True, True))}
    if not weight:
        trainer = torch_stylegan.Trainer(config, device, True, True)
        trainer.generator.compile()
        trainer.discriminator.compile()
        started = time.perf_counter()
        try:
            finished(trainer)
            print(f"torch.compile took {time.perf_counter() - started:.0f} s", file=sys.stderr)
            made["PyTorch, compiled"] = partial(finished, trainer)
        except Exception as error:  # whatever it may be, the other rows stand
            print(f"torch.compile: {type(error).__name__}: {str(error).splitlines()[0][:200]}", file=sys.stderr)
    return made


def measure(name: str, batch: int, r1: bool, repeats: int) -> list[dict[str, Any]]:
    """The rows of one preset's step with `batch` images, ours first."""
    config = configs(argparse.Namespace(preset=name, dtype="bfloat16"))["stylegan"]
    config = override(dataclasses.replace(config, augment=AugmentConfig()), [f"run.batch_size={batch}", "r1_interval=1"])
    ours = Step("stylegan", config, None, r1)
    steps = {"ours": ours} | peers(config, 0.5 * config.r1_gamma if r1 else 0.0)
    seconds = timed(steps, repeats)
    card = next((CARDS[each] for each in CARDS if each in jax.devices()[0].device_kind), None)
    rows = []
    for who, step in steps.items():
        rate = batch / seconds[who]
        row = {"preset": name, "batch": batch, "r1": r1, "who": who, "images_s": rate, "ms": 1e3 * seconds[who]}
        row |= {"to_ours": seconds["ours"] / seconds[who], "gflop": ours.defined_gflop}
        if card:
            row["of_peak"] = ours.defined_gflop / seconds[who] / 1e3 / card[0]
        if who == "ours":
            found = launched(ours.step.as_text())
            row |= {"compile_s": ours.compile_seconds, "kernels": found.kernels, "gb": found.gigabytes}
            if card:
                row["images_s_bound"] = batch * card[1] / found.gigabytes
        elif card:
            row["kernels"] = launches(step)
        rows.append({key: ahead.digits(value) if isinstance(value, float) else value for key, value in row.items()})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="file that gets a JSON line for each form of a step")
    parser.add_argument("--presets", nargs="+", choices=COMPARED, default=["portrait64", "portrait128"])
    parser.add_argument("--batches", type=int, nargs="+", default=[64, 128, 256])
    parser.add_argument("--repeats", type=int, default=5, help="timed calls (default %(default)s)")
    args = parser.parse_args()
    print(f"JAX {jax.__version__} on {jax.devices()[0].device_kind}", file=sys.stderr)
    with args.out.open("a") as out:
        for name, batch, r1 in itertools.product(args.presets, args.batches, (False, True)):
            for row in measure(name, batch, r1, args.repeats):
                ahead.write(out, row)


if __name__ == "__main__":
    main()
