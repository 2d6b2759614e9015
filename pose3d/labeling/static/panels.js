// The list of keypoints, the strip of instants, and the line that says what comes next.

import { ABSENT, OCCLUDED } from "./drawing.js";

const byId = (id) => document.getElementById(id);

function made(tag, className, parent, text) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  parent?.append(element);
  return element;
}

// How good so many px are in an image of this width.
export function grade(px, width) {
  const per = (px / (width || 1000)) * 1000;
  return per <= 3 ? "good" : per <= 7 ? "fair" : "bad";
}

export class KeypointList {
  constructor(host) {
    this.host = host;
    this.root = byId("keypoints");
    this.rows = host.keypoints.map((keypoint, k) => {
      const row = made("button", `keypoint ${keypoint.side}`, this.root);
      row.setAttribute("role", "option");
      row.tabIndex = -1;
      made("span", "dot", row);
      made("span", "text", row, keypoint.name).title = keypoint.name;
      const pips = made("span", "pips", row);
      const px = made("span", "px", row);
      row.addEventListener("click", () => {
        host.choose(k);
        row.blur();
      });
      return { row, pips, px };
    });
  }

  update() {
    const { host } = this;
    let done = 0;
    this.rows.forEach(({ row, pips, px }, k) => {
      const chosen = k === host.chosen;
      if (chosen && row.getAttribute("aria-selected") !== "true") row.scrollIntoView({ block: "nearest" });
      row.setAttribute("aria-selected", chosen);
      while (pips.children.length > host.views.length) pips.lastChild.remove();
      while (pips.children.length < host.views.length) made("span", "pip", pips);
      pips.className = host.views.length > 5 ? "pips many" : "pips";
      const hint = host.hint(k);
      let n = 0;
      host.views.forEach((view, v) => {
        const label = host.label(v, k);
        n += label ? 1 : 0;
        const kind = label ? { [OCCLUDED]: "occluded", [ABSENT]: "absent" }[label[2]] ?? "visible"
          : host.suggestion(v, k) || hint?.outside.includes(v) ? "suggested" : "";
        pips.children[v].className = `pip ${kind} ${hint?.suspect === v ? "suspect" : ""}`;
        pips.children[v].title = `${view.camera}: ${kind || "to do"}`;
      });
      done += n;
      row.classList.toggle("complete", n === host.views.length);
      const worst = host.worstError(k);
      px.textContent = worst ? `${worst.px.toFixed(1)} px` : "";
      px.className = `px ${worst ? grade(worst.px, worst.width) : ""}`;
    });
    byId("total").textContent = `${done} / ${host.keypoints.length * host.views.length}`;
  }
}

export class InstantStrip {
  constructor(host) {
    this.host = host;
    this.root = byId("strip");
    let recording = null;
    this.tiles = host.project.instants.map((instant, i) => {
      if (instant.recording !== recording) {
        recording = instant.recording;
        made("span", "strip-head", this.root, recording).title = recording;
      }
      const tile = made("button", "instant", this.root);
      tile.tabIndex = -1;
      made("span", "", tile, instant.frame ?? instant.name);
      made("i", "", tile);
      tile.classList.toggle("wanted", Boolean(instant.reason));
      tile.title = [instant.recording, `frame ${instant.frame ?? instant.name}`, instant.reason].filter(Boolean).join(" · ");
      tile.addEventListener("click", () => {
        host.goTo(i);
        tile.blur();
      });
      return tile;
    });
  }

  update() {
    this.host.project.instants.forEach(({ progress: [done, all] }, i) => {
      const tile = this.tiles[i];
      tile.style.setProperty("--done", `${(100 * done) / all}%`);
      tile.classList.toggle("complete", done >= all);
      const current = i === this.host.current;
      if (current && tile.getAttribute("aria-current") !== "true") {
        tile.scrollIntoView({ block: "nearest", inline: "center" });
      }
      tile.setAttribute("aria-current", current);
    });
  }
}

// What one would want to know now. Words in ** are set bold.
function advice(host) {
  const k = host.chosen;
  const name = `**${host.keypoints[k].name}**`;
  const n = host.views.length;
  const hint = host.hint(k);
  const labels = host.views.map((_, v) => host.label(v, k));
  const placed = labels.filter((label, v) => label && label[2] !== ABSENT && host.views[v].calibrated).length;
  const open = labels.filter((label) => !label).length;
  const lines = host.views.some((view) => view.calibrated);
  const suggested = host.views.filter((_, v) => host.suggestion(v, k)).length;
  const outside = (hint?.outside ?? []).filter((v) => !labels[v]).length;
  if (hint?.suspect != null) {
    return `${name}: click it again in **${host.views[hint.suspect].camera}** · the red line leads to where the others see it`;
  }
  const [done, all] = host.state.progress;
  if (done >= all) return "this instant is complete · **N** goes to the next that is not";
  if (!open) return `${name}: all ${n === 1 ? "done" : `${n} views done`} · **Enter** goes on`;
  if (suggested || outside) {
    const what = [
      suggested ? `${suggested} suggested` : "",
      outside ? `out of ${outside} ${outside === 1 ? "image" : "images"}` : "",
    ].filter(Boolean).join(", ");
    return `${name}: ${what} · **Enter** accepts, a click puts right`;
  }
  if (host.options.guesses && host.views.some((_, v) => !labels[v] && host.guess(v, k))) {
    return `${name}: predicted by the network · **P** takes it, **Shift+P** takes all keypoints, a click puts right`;
  }
  if (!lines) return `${name}: click it${n > 1 ? ` · ${open} of ${n} views to do` : ""} · **X** where it cannot be seen`;
  if (placed === 1) return `${name}: click it in a second view, along the line`;
  return `${name}: click it in any view`;
}

function warning(host) {
  const hint = host.hint(host.chosen);
  if (!hint) return "";
  if (hint.suspect !== null) {
    const camera = host.views[hint.suspect].camera;
    return `${camera} disagrees by ${hint.suspectPx.toFixed(1)} px; without it the others agree to ${hint.restPx.toFixed(1)} px`;
  }
  if (!hint.unclear) return "";
  const views = Object.entries(hint.error).filter(([, px]) => px !== null);
  const most = Math.max(...views.map(([, px]) => px)).toFixed(1);
  return views.length === 2
    ? `these two clicks cannot be of one point (${most} px each); a third view tells which is wrong`
    : `the views disagree by up to ${most} px, and no single one is to blame`;
}

export function updateStatus(host) {
  const hint = byId("hint");
  hint.replaceChildren(...advice(host).split("**").map((part, i) => {
    const element = document.createElement(i % 2 ? "b" : "span");
    element.textContent = part;
    return element;
  }));
  byId("warning").textContent = warning(host);
}
