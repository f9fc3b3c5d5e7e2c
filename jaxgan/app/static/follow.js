// Following another face: of a picture, of a saved expression, of the camera.

import { Camera } from "./camera.js";
import { PARTS } from "./edits.js";
import { say } from "./status.js";

const NAMES = { pose: "Pose", mouth: "Mouth", eyes: "Eyes", brows: "Brows" };
const get = (id) => document.getElementById(id);

export function follow(page) {
  const boxes = PARTS.map((part) => box(part, () => {
    page.change({ parts: PARTS.filter((_, index) => boxes[index].checked) });
    page.keep();
  }));
  const input = get("choose-target");
  input.addEventListener("change", async () => {
    const file = input.files[0];
    if (!file) return;
    stop();
    say("Looking for the face …");
    const response = await page.ask("target", { file });
    input.value = ""; // the same file may be chosen again
    if (!response) return;
    const found = await response.json();
    if (found.offsets) page.change({ offsets: found.offsets, controls: {}, target: null, reference: null, strength: 1 });
    else page.change({ target: found.target, reference: null, offsets: null });
    page.keep();
    say(found.offsets ? "The points are as they were saved." : "The face takes its pose and expression.");
  });
  get("forget-target").addEventListener("click", () => {
    stop();
    page.change({ target: null, reference: null });
    page.keep();
  });

  const camera = new Camera(get("video"), (frame) => page.live.send(page.history.now, frame), stop);
  page.camera = camera;
  get("camera").addEventListener("click", async () => {
    if (camera.on) return stop();
    page.change({ target: null, reference: null, offsets: null });
    try {
      await camera.start();
      say("The face follows yours. Your face in the first picture leaves it as it is.");
    } catch (error) {
      camera.stop();
      const reasons = { NotAllowedError: "The browser does not allow the camera.", NotFoundError: "There is no camera." };
      say(reasons[error.name] ?? error.message, true);
    }
    page.refresh();
  });
  get("neutral").addEventListener("click", () => page.history.change({ reference: null }));
  page.listeners.push(() => {
    const { target, parts } = page.history.now;
    get("camera").setAttribute("aria-pressed", camera.on);
    get("camera").textContent = camera.on ? "Stop the camera" : "Camera";
    get("neutral").hidden = !camera.on;
    get("forget-target").hidden = !target || camera.on;
    get("parts").hidden = !target && !camera.on;
    boxes.forEach((each, index) => (each.checked = parts.includes(PARTS[index])));
  });

  function stop() {
    if (!camera.on) return;
    camera.stop();
    page.keep();
    page.send();
  }
}

function box(part, changed) {
  const input = Object.assign(document.createElement("input"), { type: "checkbox", checked: true });
  const label = document.createElement("label");
  label.className = "check";
  label.append(input, NAMES[part]);
  input.addEventListener("change", changed);
  get("parts").append(label);
  return input;
}
