// Numbers, sizes, times and states as people read them.

export const terminalStates = new Set(["succeeded", "failed", "cancelled"]);
export const jobStates = ["queued", "preparing", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"];

/** A metric value as it stands in JSON: a number, or "NaN", "Infinity", "-Infinity". */
export function toNumber(value) {
  if (typeof value === "number") return value;
  return { NaN: NaN, Infinity: Infinity, "-Infinity": -Infinity }[value] ?? null;
}

export function number(value, digits = 4) {
  if (value === null || value === undefined) return "–";
  const x = toNumber(value);
  if (x === null) return String(value);
  if (Number.isNaN(x)) return "NaN";
  if (!Number.isFinite(x)) return x > 0 ? "∞" : "−∞";
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size < 1e-3 || size >= 1e6) return x.toExponential(2).replace("e+", "e");
  if (Number.isInteger(x)) return x.toLocaleString("en");
  return String(Number(x.toPrecision(digits)));
}

export function integer(value) {
  return value === null || value === undefined ? "–" : Math.round(value).toLocaleString("en");
}

export function bytes(count) {
  if (count === null || count === undefined || !Number.isFinite(count)) return "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  while (count >= 1024 && unit < units.length - 1) { count /= 1024; unit += 1; }
  return `${unit === 0 || count >= 100 ? Math.round(count) : count.toFixed(1)} ${units[unit]}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const s = Math.max(0, seconds);
  if (s < 0.9995) return `${Math.round(s * 1000)} ms`;
  if (s < 60) return `${s < 9.95 ? s.toFixed(1) : Math.round(s)} s`;
  const whole = Math.round(s);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

export function ago(time) {
  if (!time) return "–";
  const seconds = (Date.now() - Date.parse(time)) / 1000;
  return seconds < 5 ? "just now" : `${duration(seconds).split(" ").slice(0, 2).join(" ")} ago`;
}

export function clock(time) {
  if (!time) return "–";
  const date = new Date(time);
  const sameDay = date.toDateString() === new Date().toDateString();
  const hours = date.toLocaleTimeString("en-GB");
  return sameDay ? hours : `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")} ${hours}`;
}

export function percent(ratio) {
  return ratio === null || ratio === undefined ? "–" : `${Math.floor(ratio * 100 + 1e-9)} %`;
}

export function shortID(id) {
  return id.length > 14 ? `${id.slice(0, 4)}…${id.slice(-8)}` : id;
}

/** The loss and the score that stand for a job in one line; validation before training. */
export function headline(latest) {
  const pick = (names) => {
    for (const prefix of ["validation/", "val/", "train/", ""]) {
      for (const name of names) if (prefix + name in latest) return prefix + name;
    }
    return null;
  };
  return {
    loss: "train/loss" in latest ? "train/loss" : pick(["loss"]),
    score: pick(["accuracy", "r2", "auc", "f1_macro", "perplexity", "mean_squared_error", "mean_absolute_error"]),
  };
}

export function etaSeconds(job) {
  if (job.state !== "running" || !job.progress) return null;
  if (job.progress.eta) return Math.max(0, (Date.parse(job.progress.eta) - Date.now()) / 1000);
  const { step, steps_total: total, steps_per_second: rate } = job.progress;
  return rate > 0 && total ? (total - step) / rate : null;
}

/** Seconds from the first start to the end, or to now. */
export function elapsedSeconds(job) {
  if (!job.started_at) return null;
  return ((job.finished_at ? Date.parse(job.finished_at) : Date.now()) - Date.parse(job.started_at)) / 1000;
}
