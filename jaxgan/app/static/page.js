// The page's state: a photograph, its edit, and how both are shown.

import { History } from "./edits.js";
import { Live } from "./live.js";
import { Overlay } from "./overlay.js";
import { Sliders } from "./sliders.js";
import { say } from "./status.js";
import { View } from "./view.js";
import { post, sentence, unpack } from "./wire.js";

const LARGEST = 32 * 2 ** 20; // bytes the server takes
const get = (id) => document.getElementById(id);

export class Page {
  #start = null; // points and offsets at the start of a drag
  #dragged = 0; // number of the drag's last move: answers to earlier ones would draw the points back
  #planned = 0;

  constructor() {
    this.photo = null;
    this.history = new History();
    this.listeners = []; // called after each change of the edit
    this.camera = null; // takes over the sending while it is on
    this.view = new View(get("stage"), get("picture"));
    this.overlay = new Overlay(get("overlay"), {
      start: () => (this.#start = { points: this.points, offsets: this.history.now.offsets }),
      moved: (shares, dx, dy) => this.#drag(shares, dx, dy),
      end: () => this.keep(),
      choose: (face) => this.#choose(face),
      reach: () => get("reach").valueAsNumber,
    });
    this.sliders = new Sliders(get("sliders"), {
      changed: (name, change) =>
        this.change(name === "strength" ? { strength: change } : { controls: this.#with(name, change) }),
      end: () => this.keep(),
    });
    this.live = new Live({
      open: (again) => {
        if (again) say("The server is back.");
        this.send();
      },
      closed: () => {
        this.camera?.answered();
        this.listeners.forEach((tell) => tell());
        say("The server does not answer. Trying again …", true);
      },
      edited: (header, picture) => this.#edited(header, picture),
      gone: ({ message }) => this.#gone(message),
      error: ({ seq, message }) => {
        say(sentence(message), true);
        if (seq === undefined) this.failed?.(); // it was no edit
        this.camera?.answered(seq);
      },
      progress: ({ done, steps }) => this.progress?.(done, steps),
      personalised: () => this.personalised?.(),
    });
  }

  // Uploads a photograph and opens its largest face; with `keep` the edit stays, as after a restart of the server.
  async open(file, keep = false) {
    if (file.size > LARGEST) return say("The file is too large: the limit is 32 MiB.", true);
    say("Looking for the face …");
    try {
      const opened = await post("photo", { file });
      this.file = file;
      await this.#opened(opened, keep);
    } catch (error) {
      say(error.message, true);
    }
  }

  // Changes fields of the edit, for as long as something is dragged; `keep` ends that.
  change(fields) {
    this.history.change(fields);
    this.refresh();
    this.send();
  }

  keep() {
    this.history.keep();
    this.refresh();
  }

  // Shows an edit from the history.
  step(move) {
    move();
    this.refresh();
    this.send();
  }

  refresh() {
    if (this.values) this.sliders.show(this.values, this.history.now);
    this.listeners.forEach((tell) => tell());
  }

  // Sends the edit, once for each picture the screen shows.
  send() {
    if (this.#planned || this.camera?.on) return;
    this.#planned = requestAnimationFrame(() => {
      this.#planned = 0;
      const seq = this.live.send(this.history.now);
      if (this.#start) this.#dragged = seq;
    });
  }

  // Posts the edit; says what went wrong and returns null if anything did.
  async ask(path, what) {
    try {
      return await post(path, { session: this.photo.session, ...what });
    } catch (error) {
      if (error.gone) this.#gone(error.message);
      else say(error.message, true);
      return null;
    }
  }

  async #opened(response, keep) {
    const [header, picture] = unpack(await response.arrayBuffer());
    const image = await createImageBitmap(picture);
    this.photo = header;
    this.points = header.points;
    this.values = header.values;
    if (!keep) this.history = new History();
    this.sliders.open(header.controls);
    const small = this.view.open(image, header.size, header.points);
    for (const id of ["stage", "tools", "panel"]) get(id).hidden = false;
    get("drop").hidden = get("again").hidden = true;
    get("zoom").checked = small && header.faces.length === 1;
    this.look();
    this.overlay.offer(header.faces, header.face);
    this.overlay.draw(header.points);
    this.refresh();
    this.live.open(header.session);
    this.opened?.();
    const others = header.faces.length > 1 ? `${header.faces.length} faces found; the dashed ones can be edited instead.` : "";
    say(["Drag a point or move a slider.", others, ...header.remarks.map(sentence)].filter(Boolean).join(" "));
  }

  look() {
    this.view.zoom(get("zoom").checked);
    this.overlay.look(this.view.region);
  }

  async #choose(face) {
    say("Opening the face …");
    const response = await this.ask("face", { json: { face } });
    if (response) await this.#opened(response, false);
  }

  #drag(shares, dx, dy) {
    const { points, offsets } = this.#start;
    const moved = (each, index) => [each[0] + shares[index] * dx, each[1] + shares[index] * dy];
    this.points = points.map(moved);
    this.overlay.draw(this.points);
    const round = (each) => each.map((value) => Math.round(value * 1000) / 1000);
    this.change({ offsets: (offsets ?? points.map(() => [0, 0])).map(moved).map(round) });
  }

  #with(name, change) {
    const { [name]: _, ...rest } = this.history.now.controls;
    return Math.abs(change) < 1e-6 ? rest : { ...rest, [name]: change };
  }

  #edited(header, picture) {
    this.view.show(header.seq, header.box, picture);
    if (header.target && this.camera?.on) {
      this.history.change({ target: header.target, reference: header.reference });
    }
    this.camera?.answered(header.seq);
    if (header.seq < this.#dragged || this.overlay.held) return;
    this.#start = null;
    this.points = header.points;
    this.overlay.draw(header.points);
    this.values = header.values;
    this.refresh();
  }

  #gone(message) {
    this.live.open(null);
    get("again").hidden = false;
    this.failed?.();
    this.listeners.forEach((tell) => tell());
    say(sentence(message), true);
  }
}
