"""The evaluation script from arguments to files, with a made-up editor, dataset and detector."""

import functools
import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from jaxgan import storage
from jaxgan.commands import evaluate
from jaxgan.data.framing import MeanFraming
from jaxgan.data.images import read_image
from jaxgan.data.people import Label
from jaxgan.data.shape import MEAN_FACE
from jaxgan.errors import DetectorError
from jaxgan.evaluation import portraits as test_portraits
from jaxgan.evaluation import table1

R = 16


class FakeEditor:
    """Returns its portraits, brighter where they are edited, by one shade or as many as the folder's name says."""

    resolution = R
    framing = None
    step = 7
    stage = "editor"
    w_avg = np.zeros((1, R * R * 3), np.float32)

    def __init__(self, workdir):
        kind = workdir.name if workdir.name in ("naive", "keypoint") else "latent_difference"
        encoder = SimpleNamespace(kind=kind, edited_layers=0)
        self.config = SimpleNamespace(encoder=encoder, cycle="none" if kind == "naive" else "latent")
        self.stage = "inverter" if workdir.name == "inverter" else "editor"
        self.shades = 3 if kind == "naive" else 1

    @classmethod
    def load(cls, workdir):
        if not Path(workdir).is_dir():
            raise FileNotFoundError(f"{workdir}: no checkpoint")
        return cls(Path(workdir))

    def invert(self, images):
        return images.reshape(len(images), 1, -1).astype(np.float32)

    def edit_latents(self, images, keypoints, latents=None):
        return (self.invert(images) if latents is None else latents) + self.shades

    def render(self, latents):
        return latents.reshape(-1, R, R, 3).astype(np.uint8)

    def generate(self, seeds, truncation):
        return np.zeros((len(seeds), R, R, 3), np.uint8)


def portraits(count):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 200, (count, R, R, 3), np.uint8)
    return images, rng.uniform(1, R - 1, (count, 68, 2)).astype(np.float32), [f"{i}.png" for i in range(count)]


@pytest.fixture
def script(monkeypatch, tmp_path):
    """The module eval.py. Its detector finds all landmarks at one place in every second portrait."""
    module = importlib.reload(evaluate)

    def load_split(data_dir, name, split, limit=None):
        assert (data_dir, name) == ("data", "faces") and split in ("test", "train")
        return portraits(6 if limit is None else limit)

    def detect(images, detector):
        if detector != "dlib":
            raise DetectorError("detector face_alignment needs the packages torch and face-alignment")
        return [np.full((68, 2), 8, np.float32) if i % 2 else None for i in range(len(images))]

    monkeypatch.setattr(module, "Editor", FakeEditor)
    monkeypatch.setattr(test_portraits, "load_split", load_split)
    monkeypatch.setattr(test_portraits, "load_labels", lambda *which: None)
    info = SimpleNamespace(name="faces", resolution=R, detector="exact", filter="lanczos", num_train=6)
    monkeypatch.setattr(test_portraits, "dataset_info", lambda data_dir, name, resolution: info)
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(module, "detect_landmarks", detect)
    module.run = functools.partial(run, module, tmp_path)
    return module


def run(module, workdir, *arguments):
    which = [] if "--workdirs" in arguments else ["--workdir", str(workdir)]
    return module.main([*which, "--data_dir", "data", "--dataset", "faces", *arguments])


def test_results_table_and_figure(script, tmp_path, capsys):
    assert script.run("--metrics", "hausdorff,reconstruction,truth", "--figure", "--num", "4") == 0
    out = tmp_path / "eval"
    names = ["figure.png", "report.html", "results.json", "samples.csv", "table.md"]
    assert sorted(path.name for path in out.iterdir()) == names
    results = json.loads((out / "results.json").read_text(), parse_constant=pytest.fail)
    assert results["setup"] | {"workdir": "", "pairs": ""} == {
        "step": 7,
        "workdir": "",
        "dataset": "faces",
        "pairs_of": "other people's portraits",
        "landmarks": "as they are",
        "portraits": 4,
        "resolution": R,
        "filter": "lanczos",
        "detector": "dlib",
        "seed": 0,
        "pairs": "",
        "images_per_second": None,
    }
    rows = results["rows"]
    asked = ["manipulated", "reconstruction", "cycle", "inversion", "copy-source", "nearest real", "copy-target"]
    assert list(rows) == asked
    assert rows["inversion"]["mse"] == 0 and rows["inversion"]["psnr"] is None
    assert rows["reconstruction"]["mse"] == pytest.approx(1 / 127.5**2)
    assert rows["cycle"]["mse"] == pytest.approx(4 / 127.5**2)
    assert rows["manipulated"]["undetected"] == 0.5
    assert any("truth: not taken" in note for note in results["notes"])
    table = (out / "table.md").read_text()
    assert table in capsys.readouterr().out and "| copy-source " in table
    assert read_image(out / "figure.png").shape == (5 * 130 - 2, 5 * 130 - 2, 3)
    assert (out / "samples.csv").read_text().count("\n") == 1 + 4 * len(asked)


def test_table_1_of_several_editors(script, tmp_path, capsys):
    for name in ("full", "naive", "keypoint"):
        (tmp_path / name).mkdir()
    folders = ",".join(str(tmp_path / name) for name in ("full", "naive", "keypoint"))
    assert script.run("--workdirs", folders, "--metrics", "reconstruction,fid", "--figure") == 0
    table = (tmp_path / "table1" / "table1.md").read_text()
    for note in (
        "Fréchet distances: N = 6 is below 2,048",
        "landmarks are exact, those of outputs",
        "fid: not taken: needs Inception",
    ):
        assert table.count(note) == 1
    assert table in capsys.readouterr().out
    lines = [line.split("|")[1].strip() for line in table.splitlines() if line.startswith("|")]
    assert lines[1:6] == [
        lines[1],
        "GAN embedding (inverter alone)",
        "Naive",
        "Keypoint + latent cycle",
        "Latent difference + latent cycle",
    ]
    assert "baseline: copy-source" in lines and "6 test portraits" in table
    assert (tmp_path / "table1" / "table1.html").exists() and (tmp_path / "table1" / "figure.png").exists()
    errors = [json.loads((tmp_path / name / "eval" / "results.json").read_text()) for name in ("full", "naive")]
    assert [each["rows"]["reconstruction"]["mse"] * 127.5**2 for each in errors] == pytest.approx([1, 9])
    assert errors[0]["setup"]["pairs"] == errors[1]["setup"]["pairs"]


@pytest.mark.parametrize(
    ("kind", "cycle", "row"),
    [("keypoint", "latent", "Keypoint + latent cycle, first 4 layers"), ("naive", "image", "Naive + image cycle")],
)
def test_shifts_of_few_layers_are_a_row_of_their_own(kind, cycle, row):
    encoder = SimpleNamespace(kind=kind, edited_layers=4)  # which the naive encoder does not read
    assert table1.variant(SimpleNamespace(encoder=encoder, cycle=cycle)) == row


def test_the_seed_decides_everything(script, tmp_path):
    for out, seed in (("a", "1"), ("b", "1"), ("c", "2")):
        assert script.run("--metrics", "hausdorff", "--out", str(tmp_path / out), "--seed", seed) == 0
    a, b, c = ((tmp_path / out / "results.json").read_text() for out in "abc")
    assert a == b and json.loads(a)["setup"]["pairs"] != json.loads(c)["setup"]["pairs"]


def test_a_missing_detector_costs_its_metrics_only(script, tmp_path):
    assert script.run("--metrics", "hausdorff,reconstruction", "--detector", "face_alignment") == 0
    results = json.loads((tmp_path / "eval" / "results.json").read_text())
    assert list(results["columns"]) == ["mse", "psnr", "ssim"]
    assert any("hausdorff: not taken: detector face_alignment needs" in note for note in results["notes"])


def test_a_metric_that_fails_costs_its_own_numbers_only(script, tmp_path, capsys, monkeypatch):
    monkeypatch.setitem(script.METRICS, "nme", lambda edits: 1 / 0)
    assert script.run("--metrics", "nme,reconstruction") == 1
    results = json.loads((tmp_path / "eval" / "results.json").read_text())
    assert list(results["columns"]) == ["mse", "psnr", "ssim"]
    assert "nme: failed: ZeroDivisionError: division by zero" in results["notes"]
    error = capsys.readouterr().err
    assert "Traceback" in error and error.endswith("evaluate: nme: failed: ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize(
    "labelled_by, words",
    [("dlib", "come from dlib as well"), ("exact", "are exact"), ("face_alignment", "are from face_alignment")],
)
def test_the_notes_say_who_labelled_the_data(script, labelled_by, words):
    assert words in script.detector_note(labelled_by, "dlib")


def test_features_are_kept_by_the_weights_that_they_are_of(script, tmp_path, monkeypatch):
    monkeypatch.setitem(script.NETWORKS, "inception", lambda path: path)
    (tmp_path / "cache").mkdir()

    def tools(*flags):
        common = ["--workdir", "w", "--data_dir", "data", "--dataset", "faces"]
        return script.instruments(script.parse_args([*common, *flags]))

    assert tools().inception is None and tools().cache is None
    for number, folder in enumerate((tmp_path / "cache" / "inception", tmp_path / "other")):
        storage.write(folder, "inception", {"number": np.array(number)}, {})
    cached, other = tools(), tools("--inception", str(tmp_path / "other"))
    assert cached.inception == tmp_path / "cache" / "inception" and other.inception == tmp_path / "other"
    assert cached.cache != other.cache and cached.cache.parent == other.cache.parent == tmp_path / "cache" / "features"


def test_an_inverter_has_no_place_in_table_1(script, tmp_path, capsys):
    for name in ("full", "inverter"):
        (tmp_path / name).mkdir()
    assert script.run("--workdirs", f"{tmp_path}/full,{tmp_path}/inverter") == 1
    assert "is of the inverter training; Table 1, figure and personal edits are of editors" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments, message",
    [
        (("--metrics", "hausdorff,fud"), "unknown metric 'fud'; known: hausdorff, nme, head, csim"),
        (("--num", "1"), "--num 1: pairs of source and target need at least 2 portraits"),
        (("--workdir", "nowhere"), "nowhere: no checkpoint"),
        (("--inception", "missing"), "missing: no weights there; `jaxgan convert inception` writes them"),
    ],
)
def test_errors_are_one_line(script, tmp_path, capsys, arguments, message):
    assert script.run(*arguments) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("evaluate: ") and error.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_pairs_of_the_same_person_have_a_folder_of_their_own(script, monkeypatch, tmp_path):
    labels = [Label(f"{i // 2}", "clip") for i in range(6)]
    monkeypatch.setattr(test_portraits, "load_labels", lambda data_dir, name, split, limit: labels[:limit])
    assert script.run("--metrics", "truth", "--pairs", "both", "--num", "4") == 0
    other, same = (json.loads((tmp_path / folder / "results.json").read_text()) for folder in ("eval", "eval/same"))
    assert (other["setup"]["portraits"], same["setup"]["portraits"]) == (4, 3)
    assert "truth_mse" not in other["columns"] and [*same["columns"]] == ["truth_mse", "truth_ssim"]
    assert same["setup"]["pairs_of"] == "frames of the same clip"


def test_retargeted_landmarks_are_those_asked_for(script, monkeypatch, tmp_path):
    points = np.stack([MEAN_FACE * [width, 3.0] + R / 2 for width in np.linspace(2.5, 3.5, 4)]).astype(np.float32)
    monkeypatch.setattr(test_portraits, "load_split", lambda *which: (portraits(4)[0], points, portraits(4)[2]))
    monkeypatch.setattr(FakeEditor, "place", lambda self, keypoints: keypoints, raising=False)
    errors = []
    for flags in ((), ("--retarget",)):
        monkeypatch.setattr(script, "detect_landmarks", lambda images, detector: [*points])
        assert script.run("--metrics", "nme", "--out", str(tmp_path / "out"), *flags) == 0
        results = json.loads((tmp_path / "out" / "results.json").read_text())
        errors.append(results["rows"]["copy-source"]["nme"])
    # the sources have their own bones already; faces of other widths were drawn on them
    assert results["setup"]["landmarks"] == "retargeted" and errors[1] < 0.6 * errors[0]


def test_personal_edits_are_a_row(script, monkeypatch, tmp_path):
    monkeypatch.setattr(FakeEditor, "edit", lambda self, images, keypoints, personal: images + np.uint8(3), raising=False)
    assert script.run("--metrics", "nme", "--personal", "--num", "3", "--out", str(tmp_path / "out")) == 0
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [*results["rows"]][:2] == ["manipulated", "personal"]
    assert any("csim_dlib is no independent measure" in note for note in results["notes"])


def test_a_dataset_framed_otherwise_is_cropped_as_the_editors_portraits_were(script, monkeypatch, tmp_path):
    images, _, files = portraits(6)
    points = np.tile(MEAN_FACE * (0.2 * R) + R / 2, (6, 1, 1)).astype(np.float32)
    monkeypatch.setattr(test_portraits, "load_split", lambda data_dir, name, split, limit=None: (images, points, files))
    monkeypatch.setattr(FakeEditor, "framing", MeanFraming(0.5, 0.5, 0.4))
    assert script.run("--metrics", "reconstruction", "--num", "4", "--out", str(tmp_path / "out")) == 0
    table = (tmp_path / "out" / "table.md").read_text()
    assert "The dataset frames faces otherwise" in table and "That enlarged them 2.0 times" in table


def test_an_out_that_is_a_file_is_known_before_anything_is_measured(script, tmp_path, capsys, monkeypatch):
    (tmp_path / "out").write_text("precious")
    monkeypatch.setattr(script, "make_edits", None)
    assert script.run("--metrics", "reconstruction", "--out", str(tmp_path / "out")) == 1
    assert "out: is a file, or lies in one; a folder is needed" in capsys.readouterr().err
