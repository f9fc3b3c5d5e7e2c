// The canvas: the photograph with the edited box over it, whole or the part around the face.

import { boxOf } from "./curves.js";

const AROUND = 0.75; // of the face's larger side: what is shown around it when zoomed in
const SMALL = 0.35; // of the photograph's shorter side: smaller faces are zoomed in at first

export class View {
  #patch = null;
  #shown = 0;

  constructor(stage, canvas) {
    this.stage = stage;
    this.canvas = canvas;
    this.region = [0, 0, 1, 1]; // left, top, width, height in pixels of the photograph
    this.before = false;
  }

  // Returns whether the face is so small that it is zoomed in.
  open(photo, size, points) {
    this.photo = photo;
    this.size = size;
    this.#patch = null;
    this.#shown = 0;
    const [left, top, right, bottom] = boxOf(points);
    const side = Math.max(right - left, bottom - top) * (1 + 2 * AROUND);
    const [x, y] = [Math.max(0, (left + right - side) / 2), Math.max(0, (top + bottom - side) / 2)];
    this.face = [x, y, Math.min(size[0] - x, side), Math.min(size[1] - y, side)];
    return Math.max(right - left, bottom - top) < SMALL * Math.min(...size);
  }

  zoom(near) {
    this.region = near ? this.face : [0, 0, ...this.size];
    const [, , width, height] = this.region;
    const scale = Math.max(1, Math.min(2, 900 / Math.max(width, height))) * (near ? 2 : 1);
    this.canvas.width = Math.round(width * scale);
    this.canvas.height = Math.round(height * scale);
    this.stage.style.setProperty("--ratio", width / height);
    this.draw();
  }

  // Decoding takes a moment, so an older answer may be ready later: it is dropped.
  async show(seq, box, picture) {
    const bitmap = box ? await createImageBitmap(picture) : null;
    if (seq < this.#shown) return;
    this.#shown = seq;
    this.#patch = box ? { box, bitmap } : null;
    this.draw();
  }

  draw() {
    const context = this.canvas.getContext("2d");
    const [left, top, width] = this.region;
    const scale = this.canvas.width / width;
    context.setTransform(scale, 0, 0, scale, -left * scale, -top * scale);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.photo, 0, 0);
    if (this.#patch && !this.before) context.drawImage(this.#patch.bitmap, ...this.#patch.box.slice(0, 2));
  }
}
