"""Pairs of source and target, the rows of the tables, and what an editor makes of them."""

import numpy as np
import pytest
from helpers.made_up import FakeEditor, R, dataset, edits_of, face

from jaxgan.data.people import Label
from jaxgan.evaluation import edits as edits_module
from jaxgan.evaluation.edits import Instruments, make_edits
from jaxgan.evaluation.metrics import measure_all
from jaxgan.evaluation.pairs import (
    COPY_SOURCE,
    COPY_TARGET,
    CYCLE,
    INVERSION,
    MANIPULATED,
    NEAREST,
    RANDOM,
    REAL,
    RECONSTRUCTION,
    TRUE_PICTURE,
    Portraits,
    Row,
    clip_pairs,
    cyclic_derangement,
    make_pairs,
    make_same_pairs,
    nearest_landmarks,
    other_people,
)


@pytest.mark.parametrize("count", [2, 3, 10, 101])
def test_derangement_is_one_cycle_that_the_seed_fixes(count):
    targets = cyclic_derangement(count, 3)
    place, visited = 0, []
    for _ in range(count):
        visited.append(place)
        place = targets[place]
    assert place == 0 and sorted(visited) == list(range(count))
    np.testing.assert_array_equal(targets, cyclic_derangement(count, 3))
    assert count < 10 or not np.array_equal(targets, cyclic_derangement(count, 4))


def test_derangement_needs_two():
    with pytest.raises(ValueError, match="at least 2 portraits, got 1"):
        cyclic_derangement(1, 0)


def test_the_hash_depends_on_files_and_pairs():
    images, keypoints, files = dataset(9)

    def hashed(names, seed):
        return make_pairs(Portraits(images, keypoints, names), (images, keypoints), seed).hash

    assert hashed(files, 0) == hashed([*files], 0) and len(hashed(files, 0)) == 16
    assert len({hashed(files, 0), hashed(["x", *files[1:]], 0), hashed(files, 1)}) == 3
    pairs = make_pairs(Portraits(images, keypoints, files), (images, keypoints), 0)
    before, pairs.target_files = pairs.hash, pairs.target_files[::-1]
    assert pairs.hash != before


def test_rows_do_not_depend_on_chunks(monkeypatch):
    monkeypatch.setattr(edits_module, "CHUNK", 3)
    edits = edits_of(7)
    images, keypoints, _ = dataset(7)
    targets, editor = cyclic_derangement(7, 0), FakeEditor()
    assert np.all(targets != np.arange(7))
    wanted = keypoints[targets]
    w = editor.invert(images)
    edited = editor.edit_latents(images, wanted, w)
    expected = {
        MANIPULATED: (editor.render(edited), wanted),
        RECONSTRUCTION: (editor.render(editor.edit_latents(images, keypoints, w)), keypoints),
        CYCLE: (editor.render(editor.edit_latents(images, keypoints, edited)), keypoints),
        INVERSION: (images + 10, wanted),
        RANDOM: (editor.generate(range(7), 1.0), None),
        COPY_SOURCE: (images, wanted),
        COPY_TARGET: (images[targets], wanted),
        NEAREST: (images[targets], wanted),  # the training portraits are these
        REAL: (images, None),
    }
    assert edits.rows.keys() == expected.keys() and TRUE_PICTURE not in edits.rows
    for name, (pictures, asked) in expected.items():
        np.testing.assert_array_equal(edits.rows[name].images, pictures)
        np.testing.assert_array_equal(edits.rows[name].keypoints, asked)
    np.testing.assert_array_equal(edits.latents.inverted, w)
    np.testing.assert_array_equal(edits.latents.edited, edited)
    assert edits.images_per_second > 0


def test_resolutions_must_agree():
    images, keypoints, files = dataset(2)
    pairs = make_pairs(Portraits(images[:, :16, :16], keypoints, files), (images, keypoints), 0)
    with pytest.raises(ValueError, match="the portraits are 16x16 px, but the editor needs 32x32 px"):
        make_edits(FakeEditor(), pairs, Instruments(list))


def test_an_inverter_alone_is_measured_too():
    class Inverter(FakeEditor):
        stage = "inverter"

    edits = edits_of(3, editor=Inverter())
    assert [*edits.rows] == [INVERSION, RANDOM, COPY_SOURCE, COPY_TARGET, NEAREST, REAL]
    np.testing.assert_array_equal(edits.rows[INVERSION].images, edits.pairs.sources + 10)
    measured = {c.name: c for m in measure_all(edits, ["nme", "head", "reconstruction", "latents"]) for c in m.columns}
    assert measured["mse"].values[INVERSION] > 0 and measured["from_w_avg"].values.keys() == {INVERSION}
    Inverter.stage = "stylegan"
    with pytest.raises(ValueError, match="a stylegan checkpoint has no inverter"):
        edits_of(3, editor=Inverter())


def test_nearest_landmarks_by_brute_force():
    rng = np.random.default_rng(0)
    wanted, known = rng.normal(size=(5, 68, 2)), rng.normal(size=(9, 68, 2))
    expected = [np.argmin([np.linalg.norm(w - k, axis=1).mean() for k in known]) for w in wanted]
    np.testing.assert_array_equal(nearest_landmarks(wanted, known, block=2), expected)


def test_what_is_found_is_found_once():
    calls = []

    def detect(images):
        calls.append(len(images))
        return [face(0.5, (image[0, 0, 0], 0)) for image in images]

    edits = edits_of(3, detect)
    for _ in range(2):
        for name in edits.rows:
            edits.detected(name)
    assert calls == [3] * (len(edits.rows) - 1)  # the targets' portraits are the sources in another order
    for found, image in zip(edits.detected(COPY_TARGET), edits.rows[COPY_TARGET].images, strict=True):
        np.testing.assert_array_equal(found, face(0.5, (image[0, 0, 0], 0)))


def test_a_row_in_another_order_asks_its_origin_first():
    origin = Row(np.arange(3), None)
    ordered = Row(origin.images[[2, 0, 1]], None, (origin, np.array([2, 0, 1])))
    assert list(ordered.once("doubled", lambda row: 2 * row.images)) == [4, 0, 2]
    assert list(origin.once("doubled", lambda row: pytest.fail("again"))) == [0, 2, 4]


def test_failures_stand_in_landmark_by_landmark():
    edits = edits_of(3, lambda images: [face(), None, face()])
    found, wanted = edits.scored(RECONSTRUCTION)
    np.testing.assert_array_equal(found[1], edits.pairs.source_keypoints[1])
    np.testing.assert_array_equal(wanted[1], edits.pairs.wanted[1])
    np.testing.assert_array_equal(found[[0, 2]], [face(), face()])
    np.testing.assert_array_equal(wanted[[0, 2]], edits.pairs.source_keypoints[[0, 2]])
    assert R == edits.pairs.sources.shape[1]


@pytest.mark.parametrize("seed", range(5))
def test_targets_are_of_other_people(seed):
    people = ["a"] * 10 + ["b"] * 4 + [""] * 3 + ["c"] * 3
    targets = other_people(cyclic_derangement(20, seed), people, seed)
    assert sorted(targets) == [*range(20)] and all(i != target for i, target in enumerate(targets))
    assert all(people[i] != people[target] or not people[i] for i, target in enumerate(targets))
    with pytest.raises(ValueError, match="one person has more than half"):
        other_people(cyclic_derangement(21, seed), ["a", *people], seed)


def test_pairs_of_a_person_are_the_frames_of_a_clip_that_differ_most():
    labels = [
        Label("a", "1"),
        Label("a", "1"),
        Label("a", "1"),
        Label("a", "2"),
        Label("b", "1"),
        Label("b", "1"),
        Label("", ""),
    ]
    keypoints = np.zeros((7, 68, 2))
    keypoints[:3] += np.array([1, 0, 3])[:, None, None]
    pairs = sorted(map(tuple, clip_pairs(keypoints, labels, 0)))
    assert pairs == [(1, 2), (4, 5)]  # of clip 2 there is one frame


def test_the_true_picture_of_a_frame_is_the_other_frame():
    images, keypoints, files = dataset(4)
    labels = [Label("a", "1"), Label("a", "1"), Label("b", "1"), Label("b", "1")]
    made = make_same_pairs(Portraits(images, keypoints, files, labels), (np.zeros(0), np.zeros(0)), 0)
    assert sorted(zip(made.files, made.target_files, strict=True)) == [("000.png", "001.png"), ("002.png", "003.png")]
    assert made.rows.keys() == {COPY_SOURCE, TRUE_PICTURE} and made.people in (["a", "b"], ["b", "a"])
    np.testing.assert_array_equal(made.rows[TRUE_PICTURE].images[:, 0, 0, 0], made.sources[:, 0, 0, 0] + 1)
    for labels, message in (
        ([Label("a", "")] * 4, "need people and clips"),
        ([Label("a", f"{i}") for i in range(4)], "is none"),
    ):
        with pytest.raises(ValueError, match=message):
            make_same_pairs(Portraits(images, keypoints, files, labels), (np.zeros(0), np.zeros(0)), 0)


def test_an_aim_decides_what_is_asked_for():
    images, keypoints, files = dataset(3)
    made = make_pairs(Portraits(images, keypoints, files), (images, keypoints), 0, aim=lambda own, theirs: (own + theirs) / 2)
    np.testing.assert_array_equal(made.wanted, (keypoints + keypoints[cyclic_derangement(3, 0)]) / 2)
    np.testing.assert_array_equal(made.rows[COPY_TARGET].keypoints, made.wanted)
