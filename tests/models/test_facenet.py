"""FaceNet: parity with facenet-pytorch, and the way its weights come in."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers.reference import converted, drawn_state, fixture_arrays, needs_fixtures

from jaxgan.errors import WeightsError
from jaxgan.importers.facenet import facenet_params
from jaxgan.models.features.facenet import face_embeddings
from jaxgan.models.features.weights import load_features


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    """With the classifier that the published file holds and the fixtures leave out."""
    logits = {"logits.weight": np.zeros((8631, 512), np.float32), "logits.bias": np.zeros(8631, np.float32)}
    return {**drawn_state("facenet"), **logits}


@needs_fixtures
def test_embeddings_match_facenet_pytorch(state):
    faces, expected = fixture_arrays("facenet_input", "facenet_embedding")
    faces = jnp.asarray(faces.transpose(0, 2, 3, 1))
    output = jax.jit(face_embeddings)(facenet_params(state, "fixture"), faces)
    assert output.shape == expected.shape and output.dtype == jnp.float32
    np.testing.assert_allclose(output, expected, rtol=0, atol=2e-5 * expected.std())
    np.testing.assert_allclose(np.linalg.norm(output, axis=1), 1, atol=1e-6)


@needs_fixtures
def test_command_writes_what_load_reads_and_others_refuse(state, tmp_path):
    folder = converted(tmp_path, "facenet", state)
    jax.tree.map(np.testing.assert_array_equal, load_features("facenet", folder), facenet_params(state, "fixture"))
    with pytest.raises(WeightsError, match="facenet holds facenet, not inception"):
        load_features("inception", folder)


@needs_fixtures
def test_conversion_names_every_bad_tensor(state):
    bad = {**state, "repeat_1.5.conv2d.bias": np.zeros(256, np.float32), "last_bn.weight": np.zeros(3, np.float32)}
    bad["block8.conv2d.weight"] = bad["block8.conv2d.weight"] * np.nan
    del bad["repeat_2.9.branch1.2.bn.running_mean"]
    with pytest.raises(WeightsError) as caught:
        facenet_params(bad, "some.pt")
    message = str(caught.value)
    for part in (
        "some.pt",
        "unexpected repeat_1.5.conv2d.bias",
        "last_bn.weight has shape (3,), not (512,)",
        "block8.conv2d.weight holds NaN",
        "missing repeat_2.9.branch1.2.bn.running_mean",
    ):
        assert part in message
    assert "\n" not in message


def test_load_says_how_to_make_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match="jaxgan convert facenet"):
        load_features("facenet", tmp_path / "absent")
