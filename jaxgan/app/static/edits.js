// What the face is to become, and its history. An edit is a plain object that is never changed, as the server takes it.

export const PARTS = ["pose", "mouth", "eyes", "brows"];
const LENGTH = 200; // edits kept for undo

const NONE = { controls: {}, offsets: null, target: null, reference: null };

export const UNEDITED = Object.freeze({ ...NONE, parts: PARTS, strength: 1 });

export class History {
  #past = [];
  #future = [];

  constructor() {
    this.now = UNEDITED; // what is shown, in the middle of a drag too
    this.kept = UNEDITED; // what undo comes back to
  }

  // Shows a change without keeping it.
  change(fields) {
    this.now = { ...this.now, ...fields };
  }

  // Keeps what is shown, at the end of a drag.
  keep() {
    if (this.now === this.kept) return;
    this.#past = [...this.#past.slice(-LENGTH), this.kept];
    this.#future = [];
    this.kept = this.now;
  }

  undo() {
    this.#step(this.#past, this.#future);
  }

  redo() {
    this.#step(this.#future, this.#past);
  }

  get canUndo() {
    return this.#past.length > 0;
  }

  get canRedo() {
    return this.#future.length > 0;
  }

  #step(from, to) {
    if (!from.length) return;
    to.push(this.kept);
    this.now = this.kept = from.pop();
  }
}
