// The videos, each with what was detected in it and where the points in space come out again.

import { PictureClip, PlayedClip } from "./clips.js";
import { fit } from "./view.js";

const LARGE = 0.76; // of the height, for an enlarged pane

export class Pane {
  constructor(index, recording, colours, redraw) {
    Object.assign(this, { index, recording, colours, redraw, row: -1, clip: null, message: "" });
    this.camera = recording.meta.cameras[index];
    this.element = document.createElement("div");
    this.element.className = "pane";
    this.canvas = document.createElement("canvas");
    this.chip = document.createElement("div");
    this.chip.className = "chip";
    this.name = document.createElement("span");
    this.error = document.createElement("b");
    this.stale = document.createElement("span");
    this.stale.className = "stale";
    this.name.textContent = this.camera.name;
    this.chip.append(this.name, this.error, this.stale);
    this.blank = document.createElement("div");
    this.blank.className = "blank";
    this.element.append(this.canvas, this.chip, this.blank);
    this.size = this.camera.size || [4, 3];
    this.ready = this.open();
  }

  async open() {
    if (!this.camera.video || !this.recording.source.served) return;
    try {
      const [info, rows] = await Promise.all([
        this.recording.source.json(`api/video/${this.index}`), this.recording.source.bytes(`data/rows/${this.index}`)]);
      this.frames = new Int32Array(rows);
      this.nFrames = info.n_frames;
      if (!this.camera.size) this.size = info.size;
      this.videoSize = info.size;
      this.info = info;
      this.span = this.spanOf();
      this.pace = this.paceOf();
      this.use(info.plays ? this.played(() => this.use(this.pictured())) : this.pictured());
    } catch (error) {
      this.say(error.message);
    }
    this.redraw(this, true);
  }

  played(broken) { return new PlayedClip(`video/${this.index}`, this.info, () => this.redraw(this), broken); }

  pictured() { return new PictureClip(`frame/${this.index}`, this.info, () => this.redraw(this), (message) => this.say(message)); }

  use(clip) {
    this.clip?.close();
    this.clip?.element.remove();
    this.clip = clip;
    this.element.prepend(clip.element);
    if (this.row >= 0) this.goTo(this.row);
  }

  // First and last row of which the video has a picture.
  spanOf() {
    let first = 0, last = this.frames.length - 1;
    while (first < last && !this.inside(first)) first += 1;
    while (last > first && !this.inside(last)) last -= 1;
    return [first, last];
  }

  // How fast the video runs where the recording runs at its own pace.
  paceOf() {
    const [first, last] = this.span, times = this.info.times_s;
    if (last <= first) return 1;
    return (times[this.frames[last]] - times[this.frames[first]]) / ((last - first) / this.recording.meta.fps);
  }

  say(message) {
    this.message = message;
    this.redraw(this);
  }

  inside(row) { return this.frames && this.frames[row] >= 0 && this.frames[row] < this.nFrames; }

  goTo(row, speed = 0) {
    this.row = row;
    if (!this.clip || !this.inside(row)) {
      if (this.clip?.element.pause) this.clip.element.pause();
      return;
    }
    if (speed) this.clip.follow(this.frames[row], speed * this.pace);
    else this.clip.goTo(this.frames[row]);
  }

  // The row whose frame the video shows at this moment, which while a seek lasts is another than the wanted one; null
  // where the picture is of no row, as a video's first key frame may lie before the data.
  get shownRow() {
    const { frames, row } = this, shown = this.clip ? this.clip.shown : -1;
    if (!this.inside(row) || shown < 0 || frames[row] === shown) return row;
    let [low, high] = this.span; // frames ascend with the rows
    while (low < high) {
      const middle = (low + high) >> 1;
      if (frames[middle] < shown) low = middle + 1;
      else high = middle;
    }
    return frames[low] === shown ? low : null;
  }

  // Whether the picture is another than the wanted one, which is on its way.
  get waits() { return Boolean(this.clip) && this.inside(this.row) && this.clip.shown >= 0 && this.clip.shown !== this.frames[this.row]; }

  draw(marks, playing = false) {
    const there = this.inside(this.row), row = there ? this.shownRow : this.row;
    if (this.clip) this.clip.element.style.visibility = there && this.clip.shown >= 0 ? "visible" : "hidden";
    this.blank.textContent = this.message || (this.camera.video && this.frames && !there && this.clip
      ? `no picture at this instant: the video has frames 0 to ${this.nFrames - 1}` : "");
    paintMarks(this.canvas, this, row, marks);
    const error = this.residual(row), width = this.size[0];
    const known = error !== null && !Number.isNaN(error);
    this.error.textContent = known ? `${error.toFixed(error < 9.95 ? 2 : 1)} px` : "";
    this.stale.textContent = this.waits && !playing ? "…" : "";
    const relative = error * 1000 / width;
    this.error.style.color = relative < 3 ? this.colours.good : relative < 8 ? this.colours.weak : this.colours.weaker;
    this.drawn = row;
  }

  residual(row) {
    const values = row === null || this.camera.detections < 0 ? null : this.recording.field(row, "residual");
    return values && values.length ? values[this.camera.detections] : null;
  }

  keypoints(row, which) {
    const place = which === "detected" ? this.camera.detections : this.camera.reprojections;
    const all = row === null || place < 0 ? null : this.recording.field(row, which);
    const size = this.recording.people * this.recording.points * 2;
    return all && all.subarray(place * size, (place + 1) * size);
  }
}

function paintMarks(canvas, pane, row, marks) {
  const { clientWidth: width, clientHeight: height } = canvas, ratio = window.devicePixelRatio || 1;
  const size = [Math.max(1, Math.round(width * ratio)), Math.max(1, Math.round(height * ratio))];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  const context = canvas.getContext("2d"), { meta } = pane.recording, n = pane.recording.points;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  if (width < 10) return;
  const [scale, left, above] = fit(pane.size, [width, height]);
  const at = (xy, i) => [(xy[2 * i] + 0.5) * scale + left, (xy[2 * i + 1] + 0.5) * scale + above];
  const points = pane.keypoints(row, "reprojected"), found = pane.keypoints(row, "detected");
  context.lineCap = "round";
  const bold = Math.max(1.4, Math.min(4, height / 130));
  if (points && marks.reprojected) {
    for (const [width2, dark] of [[bold + 2, true], [bold, false]]) {
      for (let who = 0; who < pane.recording.people; who += 1) {
        for (const [a, b] of meta.edges) {
          const from = at(points, who * n + a), to = at(points, who * n + b);
          if (Number.isNaN(from[0] + to[0])) continue;
          const side = meta.sides[a] === meta.sides[b] ? meta.sides[a] : meta.sides[a] && meta.sides[b] ? 0 : meta.sides[a] || meta.sides[b];
          context.strokeStyle = dark ? "#06080b90" : pane.colours.sides[side];
          context.lineWidth = width2;
          context.beginPath();
          context.moveTo(...from);
          context.lineTo(...to);
          context.stroke();
        }
      }
    }
  }
  if (!found || !marks.detected) return;
  for (let i = 0; i < found.length / 2; i += 1) {
    const [x, y] = at(found, i);
    if (Number.isNaN(x)) continue;
    const side = pane.colours.sides[meta.sides[i % n]];
    if (points && !Number.isNaN(points[2 * i])) { // the residual, drawn from where it was found to where it comes out
      const [u, v] = at(points, i);
      context.strokeStyle = pane.colours.weaker;
      context.lineWidth = 1.6;
      if (Math.hypot(u - x, v - y) > 2) {
        context.beginPath();
        context.moveTo(x, y);
        context.lineTo(u, v);
        context.stroke();
      }
    }
    context.beginPath();
    context.arc(x, y, Math.max(1.8, bold * 1.05), 0, 2 * Math.PI);
    context.fillStyle = pane.colours.detection;
    context.fill();
    context.lineWidth = 1.2;
    context.strokeStyle = side;
    context.stroke();
  }
}

// Lay panes out in a flow without black bars: the number of columns that makes the pictures largest.
export function layOut(panes, width, height, large, gap = 6) {
  const small = panes.filter((pane) => pane !== large);
  let top = 0;
  if (large) {
    const [w, h] = shape(large);
    const share = small.length ? LARGE : 1, scale = Math.min(width / w, height * share / h);
    place(large, (width - w * scale) / 2, 0, w * scale, h * scale);
    top = h * scale + gap;
  }
  const rest = height - top;
  if (!small.length || rest < 20) {
    small.forEach((pane) => place(pane, 0, 0, 0, 0));
    return;
  }
  let best = [0, 1];
  const aspect = small.reduce((sum, pane) => sum + shape(pane)[0] / shape(pane)[1], 0) / small.length;
  for (let columns = 1; columns <= small.length; columns += 1) {
    const rows = Math.ceil(small.length / columns);
    const each = Math.min((width - gap * (columns - 1)) / columns, ((rest - gap * (rows - 1)) / rows) * aspect);
    if (each > best[0]) best = [each, columns];
  }
  const [wide, columns] = best, rows = Math.ceil(small.length / columns), high = wide / aspect;
  const left = (width - columns * wide - (columns - 1) * gap) / 2, above = large ? top : Math.max(0, (rest - rows * high - (rows - 1) * gap) / 2);
  small.forEach((pane, i) => {
    const [w, h] = shape(pane), scale = Math.min(wide / w, high / h);
    const x = left + (i % columns) * (wide + gap), y = above + Math.floor(i / columns) * (high + gap);
    place(pane, x + (wide - w * scale) / 2, y + (high - h * scale) / 2, w * scale, h * scale);
  });
}

// The width that lets the panes fill the height, up to a good half of what there is.
export function wishedWidth(panes, width, height, large, gap = 6) {
  if (!panes.length) return 0;
  if (large) return Math.min(width * 0.6, height * (panes.length > 1 ? LARGE : 1) * shape(large)[0] / shape(large)[1]);
  let best = 0;
  for (let columns = 1; columns <= panes.length; columns += 1) {
    const rows = Math.ceil(panes.length / columns), high = (height - gap * (rows - 1)) / rows;
    const wide = columns * high * shape(panes[0])[0] / shape(panes[0])[1] + gap * (columns - 1);
    if (wide <= width * 0.56) best = Math.max(best, wide);
  }
  return best || width * 0.44;
}

const shape = (pane) => pane.size;

function place(pane, left, top, width, height) {
  Object.assign(pane.element.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px`, display: width < 30 ? "none" : "block" });
}
