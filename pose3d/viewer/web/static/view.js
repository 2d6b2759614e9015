// Where the scene is looked at from: an orbit about a point, or one of the recording's cameras with its own lens.

const radians = (degrees) => degrees * Math.PI / 180;
const ROOM = 1.1; // for the buttons above and below
const NAMED = { front: [0, 4], back: [180, 4], left: [90, 4], right: [-90, 4], top: [-90, 89.9] };

export class View {
  constructor(meta) {
    this.home = meta.view;
    this.camera = null;
    this.shift = [0, 0, 0];
    this.reset();
  }

  reset(name = null) {
    const home = this.home;
    Object.assign(this, {
      target: [...home.target], axes: home.axes, azimuth: home.azimuth_deg, elevation: home.elevation_deg,
      distance: home.distance_mm * ROOM, field: home.field_deg, camera: null,
    });
    if (name) [this.azimuth, this.elevation] = NAMED[name];
  }

  // Lay down pose and lens for a canvas of this size, in px.
  prepare(width, height) {
    this.width = width;
    this.height = height;
    if (this.camera) {
      const { pose, matrix, size } = this.camera;
      this.rotation = pose.slice(0, 3).map((row) => row.slice(0, 3));
      this.translation = pose.slice(0, 3).map((row) => row[3]);
      const [scale, left, above] = fit(size, [width, height]);
      this.matrix = [matrix[0][0] * scale, matrix[0][1] * scale, (matrix[0][2] + 0.5) * scale + left,
        matrix[1][1] * scale, (matrix[1][2] + 0.5) * scale + above];
      this.reach = reach(this.camera);
      return;
    }
    const a = radians(this.azimuth), e = radians(this.elevation);
    const towards = [Math.cos(e) * Math.cos(a), Math.cos(e) * Math.sin(a), Math.sin(e)];
    const right = [-Math.sin(a), Math.cos(a), 0];
    const ahead = towards.map((value) => -value);
    const down = cross(ahead, right);
    this.rotation = [right, down, ahead].map((row) => combine(row, this.axes));
    const target = this.target.map((value, i) => value + this.shift[i]);
    this.translation = this.rotation.map((row, i) => (i === 2 ? this.distance : 0) - dot(row, target));
    const focal = Math.min(width, height) / 2 / Math.tan(radians(this.field) / 2);
    this.matrix = [focal, 0, width / 2, focal, height / 2];
    this.reach = Infinity;
  }

  // Put x, y in px and the depth in mm into `out`; NaN behind the eye and where a lens polynomial turns back.
  project(x, y, z, out) {
    const [r0, r1, r2] = this.rotation, t = this.translation;
    const depth = r2[0] * x + r2[1] * y + r2[2] * z + t[2];
    out[2] = depth;
    if (!(depth > 20)) {
      out[0] = out[1] = NaN;
      return out;
    }
    let u = (r0[0] * x + r0[1] * y + r0[2] * z + t[0]) / depth;
    let v = (r1[0] * x + r1[1] * y + r1[2] * z + t[1]) / depth;
    if (this.camera && this.camera.distortion.length) [u, v] = this.bend(u, v);
    const m = this.matrix;
    out[0] = m[0] * u + m[1] * v + m[2];
    out[1] = m[3] * v + m[4];
    return out;
  }

  bend(u, v) {
    const k = this.camera.distortion, r2 = u * u + v * v;
    if (this.camera.fisheye) {
      const r = Math.sqrt(r2);
      if (r < 1e-9) return [u, v];
      const a = Math.atan(r), b = a * a;
      const scale = a * (1 + b * (k[0] + b * (k[1] + b * (k[2] + b * k[3])))) / r;
      return [u * scale, v * scale];
    }
    if (Math.sqrt(r2) > this.reach) return [NaN, NaN];
    const [k1, k2, p1, p2, k3 = 0, k4 = 0, k5 = 0, k6 = 0] = k;
    const radial = (1 + r2 * (k1 + r2 * (k2 + r2 * k3))) / (1 + r2 * (k4 + r2 * (k5 + r2 * k6)));
    return [u * radial + 2 * p1 * u * v + p2 * (r2 + 2 * u * u), v * radial + p1 * (r2 + 2 * v * v) + 2 * p2 * u * v];
  }

  scaleAt(depth) { return this.matrix[0] / depth; } // px per mm

  turn(right, down) {
    this.release();
    this.azimuth = ((this.azimuth - right * 0.4 + 540) % 360) - 180;
    this.elevation = Math.max(-89.9, Math.min(89.9, this.elevation + down * 0.4));
  }

  pan(right, down) {
    this.release();
    const perPx = this.distance / this.matrix[0], r = this.rotation;
    this.target = this.target.map((value, i) => value - perPx * (right * r[0][i] + down * r[1][i]));
  }

  zoom(factor) {
    this.release();
    this.distance = Math.max(50, Math.min(1e6, this.distance / factor));
  }

  // From a camera's own view back to an orbit that begins where the camera looked from.
  release() {
    if (!this.camera) return;
    const r = this.rotation, t = this.translation, camera = this.camera;
    const eye = [0, 1, 2].map((i) => -(r[0][i] * t[0] + r[1][i] * t[1] + r[2][i] * t[2]));
    const away = eye.map((value, i) => value - this.target[i] - this.shift[i]);
    const towards = this.axes.map((axis) => dot(axis, away));
    this.distance = Math.hypot(...towards);
    this.azimuth = Math.atan2(towards[1], towards[0]) * 180 / Math.PI;
    this.elevation = Math.asin(towards[2] / this.distance) * 180 / Math.PI;
    this.camera = null;
    this.prepare(this.width, this.height);
    this.released?.(camera);
  }
}

export function fit(inner, outer) {
  const scale = Math.min(outer[0] / inner[0], outer[1] / inner[1]);
  return [scale, (outer[0] - inner[0] * scale) / 2, (outer[1] - inner[1] * scale) / 2];
}

function reach({ matrix, size, fisheye }) {
  if (fisheye) return Infinity;
  const corners = [[0, 0], [size[0], 0], [0, size[1]], size];
  return 1.25 * Math.max(...corners.map(([x, y]) => Math.hypot((x - matrix[0][2]) / matrix[0][0], (y - matrix[1][2]) / matrix[1][1])));
}

export const dot = (a, b) => a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
const cross = (a, b) => [a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]];
const combine = (row, axes) => [0, 1, 2].map((i) => row[0] * axes[0][i] + row[1] * axes[1][i] + row[2] * axes[2][i]);
