// One table of everything that can be done: its key, its words, and where its button stands.

const icon = (path) => `M${path}`;
const ICONS = {
  start: icon("2 2h2v12H2zM14 2v12L5 8z"), back: icon("11 2v12L4 8z"), play: icon("3 1l11 7-11 7z"),
  pause: icon("3 2h4v12H3zM9 2h4v12H9z"), ahead: icon("5 2v12l7-6z"), end: icon("12 2h2v12h-2zM2 2v12l9-6z"),
  bad: icon("8 1l7.500 13.500H.5zM7 6v4h2V6zM7 11.500v1.800h2v-1.800z"),
};

// Each: key (as the browser names it), title, run; with `place` a button, with `on` one that stays pressed.
export function makeActions(player) {
  const { clock, stage, plots, strip } = player, jump = (step) => () => player.goTo(clock.row + step);
  const show = (name, key, label, title) => ({
    id: `show-${name}`, key, title, label, place: "toggles", on: () => stage.shown[name], run: () => { stage.shown[name] = !stage.shown[name]; },
  });
  const mark = (name, key, label, title) => ({
    id: `mark-${name}`, key, title, label, place: "marks", on: () => player.marks[name], run: () => { player.marks[name] = !player.marks[name]; },
  });
  const view = (name, key, title) => ({
    id: `view-${name}`, key, label: name, title, place: "views", on: () => player.viewName === name, run: () => player.look(name),
  });
  const bad = (step) => () => {
    const row = strip.nextBad(clock.row, step);
    if (row === null) player.say(step > 0 ? "no doubtful frames after this one" : "no doubtful frames before this one");
    else player.goTo(row);
  };
  const fields = stage.meta.fields;
  const actions = [
    { id: "first", key: "Home", title: "First frame", icon: "start", place: "transport", run: () => player.goTo(clock.first) },
    { id: "previous", key: "ArrowLeft", title: "One frame back", icon: "back", place: "transport", run: jump(-1) },
    { id: "play", key: " ", title: "Play, pause", icon: "play", place: "transport", run: () => player.playOrPause() },
    { id: "next", key: "ArrowRight", title: "One frame on", icon: "ahead", place: "transport", run: jump(1) },
    { id: "last", key: "End", title: "Last frame", icon: "end", place: "transport", run: () => player.goTo(clock.last) },
    { id: "next-bad", key: "n", title: "Next doubtful frames", icon: "bad", place: "transport", run: bad(1), off: !stage.meta.bad.length },
    { id: "previous-bad", key: "Shift+N", title: "Doubtful frames before", run: bad(-1) },
    { id: "second-back", key: "Shift+ArrowLeft", title: "One second back", run: () => jump(-Math.round(clock.fps))() },
    { id: "second-on", key: "Shift+ArrowRight", title: "One second on", run: () => jump(Math.round(clock.fps))() },
    { id: "ten-back", key: "PageUp", title: "A tenth of the recording back", run: () => jump(-Math.max(1, Math.round(clock.nFrames / 10)))() },
    { id: "ten-on", key: "PageDown", title: "A tenth of the recording on", run: () => jump(Math.max(1, Math.round(clock.nFrames / 10)))() },
    { id: "slower", key: "[", title: "Slower", run: () => player.changeSpeed(-1) },
    { id: "faster", key: "]", title: "Faster", run: () => player.changeSpeed(1) },
    { id: "loop-from", key: "i", title: "The loop begins here", run: () => player.setLoop(clock.row, null) },
    { id: "loop-to", key: "o", title: "The loop ends here", run: () => player.setLoop(null, clock.row) },
    ...(stage.meta.events.length ? [
      { id: "next-event", key: "e", title: "Next event of the feet", run: () => player.toEvent(1) },
      { id: "previous-event", key: "Shift+E", title: "Event before", run: () => player.toEvent(-1) },
    ] : []),
    view("orbit", "v", "Obliquely, the whole motion"),
    view("front", "f", "From the front"),
    view("right", "s", "From the right side"),
    view("left", "Shift+S", "From the left side"),
    view("top", "t", "From above"),
    ...stage.meta.cameras.flatMap((camera, i) => camera.pose ? [{
      ...view(camera.name, i < 9 ? `Alt+${i + 1}` : "", `Through camera ${camera.name}, over its video`), run: () => player.look(camera.name, camera),
    }] : []),
    ...(stage.frusta.length ? [{ id: "next-camera", key: "c", title: "Through the next camera, over its video", run: () => player.lookThroughNext() }] : []),
    ...player.panes.map((pane, i) => ({ id: `enlarge-${i}`, key: i < 9 ? `${i + 1}` : "", title: `Enlarge ${pane.camera.name}, and back`, run: () => player.enlarge(pane) })),
    { id: "nearer", key: "+", title: "Nearer", run: () => stage.view.zoom(1.2) },
    { id: "farther", key: "-", title: "Farther", run: () => stage.view.zoom(1 / 1.2) },
    { id: "follow", key: "g", label: "Follow", title: "Let the view follow the subject", place: "toggles", on: () => stage.follow, run: () => { stage.follow = !stage.follow; } },
    show("trails", "Shift+T", "Trails", "Trails of the last second"),
    ...(stage.frusta.length ? [show("cameras", "Shift+C", "Cameras", "Cameras")] : []),
    show("floor", "Shift+F", "Floor", "Floor"),
    show("shadow", "Shift+H", "Shadow", "Shadow"),
    ...(fields.covariance ? [{
      ...show("uncertainty", "Shift+U", "Uncertainty", "Ellipsoids in which points lie with 95 %; again: five times as large"),
      text: () => (stage.shown.uncertainty === 5 ? "Uncertainty ×5" : "Uncertainty"),
      on: () => Boolean(stage.shown.uncertainty), run: () => { stage.shown.uncertainty = { 0: 1, 1: 5, 5: 0 }[stage.shown.uncertainty]; },
    }] : []),
    ...(fields.centre ? [show("mass", "Shift+M", "Mass", "Centre of mass")] : []),
    ...(fields.raw ? [show("raw", "Shift+R", "Raw", "Points before refinement")] : []),
    ...(stage.meta.events.length ? [show("events", "Shift+V", "Events", "Events of the feet")] : []),
    show("names", "Shift+K", "Names", "Names of keypoints"),
    ...(player.panes.length ? [
      mark("detected", "d", "Detected", "What was found in the videos, and how far it is from where the points come out"),
      mark("reprojected", "j", "Reprojected", "The points in space, in the videos"),
    ] : []),
    ...(plots.hasCycles ? [{ id: "cycles", key: "y", title: "Angles over the cycle, over each other", on: () => plots.cycles, run: () => { plots.cycles = !plots.cycles; } }] : []),
    ...(player.corrections ? [
      { id: "mark-bad", key: "b", label: "Bad", title: "Mark the loop, or this frame, as bad: its points become missing", place: "correct", run: () => player.correct("bad") },
      { id: "swap-sides", key: "z", label: "Swap sides", title: "Exchange left and right in the loop, or in this frame", place: "correct", run: () => player.correct("swap") },
      { id: "undo", key: "Ctrl+z", label: "Undo", title: "Take the last correction back", place: "correct", run: () => player.correct("undo") },
      { id: "redo", key: "Ctrl+Shift+Z", label: "Redo", title: "Make it again", place: "correct", run: () => player.correct("redo") },
    ] : []),
    ...(stage.meta.individuals.length > 1 && plots.groups.length ? [{
      id: "who", key: "w", label: stage.meta.individuals[0], text: () => `of ${stage.meta.individuals[plots.who]}`, place: "whose",
      title: "Angles of the next individual", run: () => { plots.who = (plots.who + 1) % stage.meta.individuals.length; },
    }] : []),
    { id: "plot-out", key: "ArrowDown", title: "More time in the plots", run: () => plots.zoom(1.5) },
    { id: "plot-in", key: "ArrowUp", title: "Less time in the plots", run: () => plots.zoom(1 / 1.5) },
    { id: "restore", key: "Escape", title: "All panes again, no loop", run: () => player.restore() },
    { id: "ask", key: "?", title: "Keys and help", run: () => player.help() },
  ];
  return actions;
}

export function placeButtons(actions, done) {
  for (const action of actions) {
    const button = action.place ? document.createElement("button") : document.getElementById(action.id);
    if (!button) continue;
    button.type = "button";
    button.title = action.key ? `${action.title}  (${keyName(action.key)})` : action.title;
    button.setAttribute("aria-label", action.title);
    button.disabled = Boolean(action.off);
    if (action.icon) setIcon(button, action.icon);
    else if (action.label) button.textContent = action.label;
    button.addEventListener("click", () => { action.run(); done(); button.blur(); });
    if (action.place) {
      button.id = action.id;
      document.getElementById(action.place).append(button);
    }
    action.button = button;
  }
}

export function setIcon(button, name) {
  if (button.dataset.icon === name) return;
  button.dataset.icon = name;
  const picture = document.createElementNS("http://www.w3.org/2000/svg", "svg"), path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  picture.setAttribute("viewBox", "0 0 16 16");
  path.setAttribute("fill-rule", "evenodd");
  path.setAttribute("d", ICONS[name]);
  picture.append(path);
  button.replaceChildren(picture);
}

export function showPressed(actions) {
  for (const { button, on, text } of actions) {
    if (button && on) button.setAttribute("aria-pressed", String(on()));
    if (button && text && button.textContent !== text()) button.textContent = text();
  }
}

// The key of an event, as the table names it.
export function keyOf(event) {
  if (event.altKey) return /^Digit[1-9]$/.test(event.code) ? `Alt+${event.code.slice(5)}` : "";
  const control = event.ctrlKey || event.metaKey;
  const shifted = event.shiftKey && (event.key.length > 1 || /[A-Z]/.test(event.key));
  return (control ? "Ctrl+" : "") + (shifted ? "Shift+" : "") + event.key;
}

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", PageUp: "PgUp", PageDown: "PgDn" };

export function keyName(key) {
  const parts = key === "+" ? ["+"] : key.split("+"), last = parts.pop();
  const name = NAMES[last] || (last.length === 1 ? last.toUpperCase() : last);
  return [...parts.map((part) => (part === "Shift" ? "⇧" : part)), name].join(" ");
}

export function fillHelp(dialog, actions, remarks) {
  const title = document.createElement("h2"), list = document.createElement("dl"), more = document.createElement("p");
  title.textContent = "Keys";
  list.className = "keys";
  for (const { key, title: words } of actions.filter((action) => action.key)) {
    const row = document.createElement("div"), name = document.createElement("dt"), what = document.createElement("dd"), kbd = document.createElement("kbd");
    kbd.textContent = keyName(key);
    what.textContent = words;
    name.append(kbd);
    row.append(name, what);
    list.append(row);
  }
  more.textContent = "Drag in the 3D view to turn it, with the right button or Shift to move it, and roll to come nearer; double click "
    + "restores it. Drag on the strip to scrub, with Shift to choose a loop. Roll over the plots for more or less time. Click a "
    + "video to enlarge it. The strip shows where to look: from dark (trusted) to bright (doubtful), grey where nothing is known; below it what is missing and "
    + "what was filled in. Hollow joints and dashed bones were filled in.";
  dialog.replaceChildren(title, list, more);
  for (const remark of remarks) {
    const line = document.createElement("p");
    line.textContent = `Note: ${remark}`;
    dialog.append(line);
  }
}
