// Bones and joints from back to front, where they have been, and how far each is known.

import { dot } from "./view.js";

const TRAIL_S = 1;
const ELLIPSOID = 2.7955; // standard deviations: a point lies in the ellipsoid with 95 %

export function paintTrails(stage, row) {
  const { context, meta, recording } = stage, length = Math.max(1, Math.round(TRAIL_S * meta.fps));
  const step = Math.max(1, Math.round(length / 60));
  for (const k of meta.trailed) {
    context.strokeStyle = stage.colours.sides[meta.sides[k]];
    for (let who = 0; who < recording.people; who += 1) {
      const at = 3 * (who * recording.points + k);
      let before = null;
      for (let r = row; r >= Math.max(0, row - length); r -= step) {
        const xyz = recording.field(r, "xyz");
        const now = xyz && !Number.isNaN(xyz[at]) ? stage.at(xyz[at], xyz[at + 1], xyz[at + 2]) : null;
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

// Bones as plain lines: of the points before refinement, or of another recording, moved by `shift`.
export function paintLines(stage, xyz, edges, look, shift = [0, 0, 0]) {
  const { context } = stage, stride = 3 * (look.points || stage.recording.points), line = new Path2D();
  for (let from = 0; from < xyz.length; from += stride) {
    for (const [a, b] of edges) {
      const [i, j] = [from + 3 * a, from + 3 * b];
      if (Number.isNaN(xyz[i] + xyz[j])) continue;
      const [x0, y0] = stage.at(xyz[i] + shift[0], xyz[i + 1] + shift[1], xyz[i + 2] + shift[2]);
      const [x1, y1] = stage.at(xyz[j] + shift[0], xyz[j + 1] + shift[1], xyz[j + 2] + shift[2]);
      if (Number.isNaN(x0 + x1)) continue;
      line.moveTo(x0, y0);
      line.lineTo(x1, y1);
    }
  }
  context.setLineDash(look.dashed ? [4, 3] : []);
  for (const [colour, width] of look.dashed ? [[look.colour, look.width]] : [["#07090dcc", look.width + 2], [look.colour, look.width]]) {
    context.strokeStyle = colour;
    context.lineWidth = width;
    context.stroke(line);
  }
  context.setLineDash([]);
}

export function paintBodies(stage, row, xyz) {
  const { context, meta, recording, colours } = stage, n = recording.points, parts = [];
  const status = recording.field(row, "status"), radius = meta.size_mm * 0.011;
  stage.joints = [];
  for (let who = 0; who < recording.people; who += 1) {
    const places = [];
    for (let k = 0; k < n; k += 1) {
      const at = 3 * (who * n + k);
      const place = Number.isNaN(xyz[at]) ? null : stage.at(xyz[at], xyz[at + 1], xyz[at + 2]);
      places.push(place && !Number.isNaN(place[0]) ? place : null);
      const filled = Boolean(status) && status[who * n + k] === meta.status.filled;
      if (!places[k]) continue;
      parts.push({ depth: places[k][2] - 1, who, k, place: places[k], filled });
      stage.joints.push({ who, k, x: places[k][0], y: places[k][1] });
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
  const thin = stage.shown.uncertainty ? 0.4 : 1; // so that bones do not hide the ellipsoids
  for (const part of parts) {
    if (part.from) {
      const width = Math.max(2.2, thin * 2 * radius * stage.view.scaleAt(part.depth));
      stroke(context, part, width + 2.4, "#07090dcc", false);
      stroke(context, part, width, shade(colours.sides[part.side], dim(part.depth) * (part.filled ? 0.6 : 1)), part.filled);
      if (width > 4 && !part.filled) stroke(context, part, width * 0.28, shade(colours.sides[part.side], dim(part.depth) * 1.25), false, width * 0.17);
    } else {
      const size = Math.max(2.4, thin * 1.3 * radius * stage.view.scaleAt(part.depth));
      context.beginPath();
      context.arc(part.place[0], part.place[1], size, 0, 2 * Math.PI);
      context.fillStyle = part.filled ? colours.panel : shade(colours.sides[meta.sides[part.k]], dim(part.depth) * 1.08);
      context.fill();
      context.lineWidth = part.filled ? 1.6 : 1;
      context.strokeStyle = part.filled ? shade(colours.sides[meta.sides[part.k]], 0.9) : "#07090dcc";
      context.stroke();
    }
  }
  if (stage.shown.uncertainty) paintUncertainty(stage, row, xyz);
}

// The outline of each point's 95 % ellipsoid, as it is seen from here.
function paintUncertainty(stage, row, xyz) {
  const covariance = stage.recording.field(row, "covariance"), { context, meta } = stage;
  if (!covariance) return;
  const [r0, r1] = stage.view.rotation;
  for (let i = 0; i < covariance.length / 6; i += 1) {
    const c = covariance.subarray(6 * i, 6 * i + 6);
    if (Number.isNaN(c[0] + xyz[3 * i])) continue;
    const [x, y, depth] = stage.at(xyz[3 * i], xyz[3 * i + 1], xyz[3 * i + 2]);
    if (Number.isNaN(x)) continue;
    const times = (v) => [c[0] * v[0] + c[1] * v[1] + c[2] * v[2], c[1] * v[0] + c[3] * v[1] + c[4] * v[2], c[2] * v[0] + c[4] * v[1] + c[5] * v[2]];
    const xx = dot(r0, times(r0)), xy = dot(r0, times(r1)), yy = dot(r1, times(r1));
    const mean = (xx + yy) / 2, half = Math.hypot((xx - yy) / 2, xy), scale = stage.view.scaleAt(depth) * ELLIPSOID * stage.shown.uncertainty;
    context.beginPath();
    context.ellipse(x, y, Math.sqrt(Math.max(0, mean + half)) * scale, Math.sqrt(Math.max(0, mean - half)) * scale, Math.atan2(2 * xy, xx - yy) / 2, 0, 2 * Math.PI);
    context.fillStyle = context.strokeStyle = stage.colours.sides[meta.sides[i % stage.recording.points]];
    context.globalAlpha = 0.35;
    context.fill();
    context.globalAlpha = 0.95;
    context.lineWidth = 1.2;
    context.stroke();
  }
  context.globalAlpha = 1;
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
function shade(hex, factor) {
  const step = Math.round(factor * 20), key = hex + step;
  if (!shades.has(key)) {
    const share = step / 20;
    const parts = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
    const made = parts.map((value) => Math.round(share <= 1 ? value * share : value + (255 - value) * Math.min(1, (share - 1) * 2)));
    shades.set(key, `rgb(${made.join(" ")})`);
  }
  return shades.get(key);
}
