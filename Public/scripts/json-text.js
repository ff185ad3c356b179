// JSON as text that is being written: colours, and where a JSON pointer lies in it. Tolerates what is not finished.
import { h } from "./dom.js";

const tokenPattern = /"(?:[^"\\\n]|\\.)*"?|-?\d[\d.eE+-]*|[A-Za-z_]+|[{}[\]:,]|\s+|./gy;

function* tokens(text) {
  tokenPattern.lastIndex = 0;
  let match;
  while ((match = tokenPattern.exec(text)) !== null) {
    yield { text: match[0], start: match.index, end: match.index + match[0].length };
  }
}

/** Every value of the text by its pointer: {"#/model/features/0": {start, end, keyStart}}. */
export function positions(text) {
  const places = new Map();
  const stack = [];
  const path = () => "#" + stack.map((frame) => "/" + String(frame.key ?? 0).replaceAll("~", "~0").replaceAll("/", "~1")).join("");
  const open = [];
  let pendingKey = null;
  const begin = (token) => {
    const frame = stack.at(-1);
    if (frame && !frame.isArray) {
      if (frame.awaitsValue !== true) return null;
      frame.awaitsValue = false;
    }
    const pointer = path();
    places.set(pointer, { start: token.start, end: token.end, keyStart: pendingKey?.start ?? token.start, keyEnd: pendingKey?.end ?? token.start });
    pendingKey = null;
    return pointer;
  };
  for (const token of tokens(text)) {
    if (/^\s+$/.test(token.text)) continue;
    const frame = stack.at(-1);
    if (token.text === "{" || token.text === "[") {
      const pointer = begin(token);
      open.push(pointer);
      stack.push({ isArray: token.text === "[", key: token.text === "[" ? 0 : null });
    } else if (token.text === "}" || token.text === "]") {
      stack.pop();
      const pointer = open.pop();
      const place = places.get(pointer);
      if (place) place.end = token.end;
    } else if (token.text === ",") {
      if (frame?.isArray) frame.key += 1;
      else if (frame) frame.awaitsValue = false;
    } else if (token.text === ":") {
      if (frame && !frame.isArray) frame.awaitsValue = true;
    } else if (token.text.startsWith('"') && frame && !frame.isArray && !frame.awaitsValue) {
      try { frame.key = JSON.parse(token.text); } catch { frame.key = token.text.slice(1); }
      pendingKey = token;
    } else begin(token);
    if (stack.length > 200) break;
  }
  return places;
}

/** The place of a pointer, or of the nearest parent that exists. A leading # is optional. */
export function locate(places, pointer) {
  let path = pointer.startsWith("#") ? pointer : `#${pointer}`;
  for (;;) {
    const place = places.get(path);
    if (place) return place;
    const cut = path.lastIndexOf("/");
    if (cut < 0) return places.get("#") ?? null;
    path = path.slice(0, cut);
  }
}

/** Text as coloured nodes. `marks` are [start, end) ranges to underline. */
export function highlighted(text, marks = []) {
  if (text.length > 400_000) return [text];
  const nodes = [];
  const list = [...tokens(text)];
  list.forEach((token, index) => {
    let kind = null;
    if (token.text.startsWith('"')) {
      let next = index + 1;
      while (next < list.length && /^\s+$/.test(list[next].text)) next += 1;
      kind = list[next]?.text === ":" ? "key" : "string";
    } else if (/^-?\d/.test(token.text)) kind = "number";
    else if (/^[A-Za-z_]+$/.test(token.text)) kind = "word";
    const isBad = marks.some(([start, end]) => token.start < end && token.end > start) && token.text.trim() !== "";
    nodes.push(kind || isBad ? h(`span${kind ? `.tok-${kind}` : ""}${isBad ? ".tok-bad" : ""}`, {}, token.text) : token.text);
  });
  return nodes;
}
