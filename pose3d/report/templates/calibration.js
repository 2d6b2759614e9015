"use strict";
(() => {
  const data = JSON.parse(document.getElementById("scene-data").textContent);
  const figure = document.getElementById("scene"), canvas = figure.querySelector("canvas");
  const pen = canvas.getContext("2d");
  if (!pen) return;
  const view = { yaw: data.yaw, pitch: data.pitch, zoom: 1 };
  const shown = { boards: true, errors: false };
  let width = 0, height = 0, waiting = false;

  function project([x, y, z]) {
    const c = Math.cos(view.yaw), s = Math.sin(view.yaw), cp = Math.cos(view.pitch), sp = Math.sin(view.pitch);
    const right = c * x + s * y, away = c * y - s * x;
    const up = cp * z + sp * away, depth = cp * away - sp * z;
    const scale = data.fit * height * view.zoom / data.radius / Math.max(1 + depth / (5 * data.radius), 0.1);
    return [width / 2 + scale * right, height / 2 - scale * up, depth];
  }
  function trace(points, close) {
    pen.beginPath();
    points.forEach(([x, y], i) => (i ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (close) pen.closePath();
  }
  function drawFloor() {
    const { n, step, z } = data.floor;
    pen.strokeStyle = "#e1e5eb"; pen.lineWidth = 1;
    for (let i = -n; i <= n; i++) {
      trace([[i * step, -n * step, z], [i * step, n * step, z]].map(project));
      pen.stroke();
      trace([[-n * step, i * step, z], [n * step, i * step, z]].map(project));
      pen.stroke();
    }
  }
  function items() {
    const list = [];
    const far = (points) => points.reduce((sum, p) => sum + p[2], 0) / points.length;
    if (shown.boards) for (const board of data.boards) {
      const p = board.map(project);
      list.push([far(p), () => {
        trace(p, true);
        pen.fillStyle = "rgba(86,180,233,.18)"; pen.fill();
        pen.strokeStyle = "rgba(0,114,178,.55)"; pen.lineWidth = 1; pen.stroke();
      }]);
    }
    if (shown.errors) for (const [x, y, z, level] of data.errors) {
      const p = project([x, y, z]);
      list.push([p[2], () => {
        pen.beginPath(); pen.arc(p[0], p[1], 3.5 * Math.sqrt(view.zoom), 0, 7);
        pen.fillStyle = data.ramp[level]; pen.fill();
      }]);
    }
    for (const camera of data.cameras) {
      const [tip, ...image] = camera.points.map(project);
      list.push([far(image), () => {
        pen.strokeStyle = pen.fillStyle = camera.color; pen.lineWidth = 1.4;
        trace(image, true);
        pen.globalAlpha = 0.14; pen.fill(); pen.globalAlpha = 1; pen.stroke();
        for (const corner of image) { trace([tip, corner]); pen.stroke(); }
      }]);
    }
    return list.sort((a, b) => b[0] - a[0]);
  }
  function draw() {
    waiting = false;
    const dots = window.devicePixelRatio || 1;
    width = canvas.clientWidth;
    height = Math.round(width * 0.639);
    canvas.style.height = height + "px";
    canvas.width = Math.round(width * dots);
    canvas.height = Math.round(height * dots);
    pen.setTransform(dots, 0, 0, dots, 0, 0);
    pen.clearRect(0, 0, width, height);
    drawFloor();
    for (const [, paint] of items()) paint();
    pen.font = "600 12px system-ui, sans-serif"; pen.textAlign = "center";
    for (const camera of data.cameras) {
      const [tip, ...image] = camera.points.map(project);
      const away = [0, 1].map((k) => tip[k] - image.reduce((sum, p) => sum + p[k], 0) / 4);
      const [across, y] = [0, 1].map((k) => tip[k] + 15 * away[k] / (Math.hypot(...away) || 1) + 4 * k);
      const half = pen.measureText(camera.name).width / 2 + 4;
      const x = across > -half && across < width + half ? Math.min(Math.max(across, half), width - half) : across;
      pen.strokeStyle = "#fff"; pen.lineWidth = 3; pen.strokeText(camera.name, x, y);
      pen.fillStyle = camera.color; pen.fillText(camera.name, x, y);
    }
  }
  function redraw() {
    if (!waiting) { waiting = true; requestAnimationFrame(draw); }
  }
  function turn(dx, dy) {
    view.yaw += dx;
    view.pitch = Math.min(Math.max(view.pitch + dy, -Math.PI / 2), Math.PI / 2);
    redraw();
  }
  function zoom(by) {
    view.zoom = Math.min(Math.max(view.zoom * by, 0.3), 12);
    redraw();
  }
  canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
  canvas.addEventListener("pointermove", (event) => {
    if (canvas.hasPointerCapture(event.pointerId)) turn(-event.movementX / 150, event.movementY / 150);
  });
  canvas.addEventListener("wheel", (event) => {
    if (event.ctrlKey || event.metaKey) { event.preventDefault(); zoom(Math.exp(-event.deltaY / 300)); }
  }, { passive: false });
  canvas.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [0.1, 0], ArrowRight: [-0.1, 0], ArrowUp: [0, 0.1], ArrowDown: [0, -0.1] }[event.key];
    if (step) { event.preventDefault(); turn(...step); }
    if ("+=-".includes(event.key)) zoom(event.key === "-" ? 0.8 : 1.25);
  });
  figure.addEventListener("click", ({ target }) => {
    const { view: angles, zoom: by, show } = target.dataset;
    if (angles) [view.yaw, view.pitch] = angles.split(",").map(Number);
    if (by) zoom(Number(by));
    if (show) target.setAttribute("aria-pressed", String((shown[show] = !shown[show])));
    redraw();
  });
  figure.classList.add("live");
  new ResizeObserver(redraw).observe(figure);
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => (d.open = true)));
  draw();
})();
