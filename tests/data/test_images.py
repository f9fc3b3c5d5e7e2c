"""Decoding of every kind of image file, and crops whose keypoints stay on their pixels."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from jaxgan.data import images
from jaxgan.data.crops import Crop, largest_square


def encoded(image: Image.Image, kind: str = "PNG", **options) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def ramp(height: int = 32, width: int = 48) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 5, y * 7, x + y], axis=-1).astype(np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "PPM"])
def test_rgb_is_read_as_it_is(kind):
    np.testing.assert_array_equal(images.decode_image(encoded(Image.fromarray(ramp()), kind)), ramp())


@pytest.mark.parametrize("kind", ["JPEG", "WEBP"])
def test_lossy_formats_come_close(kind):
    decoded = images.decode_image(encoded(Image.fromarray(ramp()), kind, quality=95))
    assert np.abs(decoded.astype(int) - ramp()).mean() < 4


def test_grey_and_black_and_white_become_three_equal_channels():
    grey = ramp()[..., 0]
    expected = np.repeat(grey[..., None], 3, axis=-1)
    np.testing.assert_array_equal(images.decode_image(encoded(Image.fromarray(grey))), expected)
    bits = Image.fromarray(np.where(grey > 99, 255, 0).astype(np.uint8)).convert("1")
    assert set(np.unique(images.decode_image(encoded(bits)))) == {0, 255}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PPM"])
def test_16_bit_grey_is_scaled_and_not_clipped(kind):
    values = np.linspace(0, 65535, 32 * 32).round().astype(np.uint16).reshape(32, 32)
    decoded = images.decode_image(encoded(Image.fromarray(values), kind))
    np.testing.assert_array_equal(decoded, np.repeat(np.round(values / 257).astype(np.uint8)[..., None], 3, axis=-1))


def test_16_bit_rgb_is_scaled():
    row = np.full((32, 3), (65535, 32768, 0), ">u2").tobytes()
    header = struct.pack(">IIBBBBB", 32, 32, 16, 2, 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress((b"\0" + row) * 32))
    np.testing.assert_array_equal(images.decode_image(png + chunk(b"IEND", b"")), np.full((32, 32, 3), (255, 128, 0)))


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_transparency_is_composited_on_white(mode):
    pixels = np.zeros((32, 32, 4), np.uint8)
    pixels[:16, :, 3] = 255  # opaque black above, transparent black below
    image = Image.fromarray(pixels)
    if mode == "P":
        palette = Image.fromarray((pixels[..., 3] == 0).astype(np.uint8))
        palette.putpalette([0, 0, 0] * 2)
        data = encoded(palette, transparency=1)
    else:
        data = encoded(image.convert(mode))
    expected = np.where(pixels[..., 3:] == 255, 0, 255).astype(np.uint8).repeat(3, axis=-1)
    np.testing.assert_array_equal(images.decode_image(data), expected)


def test_half_transparency_is_a_mixture():
    decoded = images.decode_image(encoded(Image.new("RGBA", (32, 32), (0, 100, 200, 128))))
    np.testing.assert_allclose(decoded[0, 0], [127, 177, 227], atol=1)


def test_cmyk_and_palette():
    red = images.decode_image(encoded(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), "JPEG", quality=100))
    np.testing.assert_allclose(red, np.full((32, 32, 3), (255, 0, 0)), atol=3)
    colours = Image.fromarray(ramp()).quantize(16)
    np.testing.assert_array_equal(images.decode_image(encoded(colours, "GIF")), np.asarray(colours.convert("RGB")))


@pytest.mark.parametrize("orientation, turned", [(2, np.fliplr), (3, lambda a: np.rot90(a, 2)), (6, lambda a: np.rot90(a, -1))])
def test_exif_orientation_is_applied(orientation, turned):
    exif = Image.Exif()
    exif[274] = orientation
    np.testing.assert_array_equal(images.decode_image(encoded(Image.fromarray(ramp()), exif=exif)), turned(ramp()))


def test_bad_files_are_told_apart():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    good = encoded(Image.fromarray(noise))
    bomb = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    bad = {
        "unreadable: not an image": b"no image at all",
        "unreadable: ": good[: len(good) // 2],
        "too small: 1x1 px": encoded(Image.new("RGB", (1, 1))),
        "too large: ": b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bomb) + chunk(b"IDAT", b""),
        "unsupported pixels: floating point": encoded(Image.fromarray(np.ones((32, 32), np.float32)), "TIFF"),
        "unsupported pixels: integers": encoded(Image.fromarray(np.full((32, 32), 70000, np.int32)), "TIFF"),
    }
    for reason, data in bad.items():
        with pytest.raises(images.ImageError, match=f"^{reason}") as caught:
            images.decode_image(data)
        assert "\n" not in str(caught.value)
    with pytest.raises(images.ImageError, match="^unreadable"):
        images.decode_image(b"")


def test_too_many_pixels(monkeypatch):
    monkeypatch.setattr(images, "MAX_PIXELS", 1000)
    with pytest.raises(images.ImageError, match="too large: 48x32 px"):
        images.decode_image(encoded(Image.fromarray(ramp())))
    with pytest.raises(images.ImageError, match="too narrow: 48x32 px"):
        images.enlarge(ramp(), 64)


def test_read_image_names_the_file(tmp_path):
    (tmp_path / "x.png").write_bytes(b"nothing")
    with pytest.raises(images.ImageError, match=r"x\.png: unreadable"):
        images.read_image(tmp_path / "x.png")
    (tmp_path / "y.png").write_bytes(encoded(Image.fromarray(ramp())))
    np.testing.assert_array_equal(images.read_image(str(tmp_path / "y.png")), ramp())


def test_png_round_trip():
    np.testing.assert_array_equal(images.decode_image(images.encode_png(ramp())), ramp())


def test_box_filter_is_the_mean_of_blocks():
    noise = np.random.default_rng(0).integers(0, 256, (32, 48, 3), np.uint8)
    expected = noise.reshape(8, 4, 12, 4, 3).mean((1, 3))
    np.testing.assert_allclose(images.resample(noise, 12, 8, "box"), expected, atol=1)  # rounded twice


@pytest.mark.parametrize("filter", images.FILTERS)
def test_shrinking_does_not_alias(filter):
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[:, ::2] = 255  # at the Nyquist frequency of the source, so far beyond that of the result
    assert np.ptp(images.resample(stripes, 16, 16, filter)[2:-2, 2:-2]) <= 2


def test_enlarge():
    assert images.enlarge(ramp(), 64).shape == (64, 96, 3)
    assert images.enlarge(ramp(), 16) is not None and images.enlarge(ramp(), 16).shape == (32, 48, 3)


@pytest.mark.parametrize(
    "points, box",
    [
        ([(50, 10)], (40, 0, 60, 20)),  # in the middle already
        ([(62.5, 10), (52, 3)], (43, 0, 63, 20)),  # as far to the right as needed
        ([(37.5, 10), (45, 3)], (37, 0, 57, 20)),  # to the left
        ([(10, 5), (60, 5)], (25, 0, 45, 20)),  # wider than the square: centred
        ([(-30, 5), (-10, 5)], (0, 0, 20, 20)),  # beyond the image: as far as it reaches
        ([(99.9, 5), (95, 25)], (80, 0, 100, 20)),
    ],
)
def test_the_largest_square_holds_the_points(points, box):
    points = np.array(points, np.float32)
    left, top, right, bottom = box
    assert right - left == bottom - top
    assert largest_square(100, 20, points) == Crop(left, top, right - left)
    assert largest_square(20, 100, points[:, ::-1]) == Crop(top, left, right - left)


def test_the_largest_square_without_keypoints_is_central():
    assert largest_square(100, 20) == Crop(40, 0, 20)
    assert largest_square(20, 20) == Crop(0, 0, 20)


@pytest.mark.parametrize("height, width, resolution", [(96, 160, 32), (160, 96, 32), (96, 96, 32), (40, 50, 64)])
def test_a_crop_keeps_keypoints_on_their_pixels(height, width, resolution):
    image = np.zeros((height, width, 3), np.uint8)
    image[10:16, 20:28] = 255  # centre at (24, 13)
    corners = np.array([(16, 5), (16, 21), (32, 5), (32, 21)], np.float32)  # about the same centre
    keypoints = np.tile(corners, (17, 1))
    crop = largest_square(width, height, keypoints)
    small, moved = crop.apply(image, resolution), crop.move(keypoints, resolution)
    assert small.shape == (resolution, resolution, 3) and small.dtype == np.uint8
    assert moved.dtype == np.float32 and moved.shape == (68, 2)
    weight = small[..., 0].astype(float)
    y, x = np.mgrid[:resolution, :resolution] + 0.5
    centre = (x * weight).sum() / weight.sum(), (y * weight).sum() / weight.sum()
    np.testing.assert_allclose(moved.mean(0), centre, atol=0.05)


def profile(primaries: np.ndarray, gamma: float = 2.2) -> bytes:
    """An ICC profile of an RGB space with a power curve and the given columns (XYZ, D50) of its primaries."""

    def fixed(*values):
        return struct.pack(f">{len(values)}i", *(round(value * 65536) for value in values))

    tags = {
        b"desc": b"desc" + bytes(4) + struct.pack(">I", 5) + b"Wide\0" + bytes(79),
        b"wtpt": b"XYZ " + bytes(4) + fixed(0.9642, 1.0, 0.8249),
        b"cprt": b"text" + bytes(4) + b"none\0",
    }
    for name, column in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries.T, strict=True):
        tags[name] = b"XYZ " + bytes(4) + fixed(*column)
    for name in (b"rTRC", b"gTRC", b"bTRC"):
        tags[name] = b"curv" + bytes(4) + struct.pack(">IH", 1, round(gamma * 256)) + bytes(2)
    table, content, offset = struct.pack(">I", len(tags)), b"", 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        data += bytes(-len(data) % 4)
        table += name + struct.pack(">II", offset + len(content), len(data))
        content += data
    header = struct.pack(">I4sI4s4s4s", offset + len(content), b"none", 0x02400000, b"mntr", b"RGB ", b"XYZ ")
    header = (header + bytes(12) + b"acsp").ljust(68, b"\0") + fixed(0.9642, 1.0, 0.8249)
    return header.ljust(128, b"\0") + table + content


# Columns of the primaries, adapted to D50: Display P3's, and sRGB's (IEC 61966-2-1)
P3 = np.array([[0.5151, 0.2920, 0.1571], [0.2412, 0.6922, 0.0666], [-0.0011, 0.0419, 0.7841]])
SRGB = np.array([[0.4361, 0.3851, 0.1431], [0.2225, 0.7169, 0.0606], [0.0139, 0.0971, 0.7141]])


def srgb_of_p3(image: np.ndarray) -> np.ndarray:
    linear = (image / 255.0) ** 2.2 @ (np.linalg.inv(SRGB) @ P3).T
    linear = linear.clip(0, 1)
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_an_embedded_colour_profile_is_converted(kind):
    skin = np.full((32, 32, 3), (224, 172, 140), np.uint8)
    options = {"quality": 100, "subsampling": 0} if kind == "JPEG" else {"lossless": True} if kind == "WEBP" else {}
    found = images.decode_image(encoded(Image.fromarray(skin), kind, icc_profile=profile(P3), **options))
    expected = srgb_of_p3(skin[:1, :1])
    assert np.abs(expected - skin[0, 0]).max() > 8
    np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1.6)


def test_profiles_keep_transparency_and_damaged_ones_are_passed_over():
    half = Image.new("RGBA", (32, 32), (224, 172, 140, 0))
    np.testing.assert_array_equal(images.decode_image(encoded(half, "PNG", icc_profile=profile(P3))), 255)
    plain = Image.fromarray(np.random.default_rng(0).integers(0, 256, (32, 32, 3), np.uint8))
    for damaged in (b"no profile", profile(P3)[:200], ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()):
        np.testing.assert_array_equal(images.decode_image(encoded(plain, "PNG", icc_profile=damaged)), np.asarray(plain))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    np.testing.assert_array_equal(images.decode_image(encoded(plain, "PNG", icc_profile=srgb)), np.asarray(plain))
