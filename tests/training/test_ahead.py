"""Steps lowered from shapes are those that a training runs: the compilation cache finds them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxgan.configs import preset
from jaxgan.data.batches import array_batches
from jaxgan.training import lazy, parallel
from jaxgan.training.ahead import compile_steps, lower, networks_before
from jaxgan.training.growing import phases, steps
from jaxgan.training.loop import frozen_by
from jaxgan.training.stages import STAGES

CONFIGS = {stage: preset("tiny", stage) for stage in STAGES}


@pytest.mark.parametrize("name", STAGES)
def test_lowered_from_shapes_or_from_arrays_a_step_is_the_same(name):
    config, stage, shapes = CONFIGS[name], STAGES[name], networks_before(CONFIGS, name)
    weights = [weight * interval for weight, interval in lazy.terms(config)]
    state = jax.eval_shape(lambda networks: stage.init(config, networks), shapes)

    def zeros(tree):
        return parallel.replicate(jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), tree))

    images, keypoints = np.zeros((8, 8, 8, 3), np.uint8), np.zeros((8, 68, 2), np.float32)
    batch = parallel.put(next(array_batches(images, keypoints, 8, seed=0, targets=stage.reads_targets)))
    step = parallel.pmap_step(stage.make_step(config, phases(config)[-1], *weights))
    ran = step.lower(zeros(state), zeros(frozen_by(config, shapes)), batch)
    assert lower(config, frozen_by(config, shapes), weights).as_text() == ran.as_text()


def test_each_form_of_a_step_is_compiled_once(monkeypatch):
    made = []

    class Lowered:
        def compile(self):
            made.append(self)

    monkeypatch.setattr("jaxgan.training.ahead.lower", lambda config, frozen, weights: Lowered())
    assert compile_steps(CONFIGS["stylegan"], {}) == len(made) == 2
    assert compile_steps(CONFIGS["stylegan"], {}, over=lambda: len(made) == 3) == 1
    assert compile_steps(preset("stylegan2_128", "stylegan"), {}) == 3


def test_the_steps_of_a_run():
    assert steps(CONFIGS["editor"]) == 4
    growing = preset("paper", "stylegan")
    assert steps(growing) == sum((each.last_image - each.first_image) // each.batch_size for each in phases(growing)) > 100_000
