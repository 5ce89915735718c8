// Search over titles and texts. The console reads the texts in the background, so it is asked again until it has all.
import {
  buildHash, bus, find, formatPosition, get, getFolder, getName, make, request, session, text,
} from "./console-common.js";
import { findRow } from "./console-list.js";
import { showWhy } from "./console-reports.js";

const AGAIN_MS = 1000;
const DELAY_MS = 200;
const box = get("search");
let query = "";
let asking = null;
let timer;
let answer = null;

export const getQuery = () => query;

// Show the results of what is in the box; an empty one shows the list.
export function search(words) {
  query = words.trim();
  if (box.value.trim() !== query) box.value = query;
  answer = null;
  ask();
}
async function ask() {
  clearTimeout(timer);
  asking?.abort();
  if (!query) return show();
  const own = (asking = new AbortController());
  show();
  try {
    answer = await request("/api/search", { query: { q: query }, signal: own.signal });
    show();
    if (answer.searched < answer.texts) timer = setTimeout(ask, AGAIN_MS);
  } catch (error) {
    if (error.name !== "AbortError") get("hits").textContent = error.message;
  }
}
function describeHits() {
  if (!query) return "";
  if (!answer) return text("searching");
  const count = answer.hits.length;
  const { total, searched, texts, unsearched } = answer;
  const parts = [total > count ? text("hits_many", { count, total }) : text("hits", { count })];
  if (searched < texts) parts.push(text("searched", { searched, texts }));
  else if (unsearched) parts.push(text("unsearched", { count: unsearched }));
  return parts.join(" · ");
}
let shown = "";
function show() {
  get("hits").textContent = describeHits();
  const isDone = answer && answer.searched >= answer.texts;
  find("no-hits").hidden = !isDone || answer.hits.length > 0;
  const content = JSON.stringify(answer?.hits ?? []);
  // While texts are still being read, results that are the same keep the focus.
  if (content === shown) return;
  shown = content;
  const groups = new Map();
  for (const hit of answer?.hits ?? []) {
    const id = JSON.stringify([hit.bucket, hit.key]);
    groups.set(id, [...(groups.get(id) ?? []), hit]);
  }
  find("results").replaceChildren(...[...groups.values()].map(makeGroup));
}
function makeGroup(hits) {
  const { bucket, key } = hits[0];
  const folder = (session.buckets.length > 1 ? `${bucket}/` : "") + getFolder(key);
  const titleOnly = hits.every((hit) => hit.is_title);
  const title = make("bdi", {});
  title.append(...markWords(getName(key)));
  const heading = makeLink(hits.find((hit) => hit.is_title) ?? { bucket, key, start_ms: null }, title);
  return make(
    "section",
    { class: "result", data: { key, bucket } },
    make("h3", {}, heading, folder && make("bdi", { class: "folder", text: folder })),
    titleOnly && make("p", { class: "quiet", text: text("title_hit") }),
    make("ul", {}, ...hits.filter((hit) => !hit.is_title).map(makeHit)),
  );
}
function makeHit(hit) {
  const time = hit.start_ms === null ? "" : make("span", { class: "quiet at", text: formatPosition(hit.start_ms) });
  const words = make("span", { dir: "auto" });
  words.append(...markWords(hit.snippet));
  return make("li", {}, makeLink(hit, time, words));
}
function makeLink({ bucket, key, start_ms: ms }, ...content) {
  const time = ms ? { t: ms / 1000 } : {};
  const link = make("a", { href: buildHash("transcript", { bucket, key, ...time }), data: { hit: true } }, ...content);
  const row = findRow(bucket, key);
  if (row && row.state !== "done") {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      showWhy(row);
    });
  }
  return link;
}
function markWords(sentence) {
  const parts = [];
  const [lower, wanted] = [sentence.toLowerCase(), query.toLowerCase()];
  let from = 0;
  // A letter whose lower case is longer would move the places.
  for (let at = 0; wanted && lower.length === sentence.length && (at = lower.indexOf(wanted, from)) >= 0; ) {
    parts.push(sentence.slice(from, at), make("mark", { text: sentence.slice(at, at + wanted.length) }));
    from = at + wanted.length;
  }
  return [...parts, sentence.slice(from)];
}

// An input method first composes Chinese from letters, which are not searched.
function take(event) {
  if (event.isComposing) return;
  clearTimeout(timer);
  timer = setTimeout(() => {
    const words = box.value.trim();
    if (words !== query) location.hash = words ? buildHash("search", { q: words }) : "";
  }, DELAY_MS);
}
box.addEventListener("input", take);
box.addEventListener("compositionend", take);
box.addEventListener("keydown", (event) => {
  if (event.isComposing) return;
  if (event.key === "Enter") {
    if (box.value.trim() === query) location.hash = query ? buildHash("search", { q: query }) : "";
    find("results").querySelector("a")?.focus();
  }
  if (event.key !== "Escape") return;
  event.stopPropagation();
  box.value = "";
  location.hash = "";
});
bus.addEventListener("language", () => {
  shown = "";
  show();
});
