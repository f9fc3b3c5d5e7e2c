// The 68 points of iBUG 300-W: how they are joined, what they are called, and which follow which.

const range = (from, to) => Array.from({ length: to - from }, (_, index) => from + index);

export const CURVES = [
  { name: "Jaw", points: range(0, 17) },
  { name: "Right brow", points: range(17, 22) },
  { name: "Left brow", points: range(22, 27) },
  { name: "Bridge of the nose", points: range(27, 31) },
  { name: "Tip of the nose", points: range(31, 36) },
  { name: "Right eye", points: range(36, 42), closed: true },
  { name: "Left eye", points: range(42, 48), closed: true },
  { name: "Outer lips", points: range(48, 60), closed: true },
  { name: "Inner lips", points: range(60, 68), closed: true },
];

// Points follow each other only within a group, so that lips and lids that touch can be pulled apart.
const GROUPS = [
  range(0, 17), range(17, 22), range(22, 27), range(27, 36),
  [36, 37, 38, 39], [36, 41, 40, 39], [42, 43, 44, 45], [42, 47, 46, 45],
  [...range(48, 55), ...range(60, 65)], [48, ...range(54, 61), ...range(64, 68)],
];

export function nameOf(point) {
  const curve = CURVES.find((each) => each.points.includes(point));
  return `${curve.name}, point ${curve.points.indexOf(point) + 1} of ${curve.points.length}`;
}

export function pathOf(curve, points) {
  const corners = curve.points.map((index) => points[index].map((value) => value.toFixed(2)).join(" "));
  return `M${corners.join("L")}${curve.closed ? "Z" : ""}`;
}

// How far each point goes along with one that is moved, from 0 to 1. reach is a share of the face's size, 0 for none.
export function shares(points, moved, reach) {
  const near = new Set(GROUPS.filter((group) => group.includes(moved)).flat());
  const width = reach * sizeOf(points);
  return points.map(([x, y], index) => {
    if (index === moved) return 1;
    if (!near.has(index) || width === 0) return 0;
    const distance = Math.hypot(x - points[moved][0], y - points[moved][1]);
    return Math.exp(-0.5 * (distance / width) ** 2);
  });
}

// Root mean square distance of points to their middle.
export function sizeOf(points) {
  const middle = [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
  return Math.sqrt(points.reduce((sum, [x, y]) => sum + (x - middle[0]) ** 2 + (y - middle[1]) ** 2, 0) / points.length);
}

// left, top, right, bottom
export function boxOf(points) {
  const [xs, ys] = [0, 1].map((axis) => points.map((point) => point[axis]));
  return [Math.min(...xs), Math.min(...ys), Math.max(...xs), Math.max(...ys)];
}
