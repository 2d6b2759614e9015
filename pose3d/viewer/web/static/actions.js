// One table of everything that can be done: its key, its words, and where its button stands.

import { KINDS } from "./corrections.js";

// Each: key (as the browser names it), title, run, and the group under which the help lists it; with `place` a button,
// with `on` one that stays pressed, with `off` one that cannot be used now.
export function makeActions(player) {
  const groups = { Time: ofTime, "3D view": ofSpace, Shown: ofWhatIsShown, "Videos and plots": ofVideosAndPlots, Correct: ofCorrections, Page: ofPage };
  return Object.entries(groups).flatMap(([group, table]) => table(player).map((action) => ({ ...action, group })));
}

const when = (condition, ...actions) => (condition ? actions : []);

// Events can be added where there are none.
const mayHaveEvents = ({ stage, corrections }) => stage.meta.events.length > 0 || corrections !== null;

function ofTime(player) {
  const { clock, stage, strip } = player, jump = (step) => () => player.goTo(clock.row + step());
  const second = () => Math.round(clock.fps), tenth = () => Math.max(1, Math.round(clock.nFrames / 10));
  const bad = (step) => () => {
    const row = strip.nextBad(clock.row, step);
    if (row === null) player.say(step > 0 ? "no doubtful frames after this one" : "no doubtful frames before this one");
    else player.goTo(row);
  };
  return [
    { id: "first", key: "Home", title: "First frame", icon: "start", place: "transport", run: () => player.goTo(clock.first) },
    { id: "previous", key: "ArrowLeft", title: "One frame back", icon: "back", place: "transport", run: jump(() => -1) },
    { id: "play", key: " ", title: "Play, pause", icon: "play", place: "transport", run: () => player.playOrPause() },
    { id: "next", key: "ArrowRight", title: "One frame on", icon: "ahead", place: "transport", run: jump(() => 1) },
    { id: "last", key: "End", title: "Last frame", icon: "end", place: "transport", run: () => player.goTo(clock.last) },
    { id: "next-bad", key: "n", title: "Next doubtful frames", icon: "bad", place: "transport", run: bad(1), off: () => !stage.meta.bad.length },
    { id: "previous-bad", key: "Shift+N", title: "Doubtful frames before", run: bad(-1) },
    { id: "second-back", key: "Shift+ArrowLeft", title: "One second back", run: jump(() => -second()) },
    { id: "second-on", key: "Shift+ArrowRight", title: "One second on", run: jump(second) },
    { id: "ten-back", key: "PageUp", title: "A tenth of the recording back", run: jump(() => -tenth()) },
    { id: "ten-on", key: "PageDown", title: "A tenth of the recording on", run: jump(tenth) },
    { id: "slower", key: "[", title: "Slower", run: () => player.changeSpeed(-1) },
    { id: "faster", key: "]", title: "Faster", run: () => player.changeSpeed(1) },
    { id: "loop-from", key: "i", title: "The loop begins here", run: () => player.setLoop(clock.row, null) },
    { id: "loop-to", key: "o", title: "The loop ends here", run: () => player.setLoop(null, clock.row) },
    ...when(mayHaveEvents(player),
      { id: "next-event", key: "e", title: "Next event of the feet", run: () => player.toEvent(1) },
      { id: "previous-event", key: "Shift+E", title: "Event before", run: () => player.toEvent(-1) }),
  ];
}

function ofSpace(player) {
  const { stage } = player;
  const view = (name, key, title, run = () => player.look(name)) => ({
    id: `view-${name}`, key, label: name, title, place: "views", on: () => player.viewName === name, run,
  });
  return [
    view("orbit", "v", "Obliquely, the whole motion"),
    view("front", "f", "From the front"),
    view("right", "s", "From the right side"),
    view("left", "Shift+S", "From the left side"),
    view("top", "t", "From above"),
    ...stage.meta.cameras.flatMap((camera, i) => when(camera.pose,
      view(camera.name, i < 9 ? `Alt+${i + 1}` : "", `Through camera ${camera.name}, over its video`, () => player.look(camera.name, camera)))),
    ...when(stage.frusta.length, { id: "next-camera", key: "c", title: "Through the next camera, over its video", run: () => player.lookThroughNext() }),
    { id: "nearer", key: "+", title: "Nearer", run: () => stage.view.zoom(1.2) },
    { id: "farther", key: "-", title: "Farther", run: () => stage.view.zoom(1 / 1.2) },
    { id: "follow", key: "g", label: "Follow", title: "Let the view follow the subject", place: "toggles", on: () => stage.follow, run: () => { stage.follow = !stage.follow; } },
  ];
}

function ofWhatIsShown(player) {
  const { stage } = player, { fields, arcs } = stage.meta, { shown } = stage;
  const show = (name, key, label, title) => ({
    id: `show-${name}`, key, title, label, place: "toggles", on: () => Boolean(shown[name]), run: () => { shown[name] = !shown[name]; },
  });
  return [
    show("trails", "Shift+T", "Trails", "Trails of the last second"),
    ...when(stage.frusta.length, show("cameras", "Shift+C", "Cameras", "Cameras")),
    show("floor", "Shift+F", "Floor", "Floor"),
    show("shadow", "Shift+H", "Shadow", "Shadow"),
    ...when(arcs.length, show("arcs", "a", "Angles", "Angles at their joints, with half of the 95 % interval: those of the plots")),
    ...when(fields.covariance, {
      ...show("uncertainty", "Shift+U", "Uncertainty", "Ellipsoids in which points lie with 95 %; again: five times as large"),
      text: () => (shown.uncertainty === 5 ? "Uncertainty ×5" : "Uncertainty"), run: () => { shown.uncertainty = { 0: 1, 1: 5, 5: 0 }[shown.uncertainty]; },
    }),
    ...when(fields.centre, show("mass", "Shift+M", "Mass", "Centre of mass")),
    ...when(fields.raw, show("raw", "Shift+R", "Raw", "Points before refinement")),
    ...when(fields.second, {
      ...show("second", "x", "Second", `${stage.meta.second?.name}: over the first recording, beside it, or not at all`),
      text: () => `Second${shown.second ? ` ${shown.second}` : ""}`, run: () => { shown.second = { over: "beside", beside: "", "": "over" }[shown.second]; },
    }),
    ...when(mayHaveEvents(player), show("events", "Shift+V", "Events", "Events of the feet")),
    show("names", "Shift+K", "Names", "Names of keypoints"),
  ];
}

function ofVideosAndPlots(player) {
  const { stage, plots, marks } = player, people = stage.meta.individuals;
  const mark = (name, key, label, title) => ({
    id: `mark-${name}`, key, title, label, place: "marks", on: () => marks[name], run: () => { marks[name] = !marks[name]; },
  });
  return [
    ...player.panes.map((pane, i) => ({ id: `enlarge-${i}`, key: i < 9 ? `${i + 1}` : "", title: `Enlarge ${pane.camera.name}, and back`, run: () => player.enlarge(pane) })),
    ...when(player.panes.length,
      mark("detected", "d", "Detected", "What was found in the videos, and how far it is from where the points come out"),
      mark("reprojected", "j", "Reprojected", "The points in space, in the videos")),
    { id: "plot-out", key: "ArrowDown", title: "More time in the plots", run: () => plots.zoom(1.5) },
    { id: "plot-in", key: "ArrowUp", title: "Less time in the plots", run: () => plots.zoom(1 / 1.5) },
    ...when(plots.groups.length > 1, { id: "next-angles", key: "p", title: "The next angles in the plots", run: () => plots.next() }),
    ...when(plots.hasCycles || (plots.groups.length && player.corrections), {
      id: "cycles", key: "y", title: "Angles over the cycle, over each other", on: () => plots.cycles, off: () => !plots.hasCycles,
      run: () => { plots.cycles = !plots.cycles; },
    }),
    ...when(people.length > 1 && plots.groups.length, {
      id: "who", key: "w", label: people[0], text: () => `of ${people[plots.who]}`, place: "whose",
      title: "Angles of the next individual", run: () => { plots.who = (plots.who + 1) % people.length; },
    }),
  ];
}

function ofCorrections({ corrections, clock, panes }) {
  if (!corrections) return [];
  const { state } = corrections, button = (id, key, label, title, run, off) => ({ id, key, label, title, place: "correct", run, off });
  return [
    button("mark-bad", "b", "Bad", "Mark the loop, or this frame, as bad: its points become missing", () => corrections.markBad()),
    ...when(panes.length,
      button("mark-view-bad", "Shift+B", "Bad view", "The same for the enlarged video alone: its view is not used", () => corrections.markViewBad())),
    button("swap-sides", "z", "Swap", "Exchange left and right in the loop, or in this frame", () => corrections.swapSides()),
    ...KINDS.map(([limb, kind, words], i) => ({
      id: `add-${limb}-${kind}`, key: `Shift+${i + 1}`, title: `${words}: add one at this frame`, run: () => corrections.addEvent(limb, kind),
    })),
    { id: "move-event", key: "m", title: "Move the chosen event to this frame", run: () => corrections.moveEvent(clock.row) },
    { id: "delete-event", key: "Delete", title: "Delete the chosen event", run: () => corrections.deleteEvent() },
    ...when(state.queue, button("label", "q", "To labelling", "Send this instant to the labelling queue", () => corrections.sendToQueue())),
    button("undo", "Ctrl+z", "Undo", "Take the last correction back", () => corrections.make({ do: "undo" }), () => !corrections.state.undo),
    button("redo", "Ctrl+Shift+Z", "Redo", "Make it again", () => corrections.make({ do: "redo" }), () => !corrections.state.redo),
  ];
}

function ofPage(player) {
  return [
    { id: "restore", key: "Escape", title: "All panes again, no loop, no event chosen", run: () => player.restore() },
    { id: "ask", key: "?", title: "Keys and help", run: () => player.help() },
  ];
}
