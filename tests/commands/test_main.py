"""The console script: what it lists, and how it ends."""

import importlib

import pytest

from jaxgan.commands import main as script
from jaxgan.errors import InputError


def test_version(capsys):
    assert script.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("jaxgan 0.")


def test_an_interrupted_import_is_one_line(monkeypatch, capsys):
    def interrupted(name):
        raise KeyboardInterrupt

    monkeypatch.setattr(importlib, "import_module", interrupted)
    assert script.main(["edit"]) == 130
    assert capsys.readouterr().err == "edit: interrupted\n"


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (InputError("a.jpg: no face found"), "a.jpg: no face found"),
        (FileNotFoundError(2, "No such file or directory", "a.jpg"), "a.jpg: No such file or directory"),
        (OSError("a.jpg: cannot be read"), "a.jpg: cannot be read"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
    ],
)
def test_errors_that_a_user_can_mend_are_one_line(error, line, capsys):
    @script.command("made-up")
    def run(argv):
        raise error

    assert run([]) == 1
    assert capsys.readouterr().err == f"made-up: {line}\n"
