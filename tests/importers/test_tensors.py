"""State dicts as people keep them: wrapped, prefixed, in half precision, as safetensors; and what is said of other files."""

import pickle

import numpy as np
import pytest
import safetensors.torch
import torch

from jaxgan.errors import WeightsError
from jaxgan.importers.tensors import Tensors, load_torch_state

PLAIN = {"conv.weight": torch.arange(6.0).reshape(2, 3), "conv.bias": torch.ones(2)}


@pytest.mark.parametrize(
    "stored",
    [
        PLAIN,
        {"state_dict": PLAIN, "epoch": 3},
        {"model": {"state_dict": PLAIN}},
        {f"module.{name}": value for name, value in PLAIN.items()},
        {"params_ema": {f"module.{name}": value for name, value in PLAIN.items()}},
        {name: torch.nn.Parameter(value) for name, value in PLAIN.items()},
        {name: value.bfloat16() for name, value in PLAIN.items()},
        {name: value.half() for name, value in PLAIN.items()},
    ],
    ids=["plain", "state_dict", "twice", "module", "wrapped module", "parameters", "bfloat16", "float16"],
)
def test_state_dicts_as_people_keep_them(stored, tmp_path):
    torch.save(stored, tmp_path / "weights.pth")
    state = load_torch_state(tmp_path / "weights.pth")
    assert list(state) == list(PLAIN)
    tensors = Tensors(state, "weights.pth")
    np.testing.assert_array_equal(tensors.take("conv.weight", (2, 3)), PLAIN["conv.weight"])
    np.testing.assert_array_equal(tensors.take("conv.bias", (2,)), PLAIN["conv.bias"])
    tensors.finish("a layer")


def test_safetensors_are_read_too(tmp_path):
    safetensors.torch.save_file({name: value.bfloat16() for name, value in PLAIN.items()}, tmp_path / "weights.safetensors")
    np.testing.assert_array_equal(load_torch_state(tmp_path / "weights.safetensors")["conv.bias"], np.ones(2, np.float32))
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "weights.safetensors").read_bytes()[:50])
    with pytest.raises(WeightsError, match="cut.safetensors: not a PyTorch state dict"):
        load_torch_state(tmp_path / "cut.safetensors")


def test_other_files_say_what_they_hold(tmp_path):
    for stored, message in (
        (
            torch.nn.Linear(2, 2),
            "it holds a pickled torch.nn.modules.linear.Linear, not tensors alone; save module",
        ),
        ({"epoch": 3, "loss": 0.5}, r"but a dict of 2: epoch \(int\), loss \(float\)$"),
        ([torch.ones(2)], "but a list$"),
    ):
        torch.save(stored, tmp_path / "weights.pth")
        with pytest.raises(WeightsError, match=message) as caught:
            load_torch_state(tmp_path / "weights.pth")
        assert "\n" not in str(caught.value)
    (tmp_path / "weights.pth").write_bytes(pickle.dumps({"a": 1})[:-3])
    with pytest.raises(WeightsError, match="weights.pth: not a PyTorch state dict"):
        load_torch_state(tmp_path / "weights.pth")


def test_a_misfit_names_what_is_missing_and_what_is_there():
    tensors = Tensors({name: value.numpy() for name, value in PLAIN.items()}, "weights.pth")
    tensors.take("dense.weight", (2, 2))
    with pytest.raises(
        WeightsError, match="missing dense.weight; unexpected conv.weight; .* 2 tensors: conv.weight, conv.bias$"
    ):
        tensors.finish("a layer")
