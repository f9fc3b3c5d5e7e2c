"""Weight files from a server of this machine: whole, cut short, wrong, missing, and not asked for at all."""

import hashlib
import re
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from jaxgan.commands import convert
from jaxgan.errors import WeightsError
from jaxgan.importers import registry
from jaxgan.importers.registry import WEIGHTS, WeightFile, fetch

CONTENT = np.random.default_rng(0).bytes(3_000_000)
DIGEST = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT, as much of it as the server allows, from where the client asks."""

    def do_GET(self):
        server = self.server
        asked = self.headers["Range"]
        server.requests.append(asked)
        if self.path == "/absent":
            self.send_error(404)
            return
        start = int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked and server.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if asked and server.ranges else 200)
        self.send_header("Content-Type", "text/html; charset=utf-8" if self.path == "/page" else "application/octet-stream")
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : server.cut_at])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    """A server whose files are in the registry as "file", "absent" and "page"; nothing is read through a proxy."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests, server.ranges, server.cut_at = [], True, None
        for name in ("file", "absent", "page"):
            url = f"http://127.0.0.1:{server.server_port}/{name}"
            monkeypatch.setitem(WEIGHTS, name, WeightFile(f"{name}.pth", url, "none", DIGEST, len(CONTENT)))
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def register(monkeypatch, **changes):
    """Changes what the registry says of "file"."""
    fields = {**vars(WEIGHTS["file"]), **changes}
    monkeypatch.setitem(WEIGHTS, "file", WeightFile(**fields))


def test_a_file_is_downloaded_once(server, tmp_path, capsys):
    path = fetch("file", tmp_path / "new" / "cache")
    assert path == tmp_path / "new" / "cache" / "file.pth"
    assert path.read_bytes() == CONTENT and [entry.name for entry in path.parent.iterdir()] == ["file.pth"]
    assert "licence none" in capsys.readouterr().out
    assert fetch("file", tmp_path / "new" / "cache") == path
    assert server.requests == [None]


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on_where_it_stopped(server, tmp_path, ranges):
    server.cut_at, server.ranges = 1_200_000, ranges
    with pytest.raises(WeightsError, match="broke after 1,200,000 of 3,000,000 bytes; run again to resume"):
        fetch("file", tmp_path)
    assert not (tmp_path / "file.pth").exists() and (tmp_path / "file.pth.part").stat().st_size == 1_200_000
    server.cut_at = None
    assert fetch("file", tmp_path).read_bytes() == CONTENT  # from the start where the server knows no ranges
    assert server.requests == [None, "bytes=1200000-"]
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.pth"]


def test_a_part_as_long_as_the_file_is_begun_again(server, tmp_path):
    (tmp_path / "file.pth.part").write_bytes(bytes(len(CONTENT)))
    assert fetch("file", tmp_path).read_bytes() == CONTENT
    assert server.requests == [f"bytes={len(CONTENT)}-", None]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"sha256": "0" * 64}, f"SHA-256 {DIGEST} instead of 000"),
        ({"sha256": "0" * 8}, f"SHA-256 {DIGEST} instead of 00000000;"),
        ({"size": 17}, "3,000,000 bytes instead of 17"),
    ],
)
def test_a_wrong_file_is_set_aside(server, tmp_path, monkeypatch, changes, message):
    register(monkeypatch, **changes)
    with pytest.raises(WeightsError, match=f"file.pth.bad: {message}.*{server.server_port}/file.*file.pth$"):
        fetch("file", tmp_path)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file.pth.bad"]


def test_a_wrong_file_put_there_by_hand_is_set_aside(server, tmp_path):
    (tmp_path / "file.pth").write_text("something else")
    with pytest.raises(WeightsError, match="14 bytes instead of 3,000,000"):
        fetch("file", tmp_path)
    assert (tmp_path / "file.pth.bad").read_text() == "something else"
    assert server.requests == [] and fetch("file", tmp_path).read_bytes() == CONTENT


def test_the_beginning_of_a_checksum_is_checked(server, tmp_path, monkeypatch):
    register(monkeypatch, sha256=DIGEST[:8])
    assert fetch("file", tmp_path).exists()


def test_without_a_checksum_the_message_says_so(server, tmp_path, monkeypatch, capsys):
    register(monkeypatch, sha256=None, size=None)
    path = fetch("file", tmp_path)
    assert f"{path}: not verified, as no checksum is known; its SHA-256 is {DIGEST}" in capsys.readouterr().out


@pytest.mark.parametrize(("name", "reason"), [("absent", "HTTP 404 Not Found"), ("page", "a web page came in place")])
def test_failures_say_where_to_get_and_put_the_file(server, tmp_path, name, reason):
    with pytest.raises(WeightsError) as caught:
        fetch(name, tmp_path)
    message = str(caught.value)
    assert message.startswith(f"http://127.0.0.1:{server.server_port}/{name}: {reason}") and "\n" not in message
    assert message.endswith(f"put the file at {tmp_path / name}.pth")
    assert list(tmp_path.iterdir()) == []


def closed_port():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return unused.getsockname()[1]


def test_offline(server, tmp_path, monkeypatch):
    register(monkeypatch, url=f"http://127.0.0.1:{closed_port()}/file")
    with pytest.raises(WeightsError, match="/file: .*refused.*put the file at .*file.pth$"):
        fetch("file", tmp_path)


def test_the_cache_is_chosen_by_the_environment(server, tmp_path, monkeypatch):
    monkeypatch.setenv("JAXGAN_CACHE", str(tmp_path / "chosen"))
    assert fetch("file").parent == tmp_path / "chosen"
    monkeypatch.delenv("JAXGAN_CACHE")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert fetch("file").parent == tmp_path / "home" / ".cache" / "jaxgan"


def test_unknown_names_are_answered_with_the_known():
    with pytest.raises(WeightsError, match="unknown weights 'vgg'; there are inception, facenet, vgg16"):
        fetch("vgg")


def test_checksums_agree_with_the_names_of_files():
    for name in ("inception", "vgg16"):
        (beginning,) = re.findall(r"[-_]([0-9a-f]{8})\.pth$", WEIGHTS[name].file)
        assert re.fullmatch(r"[0-9a-f]{64}", WEIGHTS[name].sha256) and WEIGHTS[name].sha256.startswith(beginning)


def test_conversion_fetches_what_is_not_given(monkeypatch, tmp_path, capsys):
    asked = []

    def no_network(name):
        asked.append(name)
        raise WeightsError(f"no {name}")

    monkeypatch.setattr(convert, "fetch", no_network)
    assert convert.main(["vgg16", "--out", str(tmp_path / "vgg16")]) == 1
    assert convert.main(["vgg16", "--weights", str(tmp_path / "mine.pth"), "--out", str(tmp_path / "vgg16")]) == 1
    assert asked == ["vgg16"]
    assert capsys.readouterr().err.splitlines() == ["convert: no vgg16", f"convert: {tmp_path / 'mine.pth'}: no such file"]
    named = {name for name in registry.WEIGHTS if name.startswith("stylegan2-")}  # `--weights` takes these by name
    assert {name for part in convert.SUBCOMMANDS.values() for name in part.flags.values()} | named == set(registry.WEIGHTS)
