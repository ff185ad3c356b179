// The REST API as the views see it: JSON, problems, idempotency keys, the token, and whether the server answers at all.
import { tokenDialog } from "./dom.js";

/** An RFC 9457 problem, or what takes its place when the answer is not one. */
export class Problem extends Error {
  constructor(status, body) {
    super(body?.title ?? `The server answered ${status}`);
    this.status = status;
    this.code = body?.code ?? "";
    this.detail = body?.detail ?? "";
    this.places = body?.errors ?? [];
    this.allowedActions = body?.allowed_actions ?? null;
  }
  get text() {
    const places = this.places.map((place) => `${place.pointer}  ${place.detail}`);
    return [this.detail && this.detail !== this.message ? `${this.message}: ${this.detail}` : this.message, ...places].join("\n");
  }
}

/** The server could not be reached. The banner tells; views need not. */
export class Unreachable extends Error {}

const listeners = new Set();
let reachable = null;
let probing = false;

/** Calls back with true when the server comes (back), with false when it goes. */
export function onReachability(listener) { listeners.add(listener); }

function setReachable(value) {
  if (reachable === value) return;
  reachable = value;
  for (const listener of listeners) listener(value);
}

/** Asks /livez with growing pauses until an answer comes. */
async function probe() {
  if (probing) return;
  probing = true;
  let pause = 400;
  while (!reachable) {
    await new Promise((done) => setTimeout(done, pause));
    pause = Math.min(pause * 1.4, 3000);
    try {
      const answer = await fetch("/livez", { cache: "no-store", signal: AbortSignal.timeout(4000) });
      if (answer.ok) setReachable(true);
    } catch { /* still away */ }
  }
  probing = false;
}

export function reportOutage() {
  setReachable(false);
  probe();
}

export const token = {
  get value() { return sessionStorage.getItem("spindle-token") ?? ""; },
  set value(text) { sessionStorage.setItem("spindle-token", text); },
};

export function authorization() {
  return token.value ? { Authorization: `Bearer ${token.value}` } : {};
}

let asking = null;
export async function askForToken() {
  asking ??= tokenDialog().then((text) => { token.value = text; asking = null; });
  await asking;
}

/** One exchange. Throws Problem for an answer outside 2xx and 304, Unreachable when there is none. */
export async function request(method, path, { body, headers = {}, signal } = {}) {
  for (let attempt = 0; ; attempt += 1) {
    let answer;
    try {
      answer = await fetch(path, {
        method, body, signal, cache: "no-store",
        headers: { Accept: "application/json", ...authorization(), ...headers },
      });
    } catch (error) {
      if (signal?.aborted) throw error;
      reportOutage();
      throw new Unreachable("The server does not answer");
    }
    setReachable(true);
    if (answer.ok || answer.status === 304) return answer;
    if (answer.status === 401 && attempt < 3) {
      await askForToken();
      continue;
    }
    let problem = null;
    try { problem = await answer.json(); } catch { /* a proxy's page */ }
    throw new Problem(answer.status, problem);
  }
}

export async function get(path, options) {
  const answer = await request("GET", path, options);
  return answer.status === 204 || answer.status === 304 ? null : answer.json();
}

export async function post(path, value, options = {}) {
  const text = typeof value === "string" ? value : value === undefined ? undefined : JSON.stringify(value);
  const headers = { "Idempotency-Key": `"${options.key ?? newKey()}"`, ...options.headers };
  if (text !== undefined) headers["Content-Type"] = "application/json";
  const answer = await request("POST", path, { ...options, body: text, headers });
  return answer.status === 204 ? null : answer.json();
}

export async function remove(path) {
  await request("DELETE", path, { headers: { "Idempotency-Key": `"${newKey()}"` } });
}

/** 128 random bits. (crypto.randomUUID is missing on plain-HTTP pages of other machines.) */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** A file to a dataset, or with POST to a new checkpoint, with progress from 0 to 1. */
export function upload(path, file, onProgress, method = "PUT") {
  return new Promise((resolve, reject) => {
    const transfer = new XMLHttpRequest();
    transfer.open(method, path);
    transfer.setRequestHeader("Accept", "application/json");
    transfer.setRequestHeader("Content-Type", file.name.toLowerCase().endsWith(".csv") ? "text/csv" : file.type || "application/octet-stream");
    transfer.setRequestHeader("Idempotency-Key", `"${newKey()}"`);
    for (const [name, value] of Object.entries(authorization())) transfer.setRequestHeader(name, value);
    transfer.upload.onprogress = (event) => { if (event.lengthComputable) onProgress(event.loaded / event.total); };
    transfer.onload = () => {
      let body = null;
      try { body = JSON.parse(transfer.responseText); } catch { /* not JSON */ }
      if (transfer.status >= 200 && transfer.status < 300) resolve({ isNew: transfer.status === 201, made: body });
      else reject(new Problem(transfer.status, body));
    };
    transfer.onerror = () => { reportOutage(); reject(new Unreachable("The server does not answer")); };
    transfer.send(file);
  });
}

export function query(parameters) {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(parameters)) {
    for (const item of Array.isArray(value) ? value : [value]) {
      if (item !== undefined && item !== null && item !== "") search.append(name, item);
    }
  }
  const text = search.toString();
  return text ? `?${text}` : "";
}
