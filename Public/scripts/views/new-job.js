// A new job: an example or an earlier spec, an editor that is checked as one types, the catalog and the datasets beside it.
import { get, newKey, post, request } from "../api.js";
import { debounced, h, replace, toast } from "../dom.js";
import { bytes, integer } from "../format.js";
import { examples } from "../examples.js";
import { JSONEditor } from "../json-editor.js";
import { tabs } from "../parts.js";
import { catalogPanel } from "./catalog.js";

export function newJobView(root, _, search) {
  let closed = false;
  let checked = 0;
  let key = newKey();
  const draftKey = "spindle-draft";

  const choice = h("select", { "aria-label": "Start from" }, h("option", { value: "" }, "Start from an example…"),
    examples.map((example) => h("option", { value: example.id }, example.label)));
  const submit = h("button.button.primary", { type: "button", onclick: send }, "Submit");
  const verdict = h("div", { "aria-live": "polite" });
  const side = h("section.card.side", { "aria-label": "Catalog and datasets" });
  const editor = new JSONEditor({ label: "Job spec, JSON", onSubmit: send, onChange: (text) => {
    sessionStorage.setItem(draftKey, text);
    key = newKey();
    validate();
  } });
  choice.addEventListener("change", () => {
    const example = examples.find((candidate) => candidate.id === choice.value);
    if (example) use(example.text);
  });

  root.append(
    h("div.page-head", {}, h("h1", {}, "New job"), h("span.spacer"), choice, submit),
    h("div.composer", {},
      h("section.card", { "aria-label": "Spec" }, h("header", {}, h("h3", {}, "Spec"), h("span.muted.small", {}, "checked as you type"), h("span.spacer"),
        h("button.button.quiet.compact", { type: "button", onclick: tidy }, "Tidy")), editor.element),
      h("div.stack", {}, verdict, side)));

  function use(text) {
    editor.text = text;
    sessionStorage.setItem(draftKey, text);
    key = newKey();
    validate();
  }

  function tidy() {
    try { use(`${JSON.stringify(JSON.parse(editor.text), null, 2)}\n`); } catch { toast("This is not JSON yet: see the marked line", "bad"); }
  }

  const validate = debounced(250, async () => {
    checked += 1;
    const round = checked;
    const text = editor.text;
    if (!text.trim()) { replace(verdict, h("div.notice", {}, "Choose an example above, or write a spec.")); return; }
    const syntax = syntaxProblem(text);
    if (syntax) { showProblems([syntax], "Not JSON yet"); return; }
    const slow = setTimeout(() => { if (!closed && round === checked) replace(verdict, h("div.notice.muted", {}, "Checking and planning…")); }, 400);
    try {
      const answer = await post("/v1/validate", text).finally(() => clearTimeout(slow));
      if (closed || round !== checked) return;
      if (answer.valid) showPlan(answer.plan); else showProblems(answer.errors);
    } catch (error) {
      if (closed || round !== checked || !error.status) return;
      showProblems(error.places.length ? error.places : [{ pointer: "#", detail: error.detail || error.message }]);
    }
  });

  function showProblems(problems, title) {
    editor.show(problems);
    submit.disabled = true;
    replace(verdict, h("section.card", {}, h("header", {}, h("h3", {}, title ?? `${problems.length} problem${problems.length === 1 ? "" : "s"}`)),
      h("ul.problem-list", {}, problems.slice(0, 50).map((problem) => h("li", {}, h("button", { type: "button", onclick: () => editor.goTo(problem) },
        problem.pointer ? h("code", {}, problem.pointer) : null, h("span", {}, problem.detail)))))));
  }

  function showPlan(plan) {
    editor.show([]);
    submit.disabled = false;
    const fact = (label, value) => [h("dt", {}, label), h("dd", {}, value)];
    replace(verdict, h("section.card", {}, h("header", {}, h("span.chip", { "data-state": "ok" }, "valid"), plan ? h("span.muted.small", {}, "what it needs") : null),
      plan ? h("div.body", {}, h("dl.facts", {}, fact("Parameters", integer(plan.parameter_count)), fact("Steps", `${integer(plan.steps_total)}${plan.steps_per_epoch ? ` · ${integer(plan.steps_per_epoch)} an epoch` : ""}`),
        fact("Checkpoint", bytes(plan.checkpoint_bytes)), fact("Memory", bytes(plan.memory_bytes)))) : null,
      plan?.modules?.length ? h("div.table-wrap", {}, h("table.preview", {}, h("thead", {}, h("tr", {}, h("th", {}, "Module"), h("th", {}, "Output"), h("th.number", {}, "Parameters"))),
        h("tbody", {}, plan.modules.slice(0, 60).map((module) => h("tr", {}, h("td", {}, h("span.mono", {}, module.path || "·"), " ", h("span.muted", {}, module.type)),
          h("td.mono", {}, `[${module.output_shape.join(", ")}]`), h("td.number", {}, integer(module.parameters))))))) : null));
  }

  async function send() {
    if (submit.disabled) { toast("The spec has problems: see the list", "bad"); return; }
    submit.disabled = true;
    try {
      const job = await post("/v1/jobs", editor.text, { key });
      sessionStorage.removeItem(draftKey);
      location.hash = `#/jobs/${job.id}`;
    } catch (error) {
      submit.disabled = false;
      if (error.places?.length) showProblems(error.places, error.message);
      else toast(error.text ?? error.message, "bad");
    }
  }

  const sidePanels = {
    catalog: () => catalogPanel((text) => editor.insert(text)),
    async datasets() {
      const answer = await get("/v1/datasets?limit=200");
      if (!answer.data.length) return h("div.empty", {}, h("p", {}, "No dataset yet. ", h("a", { href: "#/datasets" }, "Upload one")));
      return h("div.table-wrap", {}, h("table", {}, h("tbody", {}, answer.data.map((dataset) => h("tr", {},
        h("td", {}, h("strong", {}, dataset.name), h("div.small.muted", {}, `${integer(dataset.rows)} rows · ${dataset.columns?.length ?? 0} columns · ${bytes(dataset.size_bytes)}`)),
        h("td.number", {}, h("button.button.compact", { type: "button", title: "Insert at the cursor", onclick: () => editor.insert(`{"dataset": "${dataset.name}"}`) }, "Insert")))))));
    },
  };

  async function showSide(name) {
    const content = h("div");
    replace(side, tabs([{ id: "catalog", label: "Catalog" }, { id: "datasets", label: "Datasets" }], name, showSide), content);
    try {
      const panel = await sidePanels[name]();
      if (!closed) replace(content, panel);
    } catch (error) { if (error.status) replace(content, h("div.empty", {}, error.message)); }
  }

  async function begin() {
    const from = search.get("from");
    if (from) {
      try { use(await (await request("GET", `/v1/jobs/${encodeURIComponent(from)}/spec`)).text()); return; } catch (error) { if (error.status) toast(error.text, "bad"); }
    }
    use(sessionStorage.getItem(draftKey) ?? examples[0].text);
  }
  begin();
  showSide("catalog");
  return { refresh: validate, close() { closed = true; validate.cancel(); } };
}

/** The browser's own parser knows first that a text is not JSON, and mostly where. */
function syntaxProblem(text) {
  try { JSON.parse(text); return null; } catch (error) {
    const position = error.message.match(/position (\d+)/);
    const offset = position ? Number(position[1]) : text.trimEnd().length - 1;
    const line = text.slice(0, offset).split("\n").length;
    return { offset: Math.max(0, offset), detail: `line ${line}: ${error.message.replace(/ in JSON at position.*| \(line.*/g, "")}` };
  }
}
