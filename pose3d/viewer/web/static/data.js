// The recording's numbers: a description, what is known of all rows from the beginning, and blocks of rows that come
// when they are wanted. The newest wish is served first, so that scrubbing never waits for what was passed over.

const MOST_BLOCKS = 48, AT_ONCE = 3, REST_MS = 60;

export class Recording {
  constructor(meta, source) {
    this.meta = meta;
    this.source = source;
    this.revision = 0; // grows with each correction
    this.blocks = new Map(); // index to Float32Array, the least recently used first
    this.coming = new Set();
    this.wishes = [];
    this.arrived = () => {};
    this.failed = () => {};
    this.offsets = {};
    let at = 0;
    for (const [name, shape] of Object.entries(meta.fields)) {
      const size = shape.reduce((a, b) => a * b, 1);
      this.offsets[name] = [at, size];
      at += size;
    }
    this.people = meta.individuals.length;
    this.points = meta.keypoints.length;
  }

  async begin() {
    const [overview, strip, plots] = await Promise.all(
      ["data/overview", "data/strip", "data/plots"].map((path) => this.source.bytes(path, this.revision)));
    this.overview = new Float32Array(overview);
    this.strip = new Uint8Array(strip);
    this.plots = new Float32Array(plots);
    if (this.meta.n_frames) await this.load(0);
    return this;
  }

  // After a correction all numbers are others.
  async renew(revision) {
    const meta = await this.source.json("api/recording");
    this.revision = revision;
    Object.assign(this.meta, { bad: meta.bad, events: meta.events, expected_error: meta.expected_error });
    this.blocks.clear();
    this.wishes = [];
    await this.begin();
  }

  get nBlocks() { return Math.ceil(this.meta.n_frames / this.meta.chunk_rows); }

  share(which, row) { return this.strip[which * this.meta.n_frames + row]; }

  async load(index) {
    if (this.blocks.has(index) || this.coming.has(index)) return;
    this.coming.add(index);
    const { revision } = this;
    try {
      const block = new Float32Array(await this.source.bytes(`data/chunk/${index}`, revision));
      if (revision !== this.revision) return; // of before a correction
      this.blocks.set(index, block);
      while (this.blocks.size > MOST_BLOCKS) this.blocks.delete(this.blocks.keys().next().value);
      this.arrived(index);
    } catch (error) {
      this.failed(error);
    } finally {
      this.coming.delete(index);
      if (index !== this.here) this.next();
    }
  }

  next() {
    while (this.wishes.length && this.coming.size < AT_ONCE) {
      const index = this.wishes.shift();
      if (!this.blocks.has(index) && !this.coming.has(index)) this.load(index);
    }
  }

  // Wish for rows: the block of the first, then the others.
  want(row, before, after) {
    const size = this.meta.chunk_rows, last = this.nBlocks - 1;
    const here = Math.floor(row / size);
    const wished = [here];
    const from = Math.max(0, Math.floor((row - before) / size));
    const to = Math.min(last, Math.floor((row + after) / size));
    for (let i = here + 1; i <= to; i += 1) wished.push(i);
    for (let i = here - 1; i >= from; i -= 1) wished.push(i);
    this.wishes = wished.filter((i) => i >= 0 && i <= last && !this.blocks.has(i)).slice(0, MOST_BLOCKS / 2);
    if (this.wishes[0] === here) this.load(this.wishes.shift()); // what is looked at waits for nothing else
    clearTimeout(this.resting);
    this.resting = setTimeout(() => this.next(), here === this.here ? 0 : REST_MS); // neighbours, where one stays
    this.here = here;
  }

  // One field of one row; null while it has not come.
  field(row, name) {
    const place = this.offsets[name];
    if (!place || row < 0 || row >= this.meta.n_frames) return null;
    const index = Math.floor(row / this.meta.chunk_rows);
    const block = this.blocks.get(index);
    if (!block) return null;
    const from = (row - index * this.meta.chunk_rows) * this.meta.row_floats + place[0];
    return block.subarray(from, from + place[1]);
  }

  touch(row) {
    const index = Math.floor(row / this.meta.chunk_rows), block = this.blocks.get(index);
    if (block) {
      this.blocks.delete(index);
      this.blocks.set(index, block);
    }
  }

  // The points of a row, or until they come those of the nearest row of the overview.
  xyz(row) {
    return this.field(row, "xyz") || this.coarse(row).subarray(0, this.people * this.points * 3);
  }

  path(row) {
    const there = this.field(row, "path");
    if (there) return there;
    const coarse = this.coarse(row);
    return coarse.subarray(coarse.length - 3);
  }

  coarse(row) {
    const size = this.people * this.points * 3 + 3, n = this.overview.length / size;
    const at = Math.min(n - 1, Math.round(row / this.meta.overview_step));
    return this.overview.subarray(at * size, (at + 1) * size);
  }
}

// Numbers and videos from the server that gave the page.
export class ServerSource {
  constructor() { this.served = true; }

  async bytes(path, revision = 0) {
    const answer = await fetch(revision ? `${path}?revision=${revision}` : path);
    if (!answer.ok) throw new Error(await said(answer));
    return answer.arrayBuffer();
  }

  async json(path) {
    const answer = await fetch(path);
    if (!answer.ok) throw new Error(await said(answer));
    return answer.json();
  }

  async send(path, content) {
    const answer = await fetch(path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(content) });
    if (!answer.ok) throw new Error(await said(answer));
    return answer.json();
  }
}

// Numbers that lie in the page itself.
export class EmbeddedSource {
  constructor(embedded) { this.embedded = embedded; this.served = false; }

  async bytes(path) {
    const text = atob(this.embedded.blocks[path] || "");
    const bytes = new Uint8Array(text.length);
    for (let i = 0; i < text.length; i += 1) bytes[i] = text.charCodeAt(i);
    return bytes.buffer;
  }

  async json() { return this.embedded.recording; }
}

async function said(answer) {
  try {
    return (await answer.json()).error;
  } catch {
    return `the server answers ${answer.status}`;
  }
}
