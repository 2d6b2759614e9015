// A camera's video, one frame at a time: the newest wish wins, and what is near is shown until it is there.

const LEAST_RATE = 0.0625, MOST_RATE = 16; // at which browsers play
const PATIENCE_MS = 400;
const FAR = 4; // frames to decode before the wanted one from which on the key frame may be shown first
const AT_ONCE_MS = 60; // what takes no longer to decode, and so is shown within 100 ms, needs no other picture before it
const AHEAD = 6; // frames that browsers decode after the sought one before they show it

// Where the last of ascending numbers is that is not above another.
function lastUpTo(numbers, most) {
  let low = 0, high = numbers.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (numbers[middle] <= most) low = middle;
    else high = middle - 1;
  }
  return low;
}

// What comes next on the way to a frame: the key frame before it, at which decoding begins, unless there is a nearer picture.
export function nextFrame(wanted, present, keys, far = FAR) {
  const key = keys.length ? Math.min(wanted, keys[lastUpTo(keys, wanted)]) : wanted, way = wanted - key;
  return way < far || (present >= 0 && Math.abs(wanted - present) <= way) ? wanted : key;
}

// A file that the browser plays. Seeks go to the middle of a frame's time.
export class PlayedClip {
  constructor(url, info, changed, broken) {
    this.element = document.createElement("video");
    Object.assign(this.element, { muted: true, playsInline: true, preload: "auto", disablePictureInPicture: true });
    // `present` is the frame that the browser has come to, `shown` the one that it is known to show.
    Object.assign(this, { times: Float64Array.from(info.times_s), keys: info.keys, shown: -1, present: -1, wanted: -1, asked: -1, seeking: false, hurried: false, ran: false, frameMs: 4, start: null, changed });
    const { times } = this, n = times.length;
    this.usual = n > 1 ? (times[n - 1] - times[0]) / (n - 1) : 0.04;
    this.element.addEventListener("error", () => broken());
    // Where the file's time begins is seen at its first picture; a page in the background is shown none.
    this.element.addEventListener("loadeddata", () => setTimeout(() => this.begin(0), 3 * PATIENCE_MS));
    this.element.addEventListener("seeked", () => {
      this.seeking = false;
      this.present = this.asked;
      const took = (performance.now() - this.since) / (this.asked - this.keys[lastUpTo(this.keys, this.asked)] + AHEAD);
      this.frameMs += 0.3 * (took - this.frameMs);
      clearTimeout(this.waiting);
      if (this.wanted !== this.asked) this.seek();
      // A browser that shows no new picture says nothing: then it was there already.
      else this.waiting = setTimeout(() => this.settle(this.asked), PATIENCE_MS);
    });
    this.watch();
    this.element.src = url;
  }

  watch() {
    this.element.requestVideoFrameCallback((_now, { mediaTime }) => {
      this.begin(mediaTime);
      this.settle(lastUpTo(this.times, mediaTime - this.start + 1e-4));
      this.watch();
    });
  }

  begin(start) {
    if (this.start !== null) return;
    this.start = start;
    this.seek();
  }

  settle(frame) {
    clearTimeout(this.waiting);
    if (!this.seeking) this.present = frame;
    if (this.shown === frame) return;
    this.shown = frame;
    this.changed();
  }

  middleOf(frame) {
    const times = this.times, next = frame + 1 < times.length ? times[frame + 1] : times[frame] + this.usual;
    return (this.start || 0) + (times[frame] + next) / 2;
  }

  goTo(frame) {
    if (!this.element.paused) this.element.pause();
    if (this.ran) { // by itself, and maybe farther than it has said
      this.ran = false;
      this.asked = -1;
    }
    if (this.seeking && frame !== this.wanted) this.hurried = true;
    this.wanted = frame;
    if (!this.seeking && (this.wanted !== this.shown || this.asked !== this.wanted)) this.seek();
  }

  // How many frames before the wanted one take long enough for the key frame to be shown first: few where one wish
  // follows the other, since then only key frames come in time.
  get far() { return this.hurried ? FAR : Math.max(FAR, AT_ONCE_MS / this.frameMs); }

  seek() {
    if (this.start === null || this.wanted < 0) return;
    this.asked = nextFrame(this.wanted, this.present, this.keys, this.far);
    if (this.asked === this.wanted) this.hurried = false;
    const target = this.middleOf(this.asked);
    if (Math.abs(this.element.currentTime - target) < 1e-4) {
      this.present = this.asked;
      if (this.asked !== this.wanted) this.seek();
      else if (this.shown !== this.asked) this.waiting = setTimeout(() => this.settle(this.asked), PATIENCE_MS);
      return;
    }
    this.seeking = true;
    this.since = performance.now();
    this.element.currentTime = target;
  }

  // Play along: `frame` should be shown now, and the next ones at `rate` times the video's own pace.
  follow(frame, rate) {
    if (rate < LEAST_RATE || rate > MOST_RATE || this.start === null) {
      this.goTo(frame);
      return;
    }
    this.wanted = this.asked = frame;
    this.ran = true;
    if (this.seeking) return;
    const target = this.middleOf(frame), late = target - this.element.currentTime;
    if (Math.abs(late) > Math.max(0.25, 4 * this.usual) * Math.max(1, rate)) {
      this.seeking = true;
      this.since = performance.now();
      this.element.currentTime = target;
    }
    this.element.playbackRate = Math.max(LEAST_RATE, Math.min(MOST_RATE, rate * (1 + Math.max(-0.5, Math.min(0.5, late * 2 / Math.max(1, rate))))));
    if (this.element.paused) this.element.play().catch(() => {});
  }

  close() {
    this.element.pause();
    this.element.removeAttribute("src");
    this.element.load();
  }
}

// A file that no browser plays: one picture at a time from the server.
export class PictureClip {
  constructor(url, info, changed, broken) {
    this.element = document.createElement("img");
    this.element.alt = "";
    Object.assign(this, { url, keys: info.keys, shown: -1, wanted: -1, busy: false, changed, broken });
  }

  async goTo(frame) {
    this.wanted = frame;
    if (this.busy || frame === this.shown || frame < 0) return;
    this.busy = true;
    try {
      while (this.wanted !== this.shown) await this.fetch(nextFrame(this.wanted, this.shown, this.keys));
    } catch (error) {
      this.broken(error.message);
      return; // and stays busy: there is nothing more to ask for
    }
    this.busy = false;
  }

  async fetch(frame) {
    const answer = await fetch(`${this.url}/${frame}`);
    if (!answer.ok) throw new Error((await answer.json()).error);
    const before = this.element.src;
    this.element.src = URL.createObjectURL(await answer.blob());
    await this.element.decode();
    if (before) URL.revokeObjectURL(before);
    this.shown = frame;
    this.changed();
  }

  follow(frame) { this.goTo(frame); }
  close() {}
}
