"""Measurements, and the files that reports are written to."""

import csv
import json

import numpy as np
import pytest

from jaxgan.evaluation import html, report, table1
from jaxgan.evaluation.measurement import RESAMPLES, Column, Measurement, mean_column, quantile_column
from jaxgan.evaluation.metrics import parse_metrics
from jaxgan.evaluation.pairs import INVERSION, MANIPULATED, RECONSTRUCTION, Pairs


def test_unknown_metrics_are_named():
    assert parse_metrics("csim, hausdorff,csim") == ["csim", "hausdorff"]
    with pytest.raises(ValueError, match="unknown metric 'fud', ''; known: hausdorff, nme, head, csim"):
        parse_metrics("fud,csim,")


def test_mean_column_leaves_nan_out():
    column = mean_column("a", "", "lower", {"x": [1, 2, np.nan, 6], "y": [np.nan, np.nan], "z": [4], "inf": [1, np.inf]})
    assert column.values["x"] == 3 and np.isnan(column.values["y"]) and column.values["z"] == 4
    assert column.intervals.keys() == {"x"} and column.values["inf"] == np.inf
    np.testing.assert_array_equal(column.samples["x"], [1, 2, np.nan, 6])


def test_intervals_cover_the_mean_as_often_as_they_say():
    """For 300 samples of 40 normal numbers: 95% +- 5 standard deviations of that share, or slightly less as N is small."""
    draws = np.random.default_rng(0).normal(size=(300, 40))
    column = mean_column("a", "", "lower", {str(i): numbers for i, numbers in enumerate(draws)})
    covered = np.mean([low <= 0 <= high for low, high in column.intervals.values()])
    assert 0.89 < covered < 0.98
    widths = [high - low for low, high in column.intervals.values()]
    assert np.mean(widths) == pytest.approx(2 * 1.96 / 40**0.5, rel=0.05)


def test_intervals_are_quantiles_of_resampled_statistics():
    """The mean of a resample of two numbers is one of three, and its median equals it."""
    numbers = np.array([0.0, 1.0])
    rng = np.random.default_rng(0)
    means = rng.integers(0, 2, (RESAMPLES, 2), np.int32).mean(axis=1)
    expected = tuple(np.quantile(means, [0.025, 0.975]))
    assert mean_column("a", "", "", {"x": numbers}).intervals["x"] == pytest.approx(expected)
    assert quantile_column("a", "", "", {"x": numbers}, 0.5).intervals["x"] == pytest.approx(expected)


def test_quantile_column_does_not_depend_on_blocks(monkeypatch):
    from jaxgan.evaluation import measurement

    samples = {"x": np.random.default_rng(1).normal(size=50)}
    whole = quantile_column("a", "", "", samples, 0.95)
    monkeypatch.setattr(measurement, "BLOCK", 70)
    assert quantile_column("a", "", "", samples, 0.95) == whole
    assert whole.values["x"] == np.quantile(samples["x"], 0.95) and whole.samples == {}


def made(**numbers: float) -> report.Report:
    """A report of one pair, whose columns hold a different number in every row."""
    rows = (MANIPULATED, RECONSTRUCTION, INVERSION, "copy-source")
    better = {"csim_dlib": "higher"}
    columns = [
        Column(name, f"what {name} is", better.get(name, "lower"), {row: value + i for i, row in enumerate(rows)})
        for name, value in numbers.items()
    ]
    pairs = Pairs(
        ["a.png", "b<i>.png"], np.zeros((2, 8, 8, 3)), np.zeros((2, 68, 2)), ["b<i>.png", "a.png"], np.zeros((2, 68, 2)), {}
    )
    setup = {"dataset": "faces", "portraits": 2, "resolution": 8, "detector": "dlib"}
    return report.Report(setup, [Measurement("Numbers", tuple(columns), ("one",))], ["zero"], pairs)


@pytest.fixture
def result() -> report.Report:
    first = mean_column("a", "first", "lower", {"inversion": [1, 2], "copy-source": [np.nan, np.nan]})
    second = Column("b", "second <of> two", "", {"copy-source": float("inf"), "true picture": 2.0})
    both = [Measurement("One", (first, second), ("one",)), Measurement("Two", (first,), ("two",))]
    blank = made()
    return report.Report(blank.setup, both, blank.notes, blank.pairs, {"p.png": np.zeros((2, 2, 3), np.uint8)})


def test_json_has_null_for_what_json_has_not(result):
    content = json.loads(report.to_json(result), parse_constant=pytest.fail)
    assert content["setup"] == result.setup
    assert content["rows"] == {
        "inversion": {"a": 1.5},
        "copy-source": {"a": None, "b": None},
        "true picture": {"b": 2.0},
    }
    assert content["intervals"] == {"inversion": {"a": [1.0, 2.0]}, "copy-source": {}, "true picture": {}}
    assert content["columns"]["a"] == {"description": "first", "better": "lower"}
    assert content["notes"] == ["zero", "one", "two"]


def test_markdown_tables(result):
    lines = report.to_markdown(result).splitlines()
    start = lines.index("## One")
    assert lines[start + 2 : start + 7] == [
        "|              |          a |   b |",
        "| ------------ | ---------: | --: |",
        "| inversion    | 1.5 [1, 2] |     |",
        "| copy-source  |          – | inf |",
        "| true picture |            |   2 |",
    ]
    assert "- copy-source: the source itself: the score of doing nothing" in lines
    assert "- a: first; lower is better" in lines and "- b: second <of> two" in lines and lines.count("- two") == 1


def test_csv_has_every_number(result):
    lines = list(csv.DictReader(report.to_csv(result).splitlines()))
    assert [(line["source"], line["target"], line["row"], line["a"]) for line in lines] == [
        ("a.png", "b<i>.png", "inversion", "1"),
        ("a.png", "b<i>.png", "copy-source", ""),
        ("b<i>.png", "a.png", "inversion", "2"),
        ("b<i>.png", "a.png", "copy-source", ""),
    ]


def test_html_holds_everything_and_escapes_it(result):
    text = html.page("Evaluation", result.setup, result.notes, result.tables(), result.pictures)
    assert "second &lt;of&gt; two" in text and "<of>" not in text
    assert 'src="data:image/png;base64,iVBORw0KGgo' in text and "http" not in text
    assert "<td>1.5 [1, 2]</td>" in text and "<h2>Two</h2>" in text


def test_files_are_written_whole_or_not_at_all(result, tmp_path, monkeypatch):
    paths = report.write(result, tmp_path / "out")
    there = sorted(p.name for p in (tmp_path / "out").iterdir())
    assert there == sorted(p.name for p in paths) == ["p.png", "report.html", "results.json", "samples.csv", "table.md"]
    before = (tmp_path / "out" / "p.png").read_bytes()

    def broken(picture):
        raise OSError("disk full")

    monkeypatch.setattr(report, "encode_png", broken)
    with pytest.raises(OSError, match="disk full"):
        report.write(result, tmp_path / "out")
    assert (tmp_path / "out" / "p.png").read_bytes() == before
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == there


def test_table_1_beside_the_published_numbers():
    full, naive = "Latent difference + latent cycle", "Naive"
    table = table1.table1(
        {full: made(hausdorff_legacy=0.25, csim_dlib=0.5), naive: made(hausdorff_legacy=0.125, csim_dlib=0.25)}
    )
    head, alone, first, second, source = table.cells
    assert [line[0] for line in (alone, first, second)] == [table1.INVERTER_ALONE, naive, full]  # in the published order
    assert source[0] == "baseline: copy-source"
    assert head[1:4] == ["FID recon, published", "FID manip, published", "Hausdorff (legacy), published"]
    cells = {
        name: dict(zip(head, line, strict=True))
        for name, line in zip((naive, full, "alone"), (first, second, alone), strict=True)
    }
    assert cells[full]["Hausdorff (legacy), published"] == "0.186" and cells[naive]["CSIM (legacy), published"] == "0.263"
    assert cells[naive]["Hausdorff (legacy)"] == "**0.125**" and cells[full]["Hausdorff (legacy)"] == "0.25"
    assert cells[full]["CSIM-dlib"] == "**0.5**"  # higher is better
    assert cells["alone"]["Hausdorff (legacy)"] == "2.25"  # the third row of the first report
    assert "FID recon" not in head and any("not comparable" in line for line in table.below)
    assert "<b>0.125</b>" in html.page("t", {}, [], [table], {})


def test_every_variant_has_a_row():
    assert set(table1.PUBLISHED) == {table1.INVERTER_ALONE, *table1.VARIANTS.values()}
