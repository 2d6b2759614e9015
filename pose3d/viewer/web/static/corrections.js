// What is corrected while looking: the server writes each change to the file of edits, and then it is shown.

export const KINDS = [["L", "strike", "Left strike"], ["L", "off", "Left off"], ["R", "strike", "Right strike"], ["R", "off", "Right off"]];

export class Corrections {
  constructor(player, state) {
    Object.assign(this, { player, state, chosen: null }); // `chosen` is an event, as the server tells of it
  }

  get lines() { return this.state.lines; }
  get revision() { return this.state.revision; }

  // The loop, or where there is none this frame.
  get stretch() {
    const { clock } = this.player, [first, last] = clock.loop || [clock.row, clock.row];
    return { first, last };
  }

  markBad() { return this.make({ do: "bad", ...this.stretch }); }

  // The views of one camera alone: of the enlarged video, or of the one that the scene lies over.
  markViewBad() {
    const { player } = this, camera = player.stage.view.camera || player.large?.camera;
    if (camera) return this.make({ do: "bad", ...this.stretch, camera: camera.name });
    return player.say("enlarge a video first, or look through its camera: its views are then not used");
  }

  swapSides() { return this.make({ do: "swap", ...this.stretch }); }

  addEvent(limb, kind) { return this.make({ do: "add", event: { limb, kind, row: this.player.clock.row } }); }

  moveEvent(to) { return this.chosen ? this.make({ do: "move", event: this.chosen, to }) : this.choose(null, true); }

  deleteEvent() { return this.chosen ? this.make({ do: "delete", event: this.chosen }) : this.choose(null, true); }

  choose(event, ask = false) {
    this.chosen = event;
    if (ask) this.player.say("choose an event first: click its mark in the strip");
    this.player.refresh();
  }

  // One after the other: what is wished for next is meant for what this one leaves.
  make(wish) {
    this.chosen = null;
    this.last = (this.last || Promise.resolve()).then(() => this.carryOut(wish));
  }

  async carryOut(wish) {
    const { player } = this;
    try {
      const state = await player.recording.source.send("api/correct", wish);
      try {
        await player.recording.renew(state.revision);
      } finally {
        this.state = state;
      }
      player.renewed();
      player.say(state.said);
    } catch (error) {
      player.say(error.message);
    }
    player.refresh();
  }

  async sendToQueue() {
    const { player } = this;
    player.say("sending this instant to the labelling queue …", true);
    try {
      player.say((await player.recording.source.send("api/queue", { row: player.clock.row })).said);
    } catch (error) {
      player.say(error.message);
    }
  }
}
