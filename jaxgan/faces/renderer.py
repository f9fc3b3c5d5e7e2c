"""Renders a person in a pose: rays are traced to the head, composited with its surroundings, and antialiased.

The camera is orthographic. Its axes are those of a head facing it (see `jaxgan.faces.parameters`), and rays run along -z. Rays
are traced to the implicit surface of the head and intersect everything else in closed form. A pixel averages a grid of samples.
"""

import os
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxgan.faces import model, scene
from jaxgan.faces.model import Face
from jaxgan.faces.paint import edge, over, paint_head
from jaxgan.faces.parameters import Identity, Pose

_TRACE_STEPS = 24
_START_Z = 2.2  # where rays start, in head units in front of the head's pivot
_FREE_PATH = 0.6  # length at the start of every ray that is known to be empty, in head units
_HIT = 0.012  # level below which a ray has hit the head
_TILE = 9216  # samples traced at once; they fit the processor's cache and are a multiple of every grid's samples
_CHUNK = 8  # tiles traced by one call of the compiled function


def render_portraits(identity: Identity, pose: Pose, resolution: int) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 [N, R, R, 3] and landmarks float32 [N, 68, 2] in pixels of N portraits.

    The work is divided into tiles of one size, so that one compiled program serves every N and R.
    """
    count = len(pose.yaw)
    grid = 3 if resolution <= 32 else 2  # samples of a pixel along each axis
    pixels = _TILE // grid**2
    tiles = -(-(resolution**2) // pixels)
    pictures = np.empty((count * tiles, pixels, 3), np.uint8)
    points = np.empty((count, 68, 2), np.float32)

    def draw(start: int) -> None:
        work = np.arange(start, min(start + _CHUNK, count * tiles))
        padded = np.resize(work, _CHUNK)
        items = jax.tree.map(lambda field: field[padded // tiles], (identity, pose))
        first = (padded % tiles * pixels).astype(np.int32)
        colours, positions = _render_tiles(*items, first, np.int32(resolution), np.int32(grid))
        means = np.asarray(colours).reshape(_CHUNK, 3, grid**2, pixels).mean(axis=2)
        pictures[work] = np.rint(255 * np.moveaxis(means, 1, 2)[: len(work)])
        points[work // tiles] = np.asarray(positions)[: len(work)] * np.float32(resolution)

    with ThreadPoolExecutor(os.cpu_count()) as threads:
        list(threads.map(draw, range(0, count * tiles, _CHUNK)))
    pictures = pictures.reshape(count, tiles * pixels, 3)[:, : resolution**2]
    return pictures.reshape(count, resolution, resolution, 3), points


@jax.jit
def _render_tiles(identity: Identity, pose: Pose, first: Array, resolution: Array, grid: Array) -> tuple[Array, Array]:
    """sRGB [C, 3, T] of the samples in C tiles, and landmarks float32 [C, 68, 2], 0 to 1 across the picture.

    Tile i shows portrait i from pixel first[i] onwards, row by row; its samples are ordered by their position within the
    pixel, then by pixel.
    """

    def tile(item):
        identity, pose, first = item
        face = model.shape_face(identity, pose)
        sample = jnp.arange(_TILE, dtype=jnp.int32)
        pixels = _TILE // (grid * grid)
        pixel, place = first + sample % pixels, sample // pixels
        soft = model.UNITS_PER_IMAGE / (resolution * grid).astype(jnp.float32)
        column = (pixel % resolution) * grid + place % grid
        row = (pixel // resolution) * grid + place // grid
        x, y = (soft * (axis.astype(jnp.float32) + 0.5) - 0.5 * model.UNITS_PER_IMAGE for axis in (column, row))
        colour = _trace(face, identity, pose, x, y + model.IMAGE_CENTRE_Y, soft)
        return colour, model.project(pose, model.landmarks(face, pose))

    with jax.default_matmul_precision("float32"):  # accelerators would round rotations to fewer digits
        return jax.lax.map(tile, (identity, pose, first))


def _trace(face: Face, identity: Identity, pose: Pose, x: Array, y: Array, soft: Array) -> Array:
    """sRGB [3, T] at the points (x, y) [T] of the picture's plane, in camera axes, composited from back to front."""
    rays = _to_head(pose, x, y)
    light = identity.light @ model.rotation(pose)  # in the axes of the head
    hair_front, hair_back = scene.hair(face, identity, rays, light, soft)
    ears = scene.ears(face, identity, rays, light)
    t, level, skin = _head(face, identity, rays, light, soft)
    on_head = jnp.where(level < _HIT, 1.0, 0.0)
    uncovered = 1 + on_head * (edge(t + 0.02 - hair_front.t, 0.04) - 1)  # a nose may be in front of the far hair

    colour = over(scene.background(identity, x, y), hair_back.colour, hair_back.alpha)
    colour = scene.body(identity, colour, x, y, soft)
    colour = over(colour, ears.colour, ears.alpha)
    colour = over(colour, skin, on_head)
    return jnp.clip(over(colour, hair_front.colour, hair_front.alpha * uncovered), 0, 1)


def _to_head(pose: Pose, x: Array, y: Array) -> scene.Rays:
    """The rays through (x, y) of the picture's plane, in the axes of the head: the inverse of model.to_camera."""
    px, py, pz = model.PIVOT
    turn = model.rotation(pose)
    cx, cy = (x - px - pose.shift_x) / pose.scale, (y - py - pose.shift_y) / pose.scale
    ox, oy, oz = (turn[0, i] * cx + turn[1, i] * cy + turn[2, i] * _START_Z for i in range(3))
    return scene.Rays(ox + px, oy + py, oz + pz, turn[2])


def _head(face: Face, identity: Identity, rays: scene.Rays, light: Array, soft: Array) -> tuple[Array, Array, Array]:
    """The (t, level, colour) where each ray comes closest to the head's surface, found by sphere tracing.

    References:
      Hart, Sphere tracing: a geometric method for the antialiased ray tracing of implicit surfaces, 1996.
    """

    def step(_, state):
        t, best_t, best = state
        level = model.head_level(face, *rays.at(t))
        closer = jnp.abs(level) < jnp.abs(best)
        return t + 0.8 * level, jnp.where(closer, t, best_t), jnp.where(closer, level, best)

    start = jnp.full_like(rays.x, _FREE_PATH)
    _, t, level = jax.lax.fori_loop(0, _TRACE_STEPS, step, (start, start, jnp.full_like(rays.x, 9.0)))
    x, y, z = rays.at(t)
    normal = scene.unit(jnp.stack(jax.grad(lambda point: model.head_level(face, *point).sum())((x, y, z))))
    albedo, gloss = paint_head(face, identity, x, y, soft)
    albedo = albedo * (1 - scene.hair_shadow(identity, x, y))[None]
    return t, level, scene.shade(identity, albedo, gloss, normal, light, rays.viewer)
