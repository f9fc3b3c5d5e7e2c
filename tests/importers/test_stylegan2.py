"""StyleGAN2's published files: each kind becomes the same networks, and no code in any of them is run."""

import argparse
import dataclasses
import os
import pickle

import jax
import numpy as np
import pytest
from helpers.nvlabs_files import dnnlib, network
from helpers.stylegan2 import Persistent, ada_content, drawn_state, expected, needs_fixtures, persistent, write_pickle
from helpers.stylegan2_files import LATENT, WIDE, rosinality, states, tensorflow, tensors

from jaxgan import Editor
from jaxgan.checkpoints.loading import load
from jaxgan.commands import convert as command
from jaxgan.configs import validate
from jaxgan.errors import WeightsError
from jaxgan.importers import persistence_pickle, registry
from jaxgan.importers.stylegan2_files import convert_stylegan2
from jaxgan.models.families import make_generator
from jaxgan.models.pipeline import to_uint8
from jaxgan.training.stylegan import export, init_state

torch = pytest.importorskip("torch")


def assert_same(found, wanted):
    jax.tree.map(np.testing.assert_array_equal, found, wanted)


@pytest.fixture(scope="module")
def ada(tmp_path_factory):
    """(file, configuration, networks) of a snapshot of StyleGAN2-ADA in PyTorch."""
    path = write_pickle(tmp_path_factory.mktemp("ada") / "ada.pkl", ada_content(*states(), clamp=256))
    return path, *convert_stylegan2(path)


def test_variables_are_those_of_a_training(ada):
    _, config, networks = ada
    gen, critic = validate(config).generator, config.discriminator
    assert (gen.family, gen.resolution, gen.latent_size, gen.mapping_layers) == ("stylegan2", 16, LATENT, 3)
    assert (gen.fmap_base, gen.fmap_max, gen.conv_clamp, critic.conv_clamp, critic.stddev_group) == (64, 6, 256.0, 256.0, 4)
    assert not (gen.tanh or gen.separate_w)
    ours = jax.eval_shape(lambda: export(init_state(config)))
    kind = jax.tree.map(lambda leaf: (leaf.shape, leaf.dtype), (ours, networks))
    assert kind[0] == kind[1]
    np.testing.assert_array_equal(networks["w_avg"], np.tile(states()[0]["mapping.w_avg"], (6, 1)))


@pytest.mark.parametrize("architectures", [("resnet", "skip"), ("orig", "orig"), ("skip", "resnet")])
def test_architectures_are_read_off_the_tensors(tmp_path, architectures):
    config, networks = convert_stylegan2(write_pickle(tmp_path / "net.pkl", ada_content(*states(architectures))))
    assert (config.generator.architecture, config.discriminator.architecture) == architectures
    assert (config.generator.conv_clamp, config.discriminator.conv_clamp) == (None, None)
    ours = jax.eval_shape(lambda: export(init_state(config)))
    assert jax.tree.structure(ours) == jax.tree.structure(networks)


def test_arguments_may_be_positional_or_flat(tmp_path):
    """As they may be in code of others, and as StyleGAN3's repository stores its StyleGAN2s."""
    content = ada_content(*states())
    content["G_ema"].meta["state"]["_init_kwargs"] = {"c_dim": 0, "conv_clamp": 128}
    content["D"].meta["state"] |= {"_init_args": (0, 16, 3, "resnet", 64, 6, 0, 64), "_init_kwargs": {}}
    config, _ = convert_stylegan2(write_pickle(tmp_path / "net.pkl", content))
    assert (config.generator.conv_clamp, config.discriminator.conv_clamp) == (128.0, 64.0)


def test_the_command_makes_an_editor_of_it(ada, tmp_path, capsys):
    path, config, networks = ada
    assert command.main(["stylegan2", "--weights", str(path), "--out", str(tmp_path / "out")]) == 0
    assert f"keep the {registry.NVIDIA}" in capsys.readouterr().out
    loaded = load(tmp_path / "out")
    assert loaded.config == config
    assert_same(loaded.networks, networks)
    editor = Editor.load(tmp_path / "out")
    latents = np.random.default_rng(0).standard_normal((1, 6, LATENT)).astype(np.float32)
    image = make_generator(config.generator).apply(networks["generator"], latents, method="synthesize")
    assert np.abs(editor.render(latents).astype(int) - np.asarray(to_uint8(image), int)).max() <= 1


@needs_fixtures
def test_an_editor_draws_the_reference_image(tmp_path):
    """A pickle of the reference network, to the last bit of a pixel."""
    path = write_pickle(tmp_path / "ada64.pkl", ada_content(*map(drawn_state, ("ada64_generator", "ada64_discriminator")), 256))
    assert command.main(["stylegan2", "--weights", str(path), "--out", str(tmp_path / "out")]) == 0
    editor, wanted = Editor.load(tmp_path / "out"), expected("ada64")
    image = np.round((np.clip(wanted["image_const"], -1, 1) + 1) * 127.5).transpose(0, 2, 3, 1)
    assert np.abs(editor.render(wanted["w"][:1]) - image).max() <= 1
    assert image.std() > 50
    assert editor.generate(seeds=[0]).shape == (1, 64, 64, 3)


def test_registered_files_go_by_name(ada, tmp_path, monkeypatch):
    fetched = []
    monkeypatch.setattr(command, "fetch", lambda name: fetched.append(name) or ada[0])
    assert command.main(["stylegan2", "--weights", "stylegan2-afhqcat", "--out", str(tmp_path / "out")]) == 0
    assert fetched == ["stylegan2-afhqcat"]
    config = load(tmp_path / "out").config
    assert config.generator == dataclasses.replace(ada[1].generator, framing="faceless")
    assert config.discriminator == ada[1].discriminator


# ---- Other kinds of files hold the same networks ----


@pytest.mark.parametrize("protocol", [3, 5])
def test_protocols(ada, tmp_path, protocol):
    config, networks = convert_stylegan2(write_pickle(tmp_path / "net.pkl", ada_content(*states(), clamp=256), protocol))
    assert config == ada[1]
    assert_same(networks, ada[2])


@pytest.mark.parametrize("legacy", [False, True])
def test_rosinalitys_training_checkpoints(ada, tmp_path, legacy):
    generator, critic = states()
    g, d = (tensors(state) for state in rosinality(generator, critic))
    content = {
        "g_ema": g,
        "d": d,
        "latent_avg": torch.from_numpy(generator["mapping.w_avg"]),
        "args": argparse.Namespace(size=16),
    }
    torch.save(content, tmp_path / "net.pt", _use_new_zipfile_serialization=not legacy)
    config, networks = convert_stylegan2(tmp_path / "net.pt")
    assert_same(networks, ada[2])
    assert config.generator.conv_clamp is None


@pytest.mark.parametrize(("dtype", "error"), [(torch.bfloat16, 2**-8), (torch.float16, 2**-11), (torch.float64, 0.0)])
@pytest.mark.parametrize("wrapped", [False, True])
def test_other_types_and_wrappings(ada, tmp_path, dtype, error, wrapped):
    g = tensors(rosinality(*states())[0], dtype)
    content = {"state_dict": {f"module.{name}": value for name, value in g.items()}} if wrapped else g
    torch.save(content, tmp_path / "net.pt")
    config, networks = convert_stylegan2(tmp_path / "net.pt")
    assert set(networks) == {"generator", "w_avg"}
    assert networks["w_avg"].shape == (6, LATENT)  # computed, as the file has none
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=error), networks["generator"], ada[2]["generator"])


def test_the_decoder_of_an_encoders_checkpoint(ada, tmp_path):
    """With an average for each layer."""
    generator, critic = states()
    state = {f"decoder.{name}": value for name, value in tensors(rosinality(generator, critic)[0]).items()}
    average = torch.arange(6 * LATENT, dtype=torch.float32).reshape(6, LATENT)
    content = {
        "state_dict": state | {"encoder.input_layer.0.weight": torch.ones(2, 2)},
        "latent_avg": average,
        "opts": {"size": 16},
    }
    torch.save(content, tmp_path / "e4e.pt")
    _, networks = convert_stylegan2(tmp_path / "e4e.pt")
    assert_same(networks["generator"], ada[2]["generator"])
    np.testing.assert_array_equal(networks["w_avg"], average.numpy())


def test_tensors_of_unknown_type_are_named(tmp_path):
    g = tensors(rosinality(*states())[0])
    g["input.input"] = torch.zeros(1, WIDE, 4, 4, dtype=torch.uint8).view(torch.float4_e2m1fn_x2)
    torch.save(g, tmp_path / "net.pt")
    with pytest.raises(WeightsError, match=r"net.pt: input.input holds torch.float4_e2m1fn_x2, which is not read"):
        convert_stylegan2(tmp_path / "net.pt")


def write_tensorflow(path, **kwargs):
    mapping, synthesis, own, d = tensorflow(*states())
    parts = {"mapping": network("G_mapping", mapping), "synthesis": network("G_synthesis", synthesis)}
    with dnnlib():
        nets = network("G", {}), network("D", d, mbstd_group_size=8), network("Gs", own, parts, **kwargs)
        path.write_bytes(pickle.dumps(nets, 4))
    return path


def test_tensorflows_pickles(ada, tmp_path):
    config, networks = convert_stylegan2(write_tensorflow(tmp_path / "tf.pkl", mapping_lrmul=0.02))
    assert (config.generator.mapping_lr_multiplier, config.discriminator.stddev_group) == (0.02, 8)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=2e-7), networks, ada[2])
    with pytest.raises(WeightsError, match=r"Gs has resample_kernel=\[1, 2, 1\]; only \[1, 3, 3, 1\]"):
        convert_stylegan2(write_tensorflow(tmp_path / "tf.pkl", resample_kernel=[1, 2, 1]))


# ---- Nothing is run, and what does not fit is named ----


def test_embedded_source_is_not_run(ada, tmp_path):
    marker = tmp_path / "made"
    source = f"open({str(marker)!r}, 'w').close()"
    _, networks = convert_stylegan2(write_pickle(tmp_path / "net.pkl", ada_content(*states(), source=source)))
    assert_same(networks, ada[2])
    assert not marker.exists()
    exec(source)  # it would have made the file
    assert marker.exists()


class Call:
    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("place", ["outside", "state", "arguments", "storage"])
def test_calls_are_refused(tmp_path, place):
    marker, content = tmp_path / "made", ada_content(*states())
    bad = Call(os.system, f"touch {marker}")
    if place == "outside":
        content["augment_pipe"] = bad
    elif place == "state":
        content["G_ema"].meta["state"]["_buffers"]["x"] = bad
    elif place == "arguments":
        content["D"].meta["state"]["_init_kwargs"]["c_dim"] = bad
    else:  # a storage is a file of its own within the pickle
        content["G_ema"].meta["state"]["_buffers"]["x"] = Call(torch.storage._load_from_bytes, pickle.dumps(bad))
    path = write_pickle(tmp_path / "bad.pkl", content)
    with pytest.raises(WeightsError, match=r"bad.pkl: (refused: it asks for posix.system|not a readable pickle)") as caught:
        convert_stylegan2(path)
    assert "\n" not in str(caught.value)
    assert not marker.exists()


@pytest.mark.parametrize("state", [b"}X\x01\x00\x00\x00aK\x01s", b"N}X\x0c\x00\x00\x00__defaults__)s\x86"])
def test_stand_ins_cannot_be_changed(tmp_path, state):
    """A pickle that names a function and then sets its attributes, by dict or one by one."""
    path = tmp_path / "bad.pkl"
    path.write_bytes(b"\x80\x02ctorch._utils\n_rebuild_parameter\n" + state + b"b.")
    with pytest.raises(WeightsError, match=r"bad.pkl: refused: it changes parameter"):
        convert_stylegan2(path)
    assert not vars(persistence_pickle._parameter) and persistence_pickle._parameter.__defaults__ is None


def test_a_tensor_larger_than_its_storage_is_refused(tmp_path):
    storage = torch.zeros(4).untyped_storage()
    typed = torch.storage.TypedStorage(wrap_storage=storage, dtype=torch.float32, _internal=True)
    for size, stride in (((5,), (1,)), ((2, 3), (1, 1)), ((1 << 40,), (0,))):
        content = ada_content(*states())
        bad = Call(torch._utils._rebuild_tensor_v2, typed, 0, size, stride, False, {})
        content["G_ema"].meta["state"]["_buffers"]["x"] = bad
        with pytest.raises(WeightsError, match=r"bad.pkl: holds a tensor of size"):
            convert_stylegan2(write_pickle(tmp_path / "bad.pkl", content))


@pytest.mark.parametrize("named", ["source", "tensors"])
def test_stylegan3_is_named(tmp_path, named):
    name = "synthesis.input.freqs" if named == "tensors" else "synthesis.x.weight"
    content = {"G_ema": persistent("Generator", {name: np.zeros((2, 2))}, "class SynthesisInput:" if named == "source" else "")}
    with pytest.raises(WeightsError, match=r"net.pkl: holds a StyleGAN3, .* not supported"):
        convert_stylegan2(write_pickle(tmp_path / "net.pkl", content))


@pytest.mark.parametrize(
    ("network", "setting", "value", "message"),
    [
        ("G_ema", "c_dim", 10, "G_ema has c_dim=10; only 0"),
        ("G_ema", "img_channels", 1, "G_ema has img_channels=1; only 3"),
        ("G_ema", "synthesis_kwargs", {"activation": "relu"}, "G_ema has activation='relu'; only 'lrelu'"),
        ("G_ema", "synthesis_kwargs", {"conv_clamp": "x"}, "conv_clamp='x' is no number"),
        ("D", "epilogue_kwargs", {"mbstd_num_channels": 2}, "D has mbstd_num_channels=2; only 1"),
        ("D", "epilogue_kwargs", {"mbstd_group_size": None}, "mbstd_group_size=None is no number"),
    ],
)
def test_settings_that_our_networks_do_not_have_are_refused(tmp_path, network, setting, value, message):
    content = ada_content(*states())
    content[network].meta["state"]["_init_kwargs"][setting] = value
    with pytest.raises(WeightsError, match=f"net.pkl: {message}"):
        convert_stylegan2(write_pickle(tmp_path / "net.pkl", content))


def test_every_bad_tensor_is_named(tmp_path):
    generator, critic = states()
    del generator["synthesis.b8.conv0.affine.bias"]
    generator["synthesis.b16.torgb.weight"] = np.zeros((3, 9, 1, 1), np.float32)
    generator["mapping.embed.weight"] = np.zeros((2, 2), np.float32)
    generator["mapping.w_avg"][0] = np.nan
    with pytest.raises(WeightsError) as caught:
        convert_stylegan2(write_pickle(tmp_path / "net.pkl", ada_content(generator, critic)))
    for part in (
        "net.pkl: not the weights of a StyleGAN2 generator",
        "missing synthesis.b8.conv0.affine.bias",
        "synthesis.b16.torgb.weight has shape (3, 9, 1, 1), not (3, 4, 1, 1)",
        "unexpected mapping.embed.weight",
        "mapping.w_avg holds NaN",
    ):
        assert part in str(caught.value)


def test_another_filter_is_refused(tmp_path):
    generator, critic = states()
    generator["synthesis.b8.resample_filter"] = np.outer([1, 2, 1], [1, 2, 1]).astype(np.float32) / 16
    with pytest.raises(WeightsError, match=r"the filter synthesis.b8.resample_filter is not \[1, 3, 3, 1\]"):
        convert_stylegan2(write_pickle(tmp_path / "net.pkl", ada_content(generator, critic)))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"G": 1, "D": 2}, "holds G, D, and no network G_ema"),
        ({"G_ema": None}, "holds NoneType in place of the network G_ema"),
        ({"G_ema": Persistent("G", {"_buffers": {"x": 1}}, "")}, "x is int, not a tensor"),
        ({"G_ema": Persistent("G", {"_modules": {"x": 1}}, "")}, "x is int, not a module"),
        ("text", "holds str, not networks"),
        ((1, 2), "holds 2 things, not the three networks"),
    ],
)
def test_other_contents_are_refused(tmp_path, content, message):
    with pytest.raises(WeightsError, match=f"net.pkl: {message}"):
        convert_stylegan2(write_pickle(tmp_path / "net.pkl", content))


def test_other_files_are_refused(tmp_path):
    path = write_pickle(tmp_path / "net.pkl", ada_content(*states()))
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(WeightsError, match="net.pkl: not a readable pickle, or cut short"):
        convert_stylegan2(path)
    with pytest.raises(FileNotFoundError, match="no.pkl: no such file"):
        convert_stylegan2(tmp_path / "no.pkl")
