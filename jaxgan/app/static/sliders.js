// The sliders of the face: each shows what the face has, and what is asked of it.

const NAMES = { yaw: "Turn", pitch: "Nod", roll: "Tilt", smile: "Smile", mouth: "Mouth", eyes: "Eyes", brows: "Brows" };
const HELP = {
  yaw: "Turn the head, positive to the right of the picture", pitch: "Nod, positive upwards", roll: "Tilt, positive clockwise",
  smile: "Smile", mouth: "Open the mouth", eyes: "Open the eyes", brows: "Raise the brows",
};
const DEGREES = ["yaw", "pitch", "roll"];
const STEP = 0.05;

export class Sliders {
  #rows = {};
  #values = {};

  // handlers: changed(name, change) while it moves, change 0 for none; end()
  constructor(parent, handlers) {
    this.handlers = handlers;
    for (const name of Object.keys(NAMES)) this.#rows[name] = this.#row(parent, name);
    this.strength = this.#row(parent, "strength", "Strength", "How much of the edit is applied");
  }

  // controls: name -> [low, high]
  open(controls) {
    this.controls = controls;
  }

  // values: of the face before its controls are changed, name -> number
  show(values, edit) {
    this.#values = values;
    for (const [name, row] of Object.entries(this.#rows)) {
      const [low, high] = this.controls[name];
      row.input.min = Math.min(low, values[name]);
      row.input.max = Math.max(high, values[name]);
      this.#set(name, row, values[name] + (edit.controls[name] ?? 0));
      row.reset.disabled = !edit.controls[name];
    }
    this.#set("strength", this.strength, edit.strength);
    this.strength.reset.disabled = edit.strength === 1;
  }

  #row(parent, name, title = NAMES[name], help = HELP[name]) {
    const row = document.createElement("div");
    row.className = "slider";
    row.title = help;
    const label = Object.assign(document.createElement("label"), { htmlFor: `slider-${name}`, textContent: title });
    const input = Object.assign(document.createElement("input"), { type: "range", id: `slider-${name}`, step: "any" });
    if (name === "strength") Object.assign(input, { min: 0, max: 1.5, value: 1 });
    input.setAttribute("aria-description", help);
    const output = document.createElement("output");
    output.htmlFor = input.id;
    const reset = document.createElement("button");
    Object.assign(reset, { type: "button", textContent: "↺", title: `Reset ${title}` });
    reset.setAttribute("aria-label", `Reset ${title}`);
    row.append(label, input, output, reset);
    parent.append(row);
    const move = () => {
      this.#write(name, input, output);
      reset.disabled = false;
      this.handlers.changed(name, name === "strength" ? input.valueAsNumber : input.valueAsNumber - this.#values[name]);
    };
    const back = () => {
      this.handlers.changed(name, name === "strength" ? 1 : 0);
      this.handlers.end();
    };
    input.addEventListener("input", move);
    input.addEventListener("change", () => this.handlers.end());
    input.addEventListener("dblclick", back);
    input.addEventListener("keydown", (event) => {
      const turn = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1 }[event.key];
      if (!turn) return;
      event.preventDefault();
      input.valueAsNumber += turn * (DEGREES.includes(name) ? 1 : STEP);
      move();
      this.handlers.end();
    });
    reset.addEventListener("click", back);
    return { input, output, reset };
  }

  #set(name, { input, output }, value) {
    if (input.matches(":active") && Math.abs(input.valueAsNumber - value) < 1e-6) return;
    input.valueAsNumber = value;
    this.#write(name, input, output);
  }

  #write(name, input, output) {
    const value = input.valueAsNumber;
    const text = DEGREES.includes(name) ? `${value.toFixed(0)}°` : value.toFixed(2);
    output.textContent = text.replace(/^-(?=0\D*$|0\.00$)/, "").replace("-", "−");
    input.setAttribute("aria-valuetext", output.textContent);
  }
}
