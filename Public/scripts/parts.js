// Small parts that several views show: state chips, progress bars, tabs, actions on a job.
import { post, remove } from "./api.js";
import { confirmDialog, h, toast } from "./dom.js";

export function chip(state, reason) {
  const words = { user: "", preempted: "preempted", server_restart: "server restart", worker_crashed: "worker crashed", retry_backoff: "waits to retry", disk_low: "disk low" };
  const extra = reason ? (words[reason] ?? reason.replaceAll("_", " ")) : "";
  return h("span.chip", { "data-state": state }, state + (extra ? ` · ${extra}` : ""));
}

export function progressBar(job) {
  const ratio = Math.min(Math.max(job.progress?.ratio ?? 0, 0), 1);
  const fill = h("span");
  fill.style.width = `${ratio * 100}%`;
  return h("span.progress", {
    "data-state": job.state, role: "progressbar", "aria-valuemin": "0", "aria-valuemax": "100",
    "aria-valuenow": String(Math.floor(ratio * 100)), "aria-label": `Progress of ${job.name}`,
  }, fill);
}

/** `items` are {id, label, count?}; arrow keys move, as the ARIA pattern for tabs has it. */
export function tabs(items, selected, onSelect) {
  const list = h("div.tabs", { role: "tablist" });
  for (const item of items) {
    const isSelected = item.id === selected;
    list.append(h("button", {
      role: "tab", type: "button", "data-tab": item.id, "aria-selected": String(isSelected), tabindex: isSelected ? "0" : "-1",
      onclick: () => onSelect(item.id),
    }, item.label, item.count === undefined ? null : h("span.count", {}, String(item.count))));
  }
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const index = items.findIndex((item) => item.id === event.target.dataset.tab);
    const next = items[(index + step + items.length) % items.length];
    onSelect(next.id);
    list.parentElement?.querySelector(`[data-tab="${next.id}"]`)?.focus();
  });
  return list;
}

const actionWords = { pause: "Pause", resume: "Resume", cancel: "Cancel", retry: "Retry", delete: "Delete", checkpoint: "Checkpoint now" };

/** Buttons for what the server says is possible now. `onDone(action)` follows every success. */
export function actionButtons(job, onDone) {
  return (job.allowed_actions ?? []).filter((action) => action in actionWords && action !== "checkpoint").map((action) =>
    h(`button.button${action === "cancel" || action === "delete" ? ".danger" : action === "resume" || action === "retry" ? ".primary" : ""}`, {
      type: "button",
      onclick: async (event) => {
        const button = event.currentTarget;
        button.disabled = true;
        try { if (await act(job, action)) onDone(action); } catch (error) { toast(error.text ?? error.message, "bad"); }
        button.disabled = false;
      },
    }, actionWords[action]));
}

async function act(job, action) {
  const path = `/v1/jobs/${encodeURIComponent(job.id)}`;
  if (action === "delete") {
    const sure = await confirmDialog({
      title: `Delete ${job.name || job.id}?`, action: "Delete",
      text: "Its metrics, events and checkpoints go with it. This cannot be undone.",
    });
    if (!sure) return false;
    await remove(path);
    return true;
  }
  if (action === "cancel" && job.state !== "queued") {
    const sure = await confirmDialog({
      title: `Cancel ${job.name || job.id}?`, action: "Cancel the job",
      text: "It stops at its next step. Checkpoints stay; a cancelled job can be retried.",
    });
    if (!sure) return false;
  }
  await post(`${path}/${action}`, action === "cancel" ? {} : undefined);
  return true;
}

/** What a view shows when its request failed. */
export function failureNotice(error) {
  return h("div.notice.bad", { role: "alert" }, h("strong", {}, error.message), error.detail ? h("p", {}, error.detail) : null);
}
