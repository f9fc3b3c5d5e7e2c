"""From other projects' files to an edited photograph: convert, generate, invert, train on top, evaluate, personalise, edit."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from helpers.idinvert import drawn_state, small_encoder, small_generator
from helpers.pyramid_files import encoder_state, write
from helpers.stylegan2 import ada_content, write_pickle
from helpers.stylegan2_files import rosinality, states, tensors
from PIL import Image

from jaxgan import Editor
from jaxgan.commands import convert, edit, evaluate, export, prepare, train
from jaxgan.configs import PerceptualConfig
from jaxgan.data.detection import load_detector, search
from jaxgan.data.framing import FRAMINGS, FFHQFraming, framed
from jaxgan.data.images import read_image
from jaxgan.data.records import dataset_info, load_split
from jaxgan.errors import InputError
from jaxgan.importers import pyramid as importers_pyramid
from jaxgan.importers.subjects import framing_of
from jaxgan.models import pyramid as models_pyramid
from jaxgan.training.stages import STAGES

torch = pytest.importorskip("torch")
SIDE = 16
EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
SOURCE = EXAMPLES / "source.jpg"
SHORT = ["run.batch_size=4", "run.total_images=8", "run.tick_images=4", "run.checkpoint_images=8", "r1_gamma=0"]
UNITS = (1, 1, 1, 1)  # of the encoders' trunks, which otherwise take a minute to compile


@pytest.fixture(autouse=True)
def short(monkeypatch):
    """No sample grids, and encoders of few units: compiling those takes most of the time, and tests/training has them."""
    for name in ("inverter", "editor"):
        without = dataclasses.replace(
            STAGES[name], make_sampler=lambda *_: lambda *_: np.zeros((1, 1, SIDE, SIDE, 3), np.uint8)
        )
        monkeypatch.setitem(STAGES, name, without)
    for module in (models_pyramid, importers_pyramid):
        monkeypatch.setattr(module, "UNITS", UNITS)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """The folder of a dataset framed as FFHQ, of two portraits, each at several sizes."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "images").mkdir()
    for name in ("source", "target"):
        picture = Image.fromarray(read_image(EXAMPLES / f"{name}.jpg"))
        for side in range(200, 260, 10):
            picture.resize((side, side)).save(folder / "images" / f"{name}{side}.png")
    flags = ["--images", str(folder / "images"), "--name", "faces", "--data_dir", str(folder), "--resolution", str(SIDE)]
    assert prepare.main([*flags, "--framing", "ffhq", "--test_fraction", "0.4"]) == 0
    return folder


@pytest.fixture(scope="module")
def photograph(tmp_path_factory):
    """A portrait whose head is rolled by 20 degrees, in a larger picture."""
    path, picture = tmp_path_factory.mktemp("photo") / "me.png", Image.new("RGB", (700, 640), (90, 90, 90))
    picture.paste(Image.fromarray(read_image(SOURCE)).rotate(-20, Image.Resampling.BICUBIC, fillcolor=(90, 90, 90)), (220, 190))
    picture.save(path)
    return path


def converted(kind, folder):
    """The folder of converted networks, from a file as their project writes it."""
    if kind == "idinvert":
        for part, state in (("generator", small_generator()), ("encoder", small_encoder())):
            torch.save(tensors(drawn_state(state)), folder / f"{part}.pth")
        files = ["--generator", str(folder / "generator.pth"), "--encoder", str(folder / "encoder.pth")]
    elif kind in ("e4e", "psp"):
        files = ["--weights", str(write(folder / "net.pt", encoder_state(UNITS)))]
    elif kind == "ada":
        files = ["--weights", str(write_pickle(folder / "ffhq.pkl", ada_content(*states())))]
    else:
        g, d = (tensors(state) for state in rosinality(*states()))
        torch.save({"g_ema": g, "d": d, "latent_avg": torch.from_numpy(states()[0]["mapping.w_avg"])}, folder / "ffhq.pt")
        files = ["--weights", str(folder / "ffhq.pt")]
    command = {"ada": "stylegan2", "rosinality": "stylegan2"}.get(kind, kind)
    assert convert.main([command, *files, "--out", str(folder / "net")]) == 0
    return folder / "net"


def run(stage, previous, out, data, *fields):
    """Two steps of a training on top of a folder, by a command of a user."""
    flags = ["--config", "tiny", "--data_dir", str(data), "--dataset", "faces", "--workdir", str(out)]
    earlier = {"inverter": "stylegan", "editor": "inverter"}[stage]
    assert train.main([stage, *flags, f"--{earlier}", str(previous), *SHORT, *fields]) == 0
    return out


def evaluated(folder, data, out):
    """Whether the evaluation of a folder succeeds, and does not crop the dataset anew."""
    flags = ["--workdir", str(folder), "--data_dir", str(data), "--dataset", "faces", "--metrics", "nme,latents,reconstruction"]
    assert evaluate.main([*flags, "--num", "2", "--figure", "--out", str(out)]) == 0
    return "cropped as these" not in (out / "table.md").read_text()


@pytest.mark.parametrize("kind", ["e4e", "idinvert"])
def test_an_encoder_and_its_generator_become_an_editor(kind, data, photograph, tmp_path, capsys):
    folder = converted(kind, tmp_path)
    assert "cropped as FFHQ's" in capsys.readouterr().out
    editor = Editor.load(folder)
    images, _, _ = load_split(data, "faces", "test")
    assert editor.generate([0]).shape == (1, SIDE, SIDE, 3)
    latents = np.concatenate([editor.invert(image) for image in images[:2]])
    assert np.abs(editor.render(latents[:1]).astype(int) - editor.render(latents[1:2])).max() > 5
    if kind == "idinvert":  # e4e's generator is that of the test below
        tunable = Editor.load(folder, perceptual=PerceptualConfig(network="none"))
        assert isinstance(tunable.personalise(images[:1], steps=2, identity_weight=0).framing, FFHQFraming)
    with pytest.raises(InputError, match="holds no encoder"):
        editor.edit_photo(photograph, {"yaw": 15})
    trained = run("editor", folder, tmp_path / "editor", data, "perceptual.network=none")
    assert "prepare them with --framing ffhq" not in capsys.readouterr().err
    editor, picture = Editor.load(trained), read_image(photograph)
    opened = editor.open_photo(photograph)
    assert any("tilted" in remark for remark in opened.remarks)
    right, left = (opened.own[part].mean(axis=0) for part in (slice(36, 42), slice(42, 48)))
    assert abs(right[1] - left[1]) < 0.05 * SIDE  # eyes are level in the networks' portrait
    for controls in ({"yaw": 15}, {"roll": 12}):
        made, _ = opened.edit_to(editor.as_target(controls))
        changed = (made != picture).any(axis=-1)
        assert made.shape == picture.shape and changed.any() and not changed[:40].any()
    if kind == "idinvert":
        assert evaluated(trained, data, tmp_path / "eval")
        return
    flags = ["--workdir", str(trained), "--source", str(photograph), "--set", "smile=0.5", "--out", str(tmp_path / "edited")]
    assert edit.main(flags) == 0 and (read_image(tmp_path / "edited" / "me.png") != picture).any()
    assert export.main(["--workdir", str(trained), "--out", str(tmp_path / "small"), "--half"]) == 0
    assert isinstance(Editor.load(tmp_path / "small").framing, FFHQFraming)


def test_generators_of_both_projects_take_an_inverter(data, tmp_path):
    for kind in ("ada", "rosinality"):
        (tmp_path / kind).mkdir()
    folders = [converted(kind, tmp_path / kind) for kind in ("ada", "rosinality")]
    images = [Editor.load(folder).generate([0]) for folder in folders]
    np.testing.assert_array_equal(*images)
    trained = run("inverter", folders[0], tmp_path / "inverter", data, "perceptual.network=none")
    editor = Editor.load(trained)
    portraits, _, _ = load_split(data, "faces", "test")
    assert isinstance(editor.framing, FFHQFraming)
    assert editor.personalise(portraits[:1], steps=2, identity_weight=0).invert(portraits[0]).shape == (1, 6, 5)


def test_photographs_are_refused_where_no_faces_are_drawn(data, tmp_path, capsys):
    path = write_pickle(tmp_path / "afhqcat.pkl", ada_content(*states()))
    assert convert.main(["stylegan2", "--weights", str(path), "--out", str(tmp_path / "net")]) == 0
    editor = Editor.load(tmp_path / "net")
    assert editor.generate([0]).shape == (1, SIDE, SIDE, 3)
    for call in (editor.open_photo, lambda path: editor.edit_photo(path, {"yaw": 5})):
        with pytest.raises(InputError, match=r"draw no people's faces .generator.framing=faceless"):
            call(SOURCE)
    assert (
        edit.main(["--workdir", str(tmp_path / "net"), "--source", str(SOURCE), "--set", "yaw=5", "--out", str(tmp_path / "x")])
        == 1
    )
    assert "draw no people's faces" in capsys.readouterr().err


def test_a_dataset_framed_as_ffhq(photograph, tmp_path, capsys):
    """What `prepare` crops is what an editor crops from the same photograph."""
    flags = ["--images", str(photograph.parent), "--name", "faces", "--data_dir", str(tmp_path), "--resolution", "64"]
    assert prepare.main([*flags, "--framing", "ffhq", "--test_fraction", "0"]) == 0
    images, keypoints, _ = load_split(tmp_path, "faces", "train")
    assert dataset_info(tmp_path, "faces").framing == "ffhq"
    np.testing.assert_allclose(FRAMINGS["ffhq"].place(keypoints, 64), keypoints, atol=1e-3)
    found = search(load_detector("dlib"), read_image(photograph))[0].keypoints
    crop = framed(700, 640, found, FRAMINGS["ffhq"])
    np.testing.assert_array_equal(crop.apply(read_image(photograph), 64), images[0])
    assert prepare.main(["--synthetic", "2", *flags[2:], "--framing", "ffhq", "--overwrite"]) == 1
    assert "--framing crops photographs" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("file", "framing"),
    [
        ("ffhq-res256-mirror-paper256-noaug.pkl", "ffhq"),
        ("stylegan2-metfaces", "ffhq"),
        ("CelebA-HQ.pt", "ffhq"),
        ("stylegan2-afhqwild.pkl", "faceless"),
        ("e4e_cars_encode.pt", "faceless"),
        ("cartoons.pt", "otherwise"),
        ("cats/net.pkl", "otherwise"),
    ],
)
def test_names_of_files_tell_how_images_were_cropped(file, framing):
    assert framing_of(file, "otherwise") == framing
