// One view: its image, zoomed and moved, and the marks upon it.

import { getPicture } from "./api.js";
import {
  ABSENT, COLOURS, drawCurve, drawEdge, drawGuess, drawLabel, drawLoupe, drawName, drawSuggestion,
} from "./drawing.js";

const REACH = 9; // px on the screen within which a mark is caught
const STILL = 4; // px on the screen that a click may tremble

function element(tag, name, parent) {
  const made = document.createElement(tag);
  if (name) made.className = name;
  parent?.append(made);
  return made;
}

export class Pane {
  // `host` has the state (label, hint, guess, curves, options, ...) and takes what is clicked.
  constructor(host, number, parent) {
    this.host = host;
    this.number = number;
    this.root = element("div", "pane", parent);
    this.picture = element("canvas", "picture", this.root);
    this.marks = element("canvas", "marks", this.root);
    this.marks.setAttribute("role", "img");
    const chips = element("div", "chips", this.root);
    const name = element("span", "name", chips);
    this.key = element("i", "", name);
    this.cameraName = element("span", "", name);
    this.done = element("span", "done", chips);
    element("span", "fill", chips);
    this.error = element("span", "error", chips);
    this.note = element("div", "note", this.root);
    this.broken = null;
    this.bitmap = null;
    this.view = { scale: 1, x: 0, y: 0 };
    this.pointer = null; // where the mouse is, in image px
    this.gesture = null;
    this.asked = false;
    this.observer = new ResizeObserver(() => this.resize());
    this.observer.observe(this.root);
    this.listen();
  }

  remove() {
    this.observer.disconnect();
    this.root.remove();
  }

  // --- image and geometry --------------------------------------------------------------------------------------------

  async show(description, keep) {
    this.camera = description.camera;
    this.key.textContent = this.number + 1;
    this.cameraName.textContent = description.camera;
    this.note.textContent = description.note;
    this.note.hidden = !description.note;
    this.marks.setAttribute("aria-label", `view ${this.number + 1}, camera ${description.camera}`);
    const wanted = (this.wanted = JSON.stringify(description.image));
    let bitmap = null, trouble = "";
    try {
      bitmap = await getPicture(description.image);
    } catch (error) {
      trouble = error.message;
    }
    if (this.wanted !== wanted) return; // the user went on
    this.broken?.remove();
    this.broken = null;
    if (trouble) {
      this.broken = element("div", "broken", this.root);
      element("b", "", this.broken).textContent = "This image cannot be shown";
      element("span", "", this.broken).textContent = trouble;
    }
    const same = bitmap && this.bitmap && bitmap.width === this.bitmap.width && bitmap.height === this.bitmap.height;
    this.bitmap = bitmap;
    if (!(keep && same)) this.fit();
    this.draw();
    this.host.loaded(this);
  }

  get width() { return this.root.clientWidth; }
  get height() { return this.root.clientHeight; }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    for (const canvas of [this.picture, this.marks]) {
      canvas.width = Math.round(this.width * ratio);
      canvas.height = Math.round(this.height * ratio);
    }
    if (this.fitted) this.fit();
    this.draw(true);
  }

  get fitScale() {
    return Math.min(this.width / this.bitmap.width, this.height / this.bitmap.height);
  }

  fit() {
    if (!this.bitmap || !this.width) return;
    const scale = this.fitScale;
    this.view = {
      scale,
      x: (this.width - this.bitmap.width * scale) / 2,
      y: (this.height - this.bitmap.height * scale) / 2,
    };
    this.fitted = true;
    this.draw();
  }

  // Image px (the centre of the first pixel is 0) to px on the screen, and back.
  toScreen(x, y) {
    const { scale, x: dx, y: dy } = this.view;
    return [(x + 0.5) * scale + dx, (y + 0.5) * scale + dy];
  }

  toImage(x, y) {
    const { scale, x: dx, y: dy } = this.view;
    return [(x - dx) / scale - 0.5, (y - dy) / scale - 0.5];
  }

  holds([x, y]) {
    return this.bitmap && x >= -0.5 && y >= -0.5 && x <= this.bitmap.width - 0.5 && y <= this.bitmap.height - 0.5;
  }

  zoom(factor, x = this.width / 2, y = this.height / 2) {
    if (!this.bitmap) return;
    const scale = Math.min(Math.max(this.view.scale * factor, this.fitScale * 0.8), 60);
    const by = scale / this.view.scale;
    this.view = { scale, x: x - (x - this.view.x) * by, y: y - (y - this.view.y) * by };
    this.fitted = false;
    this.draw();
  }

  // Show a place in the middle, or a box as large as it goes.
  lookAt(points, scale) {
    if (!this.bitmap || !points.length) return;
    const xs = points.map((p) => p[0]), ys = points.map((p) => p[1]);
    const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
    const roomy = 1.35;
    const wanted = scale ?? Math.min(this.width / ((right - left) * roomy + 20), this.height / ((bottom - top) * roomy + 20));
    const s = Math.min(Math.max(wanted, this.fitScale), 60);
    this.view = {
      scale: s,
      x: this.width / 2 - ((left + right) / 2 + 0.5) * s,
      y: this.height / 2 - ((top + bottom) / 2 + 0.5) * s,
    };
    this.fitted = false;
    this.draw();
  }

  // --- drawing -------------------------------------------------------------------------------------------------------

  draw(now = false) {
    if (now) {
      this.paint();
    } else if (!this.asked) {
      this.asked = true;
      requestAnimationFrame(() => {
        this.asked = false;
        this.paint();
      });
    }
  }

  paint() {
    const ratio = window.devicePixelRatio || 1;
    const [below, above] = [this.picture, this.marks].map((canvas) => {
      const context = canvas.getContext("2d");
      context.setTransform(ratio, 0, 0, ratio, 0, 0);
      context.clearRect(0, 0, this.width, this.height);
      return context;
    });
    if (!this.bitmap) return;
    const { scale, x, y } = this.view;
    below.imageSmoothingEnabled = scale * ratio < 2.5;
    below.imageSmoothingQuality = "high";
    below.drawImage(this.bitmap, x, y, this.bitmap.width * scale, this.bitmap.height * scale);
    if (!this.host.options.hidden) this.paintMarks(above);
  }

  paintMarks(context) {
    const { host, number } = this;
    const { options, keypoints, chosen } = host;
    const colour = (k) => COLOURS[keypoints[k].side];
    const shown = keypoints.map((_, k) => this.place(k)); // where limbs end: a label, or else a suggestion
    if (options.lines) {
      context.save();
      const [left, top] = this.toScreen(-0.5, -0.5);
      context.beginPath();
      context.rect(left, top, this.bitmap.width * this.view.scale, this.bitmap.height * this.view.scale);
      context.clip();
      for (const { points, strong } of host.curvesIn(number)) {
        for (const piece of points) {
          drawCurve(context, piece.map((p) => this.toScreen(...p)), colour(chosen), strong);
        }
      }
      context.restore();
    }
    if (options.skeleton) {
      for (const [a, b] of host.edges) {
        if (!shown[a] || !shown[b]) continue;
        const sides = new Set([keypoints[a].side, keypoints[b].side]);
        const side = sides.has("left") && !sides.has("right") ? "left"
          : sides.has("right") && !sides.has("left") ? "right" : "middle";
        drawEdge(context, shown[a].at, shown[b].at, COLOURS[side], shown[a].faint || shown[b].faint);
      }
    }
    const order = [...keypoints.keys()].filter((k) => k !== chosen).concat([chosen]); // the chosen one on top
    for (const k of order) {
      const selected = k === chosen;
      const label = host.label(number, k);
      const guess = options.guesses && !label ? host.guess(number, k) : null;
      if (guess) drawGuess(context, ...this.toScreen(guess[0], guess[1]), { colour: colour(k), selected, score: guess[2] });
      const suggestion = label ? null : host.suggestion(number, k);
      if (suggestion) drawSuggestion(context, ...this.toScreen(...suggestion), { colour: colour(k), selected });
      if (label && label[2] !== ABSENT) {
        drawLabel(context, ...this.toScreen(label[0], label[1]), { colour: colour(k), mark: label[2], selected });
      }
    }
    // An arrow from a click that disagrees to where the others see the point.
    const other = host.disagreement(number);
    const here = host.label(number, chosen);
    if (other && here) drawCurve(context, [here, other].map((p) => this.toScreen(p[0], p[1])), "#ff5d5d", true);
    const named = this.hovered ?? (host.active === number ? chosen : null);
    if (named !== null && shown[named]) {
      drawName(context, ...shown[named].at, keypoints[named].name, colour(named), this.width);
    }
    const looking = options.loupe || this.gesture?.moves !== undefined;
    if (looking && this.pointer && host.active === number && !this.gesture?.pans) {
      const [x, y] = this.toScreen(this.pointer.x, this.pointer.y);
      drawLoupe(context, this.bitmap, this.pointer, {
        x, y, scale: this.view.scale, width: this.width, height: this.height, colour: colour(chosen),
        filter: this.picture.style.filter || "none",
      });
    }
  }

  // Where a keypoint is drawn: as labelled, or as the other views suggest.
  place(k) {
    const moved = this.gesture?.moves === k ? this.gesture.at : null;
    const label = this.host.label(this.number, k);
    if (moved) return { at: this.toScreen(...moved), faint: false };
    if (label) return label[2] === ABSENT ? null : { at: this.toScreen(label[0], label[1]), faint: false };
    const suggestion = this.host.suggestion(this.number, k);
    return suggestion ? { at: this.toScreen(...suggestion), faint: true } : null;
  }

  // The label under the pointer; of several the nearest, but the chosen one before all others if `fond`.
  caught(x, y, fond = false) {
    let best = null, least = REACH;
    for (const k of this.host.keypoints.keys()) {
      const label = this.host.label(this.number, k);
      if (!label || label[2] === ABSENT) continue;
      const [px, py] = this.toScreen(label[0], label[1]);
      const far = Math.hypot(px - x, py - y);
      if (fond && k === this.host.chosen && far < REACH) return k;
      if (far < least) [best, least] = [k, far];
    }
    return best;
  }

  // --- mouse, pen, finger --------------------------------------------------------------------------------------------

  listen() {
    const at = (event) => {
      const box = this.marks.getBoundingClientRect();
      return [event.clientX - box.left, event.clientY - box.top];
    };
    const canvas = this.marks;
    canvas.addEventListener("contextmenu", (event) => event.preventDefault());
    canvas.addEventListener("pointerdown", (event) => {
      const [x, y] = at(event);
      this.host.activate(this.number);
      canvas.setPointerCapture(event.pointerId);
      const caught = event.button === 0 && !this.host.options.hidden ? this.caught(x, y) : null;
      this.gesture = { button: event.button, x, y, from: { ...this.view }, caught, moved: false };
      event.preventDefault();
      document.activeElement?.blur?.(); // keys go to the page, not to a button that was clicked before
    });
    canvas.addEventListener("pointermove", (event) => {
      const [x, y] = at(event);
      const [ix, iy] = this.toImage(x, y);
      this.pointer = { x: ix, y: iy };
      const gesture = this.gesture;
      if (!gesture) {
        this.host.activate(this.number);
        const hovered = this.caught(x, y, true);
        if (hovered !== this.hovered || this.host.options.loupe) {
          this.hovered = hovered;
          this.draw();
        }
        return;
      }
      if (!gesture.moved && Math.hypot(x - gesture.x, y - gesture.y) < STILL) return;
      gesture.moved = true;
      if (gesture.caught !== null) {
        if (gesture.moves === undefined) {
          gesture.moves = gesture.caught;
          this.host.choose(gesture.caught);
        }
        if (this.holds([ix, iy])) gesture.at = [ix, iy];
      } else {
        gesture.pans = true;
        canvas.classList.add("moving");
        this.view = { ...gesture.from, x: gesture.from.x + x - gesture.x, y: gesture.from.y + y - gesture.y };
        this.fitted = false;
      }
      this.draw();
    });
    canvas.addEventListener("pointerup", (event) => {
      const gesture = this.gesture;
      this.gesture = null;
      canvas.classList.remove("moving");
      if (!gesture) return;
      if (gesture.moves !== undefined) {
        if (gesture.at) this.host.move(this.number, gesture.moves, gesture.at);
      } else if (!gesture.moved && gesture.button === 0) {
        this.hovered = null;
        this.host.click(this.number, this.toImage(...at(event)), gesture.caught, event.shiftKey);
      }
      this.draw();
    });
    canvas.addEventListener("pointercancel", () => {
      this.gesture = null;
      this.draw();
    });
    canvas.addEventListener("pointerleave", () => {
      this.pointer = null;
      this.hovered = null;
      this.draw();
    });
    canvas.addEventListener("wheel", (event) => {
      event.preventDefault();
      const step = event.deltaMode === 1 ? event.deltaY * 30 : event.deltaY;
      this.zoom(Math.exp(-step * (event.ctrlKey ? 0.01 : 0.0016)), ...at(event));
    }, { passive: false });
  }
}
Pane.prototype.hovered = null;
