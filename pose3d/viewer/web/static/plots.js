// Joint angles over time, or over the cycle: left and right of one angle in one plot, with what is known of its error.

const MOST_PLOTS = 4, SPAN_S = 8, MOST_CYCLES = 24;

export class Plots {
  constructor(canvas, recording, colours) {
    Object.assign(this, { canvas, recording, colours, meta: recording.meta, cycles: false, hover: null, who: 0 });
    this.groups = groupAngles(this.meta.angles, colours);
    const first = ["knee_flexion", "hip_flexion", "ankle_dorsiflexion", "elbow_flexion"];
    const liked = first.map((word) => this.groups.find((group) => group.base.startsWith(word))).filter(Boolean);
    this.chosen = (liked.length ? liked : this.groups).slice(0, 3);
    this.span = Math.min(this.meta.n_frames, Math.round(SPAN_S * this.meta.fps));
    this.findCycles();
  }

  findCycles() {
    this.strikes = {};
    for (const event of this.meta.events.filter((each) => each.kind === "strike")) (this.strikes[event.limb] ||= []).push(event.row);
  }

  get hasCycles() { return Object.values(this.strikes).some((rows) => rows.length > 1); }

  toggle(group) {
    if (this.chosen.includes(group)) this.chosen = this.chosen.filter((each) => each !== group);
    else this.chosen = [...this.chosen, group].slice(-MOST_PLOTS);
    this.chosen.sort((a, b) => this.groups.indexOf(a) - this.groups.indexOf(b));
  }

  // The angles after those that are plotted, as many.
  next() {
    const { groups, chosen } = this, n = Math.max(1, chosen.length), from = groups.indexOf(chosen[chosen.length - 1]) + 1;
    const wanted = new Set(Array.from({ length: Math.min(n, groups.length) }, (_, i) => groups[(from + i) % groups.length]));
    this.chosen = groups.filter((group) => wanted.has(group));
  }

  value(row, angle, name = "angles") {
    const values = this.recording.field(row, name);
    return values ? values[this.who * this.meta.angles.names.length + angle] : NaN;
  }

  window(row) {
    const n = this.meta.n_frames;
    const first = Math.max(0, Math.min(n - this.span, Math.round(row - this.span / 2)));
    return [first, Math.min(n - 1, first + this.span - 1)];
  }

  zoom(factor) {
    this.span = Math.max(Math.min(20, this.meta.n_frames), Math.min(this.meta.n_frames, Math.round(this.span * factor)));
  }

  // Least and greatest of an angle in the whole recording, which holds the axis still.
  range(group) {
    if (group.range) return group.range;
    const { plots } = this.recording, n = this.meta.angles.names.length, people = this.recording.people;
    const values = [];
    for (let i = 0; i < plots.length; i += n) for (const { index } of group.lines) if (!Number.isNaN(plots[i + index])) values.push(plots[i + index]);
    values.sort((a, b) => a - b);
    const at = (share) => values[Math.floor((values.length - 1) * share)];
    let [low, high] = values.length ? [at(0.002), at(0.998)] : [0, 1];
    for (const { norm } of group.lines) {
      if (!norm) continue;
      low = Math.min(low, ...norm.mean.map((mean, i) => mean - norm.sd[i]));
      high = Math.max(high, ...norm.mean.map((mean, i) => mean + norm.sd[i]));
    }
    const margin = Math.max(2, (high - low) * 0.1);
    group.range = [low - margin, high + margin];
    return people ? group.range : [0, 1];
  }

  boxes() {
    const { clientWidth: width, clientHeight: height } = this.canvas, n = Math.max(1, this.chosen.length), gap = 18;
    const wide = (width - gap * (n - 1)) / n;
    return this.chosen.map((group, i) => ({ group, left: i * (wide + gap) + 34, right: i * (wide + gap) + wide, top: 22, bottom: height - 16 }));
  }

  draw(row) {
    const { canvas, colours } = this, ratio = window.devicePixelRatio || 1;
    const size = [Math.max(1, Math.round(canvas.clientWidth * ratio)), Math.max(1, Math.round(canvas.clientHeight * ratio))];
    if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
    const context = this.context = canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, canvas.clientWidth, canvas.clientHeight);
    if (canvas.clientWidth < 50) return;
    for (const box of this.boxes()) {
      this.frame(box);
      context.save();
      context.beginPath();
      context.rect(box.left, box.top, box.right - box.left, box.bottom - box.top);
      context.clip();
      if (this.cycles) this.paintCycles(box, row);
      else this.paintTime(box, row);
      context.restore();
      this.head(box, row);
    }
    if (!this.chosen.length) {
      context.fillStyle = colours.dim;
      context.textAlign = "center";
      context.font = "13px system-ui, 'DejaVu Sans', sans-serif";
      context.fillText(this.groups.length ? "choose an angle above" : "there are no joint angles: pose3d run computes them", canvas.clientWidth / 2, canvas.clientHeight / 2);
    }
  }

  y(box, value) {
    const [low, high] = this.range(box.group);
    return box.bottom - (value - low) / (high - low) * (box.bottom - box.top);
  }

  frame(box) {
    const { context, colours } = this, [low, high] = this.range(box.group);
    const rough = (high - low) / 3, power = 10 ** Math.floor(Math.log10(rough));
    const step = power * (rough / power >= 5 ? 5 : rough / power >= 2 ? 2 : 1);
    context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    context.textAlign = "right";
    context.fillStyle = colours.dim;
    context.strokeStyle = "#2b3440";
    context.lineWidth = 1;
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) {
      const y = Math.round(this.y(box, value)) + 0.5;
      context.beginPath();
      context.moveTo(box.left, y);
      context.lineTo(box.right, y);
      context.stroke();
      context.fillText(`${Math.round(value)}°`, box.left - 5, y + 4);
    }
  }

  // Name and value of each side at the cursor, with its interval where it is known.
  head(box, row) {
    const { context, colours } = this;
    context.textAlign = "left";
    context.font = "600 12px system-ui, 'DejaVu Sans', sans-serif";
    context.fillStyle = colours.text;
    context.fillText(box.group.title, box.left, 13);
    let x = box.left + context.measureText(box.group.title).width + 12;
    context.font = "12px system-ui, 'DejaVu Sans', sans-serif";
    for (const line of box.group.lines) {
      const value = this.value(row, line.index), low = this.value(row, line.index, "low"), high = this.value(row, line.index, "high");
      const interval = Number.isNaN(low + high) ? "" : ` (${low.toFixed(0)} to ${high.toFixed(0)})`;
      const words = `${line.side ? `${line.side} ` : ""}${Number.isNaN(value) ? "–" : `${value.toFixed(1)}°`}${interval}`;
      context.fillStyle = line.colour;
      if (x + context.measureText(words).width < box.right + 4) context.fillText(words, x, 13);
      x += context.measureText(words).width + 12;
    }
  }

  paintTime(box, row) {
    const { context, colours, meta } = this, [first, last] = this.window(row), n = meta.angles.names.length;
    const width = box.right - box.left, x = (r) => box.left + (r - first) / Math.max(1, last - first) * width;
    const coarse = (last - first) / width > 3 || !this.recording.field(first, "angles") || !this.recording.field(last, "angles");
    for (const line of box.group.lines) {
      if (!coarse && this.recording.offsets.low) this.band(line, first, last, x, box);
      context.strokeStyle = line.colour;
      context.lineWidth = 1.7;
      context.lineJoin = "round";
      context.beginPath();
      let open = false;
      if (coarse) { // least and greatest of each bin: no peak is lost
        const { plots } = this.recording, step = meta.plot_step, stride = 2 * this.recording.people * n;
        for (let bin = Math.floor(first / step); bin <= Math.floor(last / step); bin += 1) {
          const low = plots[bin * stride + this.who * n + line.index], high = plots[bin * stride + (this.recording.people + this.who) * n + line.index];
          if (Number.isNaN(low + high)) { open = false; continue; }
          const at = x(Math.min(last, bin * step + step / 2));
          if (open) context.lineTo(at, this.y(box, low));
          else context.moveTo(at, this.y(box, low));
          context.lineTo(at, this.y(box, high) + 0.01);
          open = true;
        }
      } else {
        for (let r = first; r <= last; r += 1) {
          const value = this.value(r, line.index);
          if (Number.isNaN(value)) { open = false; continue; }
          if (open) context.lineTo(x(r), this.y(box, value));
          else context.moveTo(x(r), this.y(box, value));
          open = true;
        }
      }
      context.stroke();
    }
    for (const event of meta.events) {
      if (event.kind !== "strike" || event.row < first || event.row > last) continue;
      context.fillStyle = colours.sides[event.limb === "L" ? 1 : event.limb === "R" ? 2 : 0];
      context.globalAlpha = 0.5;
      context.fillRect(x(event.row) - 0.5, box.bottom - 6, 1.5, 6);
      context.globalAlpha = 1;
    }
    this.cursor(x(row), box);
    context.fillStyle = colours.dim;
    context.restore();
    context.save();
    context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    context.textAlign = "left";
    context.fillText(`${(first / meta.fps).toFixed(1)} s`, box.left, box.bottom + 13);
    context.textAlign = "right";
    context.fillText(`${(last / meta.fps).toFixed(1)} s`, box.right, box.bottom + 13);
  }

  band(line, first, last, x, box) {
    const { context } = this;
    context.fillStyle = line.colour;
    context.globalAlpha = 0.22;
    let run = [];
    const close = () => {
      if (run.length > 1) {
        context.beginPath();
        run.forEach(([r, low]) => context.lineTo(x(r), this.y(box, low)));
        run.reverse().forEach(([r, , high]) => context.lineTo(x(r), this.y(box, high)));
        context.fill();
      }
      run = [];
    };
    for (let r = first; r <= last; r += 1) {
      const low = this.value(r, line.index, "low"), high = this.value(r, line.index, "high");
      if (Number.isNaN(low + high)) close();
      else run.push([r, low, high]);
    }
    close();
    context.globalAlpha = 1;
  }

  // Cycles from strike to strike of each side, the present one bold, over the norm.
  paintCycles(box, row) {
    const { context, colours } = this, width = box.right - box.left;
    const norm = box.group.lines.map((line) => line.norm).find(Boolean);
    if (norm) {
      context.fillStyle = colours.dim;
      context.globalAlpha = 0.3;
      context.beginPath();
      norm.mean.forEach((mean, i) => context.lineTo(box.left + i / 100 * width, this.y(box, mean + norm.sd[i])));
      for (let i = 100; i >= 0; i -= 1) context.lineTo(box.left + i / 100 * width, this.y(box, norm.mean[i] - norm.sd[i]));
      context.fill();
      context.globalAlpha = 1;
    }
    for (const line of box.group.lines) {
      const limb = line.side === "left" ? "L" : line.side === "right" ? "R" : this.strikes.L ? "L" : "R";
      const strikes = this.strikes[limb] || [];
      const now = strikes.findIndex((from, i) => i + 1 < strikes.length && row >= from && row < strikes[i + 1]);
      const middle = now < 0 ? strikes.findIndex((from) => from > row) : now, half = MOST_CYCLES / 2;
      const from = Math.max(0, (middle < 0 ? strikes.length : middle) - half);
      for (let i = from; i < Math.min(strikes.length - 1, from + MOST_CYCLES); i += 1) {
        const [a, b] = [strikes[i], strikes[i + 1]];
        if (b - a > 4 * this.meta.fps) continue; // a pause in between is no cycle
        context.strokeStyle = line.colour;
        context.globalAlpha = i === now ? 1 : 0.3;
        context.lineWidth = i === now ? 2.2 : 1.1;
        context.beginPath();
        let open = false;
        for (let r = Math.ceil(a); r <= Math.floor(b); r += 1) {
          const value = this.value(r, line.index), x = box.left + (r - a) / (b - a) * width;
          if (Number.isNaN(value)) { open = false; continue; }
          if (open) context.lineTo(x, this.y(box, value));
          else context.moveTo(x, this.y(box, value));
          open = true;
        }
        context.stroke();
        context.globalAlpha = 1;
        if (i !== now) continue;
        const x = box.left + (row - a) / (b - a) * width, value = this.value(row, line.index);
        context.fillStyle = line.colour;
        context.fillRect(x - 0.5, box.top, 1, box.bottom - box.top);
        if (Number.isNaN(value)) continue;
        context.beginPath();
        context.arc(x, this.y(box, value), 4, 0, 2 * Math.PI);
        context.fill();
      }
    }
    context.restore();
    context.save();
    context.fillStyle = colours.dim;
    context.font = "11px system-ui, 'DejaVu Sans', sans-serif";
    for (const [percent, align] of [[0, "left"], [50, "center"], [100, "right"]]) {
      context.textAlign = align;
      context.fillText(percent === 100 && norm ? "100 % · grey: norm ± SD" : `${percent} %`, box.left + percent / 100 * width, box.bottom + 13);
    }
  }

  cursor(x, box) {
    this.context.fillStyle = "#ffffffd0";
    this.context.fillRect(x - 0.75, box.top, 1.5, box.bottom - box.top);
  }

  // The row under the pointer, null beside the plots.
  rowAt(px, row) {
    const box = this.boxes().find((each) => px >= each.left - 6 && px <= each.right + 6);
    if (!box || this.cycles) return null;
    const [first, last] = this.window(row);
    return Math.round(first + Math.max(0, Math.min(1, (px - box.left) / (box.right - box.left))) * (last - first));
  }
}

// Left and right of one angle belong together.
function groupAngles(angles, colours) {
  if (!angles) return [];
  const groups = new Map();
  angles.names.forEach((name, index) => {
    if (!angles.known[index]) return;
    const found = name.match(/^(.*?)[_-]?(l|r|left|right)$/i) || name.match(/^(left|right|l|r)[_-](.*)$/i);
    let base = name, side = "";
    if (found) {
      const [word, rest] = /^(l|r|left|right)$/i.test(found[2]) ? [found[2], found[1]] : [found[1], found[2]];
      if (rest && (/[_-]/.test(name) || /(Left|Right|L|R)$/.test(name))) [base, side] = [rest, /^l/i.test(word) ? "left" : "right"];
    }
    if (!groups.has(base)) groups.set(base, { base, title: base.replace(/[_-]+/g, " "), lines: [] });
    const colour = colours.sides[side === "left" ? 1 : side === "right" ? 2 : 0];
    groups.get(base).lines.push({ index, name, side, colour, norm: angles.norms[name] });
  });
  return [...groups.values()];
}
