// Building and changing the page: elements, dialogs, toasts. No markup strings, so nothing from the server is ever parsed as HTML.

/** h("a.button.primary", {href}, "text", child, …). Functions under on* become listeners; null children are left out. */
export function h(selector, attributes = {}, ...children) {
  const [name, ...classes] = selector.split(".");
  const element = document.createElement(name || "div");
  if (classes.length) element.className = classes.join(" ");
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key in element && typeof value !== "string") element[key] = value;
    else element.setAttribute(key, value === true ? "" : value);
  }
  append(element, children);
  return element;
}

function append(element, children) {
  for (const child of children.flat(4)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
}

export function replace(element, ...children) {
  element.replaceChildren();
  append(element, children);
  return element;
}

/** Sets text only where it differs: a running table would otherwise lose selections and trouble screen readers. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function svg(name, attributes = {}) {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

export function toast(text, kind = "") {
  const element = h(`div.toast${kind ? "." + kind : ""}`, { role: kind === "bad" ? "alert" : "status" }, text);
  document.getElementById("toasts").append(element);
  setTimeout(() => element.remove(), kind === "bad" ? 9000 : 4000);
}

/** Asks before something that cannot be undone. Resolves to whether to go on. */
export function confirmDialog({ title, text, action, danger = true }) {
  return new Promise((resolve) => {
    const dialog = h("dialog", { "aria-labelledby": "dialog-title" },
      h("div.body", {}, h("h2", { id: "dialog-title" }, title), text ? h("p.muted", {}, text) : null),
      h("footer", {},
        h("button.button", { type: "button", onclick: () => dialog.close("no") }, "Keep"),
        h(`button.button${danger ? ".danger" : ".primary"}`, { type: "button", onclick: () => dialog.close("yes") }, action)));
    dialog.addEventListener("close", () => { dialog.remove(); resolve(dialog.returnValue === "yes"); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Asks for the access token of a server that wants one. */
export function tokenDialog() {
  return new Promise((resolve) => {
    const input = h("input", { type: "password", autocomplete: "off", "aria-label": "Access token" });
    const form = h("form", { method: "dialog" },
      h("div.body", {}, h("h2", {}, "This server asks for a token"),
        h("p.muted", {}, "It stays in this tab and is sent to this server only."), input),
      h("footer", {}, h("button.button.primary", { value: "yes" }, "Continue")));
    const dialog = h("dialog", {}, form);
    dialog.addEventListener("close", () => { dialog.remove(); resolve(input.value.trim()); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** At most once per `milliseconds`, the last call wins; the first call runs soon. */
export function throttled(milliseconds, action) {
  let timer = null;
  let again = false;
  const run = async () => {
    try { await action(); } finally {
      timer = setTimeout(() => { timer = null; if (again) { again = false; trigger(); } }, milliseconds);
    }
  };
  const trigger = () => {
    if (timer !== null) { again = true; return; }
    timer = -1;
    run();
  };
  trigger.cancel = () => { if (timer !== null && timer !== -1) clearTimeout(timer); timer = null; again = false; };
  return trigger;
}

export function debounced(milliseconds, action) {
  let timer = null;
  const trigger = (...values) => {
    clearTimeout(timer);
    timer = setTimeout(() => action(...values), milliseconds);
  };
  trigger.cancel = () => clearTimeout(timer);
  return trigger;
}

export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  } catch {
    toast("The browser does not allow copying here", "bad");
  }
}

/** Hands bytes made in the page to the browser as a file. */
export function saveBlob(blob, name) {
  const address = URL.createObjectURL(blob);
  const link = h("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
