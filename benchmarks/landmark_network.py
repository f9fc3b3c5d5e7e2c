"""Trains the landmark network that comes with the package, on prepared datasets and on edits of them.

    python benchmarks/landmark_network.py --data_dir data --datasets utkface celeba --minutes 15 --out network

Its teacher is dlib, on portraits and on edits of them, so that what looks like a face to a network alone is told from faces.
`--start` goes on from a network, `--editor` renders the edits by another editor.
"""

import argparse
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import Editor
from jaxgan.data.detection import detect_landmarks
from jaxgan.data.framing import MeanFraming, reframe
from jaxgan.data.landmarks import LEFT_EYE, MIRROR_INDEX, RIGHT_EYE
from jaxgan.data.records import load_split
from jaxgan.errors import DatasetError
from jaxgan.faces.retarget import retarget
from jaxgan.models.features.landmark_network import (
    FRAMING,
    NETWORK_SIZE,
    LandmarkNetwork,
    load_landmark_network,
    network_landmarks,
    save_landmark_network,
)
from jaxgan.runtime import keep_compiled

MARGIN = 8  # px around the crop, for shifts and turns
SIDE = NETWORK_SIZE + 2 * MARGIN
BATCH = 64
EDITED = 8000  # portraits
ADAM = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(b2=0.99), optax.add_decayed_weights(1e-3))


def load(data_dir: str, names: list[str], split: str) -> tuple[np.ndarray, np.ndarray]:
    """Crops with a margin, uint8 [N, SIDE, SIDE, 3], and landmarks [N, 68, 2] in their pixels."""
    share = NETWORK_SIZE / SIDE
    wide = MeanFraming(0.5 + (FRAMING.x - 0.5) * share, 0.5 + (FRAMING.y - 0.5) * share, FRAMING.spread * share)
    parts = []
    for name in names:
        try:
            images, keypoints, _ = load_split(data_dir, name, split)
        except DatasetError:  # a dataset that is for tests alone
            continue
        parts.append(reframe(images, keypoints, wide, SIDE)[:2])
    images, keypoints = (np.concatenate(each) for each in zip(*parts, strict=True))
    seen = (eye_distance(keypoints) > MARGIN) & (np.abs(keypoints - SIDE / 2).max(axis=(1, 2)) < 0.75 * SIDE)
    return images[seen], keypoints[seen].astype(np.float32)


def eye_distance(keypoints: np.ndarray) -> np.ndarray:
    return np.linalg.norm(keypoints[:, RIGHT_EYE].mean(axis=1) - keypoints[:, LEFT_EYE].mean(axis=1), axis=-1)


def edits(editor: Editor, images: np.ndarray, keypoints: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Edits of portraits to each other's landmarks, weak and exaggerated ones, as `load` returns portraits."""
    rng = np.random.default_rng(0)
    rows = rng.permutation(len(images))[:count]
    inside = slice(MARGIN, MARGIN + NETWORK_SIZE)
    portraits, own = images[rows, inside, inside], keypoints[rows] - MARGIN
    latents = editor.invert(portraits)
    shifted = editor.edit_latents(portraits, editor.place(retarget(own, np.roll(own, 1, axis=0))), latents)
    strength = rng.choice([0, 0.5, 1, 1.5, 2], len(rows)).astype(np.float32)[:, None, None]
    made = editor.render(latents + strength * (shifted - latents))
    found = detect_landmarks(made, "dlib")
    seen = [row for row, points in enumerate(found) if points is not None]
    padded = np.pad(made[seen], ((0, 0), (MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), mode="edge")
    return padded, np.stack([found[row] for row in seen]) + MARGIN


def augmented(key: jax.Array, images: jax.Array, keypoints: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Crops [B, 64, 64, 3] in [-1, 1], mirrored, shifted, turned, coloured, blurred, noisy; landmarks in their pixels."""
    batch, keys = len(images), jax.random.split(key, 11)
    pixel = (batch, 1, 1, 1)
    x = images.astype(jnp.float32) / 127.5 - 1
    mirrored = jax.random.bernoulli(keys[0], 0.5, (batch,))
    swapped = jnp.stack([SIDE - keypoints[:, MIRROR_INDEX, 0], keypoints[:, MIRROR_INDEX, 1]], axis=-1)
    keypoints = jnp.where(mirrored[:, None, None], swapped, keypoints)
    x = jnp.where(mirrored[:, None, None, None], x[:, :, ::-1], x)
    scale = jnp.exp(jax.random.uniform(keys[1], (batch,), minval=-0.18, maxval=0.15))
    angle, shift = 0.12 * jax.random.normal(keys[2], (batch,)), 2.5 * jax.random.normal(keys[3], (batch, 2))
    x, keypoints = moved(x, keypoints, scale, angle, shift)
    x = x * jnp.exp(0.15 * jax.random.normal(keys[4], pixel)) + 0.1 * jax.random.normal(keys[5], (batch, 1, 1, 3))
    grey = x.mean(axis=-1, keepdims=True)
    x = grey + (x - grey) * jnp.exp(0.3 * jax.random.normal(keys[6], pixel))
    share = jax.random.uniform(keys[7], pixel) * jax.random.bernoulli(keys[8], 0.4, pixel)
    smooth = sum(jnp.roll(x, step, axis) for axis in (1, 2) for step in (-1, 1))
    x = x + share * ((x + smooth) / 5 - x)
    return x + 0.12 * jax.random.uniform(keys[9], pixel) * jax.random.normal(keys[10], x.shape), keypoints


def moved(
    images: jax.Array, keypoints: jax.Array, scale: jax.Array, angle: jax.Array, shift: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Crops [B, 64, 64, 3] of the middle of images, shrunk by a scale [B], turned by an angle [B], shifted by [B, 2] pixels."""
    side = images.shape[1]
    cos, sin = scale * jnp.cos(angle), scale * jnp.sin(angle)
    steps = jnp.arange(NETWORK_SIZE, dtype=jnp.float32) + 0.5 - NETWORK_SIZE / 2

    def sample(image: jax.Array, cos: jax.Array, sin: jax.Array, shift: jax.Array) -> jax.Array:
        across, down = steps[None, :], steps[:, None]
        at = [sin * across + cos * down + side / 2 + shift[1] - 0.5, cos * across - sin * down + side / 2 + shift[0] - 0.5]
        return jax.vmap(lambda channel: jax.scipy.ndimage.map_coordinates(channel, at, 1, "nearest"), 2, 2)(image)

    crops = jax.vmap(sample)(images, cos, sin, shift)
    away, cos, sin = keypoints - side / 2 - shift[:, None], cos[:, None], sin[:, None]
    there = [cos * away[..., 0] + sin * away[..., 1], cos * away[..., 1] - sin * away[..., 0]]
    return crops, jnp.stack(there, axis=-1) / jnp.square(scale)[:, None, None] + NETWORK_SIZE / 2


def error(found: jax.Array, keypoints: jax.Array) -> jax.Array:
    """Distances [B, 68] of landmarks in distances of the eyes."""
    eyes = keypoints[:, RIGHT_EYE].mean(axis=1) - keypoints[:, LEFT_EYE].mean(axis=1)
    return jnp.linalg.norm(found - keypoints, axis=-1) / jnp.maximum(jnp.linalg.norm(eyes, axis=-1), 5.0)[:, None]


@jax.jit
def step(params: dict, state: optax.OptState, mean: dict, key: jax.Array, images: jax.Array, keypoints: jax.Array, rate: float):
    crops, wanted = augmented(key, images, keypoints)

    def loss(params: dict) -> jax.Array:
        return jnp.sqrt(jnp.square(error(network_landmarks(params, crops), wanted)) + 1e-4).mean()

    value, gradient = jax.value_and_grad(loss)(params)
    update, state = ADAM.update(gradient, state, params)
    params = jax.tree.map(lambda a, b: a - rate * b, params, update)
    return params, state, jax.tree.map(lambda a, b: a + 0.005 * (b - a), mean, params), value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--datasets", required=True, nargs="+")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--start", action="store_true", help="go on from the network of the package")
    parser.add_argument("--editor", help="folder of the editor that renders edits; default: the package's")
    parser.add_argument("--learning_rate", type=float, default=2e-3)
    args = parser.parse_args()
    keep_compiled()
    images, keypoints = load(args.data_dir, args.datasets, "train")
    editor = Editor.load(args.editor) if args.editor else Editor.pretrained()
    more, theirs = edits(editor, images, keypoints, EDITED)
    images, keypoints = np.concatenate([images, more]), np.concatenate([keypoints, theirs])
    tested, known = load(args.data_dir, args.datasets, "test")
    inside = slice(MARGIN, MARGIN + NETWORK_SIZE)
    tested, known = tested[:2000, inside, inside], known[:2000] - MARGIN
    params = load_landmark_network() if args.start else fresh(keypoints)
    mean, state, rng, begun, steps = params, ADAM.init(params), np.random.default_rng(0), time.monotonic(), 0
    while (done := (time.monotonic() - begun) / (60 * args.minutes)) < 1:
        rows = rng.integers(0, len(images), BATCH)
        fall = 1.0 if done < 0.3 else 0.5 * (1 + np.cos(np.pi * (done - 0.3) / 0.7))
        rate = jnp.float32(args.learning_rate * min(1, 50 * done + 0.02) * fall)
        key = jax.random.fold_in(jax.random.key(1), steps)
        params, state, mean, value = step(params, state, mean, key, images[rows], keypoints[rows], rate)
        steps += 1
        if steps % 500 == 0:
            print(f"{steps} steps: loss {float(value):.4f}", flush=True)
    find = jax.jit(lambda crops: network_landmarks(mean, crops.astype(jnp.float32) / 127.5 - 1))
    held_out = float(
        np.mean([error(find(tested[row : row + 100]), known[row : row + 100]).mean() for row in range(0, len(tested), 100)])
    )
    print(f"{len(images)} crops, {steps} steps; held-out error {held_out:.4f} of the distance of the eyes")
    save_landmark_network(args.out, jax.device_get(mean))


def fresh(keypoints: np.ndarray) -> dict:
    """Parameters drawn anew, whose answer is the mean of the landmarks."""
    params = LandmarkNetwork().init(jax.random.key(0), jnp.zeros((1, NETWORK_SIZE, NETWORK_SIZE, 3)))["params"]
    last = params["points"]
    mean = (keypoints - MARGIN).mean(axis=0) / (NETWORK_SIZE / 2) - 1
    return {**params, "points": {"kernel": 0.1 * last["kernel"], "bias": jnp.asarray(mean.reshape(-1))}}


if __name__ == "__main__":
    main()
