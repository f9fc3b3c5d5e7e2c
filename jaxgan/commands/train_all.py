"""Train StyleGAN, inverter and editor one after another, in as many runs as it takes: the same command goes on.

    jaxgan train_all --config portrait128 --packed faces-packed --out runs --export small --minutes 9 --max_file_mb 15

Stages are trained in OUT/stylegan, OUT/inverter and OUT/editor. With --minutes the next stage's steps are compiled while one
trains. With --export, small folders of the same names in EXPORT are enough to go on from, on a machine that lacks OUT. With
--table1 the other rows of the report's Table 1 follow, on the same generator and inverter. Fields are set for all stages
(run.seed=1) or for one (inverter:adam.learning_rate=0.001); those of the rows are the editor's.
"""

from jaxgan.commands import train  # first: minutes are counted from its import on

# isort: split
import argparse
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from jaxgan import storage
from jaxgan.checkpoints import Checkpoints
from jaxgan.checkpoints.training import FOLDER
from jaxgan.commands.ablation import folder_name
from jaxgan.commands.beside import compile_beside, leave
from jaxgan.commands.main import command
from jaxgan.commands.training_flags import add_training_flags, parse_training_flags
from jaxgan.configs import Config, override, preset
from jaxgan.data.partners import Partners
from jaxgan.errors import InputError, JaxganError
from jaxgan.evaluation.table1 import VARIANTS
from jaxgan.training.ahead import compile_steps, networks_before
from jaxgan.training.growing import steps
from jaxgan.training.loop import frozen_by
from jaxgan.training.stages import STAGES

LEAST = 30.0  # seconds in which a training can begin and save


class Training(NamedTuple):
    """One of the trainings, and the folders of what it starts from."""

    stage: str
    name: str  # of its folders in OUT and EXPORT
    overrides: list[str]


@command("train_all")
def main(argv: Sequence[str] | None = None) -> int:
    """Trains them; returns the exit status."""
    args = _parse(argv)
    trainings = _trainings(args)
    configs = {each.name: override(preset(args.config, each.stage), each.overrides) for each in trainings}
    if any(STAGES[each.stage].paired(configs[each.name]) for each in trainings):  # said now, not after hours
        Partners(train.open_dataset(args, configs["stylegan"]).people(), args.packed or f"{args.data_dir}/{args.dataset}")
    for number, each in enumerate(trainings):
        where = f"[{number + 1}/{len(trainings)}] {each.name}"
        if _finished(args, each, configs[each.name]):
            print(f"{where}: trained", flush=True)
            continue
        if _left(args) < LEAST:
            break
        print(f"{where}: {args.out / each.name}", flush=True)
        if args.minutes and number + 1 < len(trainings):
            _compile_beside(configs, trainings[number + 1], args)
        if status := train.main(_flags(args, each)):
            return status
        if not _finished(args, each, configs[each.name]):
            break
    else:
        print(f"all trained; the editor is in {args.out / 'editor'}")
        return 0
    print(f"the {args.minutes:g} minutes leave no time for more; the same command goes on")
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="jaxgan train_all", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("overrides", nargs="*", metavar="[STAGE:]FIELD=VALUE", help="fields to change")
    parser.add_argument("--out", required=True, type=Path, help="folder of the runs' working folders")
    parser.add_argument("--table1", action="store_true", help="train the other rows of Table 1 as well")
    add_training_flags(parser)
    args = parse_training_flags(parser, argv)
    if args.data_dir and not args.dataset:
        parser.error("--data_dir needs --dataset")
    return args


def _trainings(args: argparse.Namespace) -> list[Training]:
    """All of them in order.

    Raises:
      InputError: An override names an unknown stage.
    """
    chosen: dict[str, list[str]] = {stage: [] for stage in STAGES}
    for text in args.overrides:
        stage, field = re.fullmatch(r"(?:([^=:]*):)?(.*)", text, re.DOTALL).groups()
        if stage is not None and stage not in STAGES:
            raise InputError(f"{text}: no stage {stage!r}; there are {', '.join(STAGES)}")
        for name in [stage] if stage else STAGES:
            chosen[name].append(field)
    made = [Training(stage, stage, chosen[stage]) for stage in STAGES]
    full = preset(args.config, "editor")
    for kind, cycle in VARIANTS if args.table1 else []:
        if (kind, cycle) != (full.encoder.kind, full.cycle):
            fields = [*chosen["editor"], f"encoder.kind={kind}", f"cycle={cycle}"]
            made.append(Training("editor", folder_name(kind, cycle), fields))
    return made


def _flags(args: argparse.Namespace, each: Training) -> list[str]:
    """The arguments of `jaxgan train` for one of them."""
    flags = [each.stage, "--config", args.config, "--workdir", str(args.out / each.name)]
    flags += ["--packed", args.packed] if args.packed else ["--data_dir", args.data_dir, "--dataset", args.dataset]
    if (before := STAGES[each.stage].previous) and not _steps(args, each.name):  # a run that is resumed has kept its own copy
        flags += [f"--{before}", str(max(_steps(args, before).items(), key=lambda item: item[1])[0])]
    if args.minutes:
        flags += ["--minutes", str(args.minutes)]
    if args.export:
        flags += ["--export", str(args.export / each.name)]
        limits = {"--max_total_mb": args.max_total_mb, "--max_file_mb": args.max_file_mb}
        flags += [text for flag, value in limits.items() if value for text in (flag, str(value))]
    return flags + each.overrides


def _steps(args: argparse.Namespace, name: str) -> dict[Path, int]:
    """What there is of a training: its working folder and its export, and the newest step in each."""
    found = {}
    workdir, small = args.out / name, args.export and args.export / name
    if (workdir / FOLDER).is_dir() and (step := Checkpoints(workdir).latest_step()) is not None:
        found[workdir] = step
    if small and storage.is_stored(small):
        found[small] = storage.contents(small).about["step"]
    return found


def _finished(args: argparse.Namespace, each: Training, config: Config) -> bool:
    return max(_steps(args, each.name).values(), default=-1) >= steps(config)


def _left(args: argparse.Namespace) -> float:
    return float("inf") if not args.minutes else 60 * args.minutes - (time.monotonic() - train.STARTED)


def _compile_beside(configs: dict[str, Config], then: Training, args: argparse.Namespace) -> None:
    """Compiles the steps of the training after this one in a thread, so that it finds them in the compilation cache."""

    def work() -> None:
        try:
            stages = {stage: configs[stage] for stage in STAGES} | {then.stage: configs[then.name]}
            for stage in STAGES.values():
                if stage.previous:
                    stages[stage.name] = stage.inherit(stages[stage.name], stages[stage.previous])
            config = stages[then.stage]
            began = time.monotonic()
            count = compile_steps(config, frozen_by(config, networks_before(stages, then.stage)), lambda: _left(args) < LEAST)
            print(f"{then.name}: {count} steps compiled beside in {time.monotonic() - began:.0f} s", flush=True)
        except (JaxganError, RuntimeError) as error:  # then it is compiled when its turn comes
            print(f"{then.name}: not compiled beside: {error}", file=sys.stderr, flush=True)

    compile_beside(work)


if __name__ == "__main__":
    leave(main)
