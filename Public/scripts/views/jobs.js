// The job table: live by server-sent events, filters in the address, selection for actions on many.
import { get, post, query, request } from "../api.js";
import { confirmDialog, debounced, h, replace, setText, svg, throttled, toast } from "../dom.js";
import { ago, duration, elapsedSeconds, etaSeconds, headline, integer, jobStates, number, percent, shortID, terminalStates, toNumber } from "../format.js";
import { LiveStream } from "../live.js";
import { chip, failureNotice, progressBar } from "../parts.js";

const pageSize = 50;

export function jobsView(root, _, search) {
  const rows = new Map();
  const selected = new Set();
  const sparks = new SparkLoader();
  let filters = readFilters(search);
  let cursor = null;
  let closed = false;

  const searchInput = h("input", { type: "search", placeholder: "Search by name", "aria-label": "Search by name", value: filters.q });
  const filterBar = h("div.filters", { role: "group", "aria-label": "States" });
  const selectionBar = h("div.selection-bar", { hidden: true });
  const body = h("tbody");
  const pickAll = h("input", { type: "checkbox", "aria-label": "Select all", onchange: () => {
    for (const id of rows.keys()) if (pickAll.checked) selected.add(id); else selected.delete(id);
    for (const row of rows.values()) row.pick.checked = pickAll.checked;
    showSelection();
  } });
  const table = h("table.jobs-table", {},
    h("thead", {}, h("tr", {}, h("th.pick", {}, pickAll), h("th", {}, "Job"), h("th", {}, "State"), h("th", {}, "Progress"),
      h("th.number", {}, "Loss"), h("th.number", {}, "Score"), h("th.number", {}, "Time"), h("th.number", {}, "Created"))), body);
  const status = h("div");
  const more = h("div.more", { hidden: true }, h("button.button", { type: "button", onclick: () => load(false) }, "Show more"));
  root.append(
    h("div.page-head", {}, h("h1", {}, "Jobs"), h("span.spacer"), searchInput, h("a.button.primary", { href: "#/new" }, "New job")),
    filterBar, selectionBar, h("div.card", {}, h("div.table-wrap", {}, table), status, more));

  searchInput.addEventListener("input", debounced(250, () => {
    filters.q = searchInput.value.trim();
    writeFilters(filters);
  }));

  function drawFilters(counts = {}) {
    const shown = [["", "All"], ["running", "Running"], ["queued", "Queued"], ["paused", "Paused"], ["succeeded", "Succeeded"], ["failed", "Failed"], ["cancelled", "Cancelled"]];
    const total = jobStates.reduce((sum, state) => sum + (counts[state] ?? 0), 0);
    replace(filterBar, shown.map(([state, label]) => {
      const isOn = state ? filters.states.has(state) : filters.states.size === 0;
      const count = state ? counts[state] : total;
      return h("button.filter", { type: "button", "aria-pressed": String(isOn), onclick: () => {
        if (!state) filters.states.clear();
        else if (!filters.states.delete(state)) filters.states.add(state);
        writeFilters(filters);
      } }, label, count === undefined || !Object.keys(counts).length ? null : h("span.count", {}, integer(count)));
    }));
  }

  function showSelection() {
    selectionBar.hidden = selected.size === 0;
    pickAll.checked = rows.size > 0 && selected.size === rows.size;
    pickAll.indeterminate = selected.size > 0 && selected.size < rows.size;
    if (!selected.size) return;
    const jobs = [...selected].map((id) => rows.get(id)?.job).filter(Boolean);
    const can = (action) => jobs.filter((job) => job.allowed_actions?.includes(action));
    const button = (action, label) => can(action).length
      ? h(`button.button.compact${action === "resume" ? "" : ".danger"}`, { type: "button", onclick: () => actOnAll(action, label, can(action)) }, `${label} ${can(action).length}`) : null;
    replace(selectionBar, h("strong", {}, `${selected.size} selected`), button("cancel", "Cancel"), button("resume", "Resume"), button("delete", "Delete"),
      h("span.spacer"), h("button.button.quiet.compact", { type: "button", onclick: () => {
        selected.clear();
        for (const row of rows.values()) row.pick.checked = false;
        showSelection();
      } }, "Clear"));
  }

  async function actOnAll(action, label, jobs) {
    const many = `${jobs.length} job${jobs.length === 1 ? "" : "s"}`;
    if (action !== "resume" && !await confirmDialog({ title: `${label} ${many}?`, action: `${label} ${many}`,
      text: action === "delete" ? "Their metrics, events and checkpoints go with them." : "Each stops at its next step; checkpoints stay." })) return;
    const results = await Promise.allSettled(jobs.map((job) => {
      const path = `/v1/jobs/${encodeURIComponent(job.id)}`;
      return action === "delete" ? request("DELETE", path) : post(`${path}/${action}`, action === "cancel" ? {} : undefined);
    }));
    const failed = results.filter((result) => result.status === "rejected");
    if (failed.length) toast(`${failed.length} of ${jobs.length} could not be changed: ${failed[0].reason.text ?? failed[0].reason.message}`, "bad");
    selected.clear();
    showSelection();
    refresh();
  }

  function upsert(job, atFront) {
    let row = rows.get(job.id);
    if (!row) {
      row = makeRow(job);
      rows.set(job.id, row);
      if (atFront) body.prepend(row.element); else body.append(row.element);
    }
    row.update(job);
    sparks.want(job, row);
  }

  function makeRow(job) {
    const pick = h("input", { type: "checkbox", "aria-label": `Select ${job.name}`, onchange: () => {
      if (pick.checked) selected.add(job.id); else selected.delete(job.id);
      showSelection();
    } });
    const link = h("a.job-name", { href: `#/jobs/${job.id}` });
    const sub = h("span.job-sub");
    const state = h("td");
    const progress = h("td.progress-cell");
    const spark = h("span");
    const loss = h("span");
    const score = h("td.number.score-cell");
    const time = h("td.number.time-cell");
    const created = h("td.number.time-cell.muted");
    const element = h("tr.link", { onclick: (event) => { if (!event.target.closest("a, input, button")) location.hash = `#/jobs/${job.id}`; } },
      h("td.pick", {}, pick), h("td", {}, link, sub), state, progress, h("td.loss-cell", {}, h("div.metric-cell", {}, spark, loss)), score, time, created);
    let chipKey = "";
    const row = { element, pick, spark, job, update(next) {
      row.job = next;
      setText(link, next.name || next.id);
      replace(sub, h("span.mono", {}, shortID(next.id)), Object.entries(next.labels ?? {}).slice(0, 2).map(([key, value]) => h("span.tag", {}, `${key}=${value}`)));
      const key = `${next.state}/${next.reason}`;
      if (key !== chipKey) { replace(state, chip(next.state, next.reason)); chipKey = key; }
      const { step = 0, steps_total: total, ratio } = next.progress ?? {};
      const started = next.started_at || step > 0;
      replace(progress, started
        ? [h("div.progress-line", {}, h("span", {}, total ? `${integer(step)} / ${integer(total)}` : integer(step)), h("span", {}, percent(ratio))), progressBar(next)]
        : h("span.muted", {}, next.state === "queued" ? (next.position ? `position ${next.position}` : "waiting") : "–"));
      const { loss: lossName, score: scoreName } = headline(next.latest ?? {});
      setText(loss, lossName ? number(next.latest[lossName]) : "–");
      replace(score, scoreName ? [number(next.latest[scoreName]), h("div.small.muted", {}, scoreName.split("/").pop().replaceAll("_", " "))] : "–");
      row.tick();
    }, tick() {
      const eta = etaSeconds(row.job);
      setText(time, eta !== null ? `${duration(eta)} left` : duration(elapsedSeconds(row.job)));
      setText(created, ago(row.job.created_at));
    } };
    return row;
  }

  async function load(fresh) {
    const parameters = { limit: pageSize, state: [...filters.states], q: filters.q, after: fresh ? undefined : cursor };
    try {
      const answer = await get(`/v1/jobs${query(parameters)}`);
      if (closed) return;
      if (fresh) {
        const present = new Set(answer.data.map((job) => job.id));
        // Rows of later pages stay unless they are newer than this page's last: those were deleted or no longer match.
        const last = answer.data.at(-1)?.id ?? "";
        for (const [id, row] of rows) {
          if (!present.has(id) && (id >= last || !answer.has_more)) { row.element.remove(); rows.delete(id); selected.delete(id); }
        }
        [...answer.data].reverse().forEach((job) => { const known = rows.has(job.id); upsert(job, !known); });
        if (cursor === null || rows.size <= pageSize) cursor = answer.has_more ? answer.next : null;
      } else {
        for (const job of answer.data) upsert(job, false);
        cursor = answer.has_more ? answer.next : null;
      }
      more.hidden = cursor === null;
      const isFiltered = filters.states.size > 0 || filters.q;
      table.hidden = rows.size === 0;
      replace(status, rows.size ? null : h("div.empty", {},
        h("h2", {}, isFiltered ? "No job matches" : "No jobs yet"),
        isFiltered ? h("button.button", { type: "button", onclick: () => { location.hash = "#/jobs"; } }, "Show all jobs")
          : h("p", {}, "Start with an example: ", h("a", { href: "#/new" }, "new job"), ", or ", h("code", {}, "spindle submit digits.json --wait"))));
      showSelection();
    } catch (error) {
      if (!closed && error.status) replace(status, failureNotice(error));
    }
  }

  async function loadCounts() {
    try {
      const text = await (await request("GET", "/metrics", { headers: { Accept: "text/plain" } })).text();
      const counts = {};
      for (const match of text.matchAll(/^spindle_jobs\{state="(\w+)"\} (\S+)$/gm)) counts[match[1]] = Number(match[2]);
      if (!closed) drawFilters(counts);
    } catch { /* the chips do without numbers */ }
  }

  const refresh = throttled(700, async () => { if (!closed) await Promise.all([load(true), loadCounts()]); });
  const stream = new LiveStream("/v1/events?types=created,state,checkpoint,updated", { onEvent: refresh, onReset: refresh, onOpen: refresh });
  drawFilters();
  refresh();
  // Progress between events: running jobs move without a transition.
  const ticker = setInterval(() => {
    if (document.hidden) return;
    for (const row of rows.values()) row.tick();
    if ([...rows.values()].some((row) => !terminalStates.has(row.job.state) && row.job.state !== "paused")) refresh();
  }, 1000);

  return {
    refresh,
    update(_parameters, next) {
      filters = readFilters(next);
      if (document.activeElement !== searchInput) searchInput.value = filters.q;
      for (const row of rows.values()) row.element.remove();
      rows.clear();
      selected.clear();
      cursor = null;
      drawFilters();
      load(true);
      loadCounts();
      return true;
    },
    close() {
      closed = true;
      clearInterval(ticker);
      stream.close();
      refresh.cancel();
    },
  };
}

function readFilters(search) {
  return { states: new Set(search.getAll("state").filter((state) => jobStates.includes(state))), q: search.get("q") ?? "" };
}

function writeFilters(filters) {
  location.hash = `#/jobs${query({ state: [...filters.states], q: filters.q })}`;
}

/** Loads the small loss curves, few at a time: once for ended jobs, every few seconds for running ones. */
class SparkLoader {
  constructor() {
    this.seen = new Map();
    this.waiting = [];
    this.active = 0;
  }

  want(job, row) {
    const name = headline(job.latest ?? {}).loss;
    if (!name) return;
    const last = this.seen.get(job.id);
    const key = terminalStates.has(job.state) ? `${job.state}${job.attempt}` : String(Math.floor(Date.now() / 3000));
    if (last === key) return;
    this.seen.set(job.id, key);
    this.waiting.push({ id: job.id, name, row });
    this.next();
  }

  async next() {
    if (this.active >= 3 || !this.waiting.length) return;
    this.active += 1;
    const { id, name, row } = this.waiting.shift();
    try {
      const answer = await get(`/v1/jobs/${encodeURIComponent(id)}/metrics/series${query({ name, max_points: 80 })}`);
      const series = answer.data[0];
      if (series) replace(row.spark, sparkline(series.steps, series.values.map(toNumber)));
    } catch { /* the row does without */ }
    this.active -= 1;
    this.next();
  }
}

function sparkline(steps, values) {
  const finite = values.filter(Number.isFinite);
  const element = svg("svg", { class: "sparkline", viewBox: "0 0 96 24", "aria-hidden": "true", preserveAspectRatio: "none" });
  if (finite.length < 2) return element;
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const [first, span] = [steps[0], steps.at(-1) - steps[0] || 1];
  let path = "";
  let open = false;
  values.forEach((value, i) => {
    if (!Number.isFinite(value)) { open = false; return; }
    path += `${open ? "L" : "M"}${(((steps[i] - first) / span) * 96).toFixed(1)} ${(22 - ((value - low) / (high - low || 1)) * 20).toFixed(1)}`;
    open = true;
  });
  element.append(svg("path", { d: path }));
  return element;
}
