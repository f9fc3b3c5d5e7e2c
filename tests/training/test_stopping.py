"""A training that is told to stop at the end of a phase does not go on to the next one."""

import jax.numpy as jnp
import numpy as np

from jaxgan.configs.presets import preset
from jaxgan.configs.schema import override
from jaxgan.training import run as train


class Data:
    def batches(self, batch_size, **options):
        return iter([{"image": np.zeros((batch_size, 16, 16, 3), np.uint8)}])


def test_a_stop_at_the_end_of_a_phase_is_the_end(monkeypatch):
    small = ["generator.resolution=16", "growing.start=8", "growing.fade_images=16", "growing.stable_images=16"]
    config = override(preset("tiny", "stylegan"), [*small, "growing.batch_sizes=[8]", "run.total_images=64"])
    ended = []

    def fit(*, state, run, stop, **others):
        ended.append(run.total_images)
        stop(1)
        return state.replace(extra={**state.extra, "images": jnp.int32(run.total_images)})

    monkeypatch.setattr(train.loop, "fit", fit)
    for answer, phases in ((False, len(train.phases(config))), (True, 1)):
        ended.clear()
        state = train.init_state("stylegan", config, None)
        train.train("stylegan", config, None, state, Data(), None, None, lambda done, answer=answer: answer)
        assert len(ended) == phases
    assert len(train.phases(config)) > 1
