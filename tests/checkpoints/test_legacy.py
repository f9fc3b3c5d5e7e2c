"""Working folders of version 0.1 come out bit for bit in the present form."""

import jax
import numpy as np
import pytest

from jaxgan.checkpoints import Checkpoints, load
from jaxgan.checkpoints.legacy import ITEMS
from jaxgan.commands import migrate
from jaxgan.configs import override, preset
from jaxgan.training.stages import STAGES


def write_old(workdir, stage, config, state, model, frozen, images=None):
    """A checkpoint with the items and names of version 0.1."""
    extra = dict(state.extra) if images is None else {**state.extra, "images": images}
    old = {"step": state.step, "params": state.params, "opt_state": state.opt_state, "extra": extra, "ema": state.ema}
    Checkpoints(workdir, items=ITEMS).write(int(state.step), config, {"state": old, "model": model, "frozen": frozen})


def old_names(networks):
    return {name.removeprefix("stylegan_"): tree for name, tree in networks.items()}


@pytest.mark.parametrize("stage", STAGES)
def test_state_and_networks_are_the_same_under_their_new_names(tmp_path, stage, capsys):
    config, earlier = preset("tiny", stage), {}
    for before in list(STAGES)[: list(STAGES).index(stage)]:
        made = STAGES[before].init(preset("tiny", before), earlier)
        earlier = {**earlier, **STAGES[before].export(made)}
    state = STAGES[stage].init(config, earlier)
    state = state.replace(step=state.step + 5)
    own = STAGES[stage].export(state)
    model = {**own, "discriminator": state.params["discriminator"]} if stage == "inverter" else old_names(own)
    write_old(tmp_path / "old", stage, config, state, model, old_names(earlier))
    assert migrate.main([str(tmp_path / "old"), str(tmp_path / "new")]) == 0
    expected = state.replace(images=state.images + 5 * config.run.batch_size)
    assert Checkpoints(tmp_path / "new").config(5) == config
    restored = Checkpoints(tmp_path / "new").restore_state(5, expected)
    jax.tree.map(np.testing.assert_array_equal, restored, expected)
    networks = load(tmp_path / "new").networks
    assert jax.tree.structure(networks) == jax.tree.structure({**earlier, **own})
    jax.tree.map(np.testing.assert_array_equal, networks, {**earlier, **own})
    assert migrate.main([str(tmp_path / "old"), str(tmp_path / "new")]) == 1
    assert "is not empty" in capsys.readouterr().err


def test_a_growing_run_keeps_its_number_of_images(tmp_path):
    growing = ["generator.resolution=16", "growing.start=8", "growing.batch_sizes=[16]"]
    config = override(preset("tiny", "stylegan"), growing)
    state = STAGES["stylegan"].init(config, {})
    write_old(tmp_path / "old", "stylegan", config, state, {}, {}, images=state.images + 48)
    assert migrate.main([str(tmp_path / "old"), str(tmp_path / "new")]) == 0
    assert int(Checkpoints(tmp_path / "new").restore_state(0, state).images) == 48


def test_a_folder_of_this_version_is_refused(tmp_path, capsys):
    config = preset("tiny", "stylegan")
    state = STAGES["stylegan"].init(config, {})
    Checkpoints(tmp_path / "run").save(1, config, state, STAGES["stylegan"].export(state))
    assert migrate.main([str(tmp_path / "run"), str(tmp_path / "new")]) == 1
    assert "holds no checkpoint of version 0.1" in capsys.readouterr().err
