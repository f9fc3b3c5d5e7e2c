"""What is installed from a wheel works without the repository, and the examples of the documentation run."""

import doctest
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import jaxgan.editor
from jaxgan.commands import main as console

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder into which the package was installed from its wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"  # setuptools leaves its build folder in the source
    shutil.copytree(ROOT / "jaxgan", source / "jaxgan", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "requirements.txt", "README.md"):
        shutil.copy(ROOT / name, source)
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    build = [*pip, "wheel", str(source), "--no-deps", "--no-build-isolation", "-w", str(folder)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    subprocess.run(
        [*pip, "install", str(wheel), "--no-deps", "--target", str(folder / "site")], check=True, capture_output=True
    )
    return folder / "site"


def test_a_wheel_carries_what_it_needs_to_edit(site, tmp_path):
    pictures = [str(ROOT / "docs" / "examples" / f"{name}.jpg") for name in ("source", "target")]
    flags = ["--source", pictures[0], "--target", pictures[1], "--out", str(tmp_path / "edited")]
    env = {**os.environ, "PYTHONPATH": str(site)}
    code = "import jaxgan, sys; print(jaxgan.__file__); from jaxgan.commands.main import main; sys.exit(main(sys.argv[1:]))"
    command = [sys.executable, "-c", code]
    done = subprocess.run([*command, "edit", *flags], env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(str(site)) and "1 of 1 edited" in done.stdout
    assert (tmp_path / "edited" / "source.png").is_file()
    assert (site / "jaxgan" / "app" / "static" / "index.html").is_file()


def test_the_examples_of_the_public_interface_run():
    found = doctest.testmod(jaxgan.editor)
    assert found.attempted > 0 and found.failed == 0


@pytest.mark.parametrize("name", console.COMMANDS)
def test_every_command_has_help(name, capsys):
    arguments = [name, "stylegan", "--help"] if name == "train" else [name, "--help"]
    with pytest.raises(SystemExit) as ended:
        console.main(arguments)
    assert ended.value.code == 0
    assert f"usage: jaxgan {name}" in capsys.readouterr().out


def test_an_unknown_command_is_named(capsys):
    assert console.main(["tran"]) == 2
    assert "unknown command 'tran'" in capsys.readouterr().err
    assert console.main([]) == 0
    assert "jaxgan COMMAND --help" in capsys.readouterr().out
