// The page: what is chosen, what is shown, and what keys and clicks do.

import { getCurves, getInstant, getPicture, getProject, Refused, saveNow, sendAction } from "./api.js";
import { ABSENT, OCCLUDED, VISIBLE } from "./drawing.js";
import { buildHelp } from "./help.js";
import { listen } from "./keys.js";
import { Pane } from "./pane.js";
import { grade, InstantStrip, KeypointList, updateStatus } from "./panels.js";

const byId = (id) => document.getElementById(id);
const MARK_NAMES = { [VISIBLE]: "visible", [OCCLUDED]: "occluded" };

class Page {
  constructor(project) {
    this.project = project;
    this.keypoints = project.keypoints;
    this.edges = project.edges;
    this.current = 0;
    this.chosen = 0;
    this.individual = 0;
    this.active = 0;
    this.pending = 0; // actions that are not answered yet
    this.alone = null; // number of the view that fills the page
    this.state = null; // the instant, as the server tells it
    this.panes = [];
    this.curves = new Map();
    this.options = { skeleton: true, lines: true, guesses: true, loupe: false, advance: false, hidden: false };
    this.list = new KeypointList(this);
    this.strip = new InstantStrip(this);
    this.showFile(project.file);
  }

  // --- what the server told ------------------------------------------------------------------------------------------

  get views() { return this.state.views; }
  get calibrated() { return this.views.some((view) => view.calibrated); }
  label(view, k) { return this.state.labels[this.individual][view][k]; }
  guess(view, k) { return this.state.guesses[this.individual][view][k]; }
  hint(k) { return this.state.hints[this.individual][k]; }

  // Where the other views see a keypoint that is not labelled here.
  suggestion(view, k) {
    return this.label(view, k) ? null : this.hint(k)?.xy[view] ?? null;
  }

  disagreement(view) {
    const hint = this.hint(this.chosen);
    return hint?.suspect === view ? hint.xy[view] ?? null : null;
  }

  worstError(k) {
    let worst = null;
    for (const [view, px] of Object.entries(this.hint(k)?.error ?? {})) {
      const width = this.panes[view]?.bitmap?.width;
      if (px !== null && (!worst || px > worst.px)) worst = { px, width };
    }
    return worst;
  }

  curvesIn(view) {
    const curves = this.curves.get(this.curveKey()) ?? [];
    const sources = new Set(curves.map((curve) => curve.from));
    return curves
      .filter((curve) => curve.to === view)
      .map((curve) => ({ points: curve.pieces, strong: sources.size === 1 && !this.label(view, this.chosen) }));
  }

  curveKey(k = this.chosen) { return `${this.current}/${this.individual}/${k}`; }

  async needCurves() {
    const key = this.curveKey();
    const placed = this.views.some((view, v) => view.calibrated && (this.label(v, this.chosen)?.[2] ?? ABSENT) !== ABSENT);
    if (!placed || this.curves.has(key)) return;
    const { current, individual, chosen } = this;
    const curves = await getCurves(current, individual, chosen).catch(() => []);
    this.curves.set(key, curves);
    if (key === this.curveKey()) this.draw();
  }

  // --- going about ---------------------------------------------------------------------------------------------------

  async goTo(instant, state = null) {
    if (instant < 0 || instant >= this.project.instants.length) return;
    const ticket = (this.ticket = (this.ticket ?? 0) + 1);
    try {
      state ??= await getInstant(instant);
    } catch (error) {
      this.trouble(error);
      return;
    }
    if (ticket !== this.ticket) return; // an arrow key was held down
    const before = this.state && this.project.instants[this.current];
    const cameras = this.state?.views.map((view) => view.camera).join("\n");
    const keep = before?.recording === this.project.instants[instant].recording
      && cameras === state.views.map((view) => view.camera).join("\n");
    this.current = instant;
    this.state = state;
    this.curves.clear();
    if (!keep) this.makePanes();
    this.panes.forEach((pane, v) => pane.show(state.views[v], keep));
    this.update();
    for (const near of [instant + 1, instant - 1]) this.prefetch(near);
  }

  async prefetch(instant) {
    if (instant < 0 || instant >= this.project.instants.length) return;
    try {
      const { views } = await getInstant(instant);
      views.forEach((view) => getPicture(view.image).catch(() => {}));
    } catch { /* it will be told when one goes there */ }
  }

  makePanes() {
    this.panes.forEach((pane) => pane.remove());
    this.panes = this.views.map((_, v) => new Pane(this, v, byId("views")));
    this.active = Math.min(this.active, this.panes.length - 1);
    this.alone = null;
    this.options.advance = !this.calibrated;
    this.arrange();
  }

  // As many columns as make the images largest.
  arrange() {
    const root = byId("views");
    const shown = this.panes.filter((_, v) => this.alone === null || v === this.alone);
    this.panes.forEach((pane) => { pane.root.hidden = !shown.includes(pane); });
    const ratios = shown.map(({ bitmap }) => (bitmap ? bitmap.width / bitmap.height : 4 / 3));
    const ratio = ratios.reduce((sum, each) => sum + each, 0) / ratios.length;
    let best = 1, most = 0;
    for (let columns = 1; columns <= shown.length; columns++) {
      const rows = Math.ceil(shown.length / columns);
      const width = Math.min(root.clientWidth / columns, (root.clientHeight / rows) * ratio);
      if (width > most + 1) [best, most] = [columns, width];
    }
    root.style.gridTemplateColumns = `repeat(${best}, minmax(0, 1fr))`;
    root.style.gridAutoRows = "minmax(0, 1fr)";
  }

  loaded(pane) {
    if (this.panes.includes(pane)) {
      this.arrange();
      this.update();
    }
  }

  choose(k) {
    const n = this.keypoints.length;
    this.chosen = ((k % n) + n) % n;
    this.update();
  }

  activate(view) {
    if (view === this.active || view < 0 || view >= this.panes.length) return;
    this.active = view;
    if (this.alone !== null && this.alone !== view) {
      this.alone = view;
      this.arrange();
    }
    this.update();
  }

  // The next keypoint that has something to do, from here on; or just the next.
  advance() {
    const n = this.keypoints.length;
    for (let step = 1; step <= n; step++) {
      const k = (this.chosen + step) % n;
      const open = this.options.advance
        ? !this.label(this.active, k)
        : this.views.some((_, v) => !this.label(v, k));
      if (open) return this.choose(k);
    }
    return this.update();
  }

  // --- actions -------------------------------------------------------------------------------------------------------

  async act(body, { keypoint = this.chosen } = {}) {
    const request = { instant: this.current, individual: this.individual, keypoint, ...body };
    const key = this.curveKey();
    this.pending += 1;
    try {
      const answer = await sendAction(request).finally(() => { this.pending -= 1; });
      this.project.instants[answer.at].progress = answer.instant.progress;
      this.trouble(null);
      this.showFile(answer.file);
      if (answer.at !== this.current) {
        if ((body.do === "undo" || body.do === "redo") && request.instant === this.current) await this.goTo(answer.at, answer.instant);
        else this.update();
        return answer;
      }
      if (this.pending) return answer; // more was clicked meanwhile: the last answer tells all
      this.state = answer.instant;
      this.curves.clear();
      if (request.keypoint !== null) this.curves.set(key, answer.curves);
      this.update();
      return answer;
    } catch (error) {
      this.trouble(error);
      if (error instanceof Refused) await this.refresh();
      return null;
    }
  }

  async refresh() {
    const state = await getInstant(this.current).catch(() => null);
    if (state?.instant !== this.current) return;
    this.state = state;
    this.update();
  }

  click(view, at, caught, occluded) {
    if (!this.panes[view].holds(at)) return;
    const here = this.label(view, this.chosen);
    const placed = here && here[2] !== ABSENT;
    if (placed && caught !== null && caught !== this.chosen) {
      this.choose(caught);
      return;
    }
    this.placeAt(view, at, occluded ? "occluded" : undefined);
  }

  placeAt(view, [x, y], mark) {
    const here = this.label(view, this.chosen);
    const wanted = mark ?? MARK_NAMES[here?.[2]] ?? "visible";
    const code = wanted === "occluded" ? OCCLUDED : VISIBLE;
    const isNew = !here;
    this.state.labels[this.individual][view][this.chosen] = [x, y, code]; // at once; the answer puts all in order
    this.panes[view].draw();
    const sent = this.act({ do: "place", view, x, y, mark: wanted });
    if (this.options.advance && isNew) this.advance();
    return sent;
  }

  move(view, k, at) {
    this.chosen = k;
    const mark = MARK_NAMES[this.label(view, k)?.[2]] ?? "visible";
    this.placeAt(view, at, mark);
  }

  nudge(dx, dy) {
    const here = this.label(this.active, this.chosen);
    if (!here || here[2] === ABSENT) return;
    const at = [here[0] + dx, here[1] + dy];
    if (this.panes[this.active].holds(at)) this.placeAt(this.active, at);
  }

  placeHere() {
    const pane = this.panes[this.active];
    if (!pane?.bitmap) return;
    const at = pane.pointer ? [pane.pointer.x, pane.pointer.y]
      : this.suggestion(this.active, this.chosen) ?? pane.toImage(pane.width / 2, pane.height / 2);
    if (pane.holds(at)) this.placeAt(this.active, at);
  }

  async accept(all) {
    const open = all ? this.keypoints.keys() : [this.chosen];
    const wanted = [...open].some((k) => this.views.some(
      (_, v) => !this.label(v, k) && (this.suggestion(v, k) || this.hint(k)?.outside.includes(v))));
    if (wanted) await this.act({ do: "accept" }, all ? { keypoint: null } : {});
    if (!all) this.advance();
  }

  guesses(all) { return this.act({ do: "guesses" }, all ? { keypoint: null } : {}); }
  copy(all) { return this.act({ do: "copy" }, all ? { keypoint: null } : {}); }
  mark(name, everywhere) {
    return this.act({ do: "mark", mark: name, view: everywhere ? null : this.active });
  }
  erase(everywhere) { return this.act({ do: "remove", view: everywhere ? null : this.active }); }
  undo() { return this.act({ do: "undo" }); }
  redo() { return this.act({ do: "redo" }); }

  async save() {
    try {
      this.showFile((await saveNow()).file);
      this.trouble(null);
    } catch (error) {
      this.trouble(error);
    }
  }

  nextOpen() {
    const all = this.project.instants;
    for (let step = 1; step <= all.length; step++) {
      const i = (this.current + step) % all.length;
      if (all[i].progress[0] < all[i].progress[1]) return this.goTo(i);
    }
    return undefined;
  }

  // --- looking -------------------------------------------------------------------------------------------------------

  zoomToKeypoint() {
    const at = this.label(this.active, this.chosen) ?? this.suggestion(this.active, this.chosen)
      ?? this.guess(this.active, this.chosen);
    const pane = this.panes[this.active];
    if (at?.[0] != null) pane.lookAt([at], Math.max(4, 3 * pane.fitScale));
  }

  zoomToSubject() {
    this.panes.forEach((pane, v) => {
      const points = [...this.keypoints.keys()]
        .map((k) => this.label(v, k) ?? this.suggestion(v, k) ?? this.guess(v, k))
        .filter((point) => point && point[0] !== null);
      if (points.length > 1) pane.lookAt(points);
    });
  }

  brightness(value) {
    const slider = byId("brightness");
    slider.value = value;
    const light = Number(slider.value);
    const filter = light ? `brightness(${(2 ** (light / 4)).toFixed(3)})` : "";
    this.filter = filter;
    this.panes.forEach((pane) => { pane.picture.style.filter = filter; });
  }

  toggle(option) {
    this.options[option] = !this.options[option];
    this.update();
  }

  maximise() {
    this.alone = this.alone === null ? this.active : null;
    this.arrange();
  }

  // --- showing -------------------------------------------------------------------------------------------------------

  draw() {
    for (const pane of this.panes) {
      pane.picture.style.filter = this.filter ?? "";
      pane.draw();
    }
  }

  update() {
    if (!this.state) return;
    const { instants } = this.project;
    const { recording, frame, name } = instants[this.current];
    byId("recording").textContent = recording;
    byId("recording").title = recording;
    byId("frame").textContent = frame === null ? name : `frame ${frame}`;
    byId("count").textContent = `${this.current + 1} of ${instants.length}`;
    const hint = this.hint(this.chosen);
    this.panes.forEach((pane, v) => {
      pane.root.classList.toggle("active", v === this.active && this.panes.length > 1);
      pane.root.classList.toggle("suspect", hint?.suspect === v);
      const done = this.keypoints.filter((_, k) => this.label(v, k)).length;
      pane.done.textContent = `${done} / ${this.keypoints.length}`;
      const px = hint?.error[v] ?? null;
      const mine = this.label(v, this.chosen);
      const word = mine?.[2] === ABSENT ? "absent" : hint?.outside.includes(v) ? "out of the image"
        : this.suggestion(v, this.chosen) ? "suggested" : "";
      pane.error.hidden = px === null && !word;
      pane.error.textContent = px === null ? word : `${px.toFixed(1)} px`;
      pane.error.className = `error ${px === null ? "plain" : grade(px, pane.bitmap?.width)}`;
    });
    for (const option of ["skeleton", "lines", "guesses", "loupe", "advance"]) {
      byId(`toggle-${option}`).setAttribute("aria-pressed", this.options[option]);
    }
    byId("toggle-lines").hidden = !this.calibrated;
    const guessed = this.state.guesses.some((views) => views.some((view) => view.some(Boolean)));
    byId("toggle-guesses").hidden = byId("guesses").hidden = !guessed;
    byId("accept").hidden = !this.calibrated;
    byId("undo").disabled = !this.state.undo;
    byId("redo").disabled = !this.state.redo;
    byId("copy").disabled = this.state.copySource === null;
    byId("copy").title = this.state.copySource === null ? "no other instant of this recording is labelled"
      : `take the labels of frame ${this.state.copySource}, of all keypoints (Shift+C)`;
    this.showIndividuals();
    this.list.update();
    this.strip.update();
    updateStatus(this);
    this.draw();
    this.needCurves();
  }

  showIndividuals() {
    const root = byId("individuals");
    const names = this.project.individuals;
    root.hidden = names.length < 2;
    if (root.hidden) return;
    if (!root.children.length) {
      names.forEach((name, i) => {
        const button = document.createElement("button");
        button.textContent = name;
        button.title = "individual (I)";
        button.addEventListener("click", () => this.chooseIndividual(i));
        root.append(button);
      });
    }
    [...root.children].forEach((button, i) => button.setAttribute("aria-pressed", i === this.individual));
  }

  chooseIndividual(i) {
    this.individual = i % this.project.individuals.length;
    this.update();
  }

  showFile(file) {
    const button = byId("save");
    button.className = file.error ? "failed" : file.unsaved ? "waiting" : "";
    button.textContent = file.error ? "not written" : file.unsaved ? "saved · journal" : "saved · files";
    button.title = file.error ? `${file.error} (the journal keeps every click)`
      : file.unsaved ? "every click is on the disk, in the journal; CollectedData follows soon, or now by Ctrl+S"
        : "CollectedData holds every click";
    if (file.error) this.trouble(new Refused(`${file.error}. The journal keeps every click.`));
  }

  trouble(error) {
    const box = byId("trouble");
    box.hidden = !error;
    if (!error) return;
    box.textContent = error instanceof Refused ? error.message
      : "The server does not answer, and the last click is not kept. Start pose3d label again, and open its address.";
  }
}

async function start() {
  buildHelp(byId("help"));
  let page;
  try {
    page = new Page(await getProject());
  } catch (error) {
    byId("trouble").hidden = false;
    byId("trouble").textContent = error.message;
    return;
  }
  document.title = `${page.project.title} · pose3d label`;
  listen(page);
  const first = page.project.instants.findIndex(({ progress: [done, all] }) => done < all);
  await page.goTo(Math.max(0, first));
  window.pose3dLabel = page; // for tests, and for who wants to look
}

start();
