// The player: one clock, one 3D view, the videos, the angles and the strip, all of the same row.

import { makeActions } from "./actions.js";
import { Clock, SPEEDS } from "./clock.js";
import { fillHelp, placeButtons, setIcon, showState } from "./controls.js";
import { Corrections, KINDS } from "./corrections.js";
import { EmbeddedSource, Recording, ServerSource } from "./data.js";
import { listen } from "./hands.js";
import { Pane, layOut, wishedWidth } from "./panes.js";
import { Plots } from "./plots.js";
import { Stage } from "./stage.js";
import { Strip } from "./strip.js";

const $ = (id) => document.getElementById(id);

class Player {
  constructor(recording, corrected) {
    this.recording = recording;
    this.corrections = corrected && !corrected.remark ? new Corrections(this, corrected) : null;
    const { meta } = recording, colours = this.colours = paletteOf(meta);
    this.clock = new Clock(meta.n_frames, meta.fps);
    this.stage = new Stage($("scene"), recording, colours);
    this.plots = new Plots($("traces"), recording, colours);
    this.strip = new Strip($("strip"), recording, colours);
    this.marks = { detected: true, reprojected: true };
    this.viewName = "orbit";
    this.large = null;
    this.dirty = true;
    this.drawnRow = -1;
    const shows = meta.cameras.map((camera, i) => [camera, i]).filter(([camera]) =>
      (camera.video && recording.source.served) || (camera.size && (camera.detections >= 0 || camera.reprojections >= 0)));
    this.touched = new Set(); // panes that show another picture
    this.panes = shows.map(([, i]) => new Pane(i, recording, colours, (pane, resized) => {
      if (resized) this.refresh(true);
      else this.touched.add(pane);
    }));
    this.panes.forEach((pane, i) => {
      $("panes").append(pane.element);
      pane.element.title = `${pane.camera.name}: click to enlarge, and back${i < 9 ? `  (${i + 1})` : ""}`;
      pane.element.addEventListener("click", () => this.enlarge(pane));
    });
    this.stage.view.released = () => this.leaveCamera();
    this.actions = makeActions(this);
    placeButtons(this.actions, () => this.refresh());
    this.describe();
    listen(this);
    recording.arrived = () => this.refresh();
    recording.failed = (error) => this.say(`the server does not answer: ${error.message}`);
    this.resize();
    this.goTo(0);
    const tick = () => { this.tick(); requestAnimationFrame(tick); };
    requestAnimationFrame(tick);
  }

  describe() {
    const { meta } = this.recording, count = (n, word) => `${n} ${word}${n === 1 ? "" : "s"}`;
    document.title = `${meta.name} · pose3d`;
    $("name").textContent = meta.name;
    const facts = [count(meta.cameras.length, "camera"), count(meta.keypoints.length, "keypoint"), `${Number(meta.fps.toPrecision(5))} fps`,
      `${(meta.n_frames / meta.fps).toFixed(1)} s`];
    if (meta.individuals.length > 1) facts.splice(1, 0, count(meta.individuals.length, "individual"));
    $("facts").textContent = facts.join(" · ");
    const { median, unit } = meta.expected_error;
    if (median !== null) $("expected").textContent = `expected error ${median.toPrecision(2)} ${unit}`;
    $("second").textContent = meta.second ? `and ${meta.second.name}` : "";
    $("remarks").hidden = !meta.remarks.length;
    $("remarks").textContent = count(meta.remarks.length, "note");
    $("remarks").title = `${meta.remarks.join("\n")}\n\nShow them with the keys  (?)`;
    $("remarks").addEventListener("click", () => this.help());
    $("speed").replaceChildren(...SPEEDS.map((speed) => new Option(`${speed}×`, speed, false, speed === 1)));
    $("speed").addEventListener("change", () => { this.clock.setSpeed(Number($("speed").value)); $("speed").blur(); });
    $("cycles").hidden = !this.plots.hasCycles;
    $("add-event").hidden = !this.corrections;
    $("add-event").append(...KINDS.map(([, , words]) => new Option(words)));
    $("add-event").addEventListener("change", ({ target }) => {
      const [limb, kind] = KINDS[target.selectedIndex - 1];
      target.selectedIndex = 0;
      target.blur();
      this.corrections.addEvent(limb, kind);
    });
    for (const group of this.plots.groups) {
      const chip = document.createElement("button");
      chip.type = "button";
      chip.textContent = group.title;
      chip.title = `Show or hide ${group.title}  (P for the next angles)`;
      chip.addEventListener("click", () => { this.plots.toggle(group); this.refresh(); });
      group.chip = chip;
      $("chips").append(chip);
    }
    $("plots").hidden = !this.plots.groups.length;
    if (!meta.n_frames) this.say("the recording has no frames", true);
    else if (!meta.bad.length && !this.recording.overview.some((value, i, all) => i < all.length - 3 && value !== 0 && !Number.isNaN(value))) this.say("there is no point in any frame", true);
    fillHelp($("help"), this.actions, meta.remarks);
  }

  say(words, stays = false) {
    $("note").textContent = words;
    clearTimeout(this.saying);
    if (!stays) this.saying = setTimeout(() => { $("note").textContent = ""; }, 2000 + 40 * words.length);
  }

  // --- time ------------------------------------------------------------------------------------------------------

  goTo(row) {
    const { n_frames: n } = this.recording.meta;
    this.clock.goTo(Math.max(0, Math.min(n - 1, Math.round(row))));
    this.refresh();
  }

  playOrPause() {
    if (this.clock.playing) this.clock.pause();
    else this.clock.play();
    this.refresh();
  }

  toEvent(step) {
    const events = [...this.recording.meta.events].sort((a, b) => step * (a.row - b.row));
    const found = events.find((event) => step * (Math.round(event.row) - this.clock.row) > 0);
    if (found === undefined) this.say(step > 0 ? "no event after this frame" : "no event before this frame");
    else {
      this.goTo(found.row);
      this.corrections?.choose(found);
    }
  }

  changeSpeed(step) {
    const at = SPEEDS.indexOf(this.clock.speed) + step;
    if (at < 0 || at >= SPEEDS.length) return;
    this.clock.setSpeed(SPEEDS[at]);
    $("speed").value = String(SPEEDS[at]);
  }

  setLoop(from, to) {
    if (from === undefined) this.clock.setLoop(null);
    else {
      const n = this.recording.meta.n_frames - 1, old = this.clock.loop || [0, n];
      this.clock.setLoop([from ?? Math.min(old[0], to), to ?? (old[1] > from ? old[1] : n)]);
    }
    this.refresh();
  }

  tick() {
    const { clock } = this, row = clock.row;
    const panes = [...this.touched];
    this.touched.clear();
    if (row === this.drawnRow && !this.dirty && clock.playing === this.wasPlaying) {
      for (const pane of panes) pane.draw(this.marks, clock.playing);
      return;
    }
    this.wasPlaying = clock.playing;
    this.dirty = false;
    this.drawnRow = row;
    this.draw(row);
  }

  refresh(resized = false) {
    this.dirty = true;
    if (resized) this.resize();
  }

  draw(row) {
    const { recording, clock } = this, { meta } = recording;
    if (!meta.n_frames) return;
    const behind = Math.max(Math.round(meta.fps * 2), this.plots.span), ahead = Math.max(Math.round(meta.fps * 2 * Math.max(1, clock.speed)), this.plots.span);
    recording.touch(row);
    recording.want(row, Math.min(behind, 16 * meta.chunk_rows), Math.min(ahead, 24 * meta.chunk_rows));
    for (const pane of this.panes) {
      pane.goTo(row, clock.playing ? clock.speed : 0);
      pane.draw(this.marks, clock.playing);
    }
    this.stage.angles = new Set(this.plots.chosen.flatMap((group) => group.lines.map((line) => line.index)));
    // What lies over a video is of the frame that the video shows, which while a seek lasts is not yet the wanted one.
    this.backdrop?.goTo(row, clock.playing ? clock.speed : 0);
    this.stage.draw(this.backdrop ? this.backdrop.shownRow : row);
    this.backdrop?.draw({});
    if (this.plots.groups.length) this.plots.draw(row);
    this.strip.draw(row, clock.loop, this.corrections);
    $("frame").textContent = `frame ${(row + meta.start).toLocaleString("en")} / ${(meta.n_frames - 1 + meta.start).toLocaleString("en")}`;
    $("time").textContent = `${(row / meta.fps).toFixed(3)} s`;
    const bad = this.strip.badAt(row);
    $("reason").textContent = $("reason").title = bad ? `look here: ${bad.reason}` : "";
    $("loop").textContent = clock.loop ? `loop ${clock.loop[0] + meta.start}–${clock.loop[1] + meta.start}` : "";
    const made = this.corrections?.lines.length || 0;
    $("corrected").textContent = made ? `${made} correction${made === 1 ? "" : "s"}` : "";
    $("corrected").title = made ? `${this.corrections.lines.join("\n")}\n\nin ${this.corrections.state.path}` : "";
    const play = this.actions.find((action) => action.id === "play").button;
    setIcon(play, clock.playing ? "pause" : "play");
    showState(this.actions);
    for (const group of this.plots.groups) group.chip.setAttribute("aria-pressed", String(this.plots.chosen.includes(group)));
  }

  // After a correction: what was found in the numbers is found anew.
  renewed() {
    this.strip.picture = null;
    this.plots.findCycles();
    for (const group of this.plots.groups) group.range = null;
    $("cycles").hidden = !this.plots.hasCycles;
  }

  // --- views -----------------------------------------------------------------------------------------------------

  look(name, camera = null) {
    const { view } = this.stage;
    this.leaveCamera();
    view.reset(name === "orbit" || camera ? null : name);
    this.viewName = name;
    if (camera) {
      view.camera = camera;
      if (camera.video && this.recording.source.served) {
        this.backdrop = new Pane(this.recording.meta.cameras.indexOf(camera), this.recording, this.colours, () => this.refresh());
        this.backdrop.element.className = "backdrop";
        this.backdrop.chip.hidden = true;
        $("backdrop").replaceChildren(this.backdrop.element);
        this.placeBackdrop();
      }
    }
    this.refresh();
  }

  lookThroughNext() {
    const cameras = this.recording.meta.cameras.filter((camera) => camera.pose);
    const next = cameras[(cameras.findIndex((camera) => camera.name === this.viewName) + 1) % cameras.length];
    this.look(next.name, next);
  }

  enlarge(pane) {
    this.large = this.large === pane ? null : pane;
    this.resize();
  }

  leaveCamera() {
    this.backdrop?.clip?.close();
    this.backdrop = null;
    $("backdrop").replaceChildren();
    this.viewName = "";
  }

  placeBackdrop() {
    if (!this.backdrop) return;
    const { stage } = this;
    stage.resize();
    const [left, top, width, height] = stage.pictureRect();
    Object.assign(this.backdrop.element.style, { left: `${left}px`, top: `${top}px`, width: `${width}px`, height: `${height}px` });
  }

  resize() {
    const area = $("panes");
    if (this.panes.length && window.innerWidth > 900) {
      const width = $("work").clientWidth, height = $("work").clientHeight;
      area.style.width = `${wishedWidth(this.panes, width, height, this.large)}px`;
    } else area.style.width = "";
    layOut(this.panes, area.clientWidth, area.clientHeight, this.large);
    this.panes.forEach((pane) => pane.element.classList.toggle("large", pane === this.large));
    this.placeBackdrop();
    this.refresh();
  }

  restore() {
    this.large = null;
    if (this.corrections) this.corrections.chosen = null;
    this.setLoop();
    this.resize();
  }

  help() {
    if ($("help").open) $("help").close();
    else $("help").showModal();
  }

  // What is known of the joint at a place of the scene.
  wordsAt(x, y) {
    const joint = this.stage.jointAt(x, y), { meta } = this.recording;
    if (!joint) return "";
    const { row } = this.stage, at = joint.who * this.recording.points + joint.k;
    const said = [meta.individuals.length > 1 ? `${meta.keypoints[joint.k]} of ${meta.individuals[joint.who]}` : meta.keypoints[joint.k]];
    const covariance = this.recording.field(row, "covariance"), error = this.recording.field(row, "error"), status = this.recording.field(row, "status");
    if (covariance) {
      const sd = Math.sqrt(covariance[6 * at] + covariance[6 * at + 3] + covariance[6 * at + 5]);
      if (!Number.isNaN(sd)) said.push(`± ${sd.toFixed(1)} mm (SD)`);
    }
    if (error && !Number.isNaN(error[at])) said.push(`${error[at].toFixed(1)} px in the views`);
    if (status && status[at] === meta.status.filled) said.push("filled in");
    return said.join("\n");
  }
}

function paletteOf(meta) {
  const colours = { ...meta.palette, ramp: meta.ramp, axes: meta.axes };
  colours.sides = [colours.midline, colours.left, colours.right];
  for (const name of ["background", "panel", "grid", "text", "dim", "left", "right", "midline", "good", "weak", "weaker", "second"]) {
    document.documentElement.style.setProperty(`--${name}`, colours[name]);
  }
  return colours;
}

async function begin() {
  const embedded = document.getElementById("embedded");
  const source = embedded ? new EmbeddedSource(JSON.parse(embedded.textContent)) : new ServerSource();
  try {
    const recording = await new Recording(await source.json("api/recording"), source).begin();
    window.pose3dPlayer = new Player(recording, source.served ? await source.json("api/corrections") : null);
  } catch (error) {
    document.getElementById("note").textContent = error.message;
    throw error;
  }
}

begin();
