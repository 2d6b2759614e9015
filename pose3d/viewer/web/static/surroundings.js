// What stands about the subject: the floor with its shadow, the cameras, the axes.

import { dot } from "./view.js";

const FADES = 6;

export function paintBackground(stage) {
  const glow = stage.context.createRadialGradient(stage.width / 2, stage.height * 0.45, 0, stage.width / 2, stage.height * 0.45, Math.max(stage.width, stage.height) * 0.75);
  glow.addColorStop(0, "#1b222c");
  glow.addColorStop(1, stage.colours.background);
  stage.context.fillStyle = glow;
  stage.context.fillRect(0, 0, stage.width, stage.height);
}

export function paintFloor(stage, strength) {
  const { segments, reach } = stage.floor, context = stage.context;
  const path = stage.recording.path(stage.row), groups = Array.from({ length: FADES }, () => new Path2D());
  for (let i = 0; i < segments.length; i += 6) {
    const away = Math.hypot((segments[i] + segments[i + 3]) / 2 - path[0], (segments[i + 1] + segments[i + 4]) / 2 - path[1],
      (segments[i + 2] + segments[i + 5]) / 2 - path[2]);
    const fade = Math.floor((1 - away / reach) * FADES);
    if (fade < 0) continue;
    const [x0, y0] = stage.at(segments[i], segments[i + 1], segments[i + 2]);
    const [x1, y1] = stage.at(segments[i + 3], segments[i + 4], segments[i + 5]);
    if (Number.isNaN(x0 + x1) || Math.abs(x0) > 8000 || Math.abs(x1) > 8000) continue;
    const line = groups[Math.min(FADES - 1, fade)];
    line.moveTo(x0, y0);
    line.lineTo(x1, y1);
  }
  context.strokeStyle = stage.colours.grid;
  context.lineWidth = 1;
  groups.forEach((line, i) => {
    context.globalAlpha = strength * 0.75 * ((i + 1) / FADES) ** 1.5;
    context.stroke(line);
  });
  context.globalAlpha = 1;
}

// The foot of a point on the floor.
export function below(stage, xyz, at) {
  const { origin, axes } = stage.meta.ground, up = axes[2];
  const height = (xyz[at] - origin[0]) * up[0] + (xyz[at + 1] - origin[1]) * up[1] + (xyz[at + 2] - origin[2]) * up[2];
  return [xyz[at] - height * up[0], xyz[at + 1] - height * up[1], xyz[at + 2] - height * up[2]];
}

export function paintShadow(stage, xyz) {
  const { context, meta, recording } = stage, line = new Path2D();
  let depth = 0, count = 0;
  for (let who = 0; who < recording.people; who += 1) {
    for (const [a, b] of meta.edges) {
      const from = 3 * (who * recording.points + a), to = 3 * (who * recording.points + b);
      if (Number.isNaN(xyz[from] + xyz[to])) continue;
      const [x0, y0, d] = stage.at(...below(stage, xyz, from)), [x1, y1] = stage.at(...below(stage, xyz, to));
      if (Number.isNaN(x0 + x1)) continue;
      line.moveTo(x0, y0);
      line.lineTo(x1, y1);
      depth += d;
      count += 1;
    }
  }
  if (!count) return;
  const width = stage.view.scaleAt(depth / count) * meta.size_mm * 0.028;
  context.strokeStyle = stage.colours.shadow;
  for (const [share, alpha] of [[2, 0.1], [1.4, 0.16], [0.8, 0.3]]) {
    context.globalAlpha = alpha;
    context.lineWidth = Math.max(1.5, width * share);
    context.stroke(line);
  }
  context.globalAlpha = 1;
}

export function paintCameras(stage) {
  const { context } = stage;
  context.strokeStyle = context.fillStyle = stage.colours.camera;
  context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
  context.textAlign = "center";
  for (const { lines, eye, name } of stage.frusta) {
    if (stage.view.camera && stage.view.camera.name === name) continue;
    context.globalAlpha = 0.85;
    context.lineWidth = 1.2;
    context.beginPath();
    for (let i = 0; i < lines.length; i += 2) {
      const [x0, y0] = stage.at(...lines[i]), [x1, y1] = stage.at(...lines[i + 1]);
      if (Number.isNaN(x0 + x1)) continue;
      context.moveTo(x0, y0);
      context.lineTo(x1, y1);
    }
    context.stroke();
    const [x, y] = stage.at(...eye);
    if (!Number.isNaN(x)) context.fillText(name, x, y - 10);
  }
  context.globalAlpha = 1;
}

export function paintAxes(stage) {
  const { context, view } = stage, x = stage.width - 42, y = stage.height - 62, names = ["x", "y", "z"];
  const order = [0, 1, 2].sort((a, b) => view.rotation[2][b] - view.rotation[2][a]);
  context.font = "600 11px system-ui, 'DejaVu Sans', sans-serif";
  context.textAlign = "center";
  for (const i of order) {
    const dx = view.rotation[0][i] * 24, dy = view.rotation[1][i] * 24;
    context.strokeStyle = context.fillStyle = stage.colours.axes[i];
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(x, y);
    context.lineTo(x + dx, y + dy);
    context.stroke();
    context.fillText(names[i], x + dx * 1.42, y + dy * 1.42 + 4);
  }
  if (stage.shown.floor && !view.camera) {
    context.fillStyle = stage.colours.dim;
    context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    const cell = stage.floor.cell;
    context.fillText(`grid ${cell >= 1000 ? `${cell / 1000} m` : cell >= 10 ? `${cell / 10} cm` : `${cell} mm`}`, x, stage.height - 14);
  }
}

export function makeFloor(recording) {
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

export function makeFrustum(camera, size) {
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
