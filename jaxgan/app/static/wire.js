// Requests, and the binary form of messages with a picture: length of the header, header in JSON, picture.

export class Refused extends Error {}

export async function post(path, { session, file, json }) {
  const headers = session ? { "X-Session": session } : {};
  let body;
  if (file) {
    body = new FormData();
    body.append("file", file, "file");
  } else {
    body = JSON.stringify(json);
    headers["Content-Type"] = "application/json";
  }
  let response;
  try {
    response = await fetch(path, { method: "POST", headers, body });
  } catch {
    throw new Refused("The server does not answer. Is it still running?");
  }
  if (!response.ok) {
    const said = await response.json().catch(() => ({}));
    const error = new Refused(sentence(said.message ?? `The server failed (${response.status}).`));
    error.gone = response.status === 410;
    throw error;
  }
  return response;
}

export function unpack(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return [header, new Blob([new Uint8Array(buffer, 4 + length)], { type: "image/jpeg" })];
}

export function pack(header, picture) {
  const text = new TextEncoder().encode(JSON.stringify(header));
  const length = new DataView(new ArrayBuffer(4));
  length.setUint32(0, text.length, true);
  return new Blob([length, text, picture]);
}

export function sentence(text) {
  const capital = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(capital) ? capital : `${capital}.`;
}

// Gives a file to the user.
export function offer(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
