"""The whole chain on procedural portraits, small enough for two CPU cores: data, three training stages, evaluation.

    jaxgan demo [--out runs/demo]

After an interruption, the same command resumes.
"""

import argparse
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from jaxgan.commands import evaluate, prepare
from jaxgan.commands import train as train_command
from jaxgan.commands.main import command
from jaxgan.data.tfrecords import dataset_folder

DATASET = "procedural"
PORTRAITS = 4_400
TEST_FRACTION = 0.1
RESOLUTION = 32
SHOWN = 200  # test portraits that are measured
METRICS = "truth,nme,head,reconstruction,latents"  # dlib's descriptors would take a minute, and know no drawn faces

# Measured shares of the whole on 2 cores, for the time left: data, the three stages, evaluation.
SHARES = (0.03, 0.47, 0.23, 0.21, 0.06)


@command("demo")
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the demo; returns its exit status."""
    parser = argparse.ArgumentParser(prog="jaxgan demo", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("runs/demo"), help="folder for everything it makes")
    parser.add_argument("--config", default="demo", help="preset of the training runs (default: demo)")
    args = parser.parse_args(argv)
    data_dir = str(args.out / "data")
    data = ["--data_dir", data_dir, "--dataset", DATASET]

    def train(stage: str, *earlier: str) -> Callable[[], int]:
        flags = ["--config", args.config, "--workdir", str(args.out / stage), *data, *earlier]
        return lambda: train_command.main([stage, *flags])

    def measure() -> int:
        shown = ["--num", str(SHOWN), "--metrics", METRICS, "--figure"]
        return evaluate.main(["--workdir", str(args.out / "editor"), *data, *shown])

    parts = [
        (f"drawing {PORTRAITS:,} portraits", lambda: _draw(data_dir)),
        ("training the StyleGAN", train("stylegan")),
        ("training the inverter", train("inverter", "--stylegan", str(args.out / "stylegan"))),
        ("training the editor", train("editor", "--inverter", str(args.out / "inverter"))),
        ("measuring the edits", measure),
    ]
    started = time.perf_counter()
    for number, (what, run) in enumerate(parts):
        elapsed, done = time.perf_counter() - started, sum(SHARES[:number])
        left = f", about {elapsed / done * (1 - done) / 60:.0f} min left" if done and elapsed > 30 else ""
        print(f"\n[{number + 1}/{len(parts)}] {what}  ({elapsed / 60:.1f} min so far{left})", flush=True)
        if status := run():
            return status
    figure = args.out / "figure.png"
    shutil.copyfile(args.out / "editor" / "eval" / "figure.png", figure)
    print(_farewell(args.out, figure, (time.perf_counter() - started) / 60))
    return 0


def _draw(data_dir: str) -> int:
    if dataset_folder(data_dir, DATASET).exists():
        print("already there")
        return 0
    flags = ["--synthetic", str(PORTRAITS), "--name", DATASET, "--data_dir", data_dir, "--resolution", str(RESOLUTION)]
    return prepare.main([*flags, "--test_fraction", str(TEST_FRACTION)])


def _farewell(out: Path, figure: Path, minutes: float) -> str:
    return f"""
Done in {minutes:.1f} minutes. The figure (sources across, target landmarks down): {figure}
Sample grids of each training: {out}/*/samples; curves: tensorboard --logdir {out}

Continue with your own portraits:
  jaxgan prepare --images DIR_OR_ZIP --name faces --data_dir data --resolution 64 --detector dlib
  jaxgan train stylegan --config small --workdir runs/stylegan --data_dir data --dataset faces
  jaxgan train inverter --config small --workdir runs/inverter --data_dir data --dataset faces --stylegan runs/stylegan
  jaxgan train editor --config small --workdir runs/editor --data_dir data --dataset faces --inverter runs/inverter
  jaxgan evaluate --workdir runs/editor --data_dir data --dataset faces
  jaxgan edit --workdir runs/editor --source a.jpg --target b.jpg --out edited"""


if __name__ == "__main__":
    sys.exit(main())
