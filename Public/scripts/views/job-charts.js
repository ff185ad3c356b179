// All metrics of a job as charts, kept fresh while it runs; the tools above them hold for all of them.
import { get, query } from "../api.js";
import { Chart } from "../chart.js";
import { h, replace, throttled } from "../dom.js";
import { terminalStates, toNumber } from "../format.js";
import { grouped } from "../series-math.js";

const maxPoints = 2000;

export class MetricCharts {
  constructor(root, path, id) {
    this.path = path;
    this.group = { charts: new Set(), step: null };
    const saved = JSON.parse(localStorage.getItem("spindle-charts") ?? "{}");
    this.options = { smoothing: 0.6, logX: false, logY: false, ignoreOutliers: false, ...saved, filePrefix: id };
    this.charts = new Map();
    this.closed = false;
    this.job = null;
    this.loadedRevision = null;
    const value = h("output", {}, this.options.smoothing.toFixed(2));
    const slider = h("input", { type: "range", min: "0", max: "0.99", step: "0.01", value: String(this.options.smoothing), "aria-label": "Smoothing" });
    slider.addEventListener("input", () => { value.textContent = Number(slider.value).toFixed(2); this.set("smoothing", Number(slider.value)); });
    const box = (name, label) => {
      const input = h("input", { type: "checkbox", checked: this.options[name] });
      input.addEventListener("change", () => this.set(name, input.checked));
      return h("label", {}, input, label);
    };
    this.grid = h("div.chart-grid");
    this.empty = h("div.card", { hidden: true }, h("div.empty", {}, h("h2", {}, "No metrics yet"), h("p", {}, "Curves appear here as soon as the first step is done.")));
    replace(root, h("div.chart-tools", {}, h("label", {}, "Smoothing", slider, value), box("logY", "log y"), box("logX", "log x"), box("ignoreOutliers", "ignore outliers"),
      h("span.muted.small.wide-only", {}, "drag to zoom, double click to reset, arrow keys move the crosshair")), this.empty, this.grid);
    this.load = throttled(900, () => this.fetch());
  }

  set(name, value) {
    this.options[name] = value;
    const { smoothing, logX, logY, ignoreOutliers } = this.options;
    localStorage.setItem("spindle-charts", JSON.stringify({ smoothing, logX, logY, ignoreOutliers }));
    for (const chart of this.group.charts) chart.draw();
  }

  /** Called with every new version of the job; series are fetched when something has changed. */
  update(job) {
    this.job = job;
    if (this.loadedRevision === job.revision && terminalStates.has(job.state)) return;
    this.load();
  }

  async fetch() {
    if (this.closed || document.hidden && this.loadedRevision !== null) return;
    const revision = this.job?.revision ?? null;
    let names;
    try {
      names = (await get(`${this.path}/metrics`)).data.map((entry) => entry.name).slice(0, 50);
      this.empty.hidden = names.length > 0;
      if (!names.length || this.closed) return;
      const answer = await get(`${this.path}/metrics/series${query({ name: names, max_points: maxPoints })}`);
      if (this.closed) return;
      this.show(names, new Map(answer.data.map((entry) => [entry.name, entry])));
      this.loadedRevision = revision;
    } catch { /* the banner tells of an outage; the next change loads again */ }
  }

  show(names, series) {
    for (const [base, members] of grouped(names)) {
      let chart = this.charts.get(base);
      if (!chart) {
        chart = new Chart({ title: base, group: this.group, options: this.options });
        this.charts.set(base, chart);
        this.grid.append(chart.element);
      }
      chart.setSeries(members.filter((name) => series.has(name)).map((name) => {
        const entry = series.get(name);
        return { name, steps: entry.steps, values: entry.values.map(toNumber), downsampled: entry.downsampled, sourcePoints: entry.source_points };
      }));
    }
  }

  close() {
    this.closed = true;
    this.load.cancel();
    for (const chart of this.charts.values()) chart.close();
  }
}
