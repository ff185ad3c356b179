// What a checkpoint and a job's metrics can be downloaded as.
import { authorization, request, token } from "../api.js";
import { h, saveBlob, toast } from "../dom.js";

/** The formats with a model need the job that the checkpoint is of. */
const formats = [
  { label: "Flax msgpack", note: "the whole TrainState", query: "", ending: "msgpack" },
  { label: "safetensors", note: "the weights", query: "?format=safetensors", ending: "safetensors" },
  { label: "npz", note: "the weights, for NumPy", query: "?format=npz", ending: "npz" },
  { label: "SavedModel", note: "for TensorFlow", query: "?format=saved_model", ending: "saved_model.tar", isModel: true },
  { label: "SavedModel, native", note: "for TF Lite and TF.js", query: "?format=saved_model&ops=native", ending: "native.saved_model.tar", isModel: true },
  { label: "ONNX", note: "for onnxruntime", query: "?format=onnx", ending: "onnx", isModel: true },
  { label: "StableHLO", note: "the model as text", query: "?format=stablehlo", ending: "mlir", isModel: true },
];

/** A menu with one entry a format. */
export function downloadMenu(checkpoint, name) {
  const menu = h("details.menu", {}, h("summary.button.compact", {}, "Download"),
    h("div.menu-items", { role: "menu" }, formats.filter((format) => checkpoint.job || !format.isModel).map((format) =>
      h("button", { type: "button", role: "menuitem", onclick: () => {
        menu.open = false;
        save(`/v1/checkpoints/${encodeURIComponent(checkpoint.id)}/content${format.query}`, `${name}.${format.ending}`);
      } }, h("span", {}, format.label), h("span.muted.small", {}, format.note)))));
  return menu;
}

/** A job's metrics for tensorboard --logdir. */
export function eventsButton(job) {
  return h("button.button.quiet.compact", { type: "button", title: "tensorboard --logdir FOLDER shows it", onclick: () =>
    save(`/v1/jobs/${encodeURIComponent(job.id)}/tensorboard`, `events.out.tfevents.${job.id}`) }, "Metrics for TensorBoard");
}

/**
 * The first byte is asked for first: it comes when the server has made the file, or a problem that can be shown. Then the browser's own
 * download takes over; with a token the page has to fetch the bytes.
 */
async function save(address, name) {
  try {
    const headers = { ...authorization(), Accept: "*/*" };
    if (token.value) {
      saveBlob(await (await request("GET", address, { headers })).blob(), name);
      return;
    }
    const stop = new AbortController();
    await request("GET", address, { headers: { ...headers, Range: "bytes=0-0" }, signal: stop.signal });
    stop.abort();
    h("a", { href: address, download: name }).click();
  } catch (error) {
    toast(error.text ?? error.message);
  }
}
