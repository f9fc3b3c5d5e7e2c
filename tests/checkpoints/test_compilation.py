"""What is compiled is kept in the cache folder, or where the user says."""

import jax
import pytest

from jaxgan.runtime import keep_compiled


@pytest.fixture
def no_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path))
    before = jax.config.jax_compilation_cache_dir
    jax.config.update("jax_compilation_cache_dir", None)
    yield tmp_path
    jax.config.update("jax_compilation_cache_dir", before)


def test_kept_in_the_cache_folder(no_folder):
    keep_compiled()
    assert jax.config.jax_compilation_cache_dir == str(no_folder / "compiled")


def test_a_folder_of_the_users_stays(no_folder):
    jax.config.update("jax_compilation_cache_dir", "theirs")
    keep_compiled()
    assert jax.config.jax_compilation_cache_dir == "theirs"
