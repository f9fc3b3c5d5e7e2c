"""Colour of the head's surface: skin, mouth, nostrils, eyes and brows, painted on the front of the face.

Colours are sRGB in [0, 1], [3, T] for T points of the surface; masks are [T]. `soft`, a scalar in head units, is the width
over which an edge fades: one sample of the picture.
"""

import jax.numpy as jnp
from jax import Array

from jaxgan.faces.model import Face, brow, bump, lids, lips, smoothstep
from jaxgan.faces.parameters import Identity

_TEETH = (0.90, 0.87, 0.82)
_MOUTH = (0.22, 0.07, 0.07)
_TONGUE = (0.55, 0.24, 0.24)
_SCLERA = (0.93, 0.91, 0.89)
_LASHES = (0.10, 0.07, 0.06)


def edge(distance: Array, soft: float | Array) -> Array:
    """Coverage of a shape: 0 outside, 1 inside, with a ramp of width `soft` at the edge; `distance` is positive inside."""
    return jnp.clip(0.5 + distance / soft, 0, 1)


def over(below: Array, colour: Array | tuple[float, float, float], alpha: Array) -> Array:
    """`colour`, [3] or [3, T], composited over `below` [3, T] with opacity `alpha` [T]."""
    colour = jnp.asarray(colour, jnp.float32)
    if colour.ndim == 1:
        colour = colour[:, None]
    return below + (colour - below) * alpha[None]


def paint_head(face: Face, identity: Identity, x: Array, y: Array, soft: Array) -> tuple[Array, Array]:
    """(albedo [3, T], gloss [T]) of the head's surface at (x, y)."""
    side = jnp.abs(x)
    colour, gloss = _paint_skin(face, identity, x, side, y)
    colour, gloss = _paint_mouth(face, identity, colour, gloss, x, y, soft)
    colour, gloss = _paint_eyes(face, identity, colour, gloss, x, side, y, soft)
    return _paint_brows(face, identity, colour, side, y, soft), gloss


def _blob(x: Array, y: Array, rx: float | Array, ry: float | Array) -> Array:
    return bump((x / rx) ** 2 + (y / ry) ** 2)


def _paint_skin(face: Face, identity: Identity, x: Array, side: Array, y: Array) -> tuple[Array, Array]:
    skin = jnp.broadcast_to(identity.skin[:, None], (3, x.size))
    colour = over(skin, identity.skin * jnp.array([1.0, 0.72, 0.68]), 0.3 * _blob(side - 0.58, y - 0.55, 0.42, 0.42))
    colour = over(colour, identity.skin * jnp.array([1.0, 0.78, 0.72]), 0.35 * _blob(x, y - face.nose_y, 0.25, 0.3))

    chin = face.mouth_y + face.jaw_drop
    jaw = smoothstep((y - 0.45 - 0.35 * (1 - smoothstep(side / 0.75))) / 0.4)
    stubble = jaw * (1 - 0.6 * _blob(x, y - chin - 0.25, 0.14, 0.16))
    colour = over(colour, 0.75 * identity.hair + 0.1 * identity.skin, 0.85 * identity.beard * stubble)

    shade = (
        0.30 * _blob(side - face.eye_x + 0.06, y + 0.09, 0.38, 0.24)  # under the brow
        + 0.18 * _blob(side - face.eye_x, y - 0.17, 0.28, 0.12)  # under the eye
        + 0.30 * _blob(x, y - face.nose_y - 0.17, 0.32, 0.13)  # under the nose
        + 0.22 * _blob(side - face.nose_width, y - face.nose_y - 0.02, 0.09, 0.18)  # around the nostrils
        + 0.25 * _blob(x, y - face.mouth_y - face.gap_lower - face.lip_lower - 0.09, 0.32, 0.11)  # under the lips
    )
    fold_x = face.nose_width + 0.06 + 0.28 * jnp.clip((y - face.nose_y) / 0.5, 0, 1)
    along = _blob(y - face.nose_y - 0.18, 0, 0.34, 1)
    shade = shade + (1.6 * face.cheek) * along * bump(((side - fold_x) / 0.07) ** 2)  # from nostril to mouth
    nostril = _blob(side - 0.5 * face.nose_width, y - face.nose_y - 0.095, 0.085, 0.05)
    colour = colour * (1 - jnp.minimum(shade, 0.6))[None]
    return over(colour, 0.28 * identity.skin, 0.9 * nostril), 0.16 * jnp.ones_like(x)


def _paint_mouth(
    face: Face, identity: Identity, colour: Array, gloss: Array, x: Array, y: Array, soft: Array
) -> tuple[Array, Array]:
    outer_upper, inner_upper, inner_lower, outer_lower = lips(face, x)
    alpha = edge(jnp.minimum(y - outer_upper, outer_lower - y), jnp.maximum(soft, 0.03))
    upper = edge(inner_upper + 0.5 * (inner_lower - inner_upper) - y, jnp.maximum(soft, 0.02))
    colour = over(colour, identity.lips[:, None] * (1 - 0.18 * upper)[None], alpha)

    middle = 0.5 * (inner_upper + inner_lower)
    half_gap = 0.5 * (inner_lower - inner_upper)
    inside = edge(half_gap - jnp.abs(y - middle), soft) * edge(half_gap - 0.002, 0.004)
    tongue = smoothstep((y - middle) / (half_gap + 0.02))
    cavity = over(jnp.broadcast_to(jnp.array(_MOUTH)[:, None], colour.shape), _TONGUE, 0.8 * tongue)
    teeth = edge(inner_upper + 0.085 - y, jnp.maximum(soft, 0.02)) * edge(0.72 * face.mouth_width - jnp.abs(x), 0.12)
    colour = over(over(colour, cavity, inside), _TEETH, 0.92 * teeth * inside)

    within = edge(face.mouth_width - jnp.abs(x), 0.05)
    line = bump(((y - inner_upper) / jnp.maximum(0.028, 0.7 * soft)) ** 2) * within
    return over(colour, 0.35 * identity.lips, 0.75 * line), gloss + 0.25 * alpha * (1 - inside)


def _paint_eyes(
    face: Face, identity: Identity, colour: Array, gloss: Array, x: Array, side: Array, y: Array, soft: Array
) -> tuple[Array, Array]:
    upper, lower = lids(face, side)
    within = edge(face.eye_width - jnp.abs(side - face.eye_x), 0.03)
    opening = edge(jnp.minimum(y - upper, lower - y), soft) * within

    dx, dy = side - face.eye_x + 0.005, y + 0.022
    radius = jnp.sqrt(dx * dx + dy * dy)
    ball = jnp.broadcast_to(jnp.array(_SCLERA)[:, None], colour.shape)
    ball = over(ball, 0.45 * identity.iris, edge(0.098 - radius, jnp.maximum(soft, 0.012)))
    ball = over(ball, identity.iris, edge(0.085 - radius, jnp.maximum(soft, 0.02)))
    ball = over(ball, (0.03, 0.03, 0.03), edge(0.042 - radius, jnp.maximum(soft, 0.012)))
    glint = jnp.sqrt((x - jnp.sign(x) * face.eye_x - 0.03 * identity.light[0]) ** 2 + (y + 0.06) ** 2)
    ball = over(ball, (1.0, 1.0, 1.0), 0.9 * edge(0.02 - glint, jnp.maximum(soft, 0.012)))
    ball = ball * (1 - 0.35 * edge(upper + 0.03 - y, 0.08))[None]  # shadow of the lid
    colour = over(colour, ball, opening)

    across = jnp.abs(side - face.eye_x) / face.eye_width
    lash = bump(((y - upper + 0.004) / jnp.maximum(0.034, 0.7 * soft)) ** 2) * edge(1.06 - across, 0.12)
    rim = bump(((y - lower) / jnp.maximum(0.024, 0.7 * soft)) ** 2) * edge(1 - across, 0.3)
    crease = bump(((y - upper + 0.075 * (1 - across * across) + 0.02) / 0.035) ** 2) * edge(0.9 - across, 0.3)
    colour = over(colour, 0.45 * identity.skin, 0.45 * face.lid_open * crease + 0.4 * rim)
    return over(colour, _LASHES, 0.85 * lash), gloss * (1 - opening)


def _paint_brows(face: Face, identity: Identity, colour: Array, side: Array, y: Array, soft: Array) -> Array:
    across = (side - face.brow_x) / face.brow_length
    half = face.brow_thickness * (1 - 0.55 * smoothstep((across + 0.2) / 1.2)) * (0.7 + 0.3 * smoothstep(across + 1.5))
    centre = brow(face, side) + face.brow_thickness * 0.6
    ends = edge(1.04 - jnp.abs(across), 0.16)
    alpha = edge(half - jnp.abs(y - centre), jnp.maximum(soft, 0.035)) * ends
    return over(colour, 0.6 * identity.hair + 0.02, 0.85 * alpha)
