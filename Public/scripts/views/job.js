// One job: what it is doing, its curves as they grow, and everything that is kept of it.
import { get, query, request } from "../api.js";
import { copyText, h, replace, saveBlob, setText, throttled } from "../dom.js";
import { bytes, clock, duration, elapsedSeconds, etaSeconds, headline, integer, number, percent, shortID, terminalStates } from "../format.js";
import { highlighted } from "../json-text.js";
import { LiveStream } from "../live.js";
import { actionButtons, chip, failureNotice, progressBar, tabs } from "../parts.js";
import { MetricCharts } from "./job-charts.js";
import { downloadMenu, eventsButton } from "./downloads.js";
import { timeline } from "./job-timeline.js";

/** Everything but metric points: the charts fetch those in bulk. */
const liveTypes = "created,state,checkpoint,checkpoint_deleted,checkpoint_corrupt,metrics_discarded,updated,progress";
const tabNames = ["charts", "checkpoints", "events", "attempts", "logs", "spec"];

export function jobView(root, [id, tab], _search) {
  const path = `/v1/jobs/${encodeURIComponent(id)}`;
  let selectedTab = tabNames.includes(tab) ? tab : "charts";
  let job = null;
  let events = [];
  let closed = false;
  let charts = null;

  const head = h("div.job-head");
  const progress = h("div.job-progress");
  const stats = h("div.stats");
  const failure = h("div");
  const history = h("div");
  const tabBar = h("div");
  const panel = h("div", { role: "tabpanel" });
  root.append(h("div", {}, head, failure, progress, stats), h("div", {}, history), tabBar, panel);

  async function loadJob() {
    try {
      job = await get(path);
    } catch (error) {
      if (closed || !error.status) return;
      replace(root, h("div.empty", {}, h("h2", {}, error.status === 404 || error.status === 410 ? "This job does not exist" : error.message),
        h("p", {}, error.detail || ""), h("p", {}, h("a", { href: "#/jobs" }, "All jobs"))));
      handle.close();
      return;
    }
    if (closed) return;
    document.title = `${job.name || id} · Spindle`;
    drawHead();
    drawStats();
    if (selectedTab === "charts") charts?.update(job);
  }

  let headKey = "";
  function drawHead() {
    const key = JSON.stringify([job.name, job.state, job.reason, job.allowed_actions, job.labels, job.attempt]);
    if (key === headKey) return;
    headKey = key;
    replace(head,
      h("div.title", {}, h("h1", {}, job.name || job.id), chip(job.state, job.reason), h("span.spacer"),
        actionButtons(job, (action) => { if (action === "delete") location.hash = "#/jobs"; else refresh(); }),
        h("a.button", { href: `#/new?from=${job.id}` }, "Run again…")),
      h("div.sub", {}, h("button.copy", { type: "button", title: "Copy the id", onclick: () => copyText(job.id) }, job.id),
        h("span", {}, `created ${clock(job.created_at)}`), h("span", {}, `priority ${job.priority}`),
        job.attempt > 1 ? h("span", {}, `attempt ${job.attempt}`) : null,
        Object.entries(job.labels ?? {}).map(([name, value]) => h("span.tag", {}, `${name}=${value}`))));
    replace(failure, job.error ? h("div.notice.bad", { role: "alert" },
      h("strong", {}, `${job.error.code}${job.error.step != null ? ` at step ${integer(job.error.step)}` : ""}`), h("p", {}, job.error.detail)) : null);
  }

  function drawStats() {
    const { step, steps_total: total, epoch, ratio, steps_per_second: rate } = job.progress ?? {};
    replace(progress, progressBar(job));
    const latest = job.latest ?? {};
    const { loss, score } = headline(latest);
    const eta = etaSeconds(job);
    const stat = (label, value, note) => h("div.stat", {}, h("span.label", { title: label }, label), h("span.value", {}, value), h("span.note", {}, note ?? " "));
    replace(stats,
      stat("Step", integer(step), total ? `of ${integer(total)} · ${percent(ratio)}` : ""),
      epoch != null ? stat("Epoch", number(epoch, 4), job.progress.examples ? `${integer(job.progress.examples)} examples` : "") : null,
      loss ? stat(loss, number(latest[loss])) : null,
      score ? stat(score, number(latest[score])) : null,
      job.best ? stat(`best ${job.best.metric}`, number(job.best.value), `at step ${integer(job.best.step)}`) : null,
      stat("Speed", rate ? `${number(rate, 3)}/s` : "–", "steps"),
      stat(eta !== null ? "Time left" : "Time", duration(eta !== null ? eta : elapsedSeconds(job)), eta !== null ? `${duration(elapsedSeconds(job))} so far` : ""),
      job.plan?.parameter_count ? stat("Parameters", integer(job.plan.parameter_count), bytes(job.plan.parameter_bytes)) : null);
  }

  function drawTabs() {
    const labels = { charts: "Charts", checkpoints: "Checkpoints", events: "Events", attempts: "Attempts", logs: "Log", spec: "Spec" };
    replace(tabBar, tabs(tabNames.map((name) => ({ id: name, label: labels[name] })), selectedTab, (name) => {
      replaceAddress(name);
    }));
  }

  /** Tabs are addresses of their own, but not steps of the Back button. */
  function replaceAddress(name) {
    window.history.replaceState(null, "", `#/jobs/${id}${name === "charts" ? "" : `/${name}`}`);
    selectTab(name);
  }

  function selectTab(name) {
    selectedTab = name;
    drawTabs();
    charts?.close();
    charts = null;
    replace(panel);
    panelKey = "";
    drawPanel();
  }

  let panelKey = "";
  async function drawPanel() {
    if (selectedTab === "charts") {
      charts ??= new MetricCharts(panel, path, id);
      if (job) charts.update(job);
      return;
    }
    const drawn = selectedTab;
    try {
      const content = await panels[drawn]();
      if (!closed && selectedTab === drawn && content) replace(panel, content);
    } catch (error) {
      if (!closed && selectedTab === drawn && error.status) replace(panel, failureNotice(error));
    }
  }

  const panels = {
    async checkpoints() {
      const answer = await get(`${path}/checkpoints${query({ limit: 200 })}`);
      const best = job?.best?.checkpoint;
      const key = JSON.stringify([answer.data.map((item) => [item.id, item.pinned]), best]);
      if (key === panelKey) return null;
      panelKey = key;
      if (!answer.data.length) return h("div.card", {}, h("div.empty", {}, h("h2", {}, "No checkpoint yet"), h("p", {}, "The spec's checkpoint block says when they are written.")));
      return h("div.card", {}, h("header", {}, h("h3", {}, "Checkpoints"), h("span.spacer"), eventsButton({ id })), h("div.table-wrap", {}, h("table", {},
        h("thead", {}, h("tr", {}, h("th.number", {}, "Step"), h("th", {}, "Id"), h("th", {}, "Metrics"), h("th", {}, "Cause"), h("th.number", {}, "Size"), h("th", {}, "SHA-256"), h("th", {}, "Written"), h("th", {}, h("span.visually-hidden", {}, "Download")))),
        h("tbody", {}, answer.data.map((item) => h("tr", {},
          h("td.number", {}, integer(item.step)), h("td", {}, h("span.mono", {}, shortID(item.id)), " ", item.id === best ? h("span.chip", { "data-state": "ok" }, "best") : null),
          h("td", {}, Object.entries(item.metrics ?? {}).map(([name, value]) => h("div.small", {}, `${name} `, h("strong", {}, number(value))))),
          h("td", {}, item.cause), h("td.number", {}, bytes(item.size_bytes)),
          h("td", {}, h("button.copy", { type: "button", title: "Copy the whole digest", onclick: () => copyText(item.digest_hex ?? item.digest) }, (item.digest_hex ?? item.digest ?? "").slice(0, 12))),
          h("td.muted", {}, clock(item.created_at)),
          h("td", {}, downloadMenu(item, `${job?.name || "job"}-step-${item.step}`))))))));
    },
    async events() {
      const key = String(events.length);
      if (key === panelKey) return null;
      panelKey = key;
      return h("div.card", {}, h("div.table-wrap", {}, h("table", {},
        h("thead", {}, h("tr", {}, h("th.number", {}, "#"), h("th", {}, "Time"), h("th", {}, "Event"), h("th", {}, "What"))),
        h("tbody", {}, [...events].reverse().slice(0, 1000).map((event) => h("tr", {},
          h("td.number.muted", {}, event.seq), h("td.muted", {}, clock(event.at)),
          h("td", {}, event.level && event.level !== "info" ? h("span.chip", { "data-state": event.level }, event.type) : event.type.replaceAll("_", " ")),
          h("td.event-data", {}, eventText(event))))))));
    },
    async attempts() {
      const answer = await get(`${path}/attempts`);
      const key = JSON.stringify(answer.data);
      if (key === panelKey) return null;
      panelKey = key;
      if (!answer.data.length) return h("div.card", {}, h("div.empty", {}, h("h2", {}, "Not started yet")));
      return h("div.card", {}, h("div.table-wrap", {}, h("table", {},
        h("thead", {}, h("tr", {}, ["#", "Outcome", "Steps", "Started", "Took", "CPU", "Peak memory", "Engine"].map((label) => h("th", {}, label)))),
        h("tbody", {}, answer.data.map((attempt) => h("tr", {},
          h("td", {}, attempt.attempt),
          h("td", {}, (attempt.outcome ?? "in progress").replaceAll("_", " "), attempt.signal ? ` · signal ${attempt.signal}` : attempt.exit_code ? ` · exit ${attempt.exit_code}` : "", attempt.detail ? h("div.small.muted", {}, attempt.detail) : null),
          h("td", {}, `${integer(attempt.from_step)} → ${integer(attempt.to_step)}`), h("td.muted", {}, clock(attempt.started_at)),
          h("td", {}, attempt.finished_at && attempt.started_at ? duration((Date.parse(attempt.finished_at) - Date.parse(attempt.started_at)) / 1000) : "–"),
          h("td", {}, duration(attempt.cpu_seconds)), h("td", {}, bytes(attempt.peak_rss_bytes)),
          h("td.muted", {}, [attempt.engine_version, attempt.kernel_level, attempt.threads ? `${attempt.threads} threads` : null].filter(Boolean).join(", "))))))));
    },
    async logs() {
      const answer = await request("GET", `${path}/logs`, { headers: { Accept: "text/plain" } });
      const text = await answer.text();
      const key = String(text.length);
      if (key === panelKey) return null;
      panelKey = key;
      const log = h("pre.code.log", { tabindex: "0", "aria-label": "Log of the last attempt" }, text || "The worker has written nothing.");
      requestAnimationFrame(() => { log.scrollTop = log.scrollHeight; });
      return h("div.card", {}, h("header", {}, h("h3", {}, "Log of the last attempt"), h("span.spacer"),
        h("button.button.quiet.compact", { type: "button", onclick: () => saveBlob(new Blob([text], { type: "text/plain" }), `${id}.log`) }, "Save")), log);
    },
    async spec() {
      if (panelKey === "spec") return null;
      panelKey = "spec";
      const read = async (kind) => (await request("GET", `${path}/${kind}`)).text();
      const [submitted, effective] = await Promise.all([read("spec"), read("effective-spec")]);
      const card = (title, note, text, name) => h("section.card", {}, h("header", {}, h("h3", {}, title), h("span.muted.small", {}, note), h("span.spacer"),
        h("button.button.quiet.compact", { type: "button", onclick: () => copyText(text) }, "Copy"),
        h("button.button.quiet.compact", { type: "button", onclick: () => saveBlob(new Blob([text], { type: "application/json" }), name) }, "Save")),
      h("pre.code", { tabindex: "0" }, highlighted(text)));
      return h("div.system-grid", {}, card("Submitted", "as it came", submitted, `${id}.json`),
        card("Effective", "every default filled in", pretty(effective), `${id}-effective.json`));
    },
  };

  async function loadEvents() {
    const answer = await get(`${path}/events${query({ limit: 200, order: "asc" })}`);
    for (const event of answer.data) addEvent(event);
    drawHistory();
  }

  function addEvent(event) {
    if (event.seq > (events.at(-1)?.seq ?? 0)) events.push(event);
  }

  function drawHistory() {
    if (job) replace(history, timeline(events, job));
  }

  const refresh = throttled(400, async () => { if (!closed) { await loadJob(); drawHistory(); } });
  const refreshPanel = throttled(1000, async () => { if (!closed && selectedTab !== "charts") await drawPanel(); });
  const stream = new LiveStream(`${path}/events${query({ types: liveTypes })}`, {
    onEvent: ({ data }) => {
      const isKept = data && typeof data === "object" && data.seq && data.type;
      if (isKept) addEvent(data);
      refresh();
      if (isKept) refreshPanel();
    },
    onReset: () => { events = []; loadEvents().catch(() => {}); },
    onOpen: refresh,
  });
  const ticker = setInterval(() => {
    if (document.hidden || !job) return;
    if (!terminalStates.has(job.state)) {
      drawStats();
      if (job.state !== "paused") refresh();
      if (selectedTab !== "events" && selectedTab !== "spec") refreshPanel();
    }
  }, 1000);

  const handle = {
    refresh() { refresh(); drawPanel(); },
    update([nextID, nextTab]) {
      if (nextID !== id) return false;
      const name = tabNames.includes(nextTab) ? nextTab : "charts";
      if (name !== selectedTab) selectTab(name);
      return true;
    },
    close() {
      closed = true;
      clearInterval(ticker);
      stream.close();
      charts?.close();
      refresh.cancel();
    },
  };
  drawTabs();
  loadJob().then(() => { if (!closed) { drawPanel(); return loadEvents(); } return null; }).catch(() => {});
  return handle;
}

function pretty(text) {
  try { return JSON.stringify(JSON.parse(text), null, 2); } catch { return text; }
}

function eventText(event) {
  const data = event.data ?? {};
  if (event.type === "state") {
    const parts = [`${data.from ?? "new"} → ${data.to}`];
    for (const key of ["reason", "trigger", "detail"]) if (data[key]) parts.push(String(data[key]).replaceAll("_", " "));
    if (data.error?.detail) parts.push(data.error.detail);
    return parts.join(" · ");
  }
  if (event.type === "checkpoint") return `step ${integer(data.step)} · ${data.cause ?? ""} · ${bytes(data.state_bytes ?? data.size_bytes)}`;
  return Object.entries(data).filter(([, value]) => value !== null && value !== "").map(([key, value]) => `${key} ${typeof value === "object" ? JSON.stringify(value) : value}`).join(" · ");
}

