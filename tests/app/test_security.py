"""Strangers, large bodies and odd paths are refused, and the page stays strict."""

import pytest
from app.conftest import ORIGIN, PHOTO
from starlette.websockets import WebSocketDisconnect

from jaxgan.app.security import MAX_BODY, is_allowed, is_own, name_of

FILE = b'--x\r\nContent-Disposition: form-data; name="f"; filename="f"\r\n\r\nz\r\n'
POSTS = ["/photo", "/face", "/target", "/expression", "/download"]


@pytest.mark.parametrize(
    "host", ["evil.example", "127.0.0.1.evil.example:8000", "10.0.0.1", "localhost.evil.example", "", "[::1"]
)
@pytest.mark.parametrize("path", ["/", "/main.js", "/photo"])
def test_other_names_are_refused(page, host, path):
    assert page.client.get(path, headers={"Host": host}).status_code == 421


@pytest.mark.parametrize("host", ["localhost:8000", "127.0.0.1:9000", "[::1]:8000", "LOCALHOST", "localhost.:8000"])
def test_names_of_this_machine_are_served(page, host):
    assert page.client.get("/", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "http://127.0.0.1:9000", "null", "", "file://", "http://localhost:8000"]
)
@pytest.mark.parametrize("path", POSTS)
def test_pages_from_elsewhere_cannot_post(page, sessions, origin, path):
    response = page.client.post(path, files={"file": PHOTO.read_bytes()}, headers={"Origin": origin})
    assert response.status_code == 403 and len(sessions) == 0


def test_posts_without_an_origin_are_refused(page):
    del page.client.headers["Origin"]
    assert page.client.post("/photo", files={"file": PHOTO.read_bytes()}).status_code == 403


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "127.0.0.1:8000", "Origin": "http://evil.example"},
        {"Host": "127.0.0.1:8000", "Origin": ""},
        {"Host": "evil.example", "Origin": "http://evil.example"},
    ],
)
def test_pages_from_elsewhere_cannot_connect(page, headers):
    session = page.open()["session"]
    with pytest.raises(WebSocketDisconnect), page.client.websocket_connect(f"/live/{session}", headers=headers):
        pass


@pytest.mark.parametrize(
    "path",
    [
        "/../server.py", "/..%2fserver.py", "/%2e%2e/server.py", "/static/../server.py", "/..%5cserver.py", "//etc/passwd",
        "/%00", "/main.js%00.html", "/__init__.py", "/server.py", "/C:%5cwindows%5cwin.ini",
    ],
)  # fmt: skip
def test_nothing_but_the_pages_files_is_served(page, path):
    assert page.client.get(path).status_code == 404


def test_the_page_is_served_with_strict_headers(page):
    response = page.client.get("/")
    assert response.headers["content-type"].startswith("text/html")
    policy = response.headers["content-security-policy"]
    assert "default-src 'self'" in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff" and response.headers["cache-control"] == "no-store"
    assert "have agreed to it" in response.text


def test_large_bodies_are_refused_announced_or_not(page, sessions):
    def chunks():
        yield b'--x\r\nContent-Disposition: form-data; name="file"; filename="f"\r\n\r\n'
        for _ in range(MAX_BODY // 2**20 + 1):
            yield bytes(2**20)

    kind = {"Content-Type": "multipart/form-data; boundary=x"}
    announced = page.client.post("/photo", content=bytes(10), headers=kind | {"Content-Length": str(MAX_BODY + 1)})
    assert announced.status_code == 413 and "too large" in announced.json()["message"]
    silent = page.client.post("/photo", content=chunks(), headers=kind)
    assert silent.status_code == 413 and "too large" in silent.json()["message"]
    assert page.post("/download", page.open()["session"], {"parts": ["x" * 2**19]}).status_code == 413


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", "multipart/form-data; boundary=x"),
        (b"--x--\r\n", "multipart/form-data; boundary=x"),
        (b"--y\r\n\r\nz", "multipart/form-data; boundary=x"),
        (b"abc", "multipart/form-data"),
        (b"abc", "text/plain"),
        (b'--x\r\nContent-Disposition: form-data; name="file"\r\n\r\ntext\r\n--x--\r\n', "multipart/form-data; boundary=x"),
        (b'--x\r\nContent-Disposition: form-data; filename="f"\r\n\r\nz\r\n--x--\r\n', "multipart/form-data; boundary=x"),
        (2 * FILE + b"--x--", "multipart/form-data; boundary=x"),
    ],
)  # fmt: skip
def test_malformed_uploads_are_refused(page, sessions, body, kind):
    response = page.client.post("/photo", content=body, headers={"Content-Type": kind})
    assert response.status_code == 400 and response.json()["message"]
    assert len(sessions) == 0 and page.open()


def test_what_names_a_server_goes_by():
    assert name_of("[::1]:80") == "::1" and name_of("LocalHost.:80") == "localhost" and name_of("[x") == ""
    assert is_allowed("portraits.lan", "portraits.lan") and not is_allowed("other.lan", "portraits.lan")
    assert is_allowed("192.168.1.7", "0.0.0.0") and not is_allowed("evil.example", "0.0.0.0")
    assert not is_allowed("192.168.1.7", "127.0.0.1")
    assert is_own(ORIGIN, "127.0.0.1:8000") and not is_own("ftp://a", "a") and not is_own("http://a.b", "a")
