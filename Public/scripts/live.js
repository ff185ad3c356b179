// One server-sent event stream (WHATWG HTML §9.2) over fetch: unlike EventSource it can carry a token and tells why it ended.
// Reconnects by the last event's id, so nothing is missed and nothing comes twice.
import { askForToken, authorization, reportOutage } from "./api.js";

export class LiveStream {
  /** `onEvent({name, id, data})` gets parsed JSON; `onReset` is called when the stream cannot be continued without a gap. */
  constructor(path, { onEvent, onReset = () => {}, onOpen = () => {} }) {
    this.path = path;
    this.onEvent = onEvent;
    this.onReset = onReset;
    this.onOpen = onOpen;
    this.lastID = null;
    this.retryMilliseconds = 2000;
    this.abort = new AbortController();
    this.run();
  }

  close() { this.abort.abort(); }

  async run() {
    const { signal } = this.abort;
    while (!signal.aborted) {
      let ended = false;
      try { ended = await this.read(signal); } catch {
        if (signal.aborted) return;
        reportOutage();
      }
      if (ended) return;
      await new Promise((done) => setTimeout(done, this.retryMilliseconds));
    }
  }

  /** Reads until the stream ends. True when the server said that nothing more will come. */
  async read(signal) {
    const headers = { Accept: "text/event-stream", ...authorization() };
    if (this.lastID !== null) headers["Last-Event-ID"] = this.lastID;
    const answer = await fetch(this.path, { headers, cache: "no-store", signal });
    if (answer.status === 401) { await askForToken(); return false; }
    if (answer.status === 404 || answer.status === 410) return true;
    if (!answer.ok || !answer.body) return false;
    this.onOpen();
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return false;
      rest += value;
      const blocks = rest.split(/\r\n\r\n|\n\n|\r\r/);
      rest = blocks.pop();
      for (const block of blocks) if (this.dispatch(block)) return true;
    }
  }

  dispatch(block) {
    const event = { name: "message", id: null, data: "" };
    for (const line of block.split(/\r\n|\n|\r/)) {
      const cut = line.indexOf(":");
      const field = cut < 0 ? line : line.slice(0, cut);
      const value = cut < 0 ? "" : line.slice(cut + 1).replace(/^ /, "");
      if (field === "event") event.name = value;
      else if (field === "data") event.data += event.data ? `\n${value}` : value;
      else if (field === "id") this.lastID = event.id = value;
      else if (field === "retry" && /^\d+$/.test(value)) this.retryMilliseconds = Math.min(Math.max(Number(value), 200), 30_000);
    }
    if (!event.data) return false;
    let data = event.data;
    try { data = JSON.parse(data); } catch { /* text */ }
    if (event.name === "reset") { this.onReset(data); return false; }
    if (event.name === "overflow") return false;
    this.onEvent({ name: event.name, id: event.id, data });
    return event.name === "end";
  }
}
