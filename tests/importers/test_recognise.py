"""Files that are none to convert say what they are, and files of other networks what would convert them."""

import zipfile

import numpy as np
import pytest
from helpers.idinvert import drawn_state, small_encoder, small_generator
from helpers.pyramid_files import encoder_state, write
from helpers.stylegan2 import ada_content, persistent, write_pickle
from helpers.stylegan2_files import rosinality, states, tensors
from PIL import Image

from jaxgan import storage
from jaxgan.commands import convert

torch = pytest.importorskip("torch")

LFS = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 364093125\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files of all kinds."""
    folder = tmp_path_factory.mktemp("files")
    Image.new("RGB", (8, 8)).save(folder / "picture.pkl", "JPEG")
    Image.new("RGB", (8, 8)).save(folder / "picture.pt", "PNG")
    (folder / "empty.pkl").touch()
    (folder / "folder").mkdir()
    storage.write(folder / "converted", "networks", {"a": np.zeros(1)}, {})
    with zipfile.ZipFile(folder / "pictures.zip", "w") as archive:
        archive.writestr("a.jpg", "")
    (folder / "page.pkl").write_text("<!DOCTYPE html><title>Google Drive - Virus scan warning</title>")
    (folder / "pointer.pkl").write_text(LFS)
    (folder / "packed.pkl").write_bytes(b"\x1f\x8b\x08" + bytes(20))
    whole = write(folder / "e4e.pt", encoder_state()).read_bytes()
    (folder / "half.pt").write_bytes(whole[: len(whole) // 2])
    write_pickle(folder / "ada.pkl", ada_content(*states()))
    stylegan3 = persistent("Generator", {"synthesis.input.freqs": np.zeros((2, 2))}, "class SynthesisInput:")
    write_pickle(folder / "stylegan3.pkl", {"G_ema": stylegan3})
    torch.save({"g_ema": tensors(rosinality(*states())[0])}, folder / "rosinality.pt")
    torch.save({"lin0.model.1.weight": torch.ones(1, 4, 1, 1)}, folder / "lpips.pth")
    for part, keys in (("generator", small_generator()), ("encoder", small_encoder())):
        torch.save(tensors(drawn_state(keys)), folder / f"{part}.pth")
    return folder


@pytest.mark.parametrize("subcommand", ["stylegan", "stylegan2", "e4e", "vgg16"])
@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("picture.pkl", "a JPEG picture"),
        ("picture.pt", "a PNG picture"),
        ("empty.pkl", "the file is empty"),
        ("folder", "a folder, not a file of weights"),
        ("converted", "a folder, converted already"),
        ("pictures.zip", "a ZIP archive, and none of PyTorch's"),
        ("page.pkl", "a web page, not the file"),
        ("pointer.pkl", "a pointer of git-lfs"),
        ("packed.pkl", "a gzip archive"),
        ("half.pt", "cut short"),
        ("gone.pkl", "no such file"),
    ],
)
def test_no_weights(folder, tmp_path, capsys, subcommand, file, message):
    flag = "--pickle" if subcommand == "stylegan" else "--weights"
    assert convert.main([subcommand, flag, str(folder / file), "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"convert: {folder / file}: {message}") and said.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        (["stylegan", "--pickle", "ada.pkl"], "stylegan2"),
        (["stylegan", "--pickle", "e4e.pt"], "e4e"),
        (["stylegan2", "--weights", "generator.pth"], "idinvert --generator"),
        (["stylegan2", "--weights", "lpips.pth"], "lpips --linear"),
        (["e4e", "--weights", "ada.pkl"], "stylegan2"),
        (["psp", "--weights", "rosinality.pt"], "stylegan2"),
        (["psp", "--weights", "stylegan3.pkl"], None),
        (["idinvert", "--generator", "encoder.pth", "--encoder", "generator.pth"], "idinvert --encoder"),
        (["idinvert", "--generator", "e4e.pt", "--encoder", "encoder.pth"], "e4e"),
        (["vgg16", "--weights", "lpips.pth"], "lpips --linear"),
    ],
)
def test_weights_of_other_networks(folder, tmp_path, capsys, arguments, wanted):
    paths = [str(folder / each) if "." in each else each for each in arguments]
    assert convert.main([*paths, "--out", str(tmp_path / "out")]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"`jaxgan convert {wanted}`" in said if wanted else "`jaxgan convert" not in said
