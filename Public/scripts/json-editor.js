// A text area for JSON with line numbers, colours and marked places. The text area stays the thing that is edited: undo,
// selection, input methods and screen readers work as everywhere.
import { h, replace } from "./dom.js";
import { highlighted, locate, positions } from "./json-text.js";

export class JSONEditor {
  constructor({ label, onChange, onSubmit }) {
    this.problems = [];
    this.area = h("textarea", { spellcheck: false, autocomplete: "off", autocapitalize: "off", wrap: "off", "aria-label": label, "aria-describedby": "editor-help" });
    this.colors = h("pre", { "aria-hidden": "true" });
    this.gutter = h("div.gutter", { "aria-hidden": "true" });
    this.element = h("div.editor", {}, this.gutter, h("div.layers", {}, this.colors, this.area),
      h("span.visually-hidden", { id: "editor-help" }, "Tab indents; press Escape and then Tab to leave the editor. Control and Enter submits."));
    this.area.addEventListener("input", () => { this.problems = []; this.draw(); onChange(this.area.value); });
    let leaves = false;
    this.area.addEventListener("keydown", (event) => {
      if (event.key === "Escape") { leaves = true; return; }
      if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); onSubmit(); return; }
      if (event.key === "Tab" && !event.shiftKey && !leaves) { event.preventDefault(); this.insert("  "); return; }
      if (event.key === "Enter") {
        const before = this.area.value.slice(0, this.area.selectionStart);
        const line = before.slice(before.lastIndexOf("\n") + 1);
        const indent = line.match(/^ */)[0] + (/[[{]\s*$/.test(line) ? "  " : "");
        event.preventDefault();
        this.insert(`\n${indent}`);
      }
      leaves = false;
    });
  }

  get text() { return this.area.value; }
  set text(value) {
    this.area.value = value;
    this.problems = [];
    this.draw();
  }

  /** Through execCommand, the one way that keeps the browser's undo. */
  insert(text) {
    this.area.focus();
    if (!document.execCommand("insertText", false, text)) {
      this.area.setRangeText(text, this.area.selectionStart, this.area.selectionEnd, "end");
      this.area.dispatchEvent(new Event("input"));
    }
  }

  /** Problems {pointer, detail} or {offset}; marks their places. */
  show(problems) {
    this.problems = problems;
    this.draw();
  }

  ranges() {
    if (!this.problems.length) return [];
    const places = positions(this.text);
    return this.problems.map((problem) => {
      if (problem.offset !== undefined) return [problem.offset, problem.offset + 1];
      const place = locate(places, problem.pointer);
      if (!place) return [0, 1];
      // A whole object is not underlined, its key is.
      const isLong = this.text.slice(place.start, place.end).includes("\n");
      return isLong && place.keyEnd > place.keyStart ? [place.keyStart, place.keyEnd] : [place.keyStart, isLong ? place.start + 1 : place.end];
    });
  }

  draw() {
    const ranges = this.ranges();
    replace(this.colors, highlighted(this.text, ranges), "\n");
    const badLines = new Set(ranges.map(([start]) => this.text.slice(0, start).split("\n").length));
    const count = this.text.split("\n").length;
    replace(this.gutter, Array.from({ length: count }, (_, index) => [badLines.has(index + 1) ? h("span.bad", {}, String(index + 1)) : String(index + 1), "\n"]));
  }

  /** Puts the cursor to a problem. */
  goTo(problem) {
    const [start, end] = this.ranges()[this.problems.indexOf(problem)] ?? [0, 0];
    this.area.focus();
    this.area.setSelectionRange(start, end);
    const line = this.text.slice(0, start).split("\n").length;
    this.element.scrollTop = Math.max(0, line * 20 - this.element.clientHeight / 2);
  }
}
