"""The command: what it says of ports, packages and networks, and how it stops."""

import importlib.util
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from app.conftest import FakeEditor

from jaxgan.app import server
from jaxgan.app.warmup import warm_up
from jaxgan.commands import app

ROOT = Path(__file__).parents[2]
START = """
import sys
from jaxgan.app import warmup
from jaxgan.commands import app
warmup.warm_up = lambda editor: None
sys.exit(app.main(["--port", "0"]))
"""


def test_a_port_in_use_is_one_line(capsys):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert app.main(["--port", str(port)]) == 1
    assert capsys.readouterr().err == f"app: port {port} is in use: choose another with --port\n"


@pytest.mark.parametrize(
    "flags", [["--port", "70000"], ["--host", "no.such.host.invalid"], ["--host", "203.0.113.1", "--port", "0"]]
)
def test_an_address_that_cannot_be_is_one_line(capsys, flags):
    assert app.main(flags) == 1
    said = capsys.readouterr().err
    assert said.startswith("app: ") and said.count("\n") == 1


def test_missing_packages_are_one_line(capsys, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert app.main([]) == 1
    assert capsys.readouterr().err == 'app: this needs `pip install "jaxgan[app]"`\n'


def test_other_addresses_are_open_to_others():
    assert not any(map(server.is_open, ("127.0.0.1", "localhost", "::1", "127.0.0.2")))
    assert all(map(server.is_open, ("0.0.0.0", "192.168.1.7", "::", "portraits.lan")))


def test_it_starts_serves_and_stops_at_a_signal_and_leaves_nothing(tmp_path):
    command = [sys.executable, "-c", START]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment
    ) as run:
        lines = iter(run.stdout.readline, "")
        url = next(found[1] for line in lines if (found := re.search(r"(http\S+) is ready", line)))
        assert b"jaxgan" in urllib.request.urlopen(url).read()
        run.send_signal(signal.SIGINT)
        rest, errors = run.communicate(timeout=30)
    assert run.returncode == 0 and "Stopped" in rest and errors == ""
    assert [*tmp_path.iterdir()] == []


def test_warming_up_uses_all_that_pages_use(monkeypatch):
    used = []
    for name in ("invert", "edit_latents", "render", "find_landmarks", "personalise"):
        original = getattr(FakeEditor, name)
        monkeypatch.setattr(
            FakeEditor, name, lambda *args, _name=name, _call=original, **kw: used.append(_name) or _call(*args, **kw)
        )
    warm_up(FakeEditor())
    assert {*used} == {"invert", "edit_latents", "render", "find_landmarks", "personalise"}
