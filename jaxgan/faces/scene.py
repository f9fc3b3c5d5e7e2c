"""Light and surroundings of the face: hair and ears, which move with the head, and neck, clothes and background, which do not.

Colours are sRGB in [0, 1], [3, T] for T rays; masks and depths are [T]. `soft`, a scalar in head units, is the width over
which an edge fades: one sample of the picture.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxgan.faces.model import UNITS_PER_IMAGE, Face, bump, smoothstep
from jaxgan.faces.paint import edge, over
from jaxgan.faces.parameters import Identity

_BEYOND = 9.0  # head units: farther than anything in the scene


class Rays(NamedTuple):
    """Rays origin - t * viewer in the axes of the head, with origin x, y, z [T] and unit vector viewer [3]."""

    x: Array
    y: Array
    z: Array
    viewer: Array

    def at(self, t: Array) -> tuple[Array, Array, Array]:
        return self.x - t * self.viewer[0], self.y - t * self.viewer[1], self.z - t * self.viewer[2]


class Layer(NamedTuple):
    """A surface of colour [3, T] and opacity `alpha` [T], at t [T] along the rays."""

    colour: Array
    alpha: Array
    t: Array


class _Ellipsoid(NamedTuple):
    """An ellipsoid aligned with the axes of the head."""

    centre: tuple
    radii: tuple

    def meet(self, rays: Rays) -> tuple[Array, Array, Array]:
        """Returns (hit, near, far): 1 or 0 for whether each ray hits the ellipsoid, and the t where it enters and leaves."""
        ox, oy, oz = ((o - c) / r for o, c, r in zip(rays[:3], self.centre, self.radii, strict=True))
        dx, dy, dz = (rays.viewer[i] / r for i, r in enumerate(self.radii))
        a, b, c = dx * dx + dy * dy + dz * dz, ox * dx + oy * dy + oz * dz, ox * ox + oy * oy + oz * oz - 1
        root = b * b - a * c
        half = jnp.sqrt(jnp.maximum(root, 0))
        return jnp.where(root > 0, 1.0, 0.0), (b - half) / a, (b + half) / a

    def normal(self, x: Array, y: Array, z: Array) -> Array:
        return unit(jnp.stack([(p - c) / (r * r) for p, c, r in zip((x, y, z), self.centre, self.radii, strict=True)]))


def unit(vectors: Array) -> Array:
    """Vectors [3, T] scaled to length 1."""
    return vectors * jax.lax.rsqrt(jnp.sum(vectors * vectors, axis=0, keepdims=True) + 1e-12)


def shade(identity: Identity, albedo: Array, gloss: Array | float, normal: Array, light: Array, viewer: Array) -> Array:
    """Colour of a lit surface: ambient light, Lambert's law and a Blinn-Phong highlight; sRGB squared approximates light."""
    lambert = jnp.maximum(0, light @ normal)
    sky = 0.9 - 0.1 * normal[1]  # a little more light from above
    half = light + viewer
    shine = jnp.maximum(0, (half / jnp.linalg.norm(half)) @ normal) ** 16
    strength = identity.ambient * sky + 1.3 * (1 - identity.ambient) * lambert
    return jnp.sqrt(albedo * albedo * strength[None] + (0.35 * gloss * shine)[None] + 1e-6)


def ears(face: Face, identity: Identity, rays: Rays, light: Array) -> Layer:
    """Both ears, which never overlap in the picture."""
    colour, alpha = jnp.zeros((3, rays.x.size), jnp.float32), jnp.zeros_like(rays.x)
    tint = identity.skin * jnp.array([0.97, 0.84, 0.80])
    for side in (-1.0, 1.0):
        ear = _Ellipsoid((side * (face.width + 0.01), 0.2, -0.08), (0.11, 0.3, 0.19))
        hit, t, _ = ear.meet(rays)
        x, y, z = rays.at(t)
        hollow = 0.3 * bump(((y - 0.18) / 0.2) ** 2 + ((z + 0.02) / 0.14) ** 2)
        lit = shade(identity, tint[:, None] * (1 - hollow)[None], 0.1, ear.normal(x, y, z), light, rays.viewer)
        colour, alpha = over(colour, lit, hit), jnp.maximum(alpha, hit)
    return Layer(colour, alpha, jnp.zeros_like(rays.x))


def hair_distance(identity: Identity, x: Array, y: Array) -> Array:
    """Signed distance in head units from the hair's edge around the face, seen from the front; positive in the hair."""
    temple_y = -0.25
    height = temple_y - identity.hairline
    up = jnp.clip((temple_y - y) / height, 0, 2)
    width = 0.93 + 0.15 * smoothstep((y - 0.1) / 0.9)
    across = (x - identity.hair_part * up) / width
    return (jnp.sqrt(across * across + up * up + 1e-6) - 1) * jnp.minimum(width, jnp.maximum(height, 0.3))


def hair_shadow(identity: Identity, x: Array, y: Array) -> Array:
    """Darkening of the skin near the hair, 0 to 1."""
    near = smoothstep(1 + hair_distance(identity, x, y) / 0.22) * smoothstep((0.3 - y) / 0.5)
    return 0.35 * identity.hair_coverage * near


def hair(face: Face, identity: Identity, rays: Rays, light: Array, soft: Array) -> tuple[Layer, Layer]:
    """The (front, back) layers of hair, in front of and behind the head: a cap and, for long hair, a drape around the neck."""
    volume = identity.hair_volume
    cap = _Ellipsoid((0.0, -0.42, -0.05), (face.width + 0.05 + 0.5 * volume, 1.24 + volume, 1.26 + volume))
    is_long = jnp.where(identity.hair_length > 0.3, 1.0, 0.0)
    drop = jnp.maximum(0, identity.hair_length - 0.3)
    drape = _Ellipsoid((0.0, -0.1 + 0.6 * drop, -0.1), (face.width + 0.1 + 0.7 * volume, 1.3 + 0.9 * drop, 1.14 + volume))
    end = jnp.where(identity.hair_length > 0.3, _BEYOND, 0.05 + 0.6 * identity.hair_length)

    cap_front, cap_back = _shell(identity, cap, identity.hair_coverage, end, rays, light, soft)
    drape_front, drape_back = _shell(identity, drape, identity.hair_coverage * is_long, end, rays, light, soft)
    nearer = 1 + drape_front.alpha * (edge(drape_front.t - cap_front.t, 0.15) - 1)
    cap_weight = cap_front.alpha * nearer
    drape_weight = drape_front.alpha * (1 - cap_weight)
    mixed = cap_front.colour * cap_weight[None] + drape_front.colour * drape_weight[None]
    cap_t, drape_t = (jnp.where(layer.alpha > 0, layer.t, _BEYOND) for layer in (cap_front, drape_front))
    front = Layer(
        mixed / (cap_weight + drape_weight + 1e-6)[None],
        jnp.maximum(cap_front.alpha, drape_front.alpha),
        jnp.minimum(cap_t, drape_t),
    )
    return front, drape_back._replace(alpha=jnp.maximum(cap_back.alpha, drape_back.alpha))


def _shell(
    identity: Identity, shell: _Ellipsoid, coverage: Array, end: Array, rays: Rays, light: Array, soft: Array
) -> tuple[Layer, Layer]:
    """The (front, back) layers of an ellipsoid of hair, cut open around the face and at y = end."""
    hit, near, far = shell.meet(rays)
    x, y, z = rays.at(near)
    round_face, above_end = hair_distance(identity, x, y), end - y
    corner = jnp.maximum(0, 0.2 - jnp.abs(round_face - above_end))
    inside = jnp.minimum(round_face, above_end) - 1.25 * corner * corner  # a smooth minimum rounds the sideburns
    turn = (x - 0.3 * identity.hair_part) * jax.lax.rsqrt(x * x + (z + 0.5) ** 2 + 0.1)  # around the head
    strands = jnp.cos(13 * turn) + jnp.cos(31 * turn)
    albedo = identity.hair[:, None] * (0.95 + 0.06 * strands)[None]
    lit = shade(identity, albedo, 0.1, shell.normal(x, y, z), light, rays.viewer)
    back = jnp.broadcast_to(0.5 * identity.hair[:, None], lit.shape)
    behind = hit * coverage * edge(end + 0.5 - rays.at(far)[1], soft)
    return Layer(lit, hit * coverage * edge(inside, jnp.maximum(soft, 0.05)), near), Layer(back, behind, far)


def background(identity: Identity, x: Array, y: Array) -> Array:
    """The background gradient at the points (x, y) of the picture's plane, in camera axes."""
    along = (x * jnp.cos(identity.background_angle) + y * jnp.sin(identity.background_angle)) / UNITS_PER_IMAGE
    start, end = identity.background[0][:, None], identity.background[1][:, None]
    return start + (end - start) * smoothstep(along + 0.5)[None]


def body(identity: Identity, colour: Array, x: Array, y: Array, soft: Array) -> Array:
    """Neck and shoulders composited over `colour` at the points (x, y) of the picture's plane, in camera axes."""
    side, viewer = jnp.abs(x), jnp.array([0, 0, 1], jnp.float32)
    width = 0.60 * identity.skull_width + 0.5 * smoothstep((y - 1.45) / 0.9) ** 2
    round_ = jnp.clip(x / width, -1, 1)
    normal = unit(jnp.stack([round_, jnp.full_like(x, -0.1), jnp.sqrt(1.02 - round_ * round_)]))
    shadow = 0.5 * (1 - smoothstep((y - identity.chin_height + 0.1) / 0.6))  # of the chin
    neck = shade(identity, identity.skin[:, None] * (0.93 - shadow)[None], 0.05, normal, identity.light, viewer)
    colour = over(colour, neck, edge(width - side, soft) * edge(y - 0.6, soft))

    top = 1.52 + 0.38 * smoothstep((side - 0.45) / 1.5)
    collar = identity.neckline + 0.1 - 0.35 * (side / 0.8) ** 2
    corner = jnp.maximum(0, 0.12 - jnp.abs(top - collar))
    normal = unit(jnp.stack([0.35 * x, -0.55 + 0.3 * (y - top), jnp.full_like(x, 0.8)]))
    albedo = jnp.broadcast_to(identity.clothes[:, None], colour.shape)
    cloth = shade(identity, albedo, 0.0, normal, identity.light, viewer)
    return over(colour, cloth, edge(y - jnp.maximum(top, collar) - 2 * corner * corner, soft))
