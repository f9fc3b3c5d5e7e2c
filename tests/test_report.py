"""Measurements on their way into files."""

import json

import numpy as np
import pytest

from jaxgan.metrics import parse_metrics, report
from jaxgan.metrics.measurement import Column, Measurement, mean_column


def test_unknown_metrics_are_named():
    assert parse_metrics("csim, hausdorff,csim") == ["csim", "hausdorff"]
    with pytest.raises(ValueError, match="unknown metric 'fud', ''; known: hausdorff, csim, truth"):
        parse_metrics("fud,csim,")


def test_mean_column_leaves_nan_out():
    column = mean_column("a", "", {"x": [1, 2, np.nan, 6], "y": [np.nan, np.nan], "z": [4]})
    assert column.values["x"] == 3 and column.errors["x"] == pytest.approx(np.std([1, 2, 6], ddof=1) / 3**0.5)
    assert np.isnan(column.values["y"]) and column.values["z"] == 4 and np.isnan(column.errors["z"])


@pytest.fixture
def result() -> report.Report:
    columns = (
        Column(
            "a",
            "first; lower is better",
            {"inversion": 0.25, "copy-source": float("nan")},
            {"inversion": 0.0125, "copy-source": float("nan")},
        ),
        Column("b", "second", {"copy-source": float("inf"), "true picture": 2.0}),
    )
    pictures = {"p.png": np.zeros((2, 2, 3), np.uint8)}
    both = [Measurement(columns, ("one", "two")), Measurement(columns[:1], ("two",), pictures)]
    return report.Report({"portraits": 4, "detector": "dlib"}, both, ["zero"])


def test_json_has_null_for_what_json_has_not(result):
    content = json.loads(report.to_json(result), parse_constant=pytest.fail)
    assert content["setup"] == {"portraits": 4, "detector": "dlib"}
    assert content["rows"] == {
        "inversion": {"a": 0.25},
        "copy-source": {"a": None, "b": None},
        "true picture": {"b": 2.0},
    }
    assert content["standard_errors"] == {"inversion": {"a": 0.0125}, "copy-source": {"a": None}, "true picture": {}}
    assert content["columns"] == {"a": "first; lower is better", "b": "second"}
    assert content["notes"] == ["zero", "one", "two"]


def test_markdown_table(result):
    lines = report.to_markdown(result).splitlines()
    assert lines[4:9] == [
        "|              |            a |   b |",
        "| ------------ | -----------: | --: |",
        "| inversion    | 0.25 ± 0.013 |     |",
        "| copy-source  |            – | inf |",
        "| true picture |              |   2 |",
    ]
    assert "- copy-source: the source itself: what doing nothing scores" in lines
    assert "- a: first; lower is better" in lines and lines.count("- two") == 1


def test_files_are_written_whole_or_not_at_all(result, tmp_path, monkeypatch):
    paths = report.write(result, tmp_path / "out")
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in paths)
    assert sorted(p.name for p in paths) == ["p.png", "results.json", "table.md"]
    before = (tmp_path / "out" / "p.png").read_bytes()

    def broken(picture):
        raise OSError("disk full")

    monkeypatch.setattr(report, "encode_png", broken)
    with pytest.raises(OSError, match="disk full"):
        report.write(result, tmp_path / "out")
    assert (tmp_path / "out" / "p.png").read_bytes() == before
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == sorted(p.name for p in paths)
