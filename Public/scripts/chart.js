// A line chart on a canvas: smoothed lines over raw ghosts, the envelope of what a pixel hides, NaN marks, log axes, a
// crosshair that charts share, zoom by dragging, CSV and PNG out.
import { h, replace, saveBlob } from "./dom.js";
import { number } from "./format.js";
import { columns, extent, linearTicks, logTicks, nearestIndex, pairMeans, scale, smoothed } from "./series-math.js";

const margin = { left: 54, right: 12, top: 10, bottom: 24 };

export class Chart {
  /** `group` is shared by charts whose crosshairs move together: {charts: Set, step}. */
  constructor({ title, group, options }) {
    this.title = title;
    this.group = group;
    this.options = options;
    this.series = [];
    this.hidden = new Set();
    this.zoom = null;
    this.drag = null;
    this.canvas = h("canvas", { role: "img", tabindex: "0" });
    this.tip = h("div.chart-tip", { hidden: true });
    this.legend = h("div.legend");
    this.reset = h("button.button.quiet.compact", { type: "button", hidden: true, onclick: () => this.setZoom(null) }, "Reset zoom");
    this.note = h("span.muted.small");
    this.element = h("section.card.chart-card", { "aria-label": `Chart of ${title}` },
      h("header", {}, h("h3", {}, title), this.legend, h("span.spacer"), this.reset, this.note,
        h("button.button.quiet.compact", { type: "button", title: "The points as CSV", onclick: () => this.saveCSV() }, "CSV"),
        h("button.button.quiet.compact", { type: "button", title: "The picture as PNG", onclick: () => this.savePNG() }, "PNG")),
      h("div.body", {}, h("div.chart", {}, this.canvas, this.tip)));
    this.listen();
    this.observer = new ResizeObserver(() => this.draw());
    this.observer.observe(this.canvas);
    this.theme = matchMedia("(prefers-color-scheme: dark)");
    this.onTheme = () => this.draw();
    this.theme.addEventListener("change", this.onTheme);
    group.charts.add(this);
  }

  close() {
    this.observer.disconnect();
    this.theme.removeEventListener("change", this.onTheme);
    this.group.charts.delete(this);
  }

  /** `series`: [{name, steps, values, downsampled, sourcePoints}], values are numbers, NaN and ±Infinity included. */
  setSeries(series) {
    const names = series.map((entry) => entry.name).join();
    const changed = names !== this.series.map((entry) => entry.name).join();
    this.series = series;
    if (changed) this.drawLegend();
    const reduced = series.filter((entry) => entry.downsampled);
    this.note.textContent = reduced.length ? "min–max of each bucket" : "";
    this.note.title = reduced.length
      ? `Drawn from ${series.reduce((sum, entry) => sum + entry.steps.length, 0)} of ${series.reduce((sum, entry) => sum + entry.sourcePoints, 0)} points; the smallest and the largest of every bucket are kept.` : "";
    this.draw();
  }

  drawLegend() {
    replace(this.legend, this.series.length < 2 ? null : this.series.map((entry, index) =>
      h(`button.entry.series-${(index % 6) + 1}`, {
        type: "button", "aria-pressed": String(!this.hidden.has(entry.name)),
        onclick: (event) => {
          if (!this.hidden.delete(entry.name)) this.hidden.add(entry.name);
          event.currentTarget.setAttribute("aria-pressed", String(!this.hidden.has(entry.name)));
          this.draw();
        },
      }, h("span.swatch"), h("span", {}, entry.name))));
  }

  get visible() { return this.series.filter((entry) => !this.hidden.has(entry.name) && entry.steps.length); }

  /** Scales from what is visible in the zoomed range. */
  layout(width, height) {
    const { logX, logY, smoothing } = this.options;
    const all = this.visible;
    if (!all.length) return null;
    let low = Math.min(...all.map((entry) => entry.steps[0]));
    let high = Math.max(...all.map((entry) => entry.steps[entry.steps.length - 1]));
    if (this.zoom) [low, high] = this.zoom;
    if (logX) low = Math.max(low, 1);
    if (high <= low) high = low + 1;
    let bottom = Infinity;
    let top = -Infinity;
    for (const entry of all) {
      const inside = [];
      for (let i = 0; i < entry.steps.length; i += 1) if (entry.steps[i] >= low && entry.steps[i] <= high) inside.push(entry.values[i]);
      // Heavy smoothing is asked for to see the trend: outliers of the raw line may leave the frame then.
      if (this.options.ignoreOutliers && inside.length > 20) {
        const sorted = inside.filter(Number.isFinite).sort((a, b) => a - b);
        inside.length = 0;
        inside.push(sorted[Math.floor(sorted.length * 0.02)], sorted[Math.ceil(sorted.length * 0.98) - 1]);
      }
      const range = extent(inside, logY);
      if (range) { bottom = Math.min(bottom, range[0]); top = Math.max(top, range[1]); }
    }
    if (!(bottom <= top)) [bottom, top] = logY ? [0.1, 1] : [0, 1];
    if (logY) {
      bottom /= 1.15;
      top *= 1.15;
    } else {
      const room = (top - bottom) * 0.06 || Math.abs(top) * 0.1 || 1;
      bottom = bottom >= 0 && bottom - room < 0 ? 0 : bottom - room;
      top += room;
    }
    return {
      smoothing,
      x: scale({ low, high, from: margin.left, to: width - margin.right, log: logX }),
      y: scale({ low: bottom, high: top, from: height - margin.bottom, to: margin.top, log: logY }),
    };
  }

  draw() {
    const box = this.canvas.getBoundingClientRect();
    if (!box.width || !box.height) return;
    const ratio = Math.min(window.devicePixelRatio || 1, 3);
    const [width, height] = [box.width, box.height];
    if (this.canvas.width !== Math.round(width * ratio)) this.canvas.width = Math.round(width * ratio);
    if (this.canvas.height !== Math.round(height * ratio)) this.canvas.height = Math.round(height * ratio);
    const context = this.canvas.getContext("2d");
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    const style = getComputedStyle(document.documentElement);
    const color = (name) => style.getPropertyValue(`--${name}`).trim();
    this.frame = this.layout(width, height);
    context.font = `11px ${style.getPropertyValue("--sans")}`;
    if (!this.frame) {
      context.fillStyle = color("ink-3");
      context.textAlign = "center";
      context.fillText("no points yet", width / 2, height / 2);
      return;
    }
    this.drawAxes(context, width, height, color);
    context.save();
    context.beginPath();
    context.rect(margin.left, 0, width - margin.left - margin.right, height - margin.bottom + 1);
    context.clip();
    for (const entry of this.visible) this.drawSeries(context, entry, color, height);
    context.restore();
    this.drawCrosshair(context, width, height, color);
    this.describe();
  }

  drawAxes(context, width, height, color) {
    const { x, y } = this.frame;
    const yTicks = (y.log ? logTicks : linearTicks)(y.low, y.high, Math.max(2, Math.floor(height / 34)));
    const xTicks = (x.log ? logTicks : linearTicks)(x.low, x.high, Math.max(2, Math.floor(width / 90)));
    context.lineWidth = 1;
    context.strokeStyle = color("line");
    context.fillStyle = color("ink-3");
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const tick of yTicks) {
      const at = Math.round(y.toPixel(tick)) + 0.5;
      context.beginPath();
      context.moveTo(margin.left, at);
      context.lineTo(width - margin.right, at);
      context.stroke();
      context.fillText(number(tick, 3), margin.left - 8, at);
    }
    context.textBaseline = "top";
    const inThousands = x.high >= 10_000;
    for (const tick of xTicks) {
      const text = inThousands ? `${number(tick / 1000, 4)}k` : number(tick, 4);
      const half = context.measureText(text).width / 2;
      context.textAlign = "center";
      context.fillText(text, Math.min(Math.max(x.toPixel(tick), margin.left + half - 8), width - half - 2), height - margin.bottom + 8);
    }
    context.strokeStyle = color("line-strong");
    context.beginPath();
    context.moveTo(margin.left, height - margin.bottom + 0.5);
    context.lineTo(width - margin.right, height - margin.bottom + 0.5);
    context.stroke();
  }

  drawSeries(context, entry, color, height) {
    const { x, y, smoothing } = this.frame;
    const stroke = color(`series-${(this.series.indexOf(entry) % 6) + 1}`);
    const sparse = entry.steps.length < 60;
    const buckets = columns(entry.steps, entry.values, x, y.log);
    // A few evaluations are shown as they are: smoothing would only delay them.
    const isSmoothed = smoothing > 0 && !sparse;
    if (buckets.length && buckets.length < entry.steps.length * 0.95) {
      context.globalAlpha = entry.downsampled && isSmoothed ? 0.26 : 0.16;
      context.fillStyle = stroke;
      context.beginPath();
      buckets.forEach(([column, [low]], index) => context[index ? "lineTo" : "moveTo"](column, y.toPixel(low)));
      for (const [column, [, high]] of [...buckets].reverse()) context.lineTo(column, y.toPixel(high));
      context.fill();
      context.globalAlpha = 1;
    }
    // Of a downsampled series only extremes are left: the band says what the ghost line would, without its zigzag.
    const ghost = isSmoothed ? (entry.downsampled ? 0 : 0.3) : 1;
    if (ghost) {
      context.globalAlpha = ghost;
      this.trace(context, entry.steps, entry.values, stroke, isSmoothed ? 1 : 1.6);
      context.globalAlpha = 1;
    }
    if (isSmoothed) this.trace(context, entry.steps, smoothed(entry.downsampled ? pairMeans(entry.values) : entry.values, smoothing), stroke, 2);
    if (sparse) {
      context.fillStyle = stroke;
      entry.steps.forEach((step, i) => {
        if (!Number.isFinite(entry.values[i]) || (y.log && entry.values[i] <= 0)) return;
        context.globalAlpha = isSmoothed ? 0.5 : 1;
        context.beginPath();
        context.arc(x.toPixel(step), y.toPixel(entry.values[i]), 2.4, 0, 7);
        context.fill();
      });
      context.globalAlpha = 1;
    }
    context.strokeStyle = color("bad");
    context.lineWidth = 1.6;
    entry.values.forEach((value, i) => {
      if (Number.isFinite(value)) return;
      const [at, base] = [x.toPixel(entry.steps[i]), height - margin.bottom - 7];
      context.beginPath();
      context.moveTo(at - 3.5, base - 3.5); context.lineTo(at + 3.5, base + 3.5);
      context.moveTo(at - 3.5, base + 3.5); context.lineTo(at + 3.5, base - 3.5);
      context.stroke();
    });
  }

  /** A line that breaks where a value is not a number. */
  trace(context, steps, values, stroke, width) {
    const { x, y } = this.frame;
    context.strokeStyle = stroke;
    context.lineWidth = width;
    context.lineJoin = "round";
    context.beginPath();
    let open = false;
    for (let i = 0; i < steps.length; i += 1) {
      const value = values[i];
      if (!Number.isFinite(value) || (y.log && value <= 0)) { open = false; continue; }
      context[open ? "lineTo" : "moveTo"](x.toPixel(steps[i]), y.toPixel(value));
      open = true;
    }
    context.stroke();
  }

  drawCrosshair(context, width, height, color) {
    const step = this.group.step;
    if (this.drag && this.drag.to !== undefined) {
      context.fillStyle = color("accent");
      context.globalAlpha = 0.14;
      context.fillRect(Math.min(this.drag.from, this.drag.to), margin.top, Math.abs(this.drag.to - this.drag.from), height - margin.top - margin.bottom);
      context.globalAlpha = 1;
    }
    const { x, y } = this.frame;
    if (step === null || step < x.low || step > x.high) { this.tip.hidden = true; return; }
    const rows = [];
    let at = step;
    for (const entry of this.visible) {
      const index = nearestIndex(entry.steps, step);
      if (index < 0) continue;
      at = rows.length ? at : entry.steps[index];
      rows.push({ entry, index, value: entry.values[index] });
    }
    if (!rows.length) { this.tip.hidden = true; return; }
    const pixel = x.toPixel(at);
    context.strokeStyle = color("ink-3");
    context.lineWidth = 1;
    context.setLineDash([3, 3]);
    context.beginPath();
    context.moveTo(Math.round(pixel) + 0.5, margin.top);
    context.lineTo(Math.round(pixel) + 0.5, height - margin.bottom);
    context.stroke();
    context.setLineDash([]);
    for (const { entry, index, value } of rows) {
      if (!Number.isFinite(value) || (y.log && value <= 0)) continue;
      context.fillStyle = color(`series-${(this.series.indexOf(entry) % 6) + 1}`);
      context.beginPath();
      context.arc(x.toPixel(entry.steps[index]), y.toPixel(value), 3.5, 0, 7);
      context.fill();
    }
    replace(this.tip, h("div.step", {}, `step ${Math.round(at).toLocaleString("en")}`), rows.map(({ entry, index, value }) =>
      h("div.entry", {}, h(`span.swatch.series-${(this.series.indexOf(entry) % 6) + 1}`), h("span", {}, entry.name), h("strong", {}, number(value, 5)),
        entry.steps[index] === at ? null : h("span.muted", {}, `@${entry.steps[index]}`))));
    this.tip.hidden = false;
    const room = width - pixel > this.tip.offsetWidth + 24;
    this.tip.style.left = `${room ? pixel + 12 : Math.max(0, pixel - this.tip.offsetWidth - 12)}px`;
    this.tip.style.top = `${margin.top + 4}px`;
  }

  /** For those who do not see the picture. */
  describe() {
    const parts = this.visible.map((entry) => {
      const range = extent(entry.values);
      const last = entry.values[entry.values.length - 1];
      return `${entry.name}: ${entry.sourcePoints} points, last ${number(last)}${range ? `, from ${number(range[0])} to ${number(range[1])}` : ""}`;
    });
    const text = `${this.title}. ${parts.join("; ")}`;
    if (this.canvas.getAttribute("aria-label") !== text) this.canvas.setAttribute("aria-label", text);
  }

  listen() {
    const stepAt = (event) => this.frame?.x.toValue(event.offsetX);
    this.canvas.addEventListener("pointermove", (event) => {
      if (!this.frame) return;
      if (this.drag) this.drag.to = event.offsetX;
      this.moveTo(stepAt(event));
    });
    this.canvas.addEventListener("pointerleave", () => { if (!this.drag) this.moveTo(null); });
    this.canvas.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || event.pointerType === "touch" || !this.frame) return;
      this.canvas.setPointerCapture(event.pointerId);
      this.drag = { from: event.offsetX };
    });
    this.canvas.addEventListener("pointerup", () => {
      const drag = this.drag;
      this.drag = null;
      if (!drag || drag.to === undefined || Math.abs(drag.to - drag.from) < 8) { this.draw(); return; }
      const ends = [drag.from, drag.to].map((pixel) => this.frame.x.toValue(pixel)).sort((a, b) => a - b);
      this.setZoom(ends);
    });
    this.canvas.addEventListener("dblclick", () => this.setZoom(null));
    this.canvas.addEventListener("blur", () => this.moveTo(null));
    this.canvas.addEventListener("keydown", (event) => {
      const first = this.visible[0];
      if (!first) return;
      const index = this.group.step === null ? first.steps.length - 1 : nearestIndex(first.steps, this.group.step);
      const stride = event.shiftKey ? 10 : 1;
      const next = { ArrowLeft: index - stride, ArrowRight: index + stride, Home: 0, End: first.steps.length - 1 }[event.key];
      if (next !== undefined) {
        event.preventDefault();
        this.moveTo(first.steps[Math.min(Math.max(next, 0), first.steps.length - 1)]);
      } else if (event.key === "Escape") this.setZoom(null);
    });
  }

  moveTo(step) {
    this.group.step = step;
    for (const chart of this.group.charts) chart.draw();
  }

  setZoom(range) {
    for (const chart of this.group.charts) {
      chart.zoom = range;
      chart.reset.hidden = !range;
      chart.draw();
    }
  }

  saveCSV() {
    const field = (text) => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
    const lines = ["name,step,value"];
    for (const entry of this.series) entry.steps.forEach((step, i) => lines.push(`${field(entry.name)},${step},${entry.values[i]}`));
    saveBlob(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }), `${this.fileName}.csv`);
  }

  savePNG() {
    const copy = h("canvas", { width: this.canvas.width, height: this.canvas.height });
    const context = copy.getContext("2d");
    context.fillStyle = getComputedStyle(document.documentElement).getPropertyValue("--surface").trim();
    context.fillRect(0, 0, copy.width, copy.height);
    context.drawImage(this.canvas, 0, 0);
    copy.toBlob((blob) => { if (blob) saveBlob(blob, `${this.fileName}.png`); });
  }

  get fileName() { return `${this.options.filePrefix}-${this.title}`.replace(/[^\w.-]+/g, "-"); }
}
