"""Train every row of the report's Table 1 on the same generator and inverter.

    jaxgan ablation --config demo --inverter runs/demo/inverter --data_dir runs/demo/data --dataset procedural \\
        --out runs/table1

Trains OUT/naive, OUT/naive_image, OUT/latent_difference_image, OUT/keypoint_latent and OUT/latent_difference_latent, one after
another, and prints the eval.py command that makes the table of them. After an interruption, the same command resumes.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from jaxgan.commands import train
from jaxgan.commands.main import command
from jaxgan.configs import PRESETS
from jaxgan.evaluation.table1 import VARIANTS


def folder_name(kind: str, cycle: str) -> str:
    """Name of a variant's working folder."""
    return kind if cycle == "none" else f"{kind}_{cycle}"


@command("ablation")
def main(argv: Sequence[str] | None = None) -> int:
    """Trains the variants; returns the exit status."""
    parser = argparse.ArgumentParser(prog="jaxgan ablation", description=__doc__.splitlines()[0])
    parser.add_argument("overrides", nargs="*", metavar="FIELD=VALUE", help="fields to change in every variant")
    parser.add_argument("--config", default="paper", help=f"preset to start from: {', '.join(PRESETS)} (default paper)")
    parser.add_argument("--inverter", required=True, help="working folder of the inverter training")
    parser.add_argument("--data_dir", required=True, help="folder of prepared datasets")
    parser.add_argument("--dataset", required=True, help="name of the dataset")
    parser.add_argument("--out", required=True, type=Path, help="folder of the variants' working folders")
    args = parser.parse_args(argv)
    data = ["--data_dir", args.data_dir, "--dataset", args.dataset]
    common = ["--config", args.config, "--inverter", args.inverter, *data]
    workdirs = []
    for number, ((kind, cycle), row) in enumerate(VARIANTS.items(), start=1):
        workdir = str(args.out / folder_name(kind, cycle))
        print(f"\n[{number}/{len(VARIANTS)}] {row}: {workdir}", flush=True)
        chosen = [f"encoder.kind={kind}", f"cycle={cycle}"]
        if status := train.main(["editor", "--workdir", workdir, *common, *chosen, *args.overrides]):
            return status
        workdirs.append(workdir)
    print(f"\nThe table of them:\n  jaxgan evaluate --workdirs {','.join(workdirs)} {' '.join(data)} --figure")
    return 0


if __name__ == "__main__":
    sys.exit(main())
