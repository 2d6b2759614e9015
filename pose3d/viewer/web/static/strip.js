// The whole recording as a strip: how far to trust it, what is missing or filled, events, the loop and the cursor.

const UNKNOWN = "#2a313c";
const EVENTS_PX = 13, GRAB_PX = 6; // the height of their lane; how near one is taken hold of
const LANES = { heat: [13, 14], missing: [28, 5], filled: [34, 5] };

export class Strip {
  constructor(canvas, recording, colours) {
    Object.assign(this, { canvas, recording, colours, meta: recording.meta, picture: null, chosen: null, dragged: null });
  }

  get nFrames() { return Math.max(1, this.meta.n_frames); }
  rowAt(x) { return Math.max(0, Math.min(this.nFrames - 1, Math.floor(x / this.canvas.clientWidth * this.nFrames))); }
  xOf(row) { return (row + 0.5) / this.nFrames * this.canvas.clientWidth; }

  // The parts that stay, painted once a size: each column shows the worst of its rows.
  paint(width, height, ratio) {
    const picture = document.createElement("canvas");
    Object.assign(picture, { width, height });
    const context = picture.getContext("2d"), { colours, recording, nFrames } = this;
    for (let x = 0; x < width; x += 1) {
      const from = Math.floor(x / width * nFrames), to = Math.max(from + 1, Math.floor((x + 1) / width * nFrames));
      let heat = -1, missing = 0, filled = 0;
      for (let row = from; row < to; row += 1) {
        const value = recording.share(0, row);
        if (value !== 255 && value > heat) heat = value;
        missing = Math.max(missing, recording.share(1, row));
        filled = Math.max(filled, recording.share(2, row));
      }
      context.fillStyle = heat < 0 ? UNKNOWN : colours.ramp[Math.round(heat / 254 * (colours.ramp.length - 1))];
      context.fillRect(x, LANES.heat[0] * ratio, 1, LANES.heat[1] * ratio);
      for (const [value, [top, high], colour] of [[missing, LANES.missing, colours.weaker], [filled, LANES.filled, colours.filled]]) {
        if (!value || value === 255) continue;
        context.globalAlpha = 0.35 + 0.65 * value / 254;
        context.fillStyle = colour;
        context.fillRect(x, top * ratio, 1, high * ratio);
        context.globalAlpha = 1;
      }
    }
    this.picture = picture;
  }

  draw(row, loop, corrections) {
    const { canvas, colours, meta } = this, ratio = window.devicePixelRatio || 1;
    const wide = canvas.clientWidth, high = canvas.clientHeight;
    const width = Math.max(1, Math.round(wide * ratio)), height = Math.max(1, Math.round(high * ratio));
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    if (!this.picture || this.picture.width !== width) this.paint(width, height, ratio);
    const context = canvas.getContext("2d");
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, width, height);
    context.fillStyle = "#10151c";
    for (const [top, tall] of [LANES.missing, LANES.filled]) context.fillRect(0, top * ratio, width, tall * ratio);
    context.drawImage(this.picture, 0, 0);
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    for (const [stretches, colour] of [[corrections?.state.bad, colours.weaker], [corrections?.state.swapped, colours.centre_of_mass]]) {
      for (const [first, last] of stretches || []) {
        const a = this.xOf(first - 0.5), b = Math.max(a + 3, this.xOf(last - 0.5));
        context.fillStyle = colour;
        context.globalAlpha = 0.35;
        context.fillRect(a, LANES.heat[0], b - a, LANES.heat[1]);
        context.globalAlpha = 1;
        context.fillRect(a, LANES.filled[0] + 6, b - a, 2.5);
      }
    }
    if (loop) {
      const [a, b] = [this.xOf(loop[0] - 0.5), this.xOf(loop[1] + 0.5)];
      context.fillStyle = "#a9d8c033";
      context.fillRect(a, 0, Math.max(1, b - a), high);
      context.fillStyle = colours.good;
      context.fillRect(a, 0, 1.5, high);
      context.fillRect(b - 1.5, 0, 1.5, high);
    }
    for (const bad of meta.bad) {
      const x = this.xOf(bad.first), w = Math.max(3, this.xOf(bad.last) - x);
      context.fillStyle = colours.weak;
      context.fillRect(x - 1, 27.5 - 1.5, w, 1.5);
    }
    const far = meta.events.length > wide / 3; // more would be a bar
    const chosen = corrections?.chosen;
    for (const event of meta.events) {
      if ((far && event.kind !== "strike") || event === chosen) continue;
      context.globalAlpha = far ? 0.4 : 1;
      this.mark(context, event, event.row, 1);
    }
    context.globalAlpha = 1;
    const x = this.xOf(row);
    context.fillStyle = "#ffffff";
    context.fillRect(x - 1, 4, 2, high - 4);
    context.beginPath();
    context.arc(x, 5, 4.5, 0, 2 * Math.PI);
    context.fill();
    context.lineWidth = 1.5;
    context.strokeStyle = colours.background;
    context.stroke();
    if (!chosen) return;
    const at = this.dragged ?? chosen.row, words = `${sideOf(chosen.limb)}${chosen.kind}`;
    this.mark(context, chosen, at, 1.6);
    context.font = "600 12px system-ui, 'DejaVu Sans', sans-serif";
    const left = this.xOf(at) + 11 + context.measureText(words).width < wide;
    context.textAlign = left ? "left" : "right";
    context.lineWidth = 4;
    context.strokeStyle = colours.panel;
    context.strokeText(words, this.xOf(at) + (left ? 11 : -11), 11);
    context.fillText(words, this.xOf(at) + (left ? 11 : -11), 11);
  }

  // An event: a triangle where a foot comes down, a bar where it leaves.
  mark(context, event, row, size) {
    const x = this.xOf(row);
    context.fillStyle = this.colours.sides[event.limb === "L" ? 1 : event.limb === "R" ? 2 : 0];
    context.beginPath();
    if (event.kind === "strike") {
      context.moveTo(x - 4 * size, 2);
      context.lineTo(x + 4 * size, 2);
      context.lineTo(x, 2 + 8 * size);
    } else context.rect(x - size, 2, 2 * size, 8 * size);
    context.fill();
    if (size === 1) return;
    context.strokeStyle = this.colours.text;
    context.lineWidth = 1.5;
    context.stroke();
  }

  // The event whose mark is at a place, px.
  eventAt(x, y) {
    if (y > EVENTS_PX || !this.meta.events.length) return null;
    const away = (event) => Math.abs(this.xOf(event.row) - x);
    const nearest = this.meta.events.reduce((best, event) => (away(event) < away(best) ? event : best));
    return away(nearest) <= GRAB_PX ? nearest : null;
  }

  badAt(row) { return this.meta.bad.find((each) => row >= each.first && row < each.last) || null; }

  nextBad(row, step) {
    const firsts = this.meta.bad.map((each) => each.first);
    const found = step > 0 ? firsts.find((first) => first > row) : firsts.reverse().find((first) => first < row);
    return found ?? null;
  }

  words(row, x, y) {
    const found = this.eventAt(x, y);
    if (found) return `${sideOf(found.limb)}${found.kind} at frame ${(found.row + this.meta.start).toFixed(1)}\ndrag to move, Del deletes`;
    const said = [`frame ${row + this.meta.start}   ${(row / this.meta.fps).toFixed(3)} s`], bad = this.badAt(row);
    const share = (which) => Math.round(this.recording.share(which, row) / 2.54);
    if (bad) said.push(bad.reason);
    if (this.recording.share(1, row)) said.push(`${share(1)} % of the keypoints missing`);
    if (this.recording.share(2, row)) said.push(`${share(2)} % filled`);
    return said.join("\n");
  }
}

const sideOf = (limb) => (limb === "L" ? "left " : limb === "R" ? "right " : `${limb} `);
