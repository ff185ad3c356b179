// The states of a job as a bar: how long it waited, ran, stood still, and why it moved on.
import { h } from "../dom.js";
import { clock, duration, terminalStates } from "../format.js";

export function timeline(events, job) {
  const moves = events.filter((event) => event.type === "created" || event.type === "state");
  if (!moves.length) return null;
  const spans = moves.map((event, index) => {
    const state = event.type === "created" ? "queued" : event.data?.to;
    const start = Date.parse(event.at);
    const end = index + 1 < moves.length ? Date.parse(moves[index + 1].at) : terminalStates.has(job.state) ? start : Date.now();
    return { state, start, seconds: Math.max(0, (end - start) / 1000), reason: event.data?.reason };
  });
  const long = spans.filter((span) => !terminalStates.has(span.state));
  const total = long.reduce((sum, span) => sum + span.seconds, 0) || 1;
  const bar = h("div.timeline", { "aria-hidden": "true" }, long.map((span) => {
    const segment = h("span.segment", { "data-state": span.state, title: `${span.state} for ${duration(span.seconds)}` });
    segment.style.flexGrow = String(Math.max(span.seconds / total, 0.004));
    return segment;
  }));
  const recent = spans.slice(-8);
  const list = h("ol.timeline-list", {}, spans.length > recent.length ? h("li", {}, `${spans.length - recent.length} earlier …`) : null,
    recent.map((span) => h("li", {}, h("strong", {}, span.state), ` ${clock(new Date(span.start).toISOString()).split(" ").pop()}`,
      terminalStates.has(span.state) ? "" : ` · ${duration(span.seconds)}`, span.reason ? ` · ${span.reason.replaceAll("_", " ")}` : "")));
  return h("section.card.timeline-card", { "aria-label": "States over time" }, h("div.body", {}, bar, list));
}
