// The connection to the server: numbered moves out, answers in; it comes back by itself.

import { pack, unpack } from "./wire.js";

const RETRY = 1000; // ms

export class Live {
  #socket = null;
  #session = null;
  #timer = 0;
  #seq = 0;

  // handlers: open(again), closed(), edited(header, picture), and one for each other type of message
  constructor(handlers) {
    this.handlers = handlers;
    this.lost = false;
  }

  // Connects to a photograph; null for none.
  open(session) {
    clearTimeout(this.#timer);
    this.#session = session;
    this.lost = false;
    const before = this.#socket;
    this.#socket = null;
    before?.close();
    if (session) this.#connect();
  }

  get last() {
    return this.#seq;
  }

  get ready() {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  // Sends an edit, with a frame of the camera if there is one; returns its number, or 0 if there is no connection.
  send(edit, frame = null) {
    if (!this.ready) return 0;
    const message = { type: frame ? "frame" : "edit", seq: ++this.#seq, edit };
    this.#socket.send(frame ? pack(message, frame) : JSON.stringify(message));
    return this.#seq;
  }

  personalise() {
    if (this.ready) this.#socket.send(JSON.stringify({ type: "personalise" }));
  }

  #connect() {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const socket = new WebSocket(`${scheme}://${location.host}/live/${this.#session}`);
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      this.handlers.open(this.lost);
      this.lost = false;
    };
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      if (typeof data !== "string") return this.handlers.edited(...unpack(data));
      const message = JSON.parse(data);
      this.handlers[message.type]?.(message);
    };
    socket.onclose = () => {
      if (socket !== this.#socket) return; // another photograph was opened
      this.lost = true;
      this.handlers.closed();
      this.#timer = setTimeout(() => this.#connect(), RETRY);
    };
    this.#socket = socket;
  }
}
