"""A training run that is told to stop at the end of a phase does not begin the next one."""

from types import SimpleNamespace

import jax.numpy as jnp
import numpy as np

from jaxgan.configs import override, preset
from jaxgan.training import loop
from jaxgan.training.stages import STAGES


class Data:
    info = SimpleNamespace(num_test=0)

    def batches(self, batch_size, **options):
        return iter([{"image": np.zeros((batch_size, 16, 16, 3), np.uint8)}])


def test_a_stop_at_the_end_of_a_phase_is_the_end(monkeypatch):
    small = ["generator.resolution=16", "growing.start=8", "growing.fade_images=16", "growing.stable_images=16"]
    config = override(preset("tiny", "stylegan"), [*small, "growing.batch_sizes=[8]", "run.total_images=64"])
    stage, ended = STAGES["stylegan"], []

    def fit(name, run, phase, state, *others):
        *_, stop, clock = others
        ended.append(phase.last_image)
        return state.replace(images=jnp.int32(phase.last_image)), stop(1)

    monkeypatch.setattr(loop, "fit", fit)
    for answer, phases in ((False, len(loop.phases(config))), (True, 1)):
        ended.clear()
        loop.train(stage, config, {}, stage.init(config, {}), Data(), None, None, lambda done, answer=answer: answer)
        assert len(ended) == phases
    assert len(loop.phases(config)) > 1


def test_sample_grids_show_training_portraits_where_there_is_no_test_split():
    class Split:
        def __init__(self, num_test):
            self.info = SimpleNamespace(num_test=num_test)

        def load(self, split, limit):
            return np.full((2, 8, 8, 3), len(split), np.uint8), np.zeros((2, 68, 2), np.float32)

    assert [loop._shown(Split(count))["image"].max() for count in (0, 3)] == [len("train"), len("test")]
