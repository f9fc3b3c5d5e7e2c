// Frames of the camera, mirrored as people know themselves, one at a time: the next is taken once the last is answered.

const WIDTH = 320; // px of a frame
const PAUSE = 30; // ms between frames, at least

export class Camera {
  #canvas = document.createElement("canvas");
  #stream = null;
  #waiting = 0;

  // take(frame) sends a JPEG and returns its number, 0 if it could not; ended(): the camera is gone
  constructor(video, take, ended) {
    this.video = video;
    this.take = take;
    this.ended = ended;
  }

  get on() {
    return this.#stream !== null;
  }

  // Throws a DOMException where there is no camera, or no leave to use it.
  async start() {
    if (!navigator.mediaDevices) throw new Error("Cameras work at localhost or over HTTPS only.");
    this.#stream = await navigator.mediaDevices.getUserMedia({ video: { width: 640, height: 480 }, audio: false });
    this.#stream.getVideoTracks()[0].addEventListener("ended", () => this.on && this.ended());
    this.video.srcObject = this.#stream;
    this.video.hidden = false;
    await this.video.play();
    this.#waiting = 0;
    this.#next();
  }

  stop() {
    this.#stream?.getTracks().forEach((track) => track.stop());
    this.#stream = null;
    this.video.srcObject = null;
    this.video.hidden = true;
  }

  // An answer to frame `seq` has come, or none will.
  answered(seq = this.#waiting) {
    if (!this.on || seq !== this.#waiting) return;
    this.#waiting = 0;
    setTimeout(() => this.#next(), PAUSE);
  }

  #next() {
    if (!this.on || this.#waiting) return;
    const { videoWidth, videoHeight } = this.video;
    this.#canvas.width = WIDTH;
    this.#canvas.height = Math.round((WIDTH * videoHeight) / (videoWidth || 1)) || 240;
    const context = this.#canvas.getContext("2d");
    context.setTransform(-1, 0, 0, 1, WIDTH, 0);
    context.drawImage(this.video, 0, 0, WIDTH, this.#canvas.height);
    this.#waiting = -1; // encoding
    this.#canvas.toBlob((frame) => {
      this.#waiting = this.on && frame ? this.take(frame) : 0;
      if (!this.#waiting) setTimeout(() => this.#next(), 10 * PAUSE);
    }, "image/jpeg", 0.85);
  }
}
