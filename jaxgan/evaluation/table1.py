"""Table 1 of the report, with measured numbers beside the published ones."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from jaxgan.configs import EditorConfig
from jaxgan.evaluation.metrics.distribution import small_sample
from jaxgan.evaluation.pairs import COPY_SOURCE, COPY_TARGET, INVERSION, MANIPULATED, NEAREST, RANDOM, REAL, RECONSTRUCTION
from jaxgan.evaluation.report import Report, Table, number

INVERTER_ALONE = "GAN embedding (inverter alone)"
# The rows of the table in its order, by (encoder.kind, cycle)
VARIANTS = {
    ("naive", "none"): "Naive",
    ("naive", "image"): "Naive + image cycle",
    ("latent_difference", "image"): "Latent difference + image cycle",
    ("keypoint", "latent"): "Keypoint + latent cycle",
    ("latent_difference", "latent"): "Latent difference + latent cycle",
}
# FID recon, FID manip, Hausdorff, CSIM as printed (FFHQ at 128 px, 4,000 test images)
PUBLISHED = {
    INVERTER_ALONE: ("37.4", "", "", ""),
    "Naive": ("60.2", "81.3", "0.221", "0.263"),
    "Naive + image cycle": ("87.7", "84.3", "0.172", "0.235"),
    "Latent difference + image cycle": ("36.8", "42.9", "0.192", "0.438"),
    "Keypoint + latent cycle": ("38.1", "38.3", "0.182", "0.459"),
    "Latent difference + latent cycle": ("33.2", "36.7", "0.186", "0.480"),
}
BASELINES = (COPY_SOURCE, NEAREST, COPY_TARGET, RANDOM, REAL)


@dataclass(frozen=True)
class Entry:
    """A column of the table: one column of a metric, read from one row of an editor's report."""

    head: str
    column: str
    row: str  # for the editors
    alone: str | None  # for the inverter alone; None if it has no such number
    published: int | None = None  # index of the published numbers, which get a column of their own before it


ENTRIES = (
    Entry("FID recon", "fid", RECONSTRUCTION, INVERSION, 0),
    Entry("FID manip", "fid", MANIPULATED, None, 1),
    Entry("FD-dlib recon", "fd_dlib", RECONSTRUCTION, INVERSION),
    Entry("FD-dlib manip", "fd_dlib", MANIPULATED, None),
    Entry("Hausdorff (legacy)", "hausdorff_legacy", MANIPULATED, INVERSION, 2),
    Entry("Hausdorff", "hausdorff", MANIPULATED, INVERSION),
    Entry("NME", "nme", MANIPULATED, INVERSION),
    Entry("pose error", "pose", MANIPULATED, INVERSION),
    Entry("undetected", "undetected", MANIPULATED, INVERSION),
    Entry("CSIM (legacy)", "csim_legacy", MANIPULATED, INVERSION, 3),
    Entry("CSIM", "csim", MANIPULATED, INVERSION),
    Entry("CSIM-dlib", "csim_dlib", MANIPULATED, INVERSION),
    Entry("MSE recon", "mse", RECONSTRUCTION, INVERSION),
    Entry("error to the truth", "truth_mse", MANIPULATED, INVERSION),
)


def variant(config: EditorConfig) -> str:
    """Name of the row that an editor's configuration belongs to."""
    kind, cycle, layers = config.encoder.kind, config.cycle, config.encoder.edited_layers
    row = VARIANTS.get((kind, cycle)) or f"{kind.capitalize()} + {cycle} cycle"  # not in the report, as keypoint + image
    return f"{row}, first {layers} layers" if layers and kind != "naive" else row


def table1(reports: Mapping[str, Report]) -> Table:
    """Makes the table from the reports of several editors, by name, on the same pairs.

    Its lines are the inverter alone (from the first report), the editors in the published order followed by any others, and
    the baselines. The best editor of each column is in bold. Columns that no report has are left out, except published ones.
    """
    first = next(iter(reports.values()))
    order = [*VARIANTS.values()]
    named = sorted(reports, key=lambda name: order.index(name) if name in order else len(order))
    columns = [["", INVERTER_ALONE, *named, *(f"baseline: {row}" for row in BASELINES)]]
    for entry in ENTRIES:
        if entry.published is not None:
            printed = [PUBLISHED[name][entry.published] if name in PUBLISHED else "" for name in columns[0][1:]]
            columns.append([f"{entry.head}, published", *printed])
        found = [first.value(entry.alone, entry.column) if entry.alone else None]
        found += [reports[name].value(entry.row, entry.column) for name in named]
        found += [first.value(row, entry.column) for row in BASELINES]
        if any(found):
            cells = ["" if value is None else number(*value) for value in found]
            better = next(c.better for c in first.columns() if c.name == entry.column)
            editors = range(1, 1 + len(named))
            best = _best([found[i] and found[i][0] for i in editors], better)
            cells = [f"**{cell}**" if i - 1 == best else cell for i, cell in enumerate(cells)]
            columns.append([entry.head, *cells])
    lines = [list(line) for line in zip(*columns, strict=True)]
    baselines = lines[1 + 1 + len(named) :]
    kept = lines[: 2 + len(named)] + [line for line in baselines if any(line[1:])]
    return Table("Table 1", kept, _incomparable(first))


def _best(values: Sequence[float | None], better: str) -> int | None:
    """Index of the best number; None if fewer than two are known or no direction is better."""
    known = {i: value for i, value in enumerate(values) if value is not None and value == value}
    if len(known) < 2 or not better:
        return None
    return (min if better == "lower" else max)(known, key=known.__getitem__)


def _incomparable(report: Report) -> list[str]:
    setup = report.setup
    not_taken = [note for m in report.measurements if not m.columns for note in m.notes]
    few = small_sample(setup["portraits"])
    return [
        "Bold: the best measured editor in each column. Brackets: 95% bootstrap intervals over pairs.",
        "Published numbers are those of the report's Table 1: FFHQ at 128 px, 4,000 test images, landmarks by face-alignment,"
        f" millions of training images. Ours: {setup['dataset']} at {setup['resolution']} px, {setup['portraits']:,} test"
        f" portraits, landmarks by {setup['detector']}. They show the order of the variants; the numbers themselves are not"
        " comparable.",
        "Published Hausdorff distances leave out undetected faces, as the legacy column does. Published Hausdorff and CSIM use"
        " the inverter's batch statistics and published FID its running ones; ours use running ones throughout.",
        "FD-dlib and CSIM-dlib use other networks than FID and CSIM and are not comparable with them.",
        *([f"Fréchet distances: {few}."] if few else []),
        *report.notes,
        *not_taken,
    ]
