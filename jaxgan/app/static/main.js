// What the buttons, keys and files of the page do.

import { follow } from "./follow.js";
import { UNEDITED } from "./edits.js";
import { Page } from "./page.js";
import { say } from "./status.js";
import { offer } from "./wire.js";

const get = (id) => document.getElementById(id);
const page = new Page();
follow(page);

// Files

function take(input, use) {
  input.addEventListener("change", () => {
    if (input.files.length) use(input.files[0]);
    input.value = ""; // the same file may be chosen again
  });
}

take(get("choose"), (file) => page.open(file));
get("reupload").addEventListener("click", () => page.open(page.file, true));
for (const name of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(name, (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", name === "dragenter" || name === "dragover");
    if (name === "drop" && event.dataTransfer.files.length) page.open(event.dataTransfer.files[0]);
  });
}

const stem = () => page.file.name.replace(/\.[^.]*$/, "") || "photograph";

get("download").addEventListener("click", async ({ target }) => {
  target.disabled = true;
  say("Editing the photograph at its full size …");
  const response = await page.ask("download", { json: page.history.now });
  if (response) {
    offer(await response.blob(), `${stem()}-edited.png`);
    say("Downloaded, marked as edited.");
  }
  target.disabled = false;
});

get("save").addEventListener("click", async () => {
  const response = await page.ask("expression", { json: page.history.now });
  if (!response) return;
  offer(await response.blob(), `${stem()}-expression.json`);
  say("Saved. Choose the file under “Follow another face” to bring it back, here or for another photograph.");
});

// Personalising

const progress = get("progress");

function tuning(on) {
  const done = page.photo?.personal ?? false;
  get("personalise").disabled = on || done;
  get("personalise").textContent = done ? "Personalised" : "Personalise";
  progress.hidden = !on;
  progress.value = 0;
}

get("personalise").addEventListener("click", () => {
  tuning(true);
  say("Personalising; edits go on meanwhile.");
  page.live.personalise();
});
page.progress = (done, steps) => {
  progress.max = steps;
  progress.value = done;
};
page.personalised = () => {
  page.photo.personal = true;
  tuning(false);
  say("Personalised: the editor now knows this person.");
  page.send();
};
page.failed = () => tuning(false);
page.opened = () => tuning(false);

// History

get("undo").addEventListener("click", () => page.step(() => page.history.undo()));
get("redo").addEventListener("click", () => page.step(() => page.history.redo()));
get("reset").addEventListener("click", () => {
  page.change(UNEDITED);
  page.keep();
  say("The photograph as it was.");
});
page.listeners.push(() => {
  get("undo").disabled = !page.history.canUndo;
  get("redo").disabled = !page.history.canRedo;
  if (page.live.lost) tuning(false);
});

// Before and after

const before = get("before");

function showBefore(on) {
  page.view.before = on;
  before.setAttribute("aria-pressed", on);
  page.view.draw();
}

before.addEventListener("pointerdown", () => showBefore(true));
for (const name of ["pointerup", "pointercancel", "pointerleave", "blur"]) {
  before.addEventListener(name, () => showBefore(false));
}
before.addEventListener("keydown", ({ key }) => [" ", "Enter"].includes(key) && showBefore(true));
before.addEventListener("keyup", () => showBefore(false));
before.addEventListener("contextmenu", (event) => event.preventDefault()); // a long touch

// View and keys

get("show-points").addEventListener("change", ({ target }) => get("stage").classList.toggle("bare", !target.checked));
get("zoom").addEventListener("change", () => page.look());
document.addEventListener("keydown", (event) => {
  if (!page.photo) return;
  const key = event.key.toLowerCase();
  if ((event.ctrlKey || event.metaKey) && (key === "z" || key === "y")) {
    event.preventDefault();
    page.step(() => (key === "y" || event.shiftKey ? page.history.redo() : page.history.undo()));
  } else if (key === "b" && !event.ctrlKey && !event.metaKey) {
    showBefore(true);
  }
});
document.addEventListener("keyup", ({ key }) => page.photo && key.toLowerCase() === "b" && showBefore(false));
