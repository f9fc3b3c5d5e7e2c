"""Finds the landmarks of portraits, or draws procedural ones, and writes a dataset.

jaxgan prepare --images PORTRAITS --name faces --data_dir data --resolution 64
"""

import argparse
from collections.abc import Sequence

from jaxgan.commands.flags import positive_whole, whole
from jaxgan.commands.main import command
from jaxgan.data.detection import DEFAULT_DETECTOR, DETECTORS
from jaxgan.data.images import FILTERS
from jaxgan.data.prepare import prepare_images, prepare_synthetic
from jaxgan.data.tfrecords import dataset_folder
from jaxgan.errors import InputError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="jaxgan prepare", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--images", metavar="DIR_OR_ZIP", help="portraits to find landmarks in")
    what.add_argument("--synthetic", type=positive_whole, metavar="N", help="draw N procedural portraits instead")
    parser.add_argument("--name", required=True, help="name of the dataset")
    parser.add_argument("--data_dir", required=True, help="folder of the datasets")
    parser.add_argument("--resolution", type=positive_whole, required=True, help="side of the stored images in pixels")
    parser.add_argument("--detector", choices=DETECTORS, default=DEFAULT_DETECTOR, help="default: %(default)s")
    parser.add_argument(
        "--framing",
        choices=("ffhq",),
        default="unknown",
        help="crop and level faces as FFHQ's, for networks trained on it; default: the largest square around the landmarks",
    )
    parser.add_argument("--filter", choices=FILTERS, default="lanczos", help="resampling; default: %(default)s")
    parser.add_argument("--test_fraction", type=float, default=0.1, help="share of test images; default: %(default)s")
    parser.add_argument(
        "--people",
        metavar="REGEX",
        help="tells from a file's path who is on it, so that a person's portraits share a split and evaluation knows them:\n"
        "group 1 the person, group 2, if any, the clip. '([^/]+)/' takes folders, '^([^_]+)_([^_]+)_' PERSON_CLIP_FRAME.jpg",
    )
    parser.add_argument("--workers", type=positive_whole, help="threads; default: one for each CPU core")
    parser.add_argument("--limit", type=positive_whole, help="try only the first LIMIT images, by name")
    parser.add_argument("--seed", type=whole, default=0, help="seed of --synthetic; default: %(default)s")
    parser.add_argument("--overwrite", action="store_true", help="replace a dataset of this name")
    return parser


@command("prepare")
def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command and returns its exit status."""
    args = _parser().parse_args(argv)
    common = {"test_fraction": args.test_fraction, "overwrite": args.overwrite}
    if args.images is not None:
        options = {
            "framing": args.framing,
            "filter": args.filter,
            "people": args.people,
            "workers": args.workers,
            "limit": args.limit,
        }
        where = (args.images, args.name, args.data_dir, args.resolution, args.detector)
        summary = prepare_images(*where, **options, **common)
    elif args.people is not None:
        raise InputError("--people reads names of files; procedural portraits are of one person each")
    elif args.framing != "unknown":
        raise InputError("--framing crops photographs; procedural portraits are drawn as they are")
    else:
        where = (args.synthetic, args.name, args.data_dir, args.resolution)
        summary = prepare_synthetic(*where, seed=args.seed, **common)
    for line in summary.lines():
        print(line)
    folder = dataset_folder(args.data_dir, args.name)
    print(f"dataset in {folder}" + (f", filter {args.filter}, detector {args.detector}" if args.images else ""))
    return 0
