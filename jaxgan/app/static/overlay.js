// The points over the photograph: drawn, dragged, moved by keys.

import { CURVES, boxOf, nameOf, pathOf, shares } from "./curves.js";

const SVG = "http://www.w3.org/2000/svg";
const DOT = 3; // CSS px: radius of what is seen
const NARROW = 560; // CSS px: on narrower pictures points are smaller
const GRIP = 14; // of what can be held; the nearest point is taken
const STEPS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

function make(name, attributes, parent) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return parent.appendChild(element);
}

export class Overlay {
  // handlers: start(), moved(shares, dx, dy) since the start, end(); choose(face); reach() is how far neighbours follow
  constructor(svg, handlers) {
    this.svg = svg;
    this.handlers = handlers;
    this.points = [];
    this.current = 30;
    this.held = null;
    this.others = make("g", {}, svg);
    const layer = make("g", { class: "points" }, svg);
    this.paths = CURVES.map((curve) => [curve, make("path", {}, layer)]);
    this.dots = Array.from({ length: 68 }, (_, index) => {
      const grip = make("circle", { class: "grip", role: "button", tabindex: -1, "data-point": index }, layer);
      return [grip, make("circle", { class: "dot" }, layer)];
    });
    svg.addEventListener("pointerdown", (event) => this.#down(event));
    svg.addEventListener("pointermove", (event) => this.#drag(event));
    for (const name of ["pointerup", "pointercancel"]) svg.addEventListener(name, (event) => this.#up(event));
    layer.addEventListener("keydown", (event) => this.#key(event));
    layer.addEventListener("focusin", ({ target }) => this.#choose(Number(target.dataset.point)));
    new ResizeObserver(() => this.#fit()).observe(svg);
    this.#choose(this.current);
  }

  // Shows a part of the photograph: left, top, width, height.
  look(region) {
    this.region = region;
    this.svg.setAttribute("viewBox", region.join(" "));
    this.#fit();
  }

  // Outlines the faces that are not edited.
  offer(faces, chosen) {
    this.others.replaceChildren();
    faces.forEach((points, index) => {
      if (index === chosen) return;
      const [x, y, right, bottom] = boxOf(points);
      const label = `Edit face ${index + 1} of ${faces.length} instead`;
      const place = { x, y, width: right - x, height: bottom - y, rx: 4 };
      const box = make("rect", { class: "other", role: "button", tabindex: 0, "aria-label": label, ...place }, this.others);
      make("title", {}, box).textContent = label;
      box.addEventListener("click", () => this.handlers.choose(index));
      box.addEventListener("keydown", ({ key }) => (key === "Enter" || key === " ") && this.handlers.choose(index));
    });
  }

  draw(points) {
    this.points = points;
    for (const [curve, path] of this.paths) path.setAttribute("d", pathOf(curve, points));
    this.dots.forEach((pair, index) => {
      for (const circle of pair) {
        circle.setAttribute("cx", points[index][0]);
        circle.setAttribute("cy", points[index][1]);
      }
    });
    this.#label();
  }

  // Pixels of the photograph for one of the page.
  get unit() {
    return this.region ? this.region[2] / (this.svg.clientWidth || 1) : 1;
  }

  #fit() {
    for (const [grip, dot] of this.dots) {
      grip.setAttribute("r", GRIP * this.unit);
      dot.setAttribute("r", DOT * Math.min(1, this.svg.clientWidth / NARROW) * this.unit);
    }
  }

  #choose(index) {
    this.dots[this.current][0].setAttribute("tabindex", -1);
    this.current = index;
    this.dots[index][0].setAttribute("tabindex", 0); // one stop of the Tab key for all points
    this.#label();
  }

  #label() {
    const [x, y] = (this.points[this.current] ?? [0, 0]).map(Math.round);
    this.dots[this.current][0].setAttribute("aria-label", `${nameOf(this.current)}, at ${x}, ${y}`);
  }

  #at(event) {
    const box = this.svg.getBoundingClientRect();
    return [this.region[0] + (event.clientX - box.left) * this.unit, this.region[1] + (event.clientY - box.top) * this.unit];
  }

  #down(event) {
    if (!event.target.classList.contains("grip") || event.button !== 0 || this.held) return;
    const [x, y] = this.#at(event);
    const distances = this.points.map((point) => Math.hypot(point[0] - x, point[1] - y));
    const index = distances.indexOf(Math.min(...distances));
    event.preventDefault();
    this.svg.setPointerCapture(event.pointerId);
    this.#choose(index);
    this.dots[index][0].classList.add("held");
    this.held = { pointer: event.pointerId, from: [x, y], shares: shares(this.points, index, this.handlers.reach()) };
    this.handlers.start();
  }

  #drag(event) {
    if (this.held?.pointer !== event.pointerId) return;
    const [x, y] = this.#at(event);
    this.handlers.moved(this.held.shares, x - this.held.from[0], y - this.held.from[1]);
  }

  #up(event) {
    if (this.held?.pointer !== event.pointerId) return;
    this.dots[this.current][0].classList.remove("held");
    this.held = null;
    this.handlers.end();
  }

  #key(event) {
    const turn = { PageDown: 1, PageUp: 67 }[event.key];
    if (turn) {
      event.preventDefault();
      this.#choose((this.current + turn) % 68);
      this.dots[this.current][0].focus();
    } else if (event.key in STEPS && !this.held) {
      event.preventDefault();
      const length = (event.shiftKey ? 10 : 1) * this.unit;
      this.handlers.start();
      const [dx, dy] = STEPS[event.key].map((step) => step * length);
      this.handlers.moved(shares(this.points, this.current, this.handlers.reach()), dx, dy);
      this.handlers.end();
    }
  }
}
