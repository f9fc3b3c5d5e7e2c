"""The page itself, in the system's Chromium."""

import io
import json
import shutil
import threading
from contextlib import contextmanager

import numpy as np
import pytest
from app.conftest import PHOTO, FakeEditor
from PIL import Image

from jaxgan.app.server import Server, listen, make_app
from jaxgan.data.images import decode_image, read_image
from jaxgan.data.shape import MEAN_FACE
from jaxgan.faces import controls

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
if CHROMIUM is None:
    pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)
playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
expect = playwright.expect


@contextmanager
def serving(port: int = 0):
    """A server in a thread; gives its URL."""
    bound, ready = listen("127.0.0.1", port), threading.Event()
    server = Server(make_app(FakeEditor()), ready.set)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [bound]})
    thread.start()
    ready.wait(10)
    try:
        yield f"http://127.0.0.1:{bound.getsockname()[1]}/"
    finally:
        server.should_exit = True
        thread.join(20)
        bound.close()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A clip of a head that tilts, as MJPEG."""
    path, frames = tmp_path_factory.mktemp("camera") / "clip.mjpeg", io.BytesIO()
    face = Image.fromarray(read_image(PHOTO)).resize((480, 480))
    for degrees in (*[0] * 10, *[10] * 30):
        picture = Image.new("RGB", (640, 480), "grey")
        picture.paste(face.rotate(degrees, Image.Resampling.BICUBIC), (80, 0))
        picture.save(frames, "JPEG")
    path.write_bytes(frames.getvalue())
    return path


@pytest.fixture(scope="module")
def browser(clip):
    arguments = ["--no-sandbox", "--use-fake-ui-for-media-stream", "--use-fake-device-for-media-stream"]
    arguments += [f"--use-file-for-fake-video-capture={clip}", "--disable-gpu"]
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def url():
    controls.fit(MEAN_FACE)  # compiles
    with serving() as url:
        yield url


@pytest.fixture
def tab(browser, url):
    """An open page with the photograph; it must have made no foreign request and no error."""
    with watched(browser, url) as page:
        yield open_photo(page, url)


@contextmanager
def watched(browser, url, **options):
    context = browser.new_context(viewport={"width": 1200, "height": 900}, **options)
    page, foreign, errors = context.new_page(), [], []
    page.set_default_timeout(15_000)
    page.on("request", lambda request: foreign.append(request.url) if not request.url.startswith((url, "blob:")) else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    yield page
    context.close()
    assert foreign == [] and errors == []


def open_photo(page, url):
    page.goto(url)
    page.set_input_files("#choose", PHOTO)
    expect(page.locator("#panel")).to_be_visible(timeout=15_000)
    expect(page.locator("#status")).to_contain_text("Drag a point")
    return page


def picture(page) -> str:
    """What the canvas shows, as text to compare."""
    return page.evaluate("document.getElementById('picture').toDataURL()")


def changed(page, before: str) -> None:
    """Waits until the canvas shows something else."""
    page.wait_for_function("before => document.getElementById('picture').toDataURL() !== before", arg=before)


def place(page, point: int) -> tuple[float, float]:
    return tuple(page.evaluate(
        "point => { const box = document.querySelector(`[data-point='${point}']`).getBoundingClientRect();"
        " return [box.x + box.width / 2, box.y + box.height / 2]; }", point))  # fmt: skip


def test_a_dragged_point_moves_the_face_and_its_neighbours(tab):
    before = picture(tab)
    (x, y), near, far = place(tab, 8), place(tab, 7), place(tab, 27)
    tab.mouse.move(x, y)
    tab.mouse.down()
    for step in range(1, 11):
        tab.mouse.move(x + 2 * step, y + 2 * step)
    tab.mouse.up()
    changed(tab, before)
    assert place(tab, 8) == pytest.approx((x + 20, y + 20), abs=1.5)
    assert 1 < place(tab, 7)[0] - near[0] < 20
    assert place(tab, 27) == pytest.approx(far, abs=0.5)
    tab.click("#undo")
    tab.wait_for_function("before => document.getElementById('picture').toDataURL() === before", arg=before)
    assert place(tab, 8) == pytest.approx((x, y), abs=0.5)
    tab.click("#redo")
    changed(tab, before)
    tab.click("#reset")
    tab.wait_for_function("before => document.getElementById('picture').toDataURL() === before", arg=before)


def test_points_and_sliders_work_by_keyboard(tab):
    before = picture(tab)
    tab.focus("[data-point='30']")
    start = place(tab, 30)
    tab.keyboard.press("Shift+ArrowRight")
    changed(tab, before)
    assert place(tab, 30)[0] - start[0] == pytest.approx(10, abs=1.5)
    tab.keyboard.press("PageDown")
    assert tab.evaluate("document.activeElement.getAttribute('aria-label')").startswith("Tip of the nose, point 1 of 5")
    tab.keyboard.press("Control+z")
    tab.wait_for_function("before => document.getElementById('picture').toDataURL() === before", arg=before)
    slider = tab.locator("#slider-yaw")
    value = slider.evaluate("input => input.valueAsNumber")
    slider.press("ArrowRight")
    assert slider.evaluate("input => input.valueAsNumber") == pytest.approx(value + 1)
    changed(tab, before)
    edited = picture(tab)
    tab.locator("#before").dispatch_event("pointerdown")
    assert picture(tab) == before
    tab.locator("#before").dispatch_event("pointerup")
    assert picture(tab) == edited
    slider.dblclick()
    tab.wait_for_function("before => document.getElementById('picture').toDataURL() === before", arg=before)
    assert slider.evaluate("input => input.valueAsNumber") == pytest.approx(value, abs=1e-3)


def test_the_download_is_edited_in_full_and_the_expression_comes_back(tab, tmp_path):
    with tab.expect_download() as same:
        tab.click("#download")
    assert same.value.suggested_filename == "source-edited.png"
    assert np.array_equal(decode_image(same.value.path().read_bytes()), read_image(PHOTO))
    before = picture(tab)
    tab.locator("#slider-roll").press("ArrowRight")
    changed(tab, before)
    with tab.expect_download() as other:
        tab.click("#download")
    edited = decode_image(other.value.path().read_bytes())
    assert edited.shape == read_image(PHOTO).shape and not np.array_equal(edited, read_image(PHOTO))
    with tab.expect_download() as saved:
        tab.click("#save")
    path = tmp_path / saved.value.suggested_filename
    saved.value.save_as(path)
    assert json.loads(path.read_text())["format"] == "jaxgan expression 1"
    edited, chin = picture(tab), place(tab, 8)
    tab.click("#reset")
    changed(tab, edited)
    tab.set_input_files("#choose-target", path)
    expect(tab.locator("#status")).to_contain_text("as they were saved")
    tab.wait_for_function(
        "chin => Math.abs(document.querySelector('[data-point=\"8\"]').getBoundingClientRect().x - chin) < 0.5",
        arg=tab.evaluate(
            "chin => chin - document.querySelector('[data-point=\"8\"]').getBoundingClientRect().width / 2", chin[0]
        ),
    )


def test_a_picture_and_the_camera_are_followed(tab):
    before = picture(tab)
    tab.set_input_files("#choose-target", PHOTO.parent / "target.jpg")
    expect(tab.locator("#status")).to_contain_text("takes its pose and expression")
    changed(tab, before)
    tab.click("#forget-target")
    tab.wait_for_function("before => document.getElementById('picture').toDataURL() === before", arg=before)
    tab.click("#camera")
    expect(tab.locator("#neutral")).to_be_visible()
    changed(tab, before)
    tab.click("#camera")
    expect(tab.locator("#video")).to_be_hidden()
    expect(tab.locator("#forget-target")).to_be_visible()
    assert tab.locator("#undo").is_enabled()


def test_the_editor_is_personalised(tab):
    tab.locator("#slider-yaw").press("ArrowRight")
    before = picture(tab)
    tab.click("#personalise")
    expect(tab.locator("#status")).to_contain_text("now knows this person")
    changed(tab, before)
    expect(tab.locator("#progress")).to_be_hidden()


def test_a_bad_file_is_explained_and_the_page_goes_on(tab, tmp_path):
    bad = tmp_path / "notes.txt"
    bad.write_text("no picture")
    tab.set_input_files("#choose", bad)
    expect(tab.locator("#status")).to_have_text("Unreadable: not an image of a known format.")
    tab.set_input_files("#choose", PHOTO)
    expect(tab.locator("#status")).to_contain_text("Drag a point")


def test_two_tabs_are_apart(tab, browser, url):
    with watched(browser, url) as other:
        open_photo(other, url)
        before, untouched = picture(tab), picture(other)
        tab.locator("#slider-yaw").press("ArrowRight")
        changed(tab, before)
        assert picture(other) == untouched


def test_a_phone_has_touch_and_no_sideways_scrolling(browser, url):
    with watched(browser, url, has_touch=True, is_mobile=True, color_scheme="dark") as phone:
        phone.set_viewport_size({"width": 390, "height": 800})
        open_photo(phone, url)
        assert phone.evaluate("document.documentElement.scrollWidth") <= 390
        before, (x, y) = picture(phone), place(phone, 8)
        client = phone.context.new_cdp_session(phone)
        for kind, points in (("touchStart", [(x, y)]), ("touchMove", [(x, y + 15)]), ("touchEnd", [])):
            touches = [{"x": left, "y": top} for left, top in points]
            client.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})
        changed(phone, before)
        assert place(phone, 8)[1] == pytest.approx(y + 15, abs=1.5)


def test_a_server_that_stops_is_told_and_comes_back(browser):
    with serving() as url:
        context = browser.new_context()
        page = open_photo(context.new_page(), url)
        page.locator("#slider-yaw").press("ArrowRight")
    expect(page.locator("#status")).to_contain_text("does not answer", timeout=15_000)
    with serving(int(url.split(":")[2].strip("/"))):
        expect(page.locator("#again")).to_be_visible(timeout=15_000)
        expect(page.locator("#status")).to_contain_text("upload it again")
        page.click("#reupload")
        expect(page.locator("#status")).to_contain_text("Drag a point")
        assert page.locator("#undo").is_enabled()  # the edit is still there
        context.close()
