"""Trains an editor's encoder on, so that its edits follow: against the landmark network, which has gradients.

    python benchmarks/follow.py --data_dir data --datasets utkface celeba --minutes 15 --out followed

It goes on from the editor of the package, or from --editor; generator, inverter and running statistics stay. Targets are
each portrait's own landmarks, those of another one retargeted, and its own with random changes of controls. Minimised is

    landmarks + EXPRESSION openings + IDENTITY |d(G) - d(x)|^2 + REALISM softplus(-D(G)) + NEAR |shift - first shift|^2,

for renderings G, shifted, turned, blurred and noisy at random before landmarks are looked for in them. "openings" compares
eyes, lips and brows. d are dlib's descriptors, D is the StyleGAN's discriminator.
"""

import argparse
import dataclasses
import time
import warnings
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax
from landmark_network import MARGIN, load, moved

from jaxgan import checkpoints, losses
from jaxgan.checkpoints import export
from jaxgan.data.landmarks import MIRROR_INDEX
from jaxgan.editor import Editor
from jaxgan.faces.controls import CONTROLS, fit
from jaxgan.faces.retarget import retarget
from jaxgan.models import pipeline
from jaxgan.models.families import make_discriminator
from jaxgan.models.features.dlib_face import load_dlib_face
from jaxgan.models.features.landmark_network import NETWORK_SIZE, load_landmark_network, network_landmarks
from jaxgan.models.landmarks import landmarks_from_keypoints
from jaxgan.runtime import keep_compiled

EXPRESSION, IDENTITY, REALISM, NEAR = 1.0, 0.15, 0.1, 0.02
BATCH, TOGETHER = 16, 50  # portraits a step; portraits that get the same change of controls
KINDS = (0.25, 0.25, 0.2, 0.2, 0.1)  # shares of targets: two of other people, two of controls, own
LIMITS = {"yaw": 30, "pitch": 14, "roll": 12}  # degrees; 1 for expressions
FADED = 0.02  # of layers that the editor did not shift before: what is left of their first shifts
ADAM = optax.chain(optax.clip_by_global_norm(1.0), optax.scale_by_adam(b2=0.99))


def targets(editor: Editor, keypoints: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Landmarks to ask for, [5, N, 68, 2], of the kinds of KINDS."""
    made = [retarget(keypoints, keypoints[rng.permutation(len(keypoints))]) for _ in range(2)]
    for _ in range(2):
        changed = []
        for start in range(0, len(keypoints), TOGETHER):
            names = rng.choice([*CONTROLS], rng.integers(1, 4), replace=False)
            changes = {name: float(rng.uniform(-1, 1) * LIMITS.get(name, 1)) for name in names}
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # changes that leave the known range
                faces = fit(keypoints[start : start + TOGETHER])
                changed.append(faces.adjust(emphasise=bool(rng.random() < 0.5), **changes))
        made.append(np.concatenate(changed))
    return np.stack([editor.place(each) for each in (*made, keypoints)])


def openings(points: jax.Array) -> jax.Array:
    """How far eyes and lips are open, how wide the mouth is, how high its corners and the brows are: [B, 7], in pixels."""

    def gap(a: int, b: int) -> jax.Array:
        return jnp.linalg.norm(points[:, a] - points[:, b], axis=-1)

    height = points[..., 1]
    return jnp.stack(
        [
            gap(37, 41) + gap(38, 40),
            gap(43, 47) + gap(44, 46),
            (gap(61, 67) + gap(62, 66) + gap(63, 65)) / 3,
            0.5 * gap(48, 54),
            0.5 * (height[:, 48] + height[:, 54] - height[:, 62] - height[:, 66]),
            height[:, 36:42].mean(axis=1) - height[:, 17:22].mean(axis=1),
            height[:, 42:48].mean(axis=1) - height[:, 22:27].mean(axis=1),
        ],
        axis=1,
    )


def unsteady(key: jax.Array, images: jax.Array, points: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Renderings shifted, turned, scaled, blurred, coloured and noisy, with the landmarks that they should have."""
    batch, keys = len(images), jax.random.split(key, 7)
    pixel = (batch, 1, 1, 1)
    scale = jnp.exp(jax.random.uniform(keys[0], (batch,), minval=-0.1, maxval=0.1))
    angle, shift = 0.08 * jax.random.normal(keys[1], (batch,)), 1.5 * jax.random.normal(keys[2], (batch, 2))
    x, points = moved(images, points, scale, angle, shift)
    smooth = x
    for _ in range(2):
        smooth = (smooth + sum(jnp.roll(smooth, step, axis) for axis in (1, 2) for step in (-1, 1))) / 5
    x = x + jax.random.uniform(keys[3], pixel) * (smooth - x)
    x = x * jnp.exp(0.1 * jax.random.normal(keys[4], pixel)) + 0.05 * jax.random.normal(keys[5], (batch, 1, 1, 3))
    return x + 0.05 * jax.random.normal(keys[6], x.shape), points


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--datasets", required=True, nargs="+")
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--editor", default=checkpoints.shipped(checkpoints.DEFAULT))
    parser.add_argument("--portraits", type=int, default=10_000)
    parser.add_argument("--layers", type=int, help="style layers that are shifted; default: as the editor has it")
    parser.add_argument("--learning_rate", type=float, default=1.5e-3)
    args = parser.parse_args()
    keep_compiled()
    loaded = checkpoints.load(args.editor)
    editor, rng = Editor(loaded), np.random.default_rng(1)
    before = loaded.config.encoder.edited_layers
    config = dataclasses.replace(
        loaded.config, encoder=dataclasses.replace(loaded.config.encoder, edited_layers=args.layers or before)
    )
    # bfloat16 is slow on CPUs
    gen = dataclasses.replace(config.generator, dtype="float32")
    encoder = dataclasses.replace(config.encoder, trunk=dataclasses.replace(config.encoder.trunk, dtype="float32"))
    images, keypoints = load(args.data_dir, args.datasets, "train")
    rows, inside = rng.permutation(len(images))[: args.portraits], slice(MARGIN, MARGIN + NETWORK_SIZE)
    images, keypoints = images[rows, inside, inside], keypoints[rows] - MARGIN
    mirrored = rng.random(len(images)) < 0.5
    images[mirrored] = images[mirrored, :, ::-1]
    keypoints[mirrored] = keypoints[mirrored][:, MIRROR_INDEX] * [-1, 1] + [NETWORK_SIZE, 0]
    latents, descriptors = editor.invert(images), editor.describe(images)
    wanted = targets(editor, keypoints, rng)

    variables = jax.tree.map(np.array, loaded.networks["encoder"])
    if args.layers and 0 < before < args.layers:
        norm = variables["params"]["difference"]["norm"]
        norm["scale"][before:] *= FADED
        norm["bias"][before:] *= FADED
    first, rest = variables["params"], {name: tree for name, tree in variables.items() if name != "params"}
    frozen = {
        "generator": loaded.networks["generator"],
        "critic": {"params": loaded.networks["stylegan_discriminator"]},
        "dlib_face": load_dlib_face(),
        "landmarks": load_landmark_network(),
        "first": first,
        "rest": rest,
    }
    critic = make_discriminator(config.stylegan_discriminator)

    def shift(params: dict, frozen: dict, latents: jax.Array, points: jax.Array) -> jax.Array:
        landmarks = landmarks_from_keypoints(points, gen.resolution)
        return pipeline.shift(encoder, gen, {"params": params, **frozen["rest"]}, None, latents, landmarks)

    @jax.jit
    def step(params, state, mean, frozen, key, rate, latents, descriptors, points):
        def loss(params: dict) -> tuple[jax.Array, dict]:
            edited = shift(params, frozen, latents, points)
            made = pipeline.render(gen, frozen["generator"], edited)
            seen, there = unsteady(key, made, points)
            found = network_landmarks(frozen["landmarks"], seen)
            eyes = jnp.maximum(jnp.linalg.norm(there[:, 36:42].mean(axis=1) - there[:, 42:48].mean(axis=1), axis=-1), 8.0)
            away = jnp.linalg.norm(found - there, axis=-1) / eyes[:, None]
            described = losses.face_descriptors(frozen, made, points)
            terms = {
                "landmarks": jnp.sqrt(jnp.square(away) + 1e-4).mean(),
                "expression": EXPRESSION * jnp.mean(jnp.abs(openings(found) - openings(there)) / eyes[:, None]),
                "identity": IDENTITY * losses.descriptor_distance(described, descriptors),
                "realism": REALISM * losses.generator_logistic(critic.apply(frozen["critic"], made)),
                "near": NEAR * losses.mse(edited, shift(frozen["first"], frozen, latents, points)),
            }
            return sum(terms.values()), terms

        gradient, terms = jax.grad(loss, has_aux=True)(params)
        update, state = ADAM.update(gradient, state, params)
        params = jax.tree.map(lambda a, b: a - rate * b, params, update)
        return params, state, jax.tree.map(lambda a, b: a + 0.02 * (b - a), mean, params), terms

    params = mean = first
    state, begun, steps = ADAM.init(params), time.monotonic(), 0
    while (done := (time.monotonic() - begun) / (60 * args.minutes)) < 1:
        rows, kinds = rng.integers(0, len(images), BATCH), rng.choice(len(KINDS), BATCH, p=KINDS)
        fall = 1.0 if done < 0.4 else 0.5 * (1 + np.cos(np.pi * (done - 0.4) / 0.6))
        rate = jnp.float32(args.learning_rate * min(1, 40 * done + 0.05) * fall)
        batch = latents[rows], descriptors[rows], wanted[kinds, rows]
        params, state, mean, terms = step(
            params, state, mean, frozen, jax.random.fold_in(jax.random.key(0), steps), rate, *batch
        )
        steps += 1
        if steps % 25 == 0:
            print(steps, {name: round(float(value), 4) for name, value in terms.items()}, flush=True)
    networks = {**loaded.networks, "encoder": {**rest, "params": jax.device_get(mean)}}
    export.write_networks(args.out, loaded.step, config, networks, half=True, framing=dataclasses.asdict(editor.framing))
    print(f"{steps} steps of {BATCH} portraits; written to {args.out}")


if __name__ == "__main__":
    main()
