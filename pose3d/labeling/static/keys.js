// Which key and which button does what.

const byId = (id) => document.getElementById(id);

function keyActions(page) {
  const step = (event) => (event.shiftKey ? 10 : 1);
  return {
    Tab: (e) => page.choose(page.chosen + (e.shiftKey ? -1 : 1)),
    ArrowDown: () => page.choose(page.chosen + 1),
    ArrowUp: () => page.choose(page.chosen - 1),
    ArrowRight: () => page.goTo(page.current + 1),
    ArrowLeft: () => page.goTo(page.current - 1),
    Enter: (e) => page.accept(e.shiftKey),
    " ": () => page.placeHere(),
    Delete: (e) => page.erase(e.shiftKey),
    Backspace: (e) => page.erase(e.shiftKey),
    Escape: () => page.alone !== null && page.maximise(),
    "+": () => page.panes[page.active].zoom(1.3),
    "=": () => page.panes[page.active].zoom(1.3),
    "-": () => page.panes[page.active].zoom(1 / 1.3),
    "?": () => byId("help").showModal(),
    w: (e) => page.nudge(0, -step(e)),
    s: (e) => page.nudge(0, step(e)),
    a: (e) => page.nudge(-step(e), 0),
    d: (e) => page.nudge(step(e), 0),
    o: (e) => page.mark("occluded", e.shiftKey),
    x: (e) => page.mark("absent", e.shiftKey),
    p: (e) => page.guesses(e.shiftKey),
    c: (e) => page.copy(e.shiftKey),
    u: () => page.undo(),
    y: () => page.redo(),
    n: () => page.nextOpen(),
    i: () => page.chooseIndividual(page.individual + 1),
    t: () => page.toggle("advance"),
    z: (e) => (e.shiftKey ? page.zoomToSubject() : page.zoomToKeypoint()),
    f: () => page.panes.forEach((pane) => pane.fit()),
    m: () => page.maximise(),
    b: (e) => page.brightness(Number(byId("brightness").value) + (e.shiftKey ? -1 : 1)),
    v: () => page.brightness(0),
    l: () => page.toggle("loupe"),
    g: () => page.toggle("skeleton"),
    e: () => page.toggle("lines"),
    r: () => page.toggle("guesses"),
    h: () => page.toggle("hidden"),
  };
}

export function listen(page) {
  const keys = keyActions(page);
  const withControl = { z: (e) => (e.shiftKey ? page.redo() : page.undo()), y: () => page.redo(), s: () => page.save() };
  document.addEventListener("keydown", (event) => {
    if (byId("help").open) {
      if (event.key === "?") byId("help").close();
      return;
    }
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
    const focus = document.activeElement;
    if (focus?.id === "brightness" && key.startsWith("Arrow")) return;
    if (focus?.tagName === "BUTTON" && (key === "Enter" || key === " ")) focus.blur();
    const held = event.ctrlKey || event.metaKey;
    const action = held ? withControl[key] : event.altKey ? null : keys[key];
    if (action) {
      event.preventDefault();
      action(event);
    } else if (!held && !event.altKey && /^[1-9]$/.test(key)) {
      page.activate(Number(key) - 1);
    }
  });
  const buttons = {
    accept: () => page.accept(false),
    occluded: () => page.mark("occluded"),
    absent: () => page.mark("absent"),
    guesses: () => page.guesses(true),
    copy: () => page.copy(true),
    undo: () => page.undo(),
    redo: () => page.redo(),
    save: () => page.save(),
    "help-button": () => byId("help").showModal(),
  };
  for (const option of ["skeleton", "lines", "guesses", "loupe", "advance"]) {
    buttons[`toggle-${option}`] = () => page.toggle(option);
  }
  for (const [id, action] of Object.entries(buttons)) {
    byId(id).addEventListener("click", () => {
      byId(id).blur();
      action();
    });
  }
  byId("brightness").addEventListener("input", (event) => page.brightness(event.target.value));
  byId("help").addEventListener("click", (event) => {
    if (event.target === byId("help")) byId("help").close();
  });
  window.addEventListener("resize", () => page.arrange());
}
