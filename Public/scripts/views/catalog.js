// What a spec can be made of, from /v1/catalog: every entry with its parameters, to read and to insert.
import { get } from "../api.js";
import { h, replace } from "../dom.js";

let cached = null;

export async function catalogPanel(insert) {
  cached ??= await get("/v1/catalog");
  const kinds = Object.entries(cached).filter(([, value]) => Array.isArray(value) && value.length);
  const list = h("div.catalog");
  const input = h("input", { type: "search", placeholder: "Search the catalog", "aria-label": "Search the catalog" });
  const draw = () => {
    const wanted = input.value.trim().toLowerCase();
    const groups = kinds.map(([kind, entries]) => [kind, entries.filter((entry) => !wanted || `${entry.name} ${entry.summary}`.toLowerCase().includes(wanted))]).filter(([, entries]) => entries.length);
    replace(list, groups.length ? groups.map(([kind, entries]) => [h("h3", {}, kind.replaceAll("_", " ")), entries.map((entry) => item(entry, insert, groups.length === 1 && entries.length === 1))]) : h("div.empty", {}, "Nothing matches"));
  };
  input.addEventListener("input", draw);
  draw();
  return [h("div.catalog-search", {}, input), list];
}

function item(entry, insert, isOpen) {
  return h("details", { open: isOpen }, h("summary", {}, h("strong.mono", {}, entry.name), h("span.muted.small", {}, entry.summary)),
    h("div.inside", {}, h("p", {}, entry.summary), entry.parameters?.length ? h("dl", {}, entry.parameters.map((parameter) => [
      h("dt", {}, parameter.name, h("span.muted", {}, ` ${words(parameter)}`)), h("dd", {}, parameter.doc)])) : null,
    h("div", {}, h("button.button.compact", { type: "button", onclick: () => insert(snippet(entry)) }, "Insert at the cursor"))));
}

function words(parameter) {
  const kind = parameter.kinds?.length ? parameter.kinds.join(" or ") : parameter.choices?.length ? parameter.choices.join(" | ") : parameter.type.replaceAll("_", " ");
  const end = parameter.required ? "required" : parameter.default !== undefined ? `= ${JSON.stringify(parameter.default)}` : "optional";
  return `${kind}, ${end}`;
}

/** The entry with its required parameters; a bare name where there is nothing to say. */
function snippet(entry) {
  const required = (entry.parameters ?? []).filter((parameter) => parameter.required);
  if (!required.length && ["activation", "initializer", "loss", "metric"].includes(entry.kind)) return JSON.stringify(entry.name);
  const sample = (parameter) => ({ integer: parameter.minimum > 0 ? parameter.minimum : 1, number: 0.1, number_or_schedule: 0.001, boolean: true, integers: [64, 10], entries: [], columns: [], column: "" }[parameter.type]
    ?? parameter.choices?.[0] ?? "");
  const members = [`"type": ${JSON.stringify(entry.name)}`, ...required.map((parameter) => `${JSON.stringify(parameter.name)}: ${JSON.stringify(sample(parameter))}`)];
  return `{${members.join(", ")}}`;
}
