// The overlay with all keys.

import { COLOURS, drawGuess, drawLabel, drawSuggestion, OCCLUDED, VISIBLE } from "./drawing.js";

const KEYS = [
  ["Label", [
    ["click", "place or move the keypoint"],
    ["⇧ click", "place it as occluded"],
    ["drag mark", "move it"],
    ["Space", "place it where the pointer is"],
    ["W A S D", "nudge it by 1 px (⇧: 10 px)"],
    ["Enter", "accept the other views' suggestion"],
    ["⇧ Enter", "accept it for all keypoints"],
    ["O", "occluded, or visible again"],
    ["X", "absent here (⇧: in all views)"],
    ["Del", "take it away (⇧: in all views)"],
  ]],
  ["Help from elsewhere", [
    ["P", "take the network's prediction"],
    ["⇧ P", "of all keypoints"],
    ["C", "copy from the instant before"],
    ["⇧ C", "copy all keypoints"],
    ["U / Ctrl Z", "undo"],
    ["Y / Ctrl Y", "redo"],
    ["Ctrl S", "write the files now"],
  ]],
  ["Go", [
    ["Tab / ↓", "next keypoint (⇧ Tab, ↑: back)"],
    ["→ / ←", "next, last instant"],
    ["N", "next instant with work left"],
    ["1 … 9", "choose a view"],
    ["I", "next individual"],
    ["T", "next keypoint after each click"],
  ]],
  ["Look", [
    ["wheel / + −", "zoom"],
    ["drag", "move the image (any button)"],
    ["Z", "zoom to the keypoint, here"],
    ["⇧ Z", "zoom to the subject, all views"],
    ["F", "fit all views"],
    ["M", "one view alone, or all again"],
  ]],
  ["Show", [
    ["B / ⇧ B", "brighter, darker (V: as it is)"],
    ["L", "magnifier"],
    ["G", "limbs"],
    ["E", "epipolar lines"],
    ["R", "predictions"],
    ["H", "hide all marks"],
    ["? / Esc", "this help"],
  ]],
];

function made(tag, parent, text) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  parent.append(element);
  return element;
}

function sample(parent, text, draw) {
  const item = made("span", parent);
  const canvas = made("canvas", item);
  const ratio = window.devicePixelRatio || 1;
  canvas.width = canvas.height = 26 * ratio;
  const context = canvas.getContext("2d");
  context.scale(ratio, ratio);
  draw(context);
  item.append(` ${text}`);
}

export function buildHelp(dialog) {
  made("h2", dialog, "Keys");
  const table = made("div", dialog);
  table.className = "keys";
  for (const [title, rows] of KEYS) {
    const part = made("section", table);
    made("h3", part, title);
    const list = made("dl", part);
    for (const [keys, text] of rows) {
      const names = made("dt", list);
      keys.split(" / ").forEach((one, i) => {
        if (i) made("i", names, "or");
        const word = /click|drag|…/.test(one);
        for (const key of word ? [one] : one.split(" ")) made("kbd", names, key);
      });
      made("dd", list, text);
    }
  }
  const legend = made("div", dialog);
  legend.className = "legend";
  sample(legend, "left", (c) => drawLabel(c, 13, 13, { colour: COLOURS.left, mark: VISIBLE }));
  sample(legend, "right", (c) => drawLabel(c, 13, 13, { colour: COLOURS.right, mark: VISIBLE }));
  sample(legend, "midline", (c) => drawLabel(c, 13, 13, { colour: COLOURS.middle, mark: VISIBLE }));
  sample(legend, "occluded", (c) => drawLabel(c, 13, 13, { colour: COLOURS.left, mark: OCCLUDED }));
  sample(legend, "suggested by other views", (c) => drawSuggestion(c, 13, 13, { colour: COLOURS.left, selected: true }));
  sample(legend, "predicted by a network", (c) => drawGuess(c, 13, 13, { colour: COLOURS.left, score: 1 }));
}
