// The buttons of the table of actions, its keys, and the sheet that shows them all.

const icon = (path) => `M${path}`;
const ICONS = {
  start: icon("2 2h2v12H2zM14 2v12L5 8z"), back: icon("11 2v12L4 8z"), play: icon("3 1l11 7-11 7z"),
  pause: icon("3 2h4v12H3zM9 2h4v12H9z"), ahead: icon("5 2v12l7-6z"), end: icon("12 2h2v12h-2zM2 2v12l9-6z"),
  bad: icon("8 1l7.500 13.500H.5zM7 6v4h2V6zM7 11.500v1.800h2v-1.800z"),
};

export function placeButtons(actions, done) {
  for (const action of actions) {
    const button = action.place ? document.createElement("button") : document.getElementById(action.id);
    if (!button) continue;
    button.type = "button";
    button.title = action.key ? `${action.title}  (${keyName(action.key)})` : action.title;
    button.setAttribute("aria-label", action.title);
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

export function showState(actions) {
  for (const { button, on, off, text } of actions) {
    if (button && on) button.setAttribute("aria-pressed", String(on()));
    if (button && off && button.disabled !== off()) button.disabled = off();
    if (button && text && button.textContent !== text()) button.textContent = text();
  }
}

// What an event of the keyboard may be in the table: the sign first, and else the digit under it.
export function keysOf(event) {
  const digit = /^Digit[1-9]$/.test(event.code) ? event.code.slice(5) : "";
  if (event.altKey) return digit ? [`Alt+${digit}`] : [];
  const name = event.key === "Backspace" ? "Delete" : event.key;
  const control = event.ctrlKey || event.metaKey, shifted = event.shiftKey && (name.length > 1 || /[A-Z]/.test(name));
  const key = (control ? "Ctrl+" : "") + (shifted ? "Shift+" : "") + name;
  return digit && event.shiftKey && !control ? [key, `Shift+${digit}`] : [key];
}

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", PageUp: "PgUp", PageDown: "PgDn", Delete: "Del" };

export function keyName(key) {
  const parts = key === "+" ? ["+"] : key.split("+"), last = parts.pop();
  const name = NAMES[last] || (last.length === 1 ? last.toUpperCase() : last);
  return [...parts.map((part) => (part === "Shift" ? "⇧" : part)), name].join(" ");
}

export function fillHelp(dialog, actions, remarks) {
  const make = (name, words = "", ...inside) => {
    const made = document.createElement(name);
    made.textContent = words;
    made.append(...inside);
    return made;
  };
  const parts = [...new Set(actions.map((action) => action.group))].map((group) => {
    const list = make("dl");
    for (const { key, title } of actions.filter((action) => action.group === group && action.key)) {
      list.append(make("dt", "", make("kbd", keyName(key))), make("dd", title));
    }
    return make("section", "", make("h3", group), list);
  });
  const keys = make("div", "", ...parts);
  keys.className = "keys";
  const more = [
    "Drag in the 3D view to turn it, with the right button or Shift to move it, and roll to come nearer; double click restores it. Drag on the strip to "
    + "scrub, with Shift to choose a loop; drag the mark of an event to move it. Roll over the plots for more or less time. Click a video to enlarge it.",
    "The strip shows where to look: from dark (trusted) to bright (doubtful), grey where nothing is known; below it what is missing and what was filled in. "
    + "Hollow joints and dashed bones were filled in. While a video is sought its nearest picture stands there, marked with … and with its own keypoints.",
  ];
  dialog.replaceChildren(make("h2", "Keys"), keys, ...more.map((words) => make("p", words)), ...remarks.map((remark) => make("p", `Note: ${remark}`)));
}
