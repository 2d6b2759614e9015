// How marks look. Everything is drawn twice, dark and wide below, so that it can be read on any image.

export const COLOURS = { left: "#4cc2ff", right: "#ff9f43", middle: "#f4f4f5" };
export const VISIBLE = 1, OCCLUDED = 2, ABSENT = 3;
const SHADE = "rgba(4, 7, 12, 0.78)";

function twice(context, colour, width, path) {
  context.lineCap = "round";
  context.lineJoin = "round";
  for (const [style, wide] of [[SHADE, width + 2.4], [colour, width]]) {
    context.strokeStyle = style;
    context.lineWidth = wide;
    context.beginPath();
    path();
    context.stroke();
  }
}

function circle(context, x, y, radius) {
  context.moveTo(x + radius, y);
  context.arc(x, y, radius, 0, 2 * Math.PI);
}

// A label: a dot; occluded, a ring that is crossed out.
export function drawLabel(context, x, y, { colour, mark, selected }) {
  if (mark === OCCLUDED) {
    const r = selected ? 6 : 4.5;
    twice(context, colour, 1.8, () => {
      circle(context, x, y, r);
      context.moveTo(x - 1.35 * r, y + 1.35 * r);
      context.lineTo(x + 1.35 * r, y - 1.35 * r);
    });
  } else {
    const r = selected ? 3.2 : 3.4;
    context.fillStyle = SHADE;
    context.beginPath();
    circle(context, x, y, r + 1.5);
    context.fill();
    context.fillStyle = colour;
    context.beginPath();
    circle(context, x, y, r);
    context.fill();
  }
  if (selected) drawAim(context, x, y, colour);
}

// The aim round the chosen keypoint leaves the pixel itself free.
function drawAim(context, x, y, colour) {
  twice(context, colour, 1.6, () => {
    circle(context, x, y, 10);
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(x + 10 * dx, y + 10 * dy);
      context.lineTo(x + 15 * dx, y + 15 * dy);
    }
  });
}

// What the other views suggest: a broken ring with a cross; an open middle says that it is no label yet.
export function drawSuggestion(context, x, y, { colour, selected }) {
  const r = selected ? 9 : 5.5;
  context.save();
  context.setLineDash(selected ? [4.7, 4.7] : [3.2, 2.6]);
  twice(context, colour, selected ? 2 : 1.4, () => circle(context, x, y, r));
  context.restore();
  if (selected) {
    twice(context, colour, 1.4, () => {
      for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
        context.moveTo(x + 2.5 * dx, y + 2.5 * dy);
        context.lineTo(x + 6 * dx, y + 6 * dy);
      }
    });
  }
}

// What a network found: a hollow diamond, the fainter the less it is sure.
export function drawGuess(context, x, y, { colour, selected, score }) {
  const r = selected ? 7 : 4.6;
  context.save();
  context.globalAlpha = 0.35 + 0.65 * score;
  twice(context, colour, selected ? 1.8 : 1.3, () => {
    context.moveTo(x, y - r);
    context.lineTo(x + r, y);
    context.lineTo(x, y + r);
    context.lineTo(x - r, y);
    context.closePath();
  });
  context.restore();
}

export function drawEdge(context, [ax, ay], [bx, by], colour, faint) {
  context.save();
  context.globalAlpha = faint ? 0.45 : 0.85;
  twice(context, colour, 1.5, () => {
    context.moveTo(ax, ay);
    context.lineTo(bx, by);
  });
  context.restore();
}

// Where the point must lie, seen from another view: broken and strong while one looks for it, else a thin thread.
export function drawCurve(context, points, colour, strong) {
  context.save();
  const path = () => points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
  if (strong) {
    context.setLineDash([9, 6]);
    twice(context, colour, 1.7, path);
  } else {
    for (const [style, alpha, width] of [["#04070c", 0.35, 2.6], [colour, 0.75, 1]]) {
      context.strokeStyle = style;
      context.globalAlpha = alpha;
      context.lineWidth = width;
      context.beginPath();
      path();
      context.stroke();
    }
  }
  context.restore();
}

export function drawName(context, x, y, text, colour, width) {
  context.font = "600 12px system-ui, 'DejaVu Sans', sans-serif";
  context.textBaseline = "middle";
  const wide = context.measureText(text).width;
  const left = x + 20 + wide > width ? x - 20 - wide : x + 20;
  context.fillStyle = SHADE;
  context.beginPath();
  context.roundRect(left - 5, y - 10, wide + 10, 20, 4);
  context.fill();
  context.fillStyle = colour;
  context.fillText(text, left, y + 0.5);
}

// A round magnifier beside the pointer, in which one image pixel is large.
export function drawLoupe(context, bitmap, at, { x, y, scale, width, height, colour, filter }) {
  const r = 78, zoom = Math.max(6, 3 * scale);
  const cx = x + r + 26 > width - r ? x - r - 26 : x + r + 26;
  const cy = Math.min(Math.max(y, r + 4), height - r - 4);
  context.save();
  context.beginPath();
  circle(context, cx, cy, r);
  context.clip();
  context.fillStyle = "#05070a";
  context.fillRect(cx - r, cy - r, 2 * r, 2 * r);
  context.imageSmoothingEnabled = false;
  context.filter = filter;
  context.drawImage(bitmap, cx - (at.x + 0.5) * zoom, cy - (at.y + 0.5) * zoom, bitmap.width * zoom, bitmap.height * zoom);
  context.restore();
  twice(context, colour, 1, () => {
    for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
      context.moveTo(cx + 8 * dx, cy + 8 * dy);
      context.lineTo(cx + 22 * dx, cy + 22 * dy);
    }
  });
  twice(context, "#5b6878", 1.5, () => circle(context, cx, cy, r));
}
