"""The evaluation script from arguments to files, with a made-up editor, dataset and detector."""

import functools
import importlib.util
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jaxgan.data.detection import DetectorError
from jaxgan.data.images import read_image

R = 16


class FakeEditor:
    """Returns its portraits, one shade brighter where they are edited."""

    resolution = R
    step = 7

    @classmethod
    def load(cls, workdir):
        if not Path(workdir).is_dir():
            raise FileNotFoundError(f"{workdir}: no checkpoint")
        return cls()

    def invert(self, images):
        return images.reshape(len(images), 1, -1).astype(np.float32)

    def render(self, latents):
        return latents.reshape(-1, R, R, 3).astype(np.uint8)

    def edit(self, images, keypoints, strength=1.0):
        return images + np.uint8(1)


def portraits(count):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 200, (count, R, R, 3), np.uint8)
    return images, rng.uniform(1, R - 1, (count, 68, 2)).astype(np.float32), [f"{i}.png" for i in range(count)]


@pytest.fixture
def script(monkeypatch, tmp_path):
    """The module eval.py. Its detector finds all landmarks at one place in every second portrait."""
    spec = importlib.util.spec_from_file_location("eval_script", Path(__file__).parents[1] / "eval.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)

    def load_split(data_dir, name, split, limit):
        assert (data_dir, name, split) == ("data", "faces", "test")
        return portraits(6 if limit is None else limit)

    def detect(images, detector):
        if detector != "dlib":
            raise DetectorError("detector face_alignment needs the packages torch and face-alignment")
        return [np.full((68, 2), 8, np.float32) if i % 2 else None for i in range(len(images))]

    monkeypatch.setattr(module, "Editor", FakeEditor)
    monkeypatch.setattr(module, "load_split", load_split)
    monkeypatch.setattr(module, "dataset_info", lambda data_dir, name, resolution: SimpleNamespace(detector="exact"))
    monkeypatch.setattr(module, "detect_landmarks", detect)
    module.run = functools.partial(run, module, tmp_path)
    return module


def run(module, workdir, *arguments):
    return module.main(["--workdir", str(workdir), "--data_dir", "data", "--dataset", "faces", *arguments])


def test_results_table_and_figure(script, tmp_path, capsys):
    assert script.run("--metrics", "hausdorff,reconstruction,truth,figure", "--num", "4") == 0
    out = tmp_path / "eval"
    assert sorted(path.name for path in out.iterdir()) == ["figure.png", "results.json", "table.md"]
    results = json.loads((out / "results.json").read_text(), parse_constant=pytest.fail)
    assert results["setup"] | {"workdir": "", "pairs": ""} == {
        "step": 7,
        "workdir": "",
        "dataset": "faces",
        "portraits": 4,
        "resolution": R,
        "detector": "dlib",
        "seed": 0,
        "pairs": "",
    }
    assert list(results["rows"]) == ["manipulated", "reconstruction", "inversion", "copy-source", "copy-target"]
    assert results["rows"]["inversion"]["mse"] == 0 and results["rows"]["inversion"]["psnr"] is None
    assert results["rows"]["reconstruction"]["mse"] == pytest.approx(1 / 127.5**2)
    assert results["rows"]["manipulated"]["undetected"] == 0.5
    assert any("truth: not taken" in note for note in results["notes"])
    table = (out / "table.md").read_text()
    assert table in capsys.readouterr().out and "| copy-source " in table
    assert read_image(out / "figure.png").shape == (5 * 130 - 2, 5 * 130 - 2, 3)


def test_the_seed_decides_everything(script, tmp_path):
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert script.run("--metrics", "hausdorff", "--out", str(tmp_path / out), "--seed", seed) == 0
    a, b, c = ((tmp_path / out / "results.json").read_text() for out in "abc")
    assert a == b and json.loads(a)["setup"]["pairs"] != json.loads(c)["setup"]["pairs"]


def test_a_missing_detector_costs_its_metrics_only(script, tmp_path):
    assert script.run("--metrics", "hausdorff,reconstruction", "--detector", "face_alignment") == 0
    results = json.loads((tmp_path / "eval" / "results.json").read_text())
    assert list(results["columns"]) == ["mse", "psnr"]
    assert any("hausdorff: not taken: detector face_alignment needs" in note for note in results["notes"])


@pytest.mark.parametrize(
    "labelled_by, words",
    [("dlib", "come from dlib as well"), ("exact", "are exact"), ("face_alignment", "are from face_alignment")],
)
def test_the_notes_say_who_labelled_the_data(script, labelled_by, words):
    assert words in script.detector_note(labelled_by, "dlib")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--metrics", "hausdorff,fud"), "unknown metric 'fud'; known: hausdorff, csim, truth, reconstruction, figure"),
        (("--num", "1"), "--num 1: pairs of source and target need at least 2 portraits"),
        (("--num", "-3"), "--num -3: pairs"),
        (("--workdir", "nowhere"), "nowhere: no checkpoint"),
    ],
)
def test_errors_are_one_line(script, tmp_path, capsys, arguments, message):
    assert script.run(*arguments) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("eval: ") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())
