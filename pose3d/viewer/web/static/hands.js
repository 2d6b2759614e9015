// What pointer and keys do on the page: the 3D view, the strip, the plots.

import { keysOf } from "./controls.js";

const element = (id) => document.getElementById(id);

export function listen(player) {
  new ResizeObserver(() => player.resize()).observe(element("work"));
  document.addEventListener("keydown", (event) => press(player, event));
  element("help").addEventListener("click", () => element("help").close());
  listenToScene(player);
  listenToStrip(player);
  const traces = element("traces");
  traces.addEventListener("pointerdown", (event) => {
    const row = player.plots.rowAt(event.offsetX, player.clock.row);
    player.clock.pause();
    if (row !== null) player.goTo(row);
  });
  traces.addEventListener("wheel", (event) => {
    event.preventDefault();
    player.plots.zoom(Math.exp(event.deltaY * 0.0012));
    player.refresh();
  }, { passive: false });
}

function press(player, event) {
  const help = element("help");
  if (help.open) {
    if (event.key === "?" || event.key === "Escape") { event.preventDefault(); help.close(); }
    return;
  }
  if (event.target instanceof HTMLSelectElement && event.key !== "Escape") return;
  const action = keysOf(event).map((key) => player.actions.find((each) => each.key === key)).find(Boolean);
  if (!action || action.off?.()) return;
  event.preventDefault();
  action.run();
  player.refresh();
}

function listenToScene(player) {
  const scene = element("scene"), { view } = player.stage;
  let held = null;
  const letGo = () => { held = null; };
  scene.addEventListener("contextmenu", (event) => event.preventDefault());
  scene.addEventListener("pointerdown", (event) => {
    scene.setPointerCapture(event.pointerId);
    held = event.buttons === 1 && !event.shiftKey ? "turn" : "pan";
  });
  scene.addEventListener("pointerup", letGo);
  scene.addEventListener("pointercancel", letGo);
  scene.addEventListener("pointermove", (event) => {
    if (!held) {
      const words = player.wordsAt(event.offsetX, event.offsetY);
      tip(words && event, words);
      return;
    }
    view[held](event.movementX, event.movementY);
    player.viewName = "";
    player.refresh();
  });
  scene.addEventListener("pointerleave", () => tip(null));
  scene.addEventListener("wheel", (event) => {
    event.preventDefault();
    view.zoom(Math.exp(-event.deltaY * 0.0012));
    player.viewName = "";
    player.refresh();
  }, { passive: false });
  scene.addEventListener("dblclick", () => player.look("orbit"));
}

function listenToStrip(player) {
  const canvas = element("strip"), { strip, clock } = player;
  let from = null, scrubs = false, grabbed = null; // where a loop begins; whether the time is dragged; where an event was
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    const row = strip.rowAt(event.offsetX), found = strip.eventAt(event.offsetX, event.offsetY);
    if (event.shiftKey || event.button === 2) {
      from = row;
      return;
    }
    clock.pause();
    player.corrections?.choose(found);
    scrubs = !found;
    if (found && player.corrections) grabbed = event.offsetX;
    player.goTo(found ? found.row : row);
  });
  canvas.addEventListener("contextmenu", (event) => event.preventDefault());
  canvas.addEventListener("pointermove", (event) => {
    const row = strip.rowAt(event.offsetX);
    if (from !== null) {
      clock.setLoop([Math.min(from, row), Math.max(from, row)]);
      player.refresh();
    } else if (scrubs) player.goTo(row);
    else if (grabbed !== null && Math.abs(event.offsetX - grabbed) > 2) {
      strip.dragged = row;
      player.goTo(row);
    }
    tip(event, strip.words(row, event.offsetX, event.offsetY));
  });
  const end = (drop) => {
    const to = strip.dragged;
    from = grabbed = strip.dragged = null;
    scrubs = false;
    if (drop && to !== null) player.corrections.moveEvent(to);
  };
  canvas.addEventListener("pointerup", () => end(true));
  canvas.addEventListener("pointercancel", () => end(false));
  canvas.addEventListener("pointerleave", () => tip(null));
}

function tip(event, words) {
  const shown = element("tip");
  shown.hidden = !event;
  if (!event) return;
  shown.textContent = words;
  const { offsetWidth: width, offsetHeight: height } = shown;
  shown.style.left = `${Math.max(4, Math.min(window.innerWidth - width - 6, event.clientX + 12))}px`;
  shown.style.top = `${Math.max(4, event.clientY - height - 12)}px`;
}
