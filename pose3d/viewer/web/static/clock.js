// Which row is shown when: by the clock on the wall, so that a slow machine drops frames and never falls behind.

export const SPEEDS = [0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8];

export class Clock {
  constructor(nFrames, fps, now = () => performance.now()) {
    Object.assign(this, { nFrames, fps, now, playing: false, speed: 1, loop: null, base: 0, since: 0 });
  }

  get first() { return this.loop ? this.loop[0] : 0; }
  get last() { return this.loop ? this.loop[1] : Math.max(0, this.nFrames - 1); }

  // The place in time, in rows; between two rows the earlier one is shown.
  get place() {
    if (!this.playing) return this.base;
    const place = this.base + (this.now() - this.since) / 1000 * this.fps * this.speed;
    if (place < this.last + 1) return place;
    if (!this.loop) {
      this.pause(this.last);
      return this.last;
    }
    const length = this.last + 1 - this.first;
    this.base = this.first + (place - this.first) % length;
    this.since = this.now();
    return this.base;
  }

  get row() { return Math.max(0, Math.min(this.nFrames - 1, Math.floor(this.place + 1e-6))); }

  goTo(place) {
    this.base = Math.max(0, Math.min(this.nFrames - 1, place));
    this.since = this.now();
  }

  play() {
    if (this.nFrames < 2) return;
    if (this.row >= this.last || (this.loop && this.row < this.first)) this.base = this.first;
    else this.base = this.row;
    this.since = this.now();
    this.playing = true;
  }

  pause(row = this.row) {
    this.playing = false;
    this.base = row;
  }

  setSpeed(speed) {
    const place = this.place;
    this.speed = speed;
    this.base = place;
    this.since = this.now();
  }

  setLoop(loop) {
    this.base = this.row;
    this.since = this.now();
    this.loop = loop && loop[1] > loop[0] ? loop : null;
  }
}
