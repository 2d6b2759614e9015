// What is told at the joints: names, angles with their intervals, events of the feet, the centre of mass.

import { below } from "./surroundings.js";
import { dot } from "./view.js";

const EVENT_S = 2;
const PIECES = 14; // of an arc

export function paintNames(stage) {
  stage.context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
  for (const { k, x, y } of stage.joints) write(stage, stage.meta.keypoints[k], x + 7, y + 4, stage.colours.text);
}

// An arc at each wanted joint, from where its angle would be 0, and the number with half of its 95 % interval.
export function paintArcs(stage, row, xyz) {
  const { context, meta, recording, colours } = stage, n = meta.angles ? meta.angles.names.length : 0;
  const deg = recording.field(row, "angles"), low = recording.field(row, "low"), high = recording.field(row, "high"), taken = [];
  stage.numbers = [];
  if (!deg) return;
  context.strokeStyle = colours.angle;
  for (let who = 0; who < recording.people; who += 1) {
    for (const { angle, keypoints, straight } of meta.arcs) {
      const at = who * n + angle, [before, joint, behind] = keypoints.map((k) => xyz.subarray(3 * (who * recording.points + k), 3 * (who * recording.points + k) + 3));
      if (!stage.angles.has(angle) || Number.isNaN(deg[at] + before[0] + joint[0] + behind[0])) continue;
      const back = minus(joint, before), on = minus(behind, joint), lengths = [back, on].map((part) => Math.hypot(...part));
      const u = back.map((value) => (straight ? value : -value) / lengths[0]), v = on.map((value) => value / lengths[1]);
      const radius = Math.min(0.42 * Math.min(...lengths), 0.085 * meta.size_mm), turn = Math.acos(Math.max(-1, Math.min(1, dot(u, v))));
      const point = (along) => stage.at(...joint.map((value, i) => value + radius * along(i)));
      const [x, y] = stage.at(...joint), foot = point((i) => u[i]);
      if (Number.isNaN(x + foot[0])) continue;
      context.lineWidth = 2.2;
      context.globalAlpha = 0.4;
      context.beginPath();
      context.moveTo(x, y);
      context.lineTo(foot[0], foot[1]);
      context.stroke();
      context.globalAlpha = 0.95;
      context.beginPath();
      for (let i = 0; i <= PIECES; i += 1) {
        const [p, q] = turn > 1e-3 ? [Math.sin(turn * (1 - i / PIECES)) / Math.sin(turn), Math.sin(turn * i / PIECES) / Math.sin(turn)] : [1, 0];
        const [px, py] = point((k) => p * u[k] + q * v[k]);
        context.lineTo(px, py);
      }
      context.stroke();
      context.globalAlpha = 1;
      const half = low ? (high[at] - low[at]) / 2 : NaN;
      const words = `${deg[at].toFixed(0)}°${Number.isNaN(half) ? "" : ` ±${half.toFixed(half < 1 ? 1 : 0)}`}`;
      stage.numbers.push({ who, angle, x, y, words, side: meta.sides[keypoints[1]] });
    }
  }
  context.font = "600 12px system-ui, 'DejaVu Sans', sans-serif";
  for (const { x, y, words, side } of stage.numbers.sort((a, b) => a.y - b.y)) {
    const width = context.measureText(words).width, left = x + 14 + width > stage.width ? x - 14 - width : x + 14;
    let top = y;
    while (taken.some((box) => Math.abs(box.top - top) < 15 && left < box.left + box.width + 4 && box.left < left + width + 4)) top += 4;
    taken.push({ left, top, width });
    write(stage, words, left, top + 4, colours.sides[side]);
  }
}

const minus = (a, b) => [a[0] - b[0], a[1] - b[1], a[2] - b[2]];

function write({ context }, words, x, y, colour) {
  context.textAlign = "left";
  context.lineWidth = 3.5;
  context.strokeStyle = "#0f1217e0";
  context.strokeText(words, x, y);
  context.fillStyle = colour;
  context.fillText(words, x, y);
}

export function paintEvents(stage, row) {
  const { context, meta, recording } = stage;
  for (const event of meta.events) {
    const age = (row - event.row) / meta.fps / EVENT_S;
    if (age < 0 || age > 1) continue;
    const xyz = recording.field(Math.max(0, Math.min(meta.n_frames - 1, Math.round(event.row))), "xyz");
    const foot = xyz && lowest(stage, xyz, stage.feet[event.limb] || []);
    if (!foot) continue;
    const [x, y, depth] = stage.at(...foot);
    if (Number.isNaN(x)) continue;
    const radius = stage.view.scaleAt(depth) * meta.size_mm * 0.045;
    const [, tilt] = stage.at(...foot.map((value, i) => value + meta.ground.axes[0][i] * 50));
    context.globalAlpha = 1 - age;
    context.strokeStyle = stage.colours.sides[event.limb === "L" ? 1 : event.limb === "R" ? 2 : 0];
    context.lineWidth = event.kind === "strike" ? 2.5 : 1.2;
    context.setLineDash(event.kind === "strike" ? [] : [3, 4]);
    context.beginPath();
    context.ellipse(x, y, radius, Number.isNaN(tilt) ? radius : radius * Math.max(0.15, Math.abs(Math.sin(lookDown(stage)))), 0, 0, 2 * Math.PI);
    context.stroke();
  }
  context.setLineDash([]);
  context.globalAlpha = 1;
}

function lookDown(stage) { return Math.asin(Math.max(-1, Math.min(1, dot(stage.view.rotation[2], stage.meta.ground.axes[2])))); }

function lowest(stage, xyz, keypoints) {
  let best = null, least = Infinity;
  for (const k of keypoints) {
    if (Number.isNaN(xyz[3 * k])) continue;
    const height = dot([xyz[3 * k], xyz[3 * k + 1], xyz[3 * k + 2]], stage.meta.ground.axes[2]);
    if (height < least) [best, least] = [below(stage, xyz, 3 * k), height];
  }
  return best;
}

export function paintMass(stage, row) {
  const centre = stage.recording.field(row, "centre"), { context } = stage;
  if (!centre) return;
  for (let i = 0; i < centre.length; i += 3) {
    if (Number.isNaN(centre[i])) continue;
    const [x, y] = stage.at(centre[i], centre[i + 1], centre[i + 2]);
    const [x0, y0] = stage.at(...below(stage, centre, i));
    context.strokeStyle = context.fillStyle = stage.colours.centre_of_mass;
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

export function footPoints(meta) {
  const of = (side) => meta.keypoints.map((name, k) => k).filter((k) => meta.sides[k] === side);
  return { L: of(1), R: of(2) };
}
