"""Errors of pixels and latents against closed forms, and the figure."""

import numpy as np
import pytest
from helpers.made_up import FakeEditor, R, column, dataset, edits_of

from jaxgan.evaluation import figure
from jaxgan.evaluation import pairs as pairs_module
from jaxgan.evaluation.metrics import latents, measure_all, reconstruction, truth
from jaxgan.evaluation.pairs import COPY_SOURCE, CYCLE, INVERSION, MANIPULATED, RECONSTRUCTION, TRUE_PICTURE, cyclic_derangement
from jaxgan.faces.portraits import Pose
from jaxgan.models.landmarks import draw_landmarks

NAMES = [f"procedural/7/{i}" for i in range(3)]


@pytest.fixture
def procedural(monkeypatch):
    """Edits of three procedural portraits whose true pictures are 51 shades brighter than the sources."""

    def pictures(sources, targets, resolution):
        assert (list(sources), resolution) == (NAMES, R)
        assert list(targets) == [NAMES[i] for i in cyclic_derangement(3, 0)]
        return dataset(3)[0] + np.uint8(51)

    monkeypatch.setattr(pairs_module, "truth", pictures)
    return edits_of(3, files=NAMES)


def test_truth_compares_with_the_true_picture(procedural):
    np.testing.assert_array_equal(procedural.rows[TRUE_PICTURE].keypoints, procedural.pairs.wanted)
    values = column(truth.measure(procedural), "truth_mse").values
    assert values[COPY_SOURCE] == pytest.approx((51 / 127.5) ** 2)
    assert values[INVERSION] == pytest.approx((41 / 127.5) ** 2)
    errors = procedural.rows[MANIPULATED].images.astype(float) - procedural.pairs.sources - 51
    assert values[MANIPULATED] == pytest.approx(np.mean(errors**2) / 127.5**2)


def test_truth_is_split_by_what_changes(procedural, monkeypatch):
    """The yaw of the three pairs changes by 0, 20 and 40 degrees; only the third changes its expression."""
    targets = cyclic_derangement(3, 0)
    files = {tuple(NAMES): np.zeros(3), tuple(NAMES[i] for i in targets): np.array([0.0, 20.0, 40.0])}

    def poses(names):
        fields = dict.fromkeys(Pose._fields, np.zeros(3))
        yaw = files[tuple(names)]
        return Pose(**fields)._replace(yaw=np.radians(yaw), smile=(yaw > 30).astype(float))

    monkeypatch.setattr(truth, "poses", poses)
    yaw, expression = truth.changes(procedural)
    np.testing.assert_allclose(yaw, [0, 20, 40])
    np.testing.assert_allclose(expression, [0, 0, 5**-0.5])
    measurement = truth.measure(procedural)
    whole = column(measurement, "truth_mse").samples[MANIPULATED]
    for name, chosen in (("small_yaw", [0]), ("medium_yaw", [1]), ("large_yaw", [2]), ("small_expression", [0, 1])):
        assert column(measurement, f"truth_{name}").values[MANIPULATED] == pytest.approx(whole[chosen].mean())
    assert np.isnan(column(measurement, "truth_medium_expression").values[MANIPULATED])
    assert (
        "for the 1 pairs whose yaw changes by more than 10 and up to 25 degrees"
        in column(measurement, "truth_medium_yaw").description
    )


def test_truth_of_other_portraits_leaves_a_note():
    (measurement,) = measure_all(edits_of(2), ["truth"])
    assert measurement.columns == () and "truth: not taken: only procedural portraits" in measurement.notes[0]


def test_reconstruction_error():
    edits = edits_of(3, lpips=lambda a, b: np.abs(a.astype(float) - b).mean(axis=(1, 2, 3)))
    measurement = reconstruction.measure(edits)
    assert column(measurement, "mse").values[INVERSION] == pytest.approx((10 / 127.5) ** 2)
    assert column(measurement, "psnr").values[INVERSION] == pytest.approx(20 * np.log10(255 / 10))
    assert column(measurement, "lpips").values[INVERSION] == pytest.approx(10)
    for name, best in (("mse", 0), ("psnr", np.inf), ("ssim", 1), ("lpips", 0)):
        values = column(measurement, name).values
        assert values[COPY_SOURCE] == best and set(values) == {COPY_SOURCE, INVERSION, RECONSTRUCTION, CYCLE}
    assert column(measurement, "ssim").values[INVERSION] < 1


def test_an_editor_that_copies_reconstructs_the_source():
    """It has no error of reconstruction and the pictures of copy-source."""

    class Copy(FakeEditor):
        def invert(self, images):
            return images.reshape(len(images), 1, -1).astype(np.float32)

        def edit_latents(self, images, keypoints, latents=None):
            return self.invert(images)

    edits = edits_of(4, editor=Copy())
    values = column(reconstruction.measure(edits), "mse").values
    assert set(values.values()) == {0.0}
    np.testing.assert_array_equal(edits.rows[MANIPULATED].images, edits.rows[COPY_SOURCE].images)


def test_latents():
    edits = edits_of(3)
    w, edited, cycle = edits.latents.inverted, edits.latents.edited, edits.latents.cycle
    measurement = latents.measure(edits)
    assert column(measurement, "latent_cycle").values[CYCLE] == pytest.approx(np.mean((cycle - w) ** 2))
    shifts = np.sqrt(np.mean((edited - w) ** 2, axis=(1, 2)))
    assert column(measurement, "shift").values[MANIPULATED] == pytest.approx(shifts.mean()) and shifts.min() > 0
    assert column(measurement, "from_w_avg").values[INVERSION] == pytest.approx(np.mean([10, 11, 12]))  # shades


@pytest.mark.parametrize("names", [[""], ["one", "two"]])
def test_figure_puts_each_edit_where_its_source_and_target_meet(monkeypatch, names):
    monkeypatch.setattr(figure, "CELL", 2 * R)
    pairs, lines = edits_of(8).pairs, len(names)
    picture = figure.grid({name: FakeEditor() for name in names}, pairs)
    step, height = 2 * R + figure.GAP, 1 + 6 * lines
    assert picture.shape == (height * step - figure.GAP, 7 * step - figure.GAP, 3)
    cells = np.array([[picture[y * step :, x * step :][: 2 * R, : 2 * R] for x in range(7)] for y in range(height)])
    assert np.all(cells[0, 0] == 255)
    for i in range(6):
        np.testing.assert_array_equal(cells[0, i + 1][::2, ::2], pairs.sources[i])
        drawn = np.asarray(draw_landmarks(pairs.source_keypoints[i + 2][None], R))[0] * 255
        below = slice(12, None)  # the name of the line
        np.testing.assert_allclose(cells[1 + i * lines, 0][1::2, 1::2][below], drawn[below], atol=0.51)
    editor = FakeEditor()
    for target in range(6):
        for source in range(6):
            edited = editor.edit_latents(pairs.sources[[source]], pairs.source_keypoints[[target + 2]])
            for line in range(lines):
                cell = cells[1 + target * lines + line, source + 1]
                np.testing.assert_array_equal(cell[::2, 1::2], editor.render(edited)[0])
