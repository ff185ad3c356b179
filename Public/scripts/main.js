// The frame: which view the address names, the navigation, and the banner for a server that is away.
import { onReachability } from "./api.js";
import { replace, h } from "./dom.js";
import { datasetsView } from "./views/datasets.js";
import { jobView } from "./views/job.js";
import { jobsView } from "./views/jobs.js";
import { newJobView } from "./views/new-job.js";
import { systemView } from "./views/system.js";

const routes = [
  { pattern: /^\/jobs$/, view: jobsView, section: "jobs", title: () => "Jobs" },
  { pattern: /^\/jobs\/([^/]+)(?:\/([a-z-]+))?$/, view: jobView, section: "jobs", title: () => "Job" },
  { pattern: /^\/new$/, view: newJobView, section: "new", title: () => "New job" },
  { pattern: /^\/datasets(?:\/([^/]+))?$/, view: datasetsView, section: "datasets", title: () => "Datasets" },
  { pattern: /^\/system$/, view: systemView, section: "system", title: () => "System" },
];

const main = document.getElementById("main");
const banner = document.getElementById("banner");
const linkState = document.getElementById("link-state");
let current = null;

/** A hash address is PATH?QUERY, as in #/jobs?state=running. */
function address() {
  const [path, search = ""] = decodeURI(location.hash.slice(1) || "/jobs").split("?");
  return { path, search: new URLSearchParams(search) };
}

function show() {
  const { path, search } = address();
  const route = routes.find((candidate) => candidate.pattern.test(path));
  if (!route) {
    location.replace("#/jobs");
    return;
  }
  const parameters = path.match(route.pattern).slice(1);
  // The view may take the new address itself (a tab, a filter) and keep what it has on the page.
  const key = `${route.section}:${parameters[0] ?? ""}:${route.pattern}`;
  if (current?.key === key && current.handle.update?.(parameters, search)) return;
  current?.handle.close?.();
  document.title = `${route.title()} · Spindle`;
  for (const link of document.querySelectorAll(".topbar nav a")) {
    if (link.dataset.view === route.section) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  replace(main);
  current = { key, handle: route.view(main, parameters, search) ?? {} };
  main.focus({ preventScroll: true });
  window.scrollTo(0, 0);
}

onReachability((isThere) => {
  linkState.dataset.state = isThere ? "live" : "away";
  linkState.textContent = isThere ? "connected" : "reconnecting";
  banner.hidden = isThere;
  if (isThere) current?.handle.refresh?.();
  else replace(banner, h("span", {}, "The server does not answer. Jobs and their results are safe on its disk; this page goes on by itself when it is back."));
});

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, textarea, select, dialog")) return;
  const target = { j: "#/jobs", n: "#/new", d: "#/datasets", s: "#/system" }[event.key];
  if (target) location.hash = target;
  else if (event.key === "/") {
    const search = main.querySelector('input[type="search"]');
    if (search) { event.preventDefault(); search.focus(); }
  }
});
window.addEventListener("hashchange", show);
show();
