"""Writes a checkpoint as a small folder, for inference, for shipping, or to resume training on another machine."""

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import jax

from jaxgan.checkpoints import Checkpoints, export, load
from jaxgan.commands.flags import positive
from jaxgan.commands.main import command
from jaxgan.data.framing import MeanFraming, measure_framing
from jaxgan.data.records import load_split
from jaxgan.errors import InputError
from jaxgan.training.stages import STAGES


@command("export")
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    parser = argparse.ArgumentParser(prog="jaxgan export", description=__doc__)
    parser.add_argument("--workdir", required=True, type=Path, help="working folder of a training run")
    parser.add_argument("--out", required=True, type=Path, help="folder to write")
    parser.add_argument("--state", action="store_true", help="write the training state too, to resume from")
    parser.add_argument("--half", action="store_true", help="half precision for networks alone")
    parser.add_argument("--max_total_mb", type=positive, help="with --state: precision is given up to stay below it")
    parser.add_argument("--max_file_mb", type=positive, help="size of the largest file")
    parser.add_argument("--data_dir", help="folder of prepared datasets")
    parser.add_argument("--dataset", help="dataset of the training run, to record how its portraits are cropped")
    args = parser.parse_args(argv)
    total, largest = (None if size is None else round(size * 1e6) for size in (args.max_total_mb, args.max_file_mb))
    loaded = load(args.workdir)
    stage = STAGES[loaded.stage]
    if args.state:
        earlier = stage.without_own(loaded.networks)
        like = jax.eval_shape(lambda: stage.init(loaded.config, earlier))
        state = Checkpoints(args.workdir).restore_state(loaded.step, like)
        limits = {"max_total_bytes": total, "max_file_bytes": largest}
        plan = export.write_run(args.out, loaded.config, earlier, state, usable=True, **limits)
        stored = ", ".join(f"{group} {kind}" for group, kind in plan.items()) or "everything in full precision"
    else:
        if total is not None:
            raise InputError("--max_total_mb goes with --state; networks alone have --half")
        named = loaded.config.generator.framing
        framing = dataclasses.asdict(loaded.framing) if isinstance(loaded.framing, MeanFraming) else None
        if args.dataset and named != "unknown":
            raise InputError(f"--dataset records how portraits are cropped, and these networks know: {named}; leave it out")
        if args.dataset:
            _, keypoints, _ = load_split(args.data_dir, args.dataset, "train")
            framing = dataclasses.asdict(measure_framing(keypoints, loaded.config.generator.resolution))
        options = {"half": args.half, "framing": framing, "max_file_bytes": largest}
        export.write_networks(args.out, loaded.step, loaded.config, loaded.networks, **options)
        stored = "half precision" if args.half else "full precision"
    sizes = [path.stat().st_size / 1e6 for path in args.out.glob("*.safetensors")]
    print(f"{args.out}: {loaded.stage} of step {loaded.step}, {stored}, {len(sizes)} files, {sum(sizes):.1f} MB")
    return 0
