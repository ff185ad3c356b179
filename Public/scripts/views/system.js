// The server's own state: ready or not, version, limits, and the metrics that tell whether it is well.
import { get, request } from "../api.js";
import { h, replace } from "../dom.js";
import { bytes, duration, integer, number } from "../format.js";

const shownMetrics = [
  ["Server", [
    ["Up for", (m) => (m.one("process_start_time_seconds") ? duration(Date.now() / 1000 - m.one("process_start_time_seconds")) : null)],
    ["Memory", (m) => bytes(m.one("process_resident_memory_bytes"))],
    ["CPU time", (m) => duration(m.one("process_cpu_seconds_total"))],
    ["Open files", (m) => integer(m.one("process_open_fds"))],
  ]],
  ["Work", [
    ["Jobs running", (m) => integer(m.one("spindle_jobs", { state: "running" }))],
    ["Jobs queued", (m) => integer(m.one("spindle_jobs", { state: "queued" }))],
    ["Submitted", (m) => integer(m.sum("spindle_jobs_submitted_total"))],
    ["Finished", (m) => integer(m.sum("spindle_jobs_finished_total"))],
    ["Workers", (m) => m.list("spindle_workers").map((sample) => `${integer(sample.value)} ${sample.labels.state}`).join(", ") || null],
    ["Training steps", (m) => integer(m.sum("spindle_train_steps_total"))],
    ["Metric points", (m) => integer(m.sum("spindle_metric_points_total"))],
    ["Checkpoints written", (m) => integer(m.sum("spindle_checkpoint_writes_total"))],
  ]],
  ["Storage", [
    ["Disk free", (m) => bytes(m.sum("spindle_disk_free_bytes"))],
    ["Database", (m) => bytes(m.one("spindle_db_size_bytes"))],
    ["Write-ahead log", (m) => bytes(m.one("spindle_db_wal_bytes"))],
  ]],
  ["HTTP", [
    ["Requests", (m) => integer(m.sum("spindle_http_requests_total"))],
    ["Rejected", (m) => integer(m.sum("spindle_http_rejected_total"))],
    ["Connections", (m) => integer(m.sum("spindle_http_connections"))],
    ["Event streams", (m) => integer(m.sum("spindle_sse_clients"))],
    ["Mean latency", (m) => { const count = m.sum("spindle_http_request_duration_seconds_count"); return count ? duration(m.sum("spindle_http_request_duration_seconds_sum") / count) : null; }],
  ]],
];

export function systemView(root) {
  let closed = false;
  const ready = h("section.card");
  const version = h("section.card");
  const limits = h("section.card.limits");
  const metrics = h("div.system-grid");
  root.append(h("div.page-head", {}, h("h1", {}, "System"), h("span.spacer"),
    h("a.button", { href: "/metrics" }, "Prometheus metrics"), h("a.button", { href: "/openapi.json" }, "OpenAPI")),
  h("div.stack", {}, h("div.system-grid", {}, ready, version), metrics, limits));

  async function load() {
    if (closed) return;
    await Promise.all([loadReady(), loadVersion(), loadMetrics()]);
  }

  async function loadReady() {
    let body = null;
    let isReady = false;
    try {
      body = await get("/readyz");
      isReady = true;
    } catch (error) {
      if (!error.status) return;
      body = { detail: error.detail || error.message, checks: {} };
    }
    if (closed) return;
    const checks = Object.entries(body?.checks ?? {});
    replace(ready, h("header", {}, h("h2", {}, "Readiness"), h("span.chip", { "data-state": isReady ? "ok" : "error" }, isReady ? "ready" : "not ready")),
      h("div.body", {}, body?.detail ? h("p", {}, body.detail) : null,
        checks.length ? h("dl.facts", {}, checks.map(([name, value]) => [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, plain(value))])) : h("p.muted", {}, isReady ? "Takes and runs jobs." : "")));
  }

  async function loadVersion() {
    try {
      const body = await get("/version");
      if (closed) return;
      const { limits: bounds, ...facts } = body;
      replace(version, h("header", {}, h("h2", {}, "Version")), h("div.body", {}, factList(facts)));
      replace(limits, bounds ? [h("header", {}, h("h2", {}, "Limits")), h("div.body", {}, factList(bounds, true))] : h("div.body.muted", {}, "The server publishes no limits."));
    } catch { /* the banner tells */ }
  }

  async function loadMetrics() {
    try {
      const samples = parse(await (await request("GET", "/metrics", { headers: { Accept: "text/plain" } })).text());
      if (closed) return;
      replace(metrics, shownMetrics.map(([title, rows]) => {
        const known = rows.map(([label, read]) => [label, read(samples)]).filter(([, value]) => value !== null && value !== "–");
        return known.length ? h("section.card", {}, h("header", {}, h("h2", {}, title)), h("div.body", {}, h("dl.facts", {}, known.map(([label, value]) => [h("dt", {}, label), h("dd", {}, value)])))) : null;
      }));
    } catch { /* the banner tells */ }
  }

  load();
  const ticker = setInterval(() => { if (!document.hidden) load(); }, 5000);
  return { refresh: load, close() { closed = true; clearInterval(ticker); } };
}

function plain(value) {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return number(value, 6);
  if (typeof value === "object") return Object.entries(value).map(([key, item]) => `${key} ${plain(item)}`).join(", ");
  return String(value);
}

function factList(facts, inPairs = false) {
  const text = (name, value) => (typeof value === "number" && /_bytes$/.test(name) ? bytes(value) : typeof value === "number" && /_seconds$/.test(name) ? duration(value) : plain(value));
  return h("dl.facts", {}, Object.entries(facts).map(([name, value]) => {
    const pair = [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, text(name, value))];
    return inPairs ? h("div", {}, pair) : pair;
  }));
}

/** Prometheus text format 0.0.4, as far as a page needs it. */
function parse(text) {
  const samples = new Map();
  for (const line of text.split("\n")) {
    const match = line.match(/^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)/);
    if (!match || line.startsWith("#")) continue;
    const labels = {};
    for (const [, name, value] of (match[2] ?? "").matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)) labels[name] = value;
    if (!samples.has(match[1])) samples.set(match[1], []);
    samples.get(match[1]).push({ labels, value: Number(match[3]) });
  }
  const list = (name) => samples.get(name) ?? [];
  return {
    list,
    one: (name, labels = {}) => list(name).find((sample) => Object.entries(labels).every(([key, value]) => sample.labels[key] === value))?.value ?? null,
    sum: (name) => (samples.has(name) ? list(name).reduce((total, sample) => total + sample.value, 0) : null),
  };
}
