// The scene in 3D on a plain canvas: parts are painted from back to front.

import { footPoints, paintArcs, paintEvents, paintMass, paintNames } from "./annotations.js";
import { paintBodies, paintLines, paintTrails } from "./body.js";
import { makeFloor, makeFrustum, paintAxes, paintBackground, paintCameras, paintFloor, paintShadow } from "./surroundings.js";
import { View, fit } from "./view.js";

export class Stage {
  constructor(canvas, recording, colours) {
    Object.assign(this, { canvas, recording, colours, row: 0, hover: null });
    this.meta = recording.meta;
    this.view = new View(this.meta);
    this.shown = {
      trails: true, floor: true, cameras: true, shadow: true, events: true, uncertainty: 0, mass: false, raw: false, names: false, arcs: false,
      second: this.meta.second && (this.meta.second.shift_mm ? "beside" : "over"),
    };
    this.angles = new Set(); // those that are drawn at their joints
    this.numbers = []; // and what is written there
    this.follow = this.meta.follow;
    this.floor = makeFloor(recording);
    this.frusta = this.meta.cameras.filter((camera) => camera.pose).map((camera) => makeFrustum(camera, this.meta.size_mm));
    this.out = [0, 0, 0];
    this.joints = []; // where they are on the canvas, in CSS px: for the pointer, and for tests
    this.feet = footPoints(this.meta);
  }

  resize() {
    const ratio = window.devicePixelRatio || 1;
    const { clientWidth: w, clientHeight: h } = this.canvas;
    this.width = w;
    this.height = h;
    const [width, height] = [Math.max(1, Math.round(w * ratio)), Math.max(1, Math.round(h * ratio))];
    if (this.canvas.width !== width || this.canvas.height !== height) Object.assign(this.canvas, { width, height });
    this.ratio = ratio;
  }

  // Draw a row; of null, what needs no row.
  draw(row) {
    const { view, shown, recording } = this;
    this.row = row ?? this.row;
    this.resize();
    const context = this.context = this.canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    this.joints = [];
    this.numbers = [];
    if (this.width < 10 || this.height < 10) return;
    if (this.follow && !view.camera) {
      const path = recording.path(this.row);
      view.shift = this.meta.follow_from.map((value, i) => path[i] - value);
    } else view.shift = [0, 0, 0];
    view.prepare(this.width, this.height);
    if (!view.camera) paintBackground(this);
    context.lineCap = "round";
    context.lineJoin = "round";
    if (shown.floor) paintFloor(this, view.camera ? 0.5 : 1);
    if (row === null) {
      if (shown.cameras) paintCameras(this);
    } else this.drawSubject(row);
    paintAxes(this);
  }

  drawSubject(row) {
    const { shown, recording, meta } = this, xyz = recording.xyz(row);
    if (shown.shadow) paintShadow(this, xyz);
    if (shown.cameras) paintCameras(this);
    if (shown.events) paintEvents(this, row);
    if (shown.trails) paintTrails(this, row);
    const raw = shown.raw && recording.field(row, "raw"), second = shown.second && recording.field(row, "second");
    if (raw) paintLines(this, raw, meta.edges, { colour: this.colours.raw, width: 1.5, dashed: true });
    if (second) {
      const shift = meta.ground.axes[1].map((value) => value * (shown.second === "beside" ? this.beside : 0));
      paintLines(this, second, meta.second.edges, { colour: this.colours.second, width: 3, points: meta.fields.second[1] }, shift);
    }
    paintBodies(this, row, xyz);
    if (shown.mass) paintMass(this, row);
    if (shown.arcs) paintArcs(this, row, xyz);
    if (shown.names) paintNames(this);
  }

  // How far to the left of the first recording the second stands, mm.
  get beside() { return this.meta.second.shift_mm || 0.8 * this.meta.size_mm; }

  at(x, y, z) {
    const out = this.view.project(x, y, z, this.out);
    return [out[0], out[1], out[2]];
  }

  // The joint under the pointer, at most 12 px away.
  jointAt(x, y) {
    let best = null, least = 12;
    for (const joint of this.joints) {
      const away = Math.hypot(joint.x - x, joint.y - y);
      if (away < least) [best, least] = [joint, away];
    }
    return best;
  }

  // Where a camera's picture lies on the canvas: left, top, width, height.
  pictureRect() {
    const { size } = this.view.camera;
    const [scale, left, above] = fit(size, [this.width, this.height]);
    return [left, above, size[0] * scale, size[1] * scale];
  }
}
