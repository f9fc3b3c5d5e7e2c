"""A head in three dimensions: its surface, the curves of its features, and the iBUG-68 landmarks.

The skull is a superellipsoid whose axes and shear vary with y. Brow ridge, eye sockets, nose, muzzle and chin are bumps that
move its front along z, so the front is a height field in closed form, on which features are drawn as curves in (x, y).
Functions are for one portrait; x, y and z are arrays of the same shape. `jaxgan.faces.parameters` defines axes and units.
"""

from typing import NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxgan.faces.parameters import Identity, Pose

UNITS_PER_IMAGE = 3.8  # height and width of the picture in head units
IMAGE_CENTRE_Y = 0.2  # y at the centre of the picture in head units
PIVOT = (0.0, 0.4, 0.6)  # the point of the head that rotations leave in place
_WIDEST_Y = -0.2  # where the head is widest
_CRANIUM_HEIGHT = 1.45  # from there to the top of the skull

# Landmarks along the jaw line, from ear to chin, as fractions of the jaw's height, spaced as by annotators.
_JAW_DOWN = (0.10, 0.25, 0.39, 0.525, 0.65, 0.77, 0.875, 0.955, 1.0)
_MOUTH_INNER = 0.86  # where the inner lips end, as a fraction of the mouth's half width
_LID = 0.40  # x of the landmarks on the lids, as a fraction of the eye's half width
_OUTER_LIP = (0.62, 0.26)  # x of the landmarks on the outer lips, as fractions of the mouth's half width
_INNER_LIP = 0.36  # the same for the inner lips


class Face(NamedTuple):
    """Measures of a face with its expression; scalars in head units unless noted otherwise."""

    width: Array  # half width at the cheekbones
    taper: Array  # fraction of the width lost at the chin
    squareness: Array  # of the jaw, 0 to 1
    jaw_height: Array  # from the widest point to the tip of the chin
    jaw_drop: Array  # how far the chin has moved down
    eye_x: Array
    eye_width: Array
    lid_upper: Array  # height of the arc of the upper lid; negative where it hangs below the corners
    lid_lower: Array  # depth of the arc of the lower lid
    lid_open: Array  # 1: open, 0: closed
    eye_slant: Array
    brow_inner: Array  # y of the brow's inner end; below, that of its outer end and the height of its arc
    brow_outer: Array
    brow_arch: Array
    brow_x: Array  # x of its centre
    brow_length: Array  # half length
    brow_thickness: Array  # half thickness
    nose_y: Array  # y of the tip
    nose_width: Array
    nose_height: Array
    mouth_y: Array
    mouth_width: Array
    corner_lift: Array  # how far the corners of the mouth lie above its middle
    gap_upper: Array  # how far the inner edge of the upper lip has moved up; below, that of the lower lip down
    gap_lower: Array
    lip_upper: Array
    lip_lower: Array
    cheek: Array  # how far the cheeks protrude


def shape_face(identity: Identity, pose: Pose) -> Face:
    """The measures of a person's face with the expression in `pose`; both without the leading axis [N]."""
    opened, smile, happy = pose.jaw, pose.smile, jnp.maximum(pose.smile, 0)
    lid_open = 1 - pose.blink
    lid_height = identity.eye_height * (1 + 0.25 * jnp.maximum(pose.brow_raise, 0))
    brow_y = -identity.brow_height - 0.07 * pose.brow_raise
    return Face(
        width=identity.skull_width,
        taper=1 - identity.jaw_width,
        squareness=identity.jaw_squareness,
        jaw_height=identity.chin_height - _WIDEST_Y + 0.24 * opened,
        jaw_drop=0.24 * opened,
        eye_x=identity.eye_distance,
        eye_width=identity.eye_width,
        lid_upper=lid_height * (1.4 * lid_open - 0.4),
        lid_lower=lid_height * (0.5 - 0.12 * happy),
        lid_open=lid_open,
        eye_slant=identity.eye_slant,
        brow_inner=brow_y + 0.07 * pose.brow_frown,
        brow_outer=brow_y + 0.02,
        brow_arch=identity.brow_arch * (1 - 0.5 * pose.brow_frown),
        brow_x=0.455 - 0.025 * pose.brow_frown,
        brow_length=0.305 - 0.015 * pose.brow_frown,
        brow_thickness=identity.brow_thickness,
        nose_y=identity.nose_length,
        nose_width=identity.nose_width * (1 + 0.06 * happy),
        nose_height=identity.nose_height,
        mouth_y=identity.mouth_height,
        mouth_width=identity.mouth_width * (1 + 0.22 * smile - 0.08 * opened),
        corner_lift=0.09 * smile - 0.06 * opened,
        gap_upper=0.03 * opened + 0.015 * happy,
        gap_lower=0.25 * opened + 0.035 * happy,
        lip_upper=identity.upper_lip * (1 - 0.3 * happy),
        lip_lower=identity.lower_lip * (1 - 0.2 * happy),
        cheek=0.06 + 0.05 * happy,
    )


def bump(squared_radius: Array) -> Array:
    """A smooth bump, 1 at the centre and 0 beyond radius 1: a cheap substitute for a Gaussian."""
    inside = jnp.maximum(0, 1 - squared_radius)
    return inside * inside * inside


def smoothstep(x: Array) -> Array:
    """0 below 0, 1 above 1, and smooth in between."""
    x = jnp.clip(x, 0, 1)
    return x * x * (3 - 2 * x)


def _root(x: Array) -> Array:
    """The square root, 0 below 0, whose derivative is finite everywhere."""
    return jnp.where(x > 0, jnp.sqrt(jnp.where(x > 0, x, 1)), 0)


def _axes(face: Face, y: Array) -> tuple[Array, Array, Array, Array]:
    """(a, b, s, p) of the skull's section at y: (x/a)^2 + ((z - s)/b)^2 = 1 - p."""
    below = y > _WIDEST_Y
    u = (y - _WIDEST_Y) / jnp.where(below, face.jaw_height, _CRANIUM_HEIGHT)
    u2 = u * u
    square = jnp.where(below, 0.25 + 0.5 * face.squareness, 0.3)
    down = smoothstep(jnp.where(below, u, 0))
    return face.width * (1 - face.taper * down), 1.18 - 0.38 * down, 0.5 * down, u2 * (1 - square + square * u2)


def _relief(face: Face, x: Array, y: Array) -> Array:
    """How far the features move the front of the skull towards the viewer, in head units."""
    side = jnp.abs(x)

    def at(cx, cy, rx, ry):
        dx, dy = (side - cx) / rx, (y - cy) / ry
        return bump(dx * dx + dy * dy)

    ramp = jnp.clip((y - 0.02) / (face.nose_y - 0.02), 0, 1.15)
    ridge_width = 0.21 + 0.14 * ramp
    ridge = jnp.maximum(0, 1 - (x / ridge_width) ** 2)
    under = smoothstep((face.nose_y + 0.15 - y) / 0.16)
    nose = face.nose_height * (0.16 + 0.84 * ramp) * ridge * ridge * under * smoothstep((y + 0.35) / 0.35)
    wings = 0.20 * at(0.70 * face.nose_width, face.nose_y + 0.03, 0.15, 0.15)
    mouth = face.mouth_y + 0.5 * face.gap_lower
    return (
        nose
        + wings
        - 0.16 * at(face.eye_x - 0.02, 0.02, 0.34, 0.26)
        + 0.08 * at(face.eye_x, 0.0, 0.2, 0.15)
        + 0.07 * at(0.38, -0.3, 0.6, 0.25)
        + face.cheek * at(0.55, 0.5, 0.42, 0.42)
        + 0.14 * at(0.0, mouth, 0.6, 0.45)
        - 0.05 * at(0.0, mouth + face.lip_lower + 0.5 * face.gap_lower + 0.1, 0.3, 0.12)
        + 0.16 * at(0.0, face.jaw_height + _WIDEST_Y - 0.2, 0.5, 0.36)
    )


def head_level(face: Face, x: Array, y: Array, z: Array) -> Array:
    """0 on the head's surface, positive outside, and near the surface roughly the distance in head units."""
    a, b, s, p = _axes(face, y)
    forward = (z - s - _relief(face, x, y)) / b
    return jnp.sqrt((x / a) ** 2 + forward * forward + p + 1e-6) - 1


def front_depth(face: Face, x: Array, y: Array) -> Array:
    """z of the front of the head at (x, y), which must lie inside its outline."""
    a, b, s, p = _axes(face, y)
    return s + _relief(face, x, y) + b * _root(1 - p - (x / a) ** 2)


def lids(face: Face, side: Array) -> tuple[Array, Array]:
    """y of the (upper, lower) edges of the lids at side = |x|, valid between the corners of the eye."""
    across = (side - face.eye_x) / face.eye_width
    arc, line = 1 - across * across, -face.eye_slant * across
    return line - face.lid_upper * arc, line + face.lid_lower * arc


def brow(face: Face, side: Array) -> Array:
    """y of the upper edge of the brow at side = |x|."""
    across = (side - face.brow_x) / face.brow_length
    middle = 0.5 * (face.brow_inner + face.brow_outer) + 0.5 * (face.brow_outer - face.brow_inner) * across
    return middle - face.brow_arch * (1 - (across - 0.25) ** 2)


def lips(face: Face, x: Array) -> tuple[Array, Array, Array, Array]:
    """y of the (outer upper, inner upper, inner lower, outer lower) edges of the lips at x, valid inside the mouth."""
    across = (x / face.mouth_width) ** 2
    line = face.mouth_y - face.corner_lift * across
    outer, inner = 1 - across, jnp.maximum(0, 1 - across / _MOUTH_INNER**2)
    cupid = 1 - 0.16 * bump(across / 0.09)
    return (
        line - (face.gap_upper + face.lip_upper * cupid) * outer * (1 + 0.3 * across),
        line - face.gap_upper * inner,
        line + face.gap_lower * inner,
        line + (face.gap_lower + face.lip_lower) * outer,
    )


def rotation(pose: Pose) -> Array:
    """Rotation [3, 3] from the axes of the head to those of the camera: yaw first, then pitch, then roll."""
    (cy, sy), (cp, sp), (cr, sr) = ((jnp.cos(a), jnp.sin(a)) for a in (pose.yaw, pose.pitch, pose.roll))
    one, zero = jnp.ones_like(cy), jnp.zeros_like(cy)
    yaw = jnp.stack([jnp.stack([cy, zero, sy]), jnp.stack([zero, one, zero]), jnp.stack([-sy, zero, cy])])
    pitch = jnp.stack([jnp.stack([one, zero, zero]), jnp.stack([zero, cp, -sp]), jnp.stack([zero, sp, cp])])
    roll = jnp.stack([jnp.stack([cr, -sr, zero]), jnp.stack([sr, cr, zero]), jnp.stack([zero, zero, one])])
    return roll @ pitch @ yaw


def landmarks(face: Face, pose: Pose) -> Array:
    """The iBUG-68 landmarks [68, 3] on the surface, in the axes of the head.

    The jaw line (0-16) is the one that the viewer sees: on the side turned away, it slides forward to the outline.
    """
    half = jnp.linspace(-1.0, 1.0, 5) * face.brow_length
    brow_side = jnp.concatenate([face.brow_x - half, face.brow_x + half])
    brow_x = jnp.concatenate([-brow_side[:5], brow_side[5:]])

    bridge_y = jnp.linspace(0.02, 1.0, 4) * face.nose_y
    base_x = jnp.linspace(-0.8, 0.8, 5) * face.nose_width
    base_y = face.nose_y + 0.09 + 0.05 * jnp.array([-0.4, 0.5, 1.0, 0.5, -0.4])

    eye_side = face.eye_x + face.eye_width * jnp.array([1, _LID, -_LID, -1, -_LID, _LID])
    upper, lower = lids(face, eye_side)
    eye_y = jnp.where(jnp.array([True, True, True, True, False, False]), upper, lower)
    mirrored = jnp.array([3, 2, 1, 0, 5, 4])  # the other eye is numbered from its inner corner

    far, near = _OUTER_LIP
    outer_x = face.mouth_width * jnp.array([-1, -far, -near, 0, near, far, 1, far, near, 0, -near, -far])
    inner_x = face.mouth_width * jnp.array(
        [-_MOUTH_INNER, -_INNER_LIP, 0, _INNER_LIP, _MOUTH_INNER, _INNER_LIP, 0, -_INNER_LIP]
    )
    outer_upper, _, _, outer_lower = lips(face, outer_x)
    _, inner_upper, inner_lower, _ = lips(face, inner_x)
    x = jnp.concatenate([brow_x, jnp.zeros(4), base_x, -eye_side, eye_side[mirrored], outer_x, inner_x])
    y = jnp.concatenate(
        [
            brow(face, brow_side), bridge_y, base_y, eye_y, eye_y[mirrored],
            outer_upper[:7], outer_lower[7:], inner_upper[:5], inner_lower[5:],
        ]
    )  # fmt: skip
    features = jnp.stack([x, y, front_depth(face, x, y)], axis=1)
    return jnp.concatenate([_jaw_line(face, pose), features])


def _jaw_line(face: Face, pose: Pose) -> Array:
    """The jaw line [17, 3] from ear to ear around the chin, in the axes of the head."""
    u = jnp.array(_JAW_DOWN + _JAW_DOWN[7::-1], jnp.float32)
    side = jnp.concatenate([-jnp.ones(8), jnp.zeros(1), jnp.ones(8)])
    y = _WIDEST_Y + face.jaw_height * u
    a, b, s, p = _axes(face, y)
    viewer = rotation(pose)[2]
    outline = jnp.arctan2(viewer[2] / b, -side * viewer[0] / a)  # where the surface turns out of sight
    angle = jnp.minimum(outline, jnp.pi / 2)
    radius = _root(1 - p)
    x = side * a * radius * jnp.sin(angle)
    return jnp.stack([x, y, s + _relief(face, x, y) + b * radius * jnp.cos(angle)], axis=1)


def to_camera(pose: Pose, points: Array) -> Array:
    """Points [..., 3] from the axes of the head to those of the camera, whose x and y are the picture's (orthographic)."""
    pivot = jnp.array(PIVOT, jnp.float32)
    shift = jnp.stack([pose.shift_x, pose.shift_y, jnp.zeros_like(pose.shift_x)])
    centred = points - jnp.broadcast_to(pivot, points.shape)
    return pose.scale * centred @ rotation(pose).T + jnp.broadcast_to(pivot + shift, points.shape)


def project(pose: Pose, points: Array) -> Array:
    """Points [..., 3] in the axes of the head to [..., 2] in the picture, from (0, 0) top left to (1, 1) bottom right."""
    plane = to_camera(pose, points)[..., :2] / UNITS_PER_IMAGE
    centre = jnp.array([0.5, 0.5 - IMAGE_CENTRE_Y / UNITS_PER_IMAGE], jnp.float32)
    return plane + jnp.broadcast_to(centre, plane.shape)
