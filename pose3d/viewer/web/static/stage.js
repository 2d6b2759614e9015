// The scene in 3D on a plain canvas: parts are painted from back to front.

import { View, dot, fit } from "./view.js";

const TRAIL_S = 1, EVENT_S = 2;
const ELLIPSOID = 2.7955; // standard deviations: a point lies in the ellipsoid with 95 %
const FADES = 6;

export class Stage {
  constructor(canvas, recording, colours) {
    Object.assign(this, { canvas, recording, colours, row: 0, hover: null });
    this.meta = recording.meta;
    this.view = new View(this.meta);
    this.shown = { trails: true, floor: true, cameras: true, shadow: true, events: true, uncertainty: 0, mass: false, raw: false, names: false };
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

  draw(row) {
    this.row = row;
    this.resize();
    const context = this.context = this.canvas.getContext("2d");
    context.setTransform(this.ratio, 0, 0, this.ratio, 0, 0);
    context.clearRect(0, 0, this.width, this.height);
    if (this.width < 10 || this.height < 10) return;
    const view = this.view;
    if (this.follow && !view.camera) {
      const path = this.recording.path(row);
      view.shift = this.meta.follow_from.map((value, i) => path[i] - value);
    } else view.shift = [0, 0, 0];
    view.prepare(this.width, this.height);
    if (!view.camera) this.paintBackground();
    context.lineCap = "round";
    context.lineJoin = "round";
    const xyz = this.recording.xyz(row);
    if (this.shown.floor) this.paintFloor(view.camera ? 0.5 : 1);
    if (this.shown.shadow) this.paintShadow(xyz);
    if (this.shown.cameras) this.paintCameras();
    if (this.shown.events) this.paintEvents(row);
    if (this.shown.trails) this.paintTrails(row);
    if (this.shown.raw) this.paintRaw(row);
    this.paintBodies(row, xyz);
    if (this.shown.mass) this.paintMass(row);
    this.paintAxes();
  }

  at(x, y, z) {
    const out = this.view.project(x, y, z, this.out);
    return [out[0], out[1], out[2]];
  }

  paintBackground() {
    const glow = this.context.createRadialGradient(this.width / 2, this.height * 0.45, 0, this.width / 2, this.height * 0.45, Math.max(this.width, this.height) * 0.75);
    glow.addColorStop(0, "#1b222c");
    glow.addColorStop(1, this.colours.background);
    this.context.fillStyle = glow;
    this.context.fillRect(0, 0, this.width, this.height);
  }

  paintFloor(strength) {
    const { segments, reach } = this.floor, context = this.context;
    const path = this.recording.path(this.row), groups = Array.from({ length: FADES }, () => new Path2D());
    for (let i = 0; i < segments.length; i += 6) {
      const away = Math.hypot((segments[i] + segments[i + 3]) / 2 - path[0], (segments[i + 1] + segments[i + 4]) / 2 - path[1],
        (segments[i + 2] + segments[i + 5]) / 2 - path[2]);
      const fade = Math.floor((1 - away / reach) * FADES);
      if (fade < 0) continue;
      const [x0, y0] = this.at(segments[i], segments[i + 1], segments[i + 2]);
      const [x1, y1] = this.at(segments[i + 3], segments[i + 4], segments[i + 5]);
      if (Number.isNaN(x0 + x1) || Math.abs(x0) > 8000 || Math.abs(x1) > 8000) continue;
      const line = groups[Math.min(FADES - 1, fade)];
      line.moveTo(x0, y0);
      line.lineTo(x1, y1);
    }
    context.strokeStyle = this.colours.grid;
    context.lineWidth = 1;
    groups.forEach((line, i) => {
      context.globalAlpha = strength * 0.75 * ((i + 1) / FADES) ** 1.5;
      context.stroke(line);
    });
    context.globalAlpha = 1;
  }

  // The foot of a point on the floor.
  below(xyz, at) {
    const { origin, axes } = this.meta.ground, up = axes[2];
    const height = (xyz[at] - origin[0]) * up[0] + (xyz[at + 1] - origin[1]) * up[1] + (xyz[at + 2] - origin[2]) * up[2];
    return [xyz[at] - height * up[0], xyz[at + 1] - height * up[1], xyz[at + 2] - height * up[2]];
  }

  paintShadow(xyz) {
    const { context, meta, recording } = this, line = new Path2D();
    let depth = 0, count = 0;
    for (let who = 0; who < recording.people; who += 1) {
      for (const [a, b] of meta.edges) {
        const from = 3 * (who * recording.points + a), to = 3 * (who * recording.points + b);
        if (Number.isNaN(xyz[from] + xyz[to])) continue;
        const [x0, y0, d] = this.at(...this.below(xyz, from)), [x1, y1] = this.at(...this.below(xyz, to));
        if (Number.isNaN(x0 + x1)) continue;
        line.moveTo(x0, y0);
        line.lineTo(x1, y1);
        depth += d;
        count += 1;
      }
    }
    if (!count) return;
    const width = this.view.scaleAt(depth / count) * meta.size_mm * 0.028;
    context.strokeStyle = this.colours.shadow;
    for (const [share, alpha] of [[2, 0.1], [1.4, 0.16], [0.8, 0.3]]) {
      context.globalAlpha = alpha;
      context.lineWidth = Math.max(1.5, width * share);
      context.stroke(line);
    }
    context.globalAlpha = 1;
  }

  paintCameras() {
    const { context } = this;
    context.strokeStyle = context.fillStyle = this.colours.camera;
    context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    context.textAlign = "center";
    for (const { lines, eye, name } of this.frusta) {
      if (this.view.camera && this.view.camera.name === name) continue;
      context.globalAlpha = 0.85;
      context.lineWidth = 1.2;
      context.beginPath();
      for (let i = 0; i < lines.length; i += 2) {
        const [x0, y0] = this.at(...lines[i]), [x1, y1] = this.at(...lines[i + 1]);
        if (Number.isNaN(x0 + x1)) continue;
        context.moveTo(x0, y0);
        context.lineTo(x1, y1);
      }
      context.stroke();
      const [x, y] = this.at(...eye);
      if (!Number.isNaN(x)) context.fillText(name, x, y - 10);
    }
    context.globalAlpha = 1;
  }

  paintTrails(row) {
    const { context, meta, recording } = this, length = Math.max(1, Math.round(TRAIL_S * meta.fps));
    const step = Math.max(1, Math.round(length / 60));
    for (const k of meta.trailed) {
      context.strokeStyle = this.colours.sides[meta.sides[k]];
      for (let who = 0; who < recording.people; who += 1) {
        const at = 3 * (who * recording.points + k);
        let before = null;
        for (let r = row; r >= Math.max(0, row - length); r -= step) {
          const xyz = recording.field(r, "xyz");
          const now = xyz && !Number.isNaN(xyz[at]) ? this.at(xyz[at], xyz[at + 1], xyz[at + 2]) : null;
          if (before && now && !Number.isNaN(before[0] + now[0])) {
            const age = (row - r) / length;
            context.globalAlpha = 0.75 * (1 - age) ** 1.3;
            context.lineWidth = Math.max(0.6, 3 * (1 - age));
            context.beginPath();
            context.moveTo(before[0], before[1]);
            context.lineTo(now[0], now[1]);
            context.stroke();
          }
          before = now;
        }
      }
    }
    context.globalAlpha = 1;
  }

  paintEvents(row) {
    const { context, meta, recording } = this;
    for (const event of meta.events) {
      const age = (row - event.row) / meta.fps / EVENT_S;
      if (age < 0 || age > 1) continue;
      const xyz = recording.field(Math.max(0, Math.min(meta.n_frames - 1, Math.round(event.row))), "xyz");
      const foot = xyz && this.lowest(xyz, this.feet[event.limb] || []);
      if (!foot) continue;
      const [x, y, depth] = this.at(...foot);
      if (Number.isNaN(x)) continue;
      const radius = this.view.scaleAt(depth) * meta.size_mm * 0.045;
      const [, tilt] = this.at(...foot.map((value, i) => value + meta.ground.axes[0][i] * 50));
      context.globalAlpha = 1 - age;
      context.strokeStyle = this.colours.sides[event.limb === "L" ? 1 : event.limb === "R" ? 2 : 0];
      context.lineWidth = event.kind === "strike" ? 2.5 : 1.2;
      context.setLineDash(event.kind === "strike" ? [] : [3, 4]);
      context.beginPath();
      context.ellipse(x, y, radius, Number.isNaN(tilt) ? radius : radius * Math.max(0.15, Math.abs(Math.sin(this.lookDown()))), 0, 0, 2 * Math.PI);
      context.stroke();
    }
    context.setLineDash([]);
    context.globalAlpha = 1;
  }

  lookDown() { return Math.asin(Math.max(-1, Math.min(1, dot(this.view.rotation[2], this.meta.ground.axes[2])))); }

  lowest(xyz, keypoints) {
    let best = null, least = Infinity;
    for (const k of keypoints) {
      if (Number.isNaN(xyz[3 * k])) continue;
      const height = dot([xyz[3 * k], xyz[3 * k + 1], xyz[3 * k + 2]], this.meta.ground.axes[2]);
      if (height < least) [best, least] = [this.below(xyz, 3 * k), height];
    }
    return best;
  }

  paintRaw(row) {
    const raw = this.recording.field(row, "raw"), { context, meta, recording } = this;
    if (!raw) return;
    context.strokeStyle = this.colours.raw;
    context.lineWidth = 1.5;
    context.setLineDash([4, 3]);
    context.beginPath();
    for (let who = 0; who < recording.people; who += 1) {
      for (const [a, b] of meta.edges) {
        const from = 3 * (who * recording.points + a), to = 3 * (who * recording.points + b);
        if (Number.isNaN(raw[from] + raw[to])) continue;
        const [x0, y0] = this.at(raw[from], raw[from + 1], raw[from + 2]), [x1, y1] = this.at(raw[to], raw[to + 1], raw[to + 2]);
        context.moveTo(x0, y0);
        context.lineTo(x1, y1);
      }
    }
    context.stroke();
    context.setLineDash([]);
  }

  paintBodies(row, xyz) {
    const { context, meta, recording, colours } = this, n = recording.points, parts = [];
    const status = recording.field(row, "status"), radius = meta.size_mm * 0.011;
    this.joints = [];
    for (let who = 0; who < recording.people; who += 1) {
      const places = [];
      for (let k = 0; k < n; k += 1) {
        const at = 3 * (who * n + k);
        const place = Number.isNaN(xyz[at]) ? null : this.at(xyz[at], xyz[at + 1], xyz[at + 2]);
        places.push(place && !Number.isNaN(place[0]) ? place : null);
        const filled = Boolean(status) && status[who * n + k] === meta.status.filled;
        if (!places[k]) continue;
        parts.push({ depth: places[k][2] - 1, who, k, place: places[k], filled });
        this.joints.push({ who, k, x: places[k][0], y: places[k][1] });
      }
      for (const [a, b] of meta.edges) {
        if (!places[a] || !places[b]) continue;
        const side = meta.sides[a] === meta.sides[b] ? meta.sides[a] : meta.sides[a] && meta.sides[b] ? 0 : meta.sides[a] || meta.sides[b];
        const filled = [a, b].some((k) => status && status[who * n + k] === meta.status.filled);
        parts.push({ depth: (places[a][2] + places[b][2]) / 2, from: places[a], to: places[b], side, filled });
      }
    }
    if (!parts.length) return;
    parts.sort((a, b) => b.depth - a.depth);
    const far = parts[0].depth, near = parts[parts.length - 1].depth;
    const dim = (depth) => 0.72 + 0.28 * (far - depth) / Math.max(far - near, 1);
    const thin = this.shown.uncertainty ? 0.4 : 1; // so that bones do not hide the ellipsoids
    for (const part of parts) {
      if (part.from) {
        const width = Math.max(2.2, thin * 2 * radius * this.view.scaleAt(part.depth));
        stroke(context, part, width + 2.4, "#07090dcc", false);
        stroke(context, part, width, shade(colours.sides[part.side], dim(part.depth) * (part.filled ? 0.6 : 1)), part.filled);
        if (width > 4 && !part.filled) stroke(context, part, width * 0.28, shade(colours.sides[part.side], dim(part.depth) * 1.25), false, width * 0.17);
      } else {
        const size = Math.max(2.4, thin * 1.3 * radius * this.view.scaleAt(part.depth));
        context.beginPath();
        context.arc(part.place[0], part.place[1], size, 0, 2 * Math.PI);
        context.fillStyle = part.filled ? colours.panel : shade(colours.sides[meta.sides[part.k]], dim(part.depth) * 1.08);
        context.fill();
        context.lineWidth = part.filled ? 1.6 : 1;
        context.strokeStyle = part.filled ? shade(colours.sides[meta.sides[part.k]], 0.9) : "#07090dcc";
        context.stroke();
      }
    }
    if (this.shown.uncertainty) this.paintUncertainty(row, xyz);
    if (this.shown.names) this.paintNames();
  }

  paintNames() {
    const { context } = this;
    context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    context.textAlign = "left";
    for (const { k, x, y } of this.joints) {
      context.lineWidth = 3;
      context.strokeStyle = "#0f1217d0";
      context.strokeText(this.meta.keypoints[k], x + 7, y + 4);
      context.fillStyle = this.colours.text;
      context.fillText(this.meta.keypoints[k], x + 7, y + 4);
    }
  }

  // The outline of each point's 95 % ellipsoid, as it is seen from here.
  paintUncertainty(row, xyz) {
    const covariance = this.recording.field(row, "covariance"), { context, meta } = this;
    if (!covariance) return;
    const [r0, r1] = this.view.rotation;
    for (let i = 0; i < covariance.length / 6; i += 1) {
      const c = covariance.subarray(6 * i, 6 * i + 6);
      if (Number.isNaN(c[0] + xyz[3 * i])) continue;
      const [x, y, depth] = this.at(xyz[3 * i], xyz[3 * i + 1], xyz[3 * i + 2]);
      if (Number.isNaN(x)) continue;
      const times = (v) => [c[0] * v[0] + c[1] * v[1] + c[2] * v[2], c[1] * v[0] + c[3] * v[1] + c[4] * v[2], c[2] * v[0] + c[4] * v[1] + c[5] * v[2]];
      const xx = dot(r0, times(r0)), xy = dot(r0, times(r1)), yy = dot(r1, times(r1));
      const mean = (xx + yy) / 2, half = Math.hypot((xx - yy) / 2, xy), scale = this.view.scaleAt(depth) * ELLIPSOID * this.shown.uncertainty;
      context.beginPath();
      context.ellipse(x, y, Math.sqrt(Math.max(0, mean + half)) * scale, Math.sqrt(Math.max(0, mean - half)) * scale, Math.atan2(2 * xy, xx - yy) / 2, 0, 2 * Math.PI);
      context.fillStyle = context.strokeStyle = this.colours.sides[meta.sides[i % this.recording.points]];
      context.globalAlpha = 0.35;
      context.fill();
      context.globalAlpha = 0.95;
      context.lineWidth = 1.2;
      context.stroke();
    }
    context.globalAlpha = 1;
  }

  paintMass(row) {
    const centre = this.recording.field(row, "centre"), { context } = this;
    if (!centre) return;
    for (let i = 0; i < centre.length; i += 3) {
      if (Number.isNaN(centre[i])) continue;
      const [x, y] = this.at(centre[i], centre[i + 1], centre[i + 2]);
      const [x0, y0] = this.at(...this.below(centre, i));
      context.strokeStyle = context.fillStyle = this.colours.centre_of_mass;
      context.lineWidth = 1.4;
      context.setLineDash([2, 4]);
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x0, y0);
      context.stroke();
      context.setLineDash([]);
      context.beginPath();
      context.arc(x, y, 5, 0, 2 * Math.PI);
      context.fill();
      context.beginPath();
      context.arc(x0, y0, 3, 0, 2 * Math.PI);
      context.stroke();
    }
  }

  paintAxes() {
    const { context, view } = this, x = this.width - 42, y = this.height - 62, names = ["x", "y", "z"];
    const order = [0, 1, 2].sort((a, b) => view.rotation[2][b] - view.rotation[2][a]);
    context.font = "600 11px system-ui, 'DejaVu Sans', sans-serif";
    context.textAlign = "center";
    for (const i of order) {
      const dx = view.rotation[0][i] * 24, dy = view.rotation[1][i] * 24;
      context.strokeStyle = context.fillStyle = this.colours.axes[i];
      context.lineWidth = 2;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(x + dx, y + dy);
      context.stroke();
      context.fillText(names[i], x + dx * 1.42, y + dy * 1.42 + 4);
    }
    if (this.shown.floor && !view.camera) {
      context.fillStyle = this.colours.dim;
      context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
      const cell = this.floor.cell;
      context.fillText(`grid ${cell >= 1000 ? `${cell / 1000} m` : cell >= 10 ? `${cell / 10} cm` : `${cell} mm`}`, x, this.height - 14);
    }
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

function stroke(context, { from, to }, width, colour, dashed, shift = 0) {
  context.strokeStyle = colour;
  context.lineWidth = width;
  if (dashed) context.setLineDash([width, width * 1.4]);
  context.beginPath();
  context.moveTo(from[0] - shift, from[1] - shift);
  context.lineTo(to[0] - shift, to[1] - shift);
  context.stroke();
  if (dashed) context.setLineDash([]);
}

const shades = new Map();

// A colour made darker (below 1) or lighter.
export function shade(hex, factor) {
  const step = Math.round(factor * 20), key = hex + step;
  if (!shades.has(key)) {
    const share = step / 20;
    const parts = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    const made = parts.map((value) => Math.round(share <= 1 ? value * share : value + (255 - value) * Math.min(1, (share - 1) * 2)));
    shades.set(key, `rgb(${made.join(" ")})`);
  }
  return shades.get(key);
}

function makeFloor(recording) {
  const { meta, overview } = recording, { origin, axes } = meta.ground;
  const size = recording.people * recording.points * 3 + 3;
  let low = [0, 0], high = [0, 0], known = false;
  for (let i = 0; i < overview.length / size; i += 1) {
    const path = overview.subarray((i + 1) * size - 3, (i + 1) * size);
    const at = [0, 1].map((axis) => dot([path[0] - origin[0], path[1] - origin[1], path[2] - origin[2]], axes[axis]));
    if (Number.isNaN(at[0])) continue;
    low = known ? low.map((value, axis) => Math.min(value, at[axis])) : at;
    high = known ? high.map((value, axis) => Math.max(value, at[axis])) : at;
    known = true;
  }
  const raw = meta.size_mm * 0.3, power = 10 ** Math.floor(Math.log10(raw));
  const cell = power * (raw / power >= 5 ? 5 : raw / power >= 2 ? 2 : 1);
  const reach = Math.max(meta.size_mm * 2.6, cell * 6);
  const from = low.map((value) => Math.floor((value - reach) / cell)), to = high.map((value) => Math.ceil((value + reach) / cell));
  const most = 160, segments = []; // lines each way: a long walk has a coarser floor
  const step = Math.max(1, Math.ceil(Math.max(to[0] - from[0], to[1] - from[1]) / most));
  const point = (u, v) => [0, 1, 2].map((i) => origin[i] + u * cell * axes[0][i] + v * cell * axes[1][i]);
  for (let u = from[0]; u <= to[0]; u += step) {
    for (let v = from[1]; v <= to[1]; v += step) segments.push(...point(u, v), ...point(u + step, v), ...point(u, v), ...point(u, v + step));
  }
  return { segments: new Float32Array(segments), cell: cell * step, reach };
}

function makeFrustum(camera, size) {
  const { pose, matrix } = camera, depth = size * 0.16;
  const back = (x, y, z) => {
    const p = [x - pose[0][3], y - pose[1][3], z - pose[2][3]];
    return [0, 1, 2].map((i) => pose[0][i] * p[0] + pose[1][i] * p[1] + pose[2][i] * p[2]);
  };
  const corner = (x, y) => back((x - matrix[0][2]) / matrix[0][0] * depth, (y - matrix[1][2]) / matrix[1][1] * depth, depth);
  const [w, h] = camera.size, eye = back(0, 0, 0);
  const corners = [corner(0, 0), corner(w, 0), corner(w, h), corner(0, h)];
  const lines = corners.flatMap((each, i) => [eye, each, each, corners[(i + 1) % 4]]);
  lines.push(corner(w * 0.35, 0), corner(w * 0.5, -h * 0.18), corner(w * 0.5, -h * 0.18), corner(w * 0.65, 0));
  return { lines, eye, name: camera.name };
}

function footPoints(meta) {
  const of = (side) => meta.keypoints.map((name, k) => k).filter((k) => meta.sides[k] === side);
  return { L: of(1), R: of(2) };
}
