// Datasets: upload by dropping a file, what is in them, delete. Files of weights become imported checkpoints.
import { get, query, remove, upload } from "../api.js";
import { confirmDialog, copyText, h, replace, setText, toast } from "../dom.js";
import { ago, bytes, integer, number } from "../format.js";
import { failureNotice } from "../parts.js";
import { downloadMenu } from "./downloads.js";

/** Files of weights, which are imported as checkpoints. */
const weights = /\.(safetensors|npz|msgpack|flax)$/i;

export function datasetsView(root, [name], _search) {
  let closed = false;
  let selected = name ? decodeURIComponent(name) : null;
  const picker = h("input.visually-hidden", { type: "file", multiple: true, id: "file-picker", "aria-label": "Files to upload" });
  const uploads = h("div.uploads");
  const drop = h("div.drop", {}, h("strong", {}, "Drop a CSV file here"),
    h("span.small", {}, "with a header line; the file's name becomes the dataset's name"),
    h("span.small", {}, "or weights to start a job from: .safetensors, .npz, or .msgpack of Flax"),
    h("button.button", { type: "button", onclick: () => picker.click() }, "Choose a file…"), picker, uploads);
  const list = h("div.card");
  const detail = h("div");
  const imports = h("div");
  root.append(h("div.page-head", {}, h("h1", {}, "Datasets")), drop, h("div.stack", {}, list, detail, imports));

  picker.addEventListener("change", () => { send([...picker.files]); picker.value = ""; });
  for (const type of ["dragenter", "dragover"]) drop.addEventListener(type, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const type of ["dragleave", "drop"]) drop.addEventListener(type, (event) => { event.preventDefault(); drop.classList.remove("over"); });
  drop.addEventListener("drop", (event) => send([...event.dataTransfer.files]));

  async function send(files) {
    for (const file of files) {
      const isWeights = weights.test(file.name);
      const target = isWeights ? "a checkpoint" : file.name.replace(/\.[^.]*$/, "").replace(/[^A-Za-z0-9._-]+/g, "-").replace(/^[^A-Za-z0-9]+/, "") || "data";
      const fill = h("span");
      const word = h("span.muted", {}, "0 %");
      const line = h("div.upload", {}, h("span", {}, `${file.name} → ${target}`), word, h("span.progress", {}, fill));
      uploads.append(line);
      try {
        const onProgress = (ratio) => {
          fill.style.width = `${ratio * 100}%`;
          setText(word, ratio < 1 ? `${Math.floor(ratio * 100)} %` : "reading…");
        };
        if (isWeights) {
          const { isNew, made } = await upload(`/v1/checkpoints${query({ name: file.name.slice(0, 100) })}`, file, onProgress, "POST");
          toast(isNew ? `${file.name}: ${integer(made?.contents?.arrays)} arrays` : `${file.name}: the server had these values already`);
        } else {
          const { isNew, made } = await upload(`/v1/datasets/${encodeURIComponent(target)}`, file, onProgress);
          toast(isNew ? `${target}: ${integer(made?.rows)} rows` : `${target}: the server had these bytes already`);
          selected = target;
        }
        line.remove();
        await load();
      } catch (error) {
        setText(word, "refused");
        line.append(h("div.notice.bad", {}, error.text ?? error.message));
        setTimeout(() => line.remove(), 15_000);
      }
    }
  }

  async function loadImports() {
    const answer = await get("/v1/checkpoints?limit=200");
    if (closed) return;
    if (!answer.data.length) { replace(imports); return; }
    replace(imports, h("div.card", {}, h("header", {}, h("h3", {}, "Imported checkpoints"), h("span.muted.small", {}, "a job starts from one with init.checkpoint")),
      h("div.table-wrap", {}, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "Name"), h("th", {}, "Id"), h("th.number", {}, "Arrays"), h("th.number", {}, "Numbers"), h("th.number", {}, "Size"), h("th.number.wide-only", {}, "Imported"), h("th", {}, h("span.visually-hidden", {}, "Actions")))),
        h("tbody", {}, answer.data.map((item) => h("tr", {},
          h("td", {}, item.name || "–", " ", h("span.tag", {}, item.contents?.format)),
          h("td", {}, h("button.copy", { type: "button", title: "Copy the id", onclick: () => copyText(item.id) }, item.id)),
          h("td.number", {}, integer(item.contents?.arrays)), h("td.number", {}, integer(item.contents?.elements)), h("td.number", {}, bytes(item.size_bytes)),
          h("td.number.muted.wide-only", {}, ago(item.created_at)),
          h("td", {}, downloadMenu(item, item.id), " ", h("button.button.quiet.compact", { type: "button", onclick: async () => {
            if (!await confirmDialog({ title: `Delete ${item.name || item.id}?`, text: "Jobs that start from it are refused then.", action: "Delete" })) return;
            try { await remove(`/v1/checkpoints/${encodeURIComponent(item.id)}`); await loadImports(); } catch (error) { toast(error.text ?? error.message); }
          } }, "Delete")))))))));
  }

  async function load() {
    loadImports().catch(() => {});
    let answer;
    try { answer = await get("/v1/datasets?limit=200"); } catch (error) {
      if (!closed && error.status) replace(list, failureNotice(error));
      return;
    }
    if (closed) return;
    if (!answer.data.length) {
      replace(list, h("div.empty", {}, h("h2", {}, "No datasets yet"), h("p", {}, "Or from a shell: ", h("code", {}, "spindle data put digits.csv"))));
      replace(detail);
      return;
    }
    replace(list, h("div.table-wrap", {}, h("table", {}, h("thead", {}, h("tr", {}, h("th", {}, "Name"), h("th.number", {}, "Rows"), h("th.number", {}, "Columns"), h("th.number", {}, "Size"), h("th.wide-only", {}, "SHA-256"), h("th.number.wide-only", {}, "Uploaded"))),
      h("tbody", {}, answer.data.map((dataset) => h("tr.link", { "aria-selected": String(dataset.name === selected), onclick: (event) => { if (!event.target.closest("button")) location.hash = `#/datasets/${encodeURIComponent(dataset.name)}`; } },
        h("td", {}, h("a", { href: `#/datasets/${encodeURIComponent(dataset.name)}` }, dataset.name), " ", h("span.tag", {}, dataset.format)),
        h("td.number", {}, integer(dataset.rows)), h("td.number", {}, integer(dataset.columns?.length)), h("td.number", {}, bytes(dataset.size_bytes)),
        h("td.wide-only", {}, h("button.copy", { type: "button", title: "Copy the reference that pins this version", onclick: () => copyText(dataset.reference ?? dataset.digest) }, (dataset.digest ?? "").replace("sha256:", "").slice(0, 12))),
        h("td.number.muted.wide-only", {}, ago(dataset.created_at))))))));
    const chosen = answer.data.find((dataset) => dataset.name === selected);
    if (chosen) showDetail(chosen); else replace(detail);
  }

  async function showDetail(dataset) {
    const preview = h("div.preview", { tabindex: "0", role: "region", "aria-label": "First rows" });
    const types = new Map();
    for (const column of dataset.columns ?? []) types.set(column.type, (types.get(column.type) ?? 0) + 1);
    replace(detail, h("section.card", { "aria-label": `Dataset ${dataset.name}` },
      h("header", {}, h("h2", {}, dataset.name), [...types].map(([type, count]) => h("span.tag", {}, `${count} × ${type}`)), h("span.spacer"),
        h("button.button.compact", { type: "button", onclick: () => copyText(`{"dataset": "${dataset.reference ?? dataset.name}"}`) }, "Copy reference"),
        h("button.button.compact.danger", { type: "button", onclick: () => erase(dataset) }, "Delete")), preview));
    try {
      const answer = await get(`/v1/datasets/${encodeURIComponent(dataset.name)}/preview${query({ rows: 20 })}`);
      if (closed) return;
      const columns = (answer.columns ?? dataset.columns ?? []).map((column) => (typeof column === "string" ? { name: column } : column));
      const cell = (value) => (typeof value === "number" ? number(value, 6) : value === null ? "" : String(value));
      replace(preview, h("table", {}, h("thead", {}, h("tr", {}, columns.map((column) => h("th", {}, column.name, column.type ? h("div.small.muted", {}, column.type) : null)))),
        h("tbody", {}, (answer.rows ?? []).map((row) => h("tr", {}, (Array.isArray(row) ? row : columns.map((column) => row[column.name])).map((value) => h("td", {}, cell(value))))))));
    } catch (error) { if (!closed && error.status) replace(preview, failureNotice(error)); }
  }

  async function erase(dataset) {
    if (!await confirmDialog({ title: `Delete ${dataset.name}?`, action: "Delete", text: "Jobs that are not finished keep their data; new jobs can no longer use it." })) return;
    try {
      await remove(`/v1/datasets/${encodeURIComponent(dataset.name)}`);
      toast(`${dataset.name} deleted`);
      location.hash = "#/datasets";
      selected = null;
      await load();
    } catch (error) { toast(error.text ?? error.message, "bad"); }
  }

  load();
  return {
    refresh: load,
    update([next]) { selected = next ? decodeURIComponent(next) : null; load(); return true; },
    close() { closed = true; },
  };
}
