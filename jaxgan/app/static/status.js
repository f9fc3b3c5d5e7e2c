// The line below the photograph, which screen readers read out.

const line = document.getElementById("status");

export function say(text, bad = false) {
  line.textContent = text;
  line.classList.toggle("bad", bad);
}
