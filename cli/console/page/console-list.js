// The list of recordings: pages of 200 from the console, kept up to date by its events.
// The rows are in memory; of each hundred of them, the elements exist only while they are near the window.
import {
  announce, buildHash, bus, find, formatNumber, get, getFolder, getLanguage, isolate, make, makeButton, makeIcon, makeTime,
  request, session, splitCode, text,
} from "./console-common.js";
import { showWhy } from "./console-reports.js";

const PAGE_SIZE = 200;
const CHUNK_SIZE = 100;
const STATES = ["open", "waiting", "failed", "done"];
const STEPS = ["uploaded", "submitted", "recognised", "written"];
// How many steps are behind a recording, by its phase.
const REACHED = { uploaded: 1, accepted: 1, submitted: 2, done: 4 };

const list = find("rows");
const getId = (row) => JSON.stringify([row.bucket, row.key]);
let rows = [];
let known = new Map();
let elements = new Map();
let counts = {};
let state = "";
let total = 0;
let revision = -1;
let hasMoreDone = false;
let loading = null;
let waitingChanges = [];
// Recordings that this page has seen in progress keep showing their steps.
const followed = new Set();
const retrying = new Set();

// One recording.
const canOpen = (row) => row.state === "done";
const openRow = (row) => {
  if (canOpen(row)) location.hash = buildHash("transcript", { bucket: row.bucket, key: row.key });
  else showWhy(row);
};
function makeSteps(row) {
  let reached = REACHED[row.phase];
  if (reached === undefined) reached = row.job_id ? 2 : 1;
  const words = STEPS.map((step, number) =>
    text(number === reached && row.state === "open" ? `step_now_${step}` : `step_${step}`),
  );
  const steps = words.map((step, number) => {
    const data = { step: number < reached ? "done" : number > reached ? "later" : row.state };
    return make("span", { class: "step", text: step, data });
  });
  const number = Math.min(reached + 1, 4);
  const label = text("step_of", { number, step: words[number - 1] });
  return make("span", { class: "steps", role: "img", "aria-label": label, data: { reached } }, ...steps);
}
function describe(row) {
  const parts = [];
  if (row.note) parts.push(make("span", { dir: "auto" }, ...splitCode(row.note)));
  if (row.next_step && row.state !== "done") parts.push(make("span", { dir: "auto" }, ...splitCode(row.next_step)));
  if (row.next_at && row.state !== "done") {
    const [before, after] = text("later").split("{time}");
    parts.push(make("span", {}, before, makeTime(row.next_at), after));
  }
  // Full-width punctuation has its own space.
  const space = getLanguage() === "zh" ? "" : " ";
  return parts.flatMap((part) => [part, space]);
}
function makeActions(row) {
  const named = (word) => ({ "aria-label": `${word} ${isolate(row.name)}` });
  const [open, retry] = [text("open"), text("retry")];
  const why = text(row.state === "failed" || row.state === "waiting" ? "why" : "details");
  const canRetry = row.state === "failed" && session.write;
  return [
    canOpen(row) && makeButton(open, () => openRow(row), { testid: "open", class: "main", ...named(open) }),
    canRetry &&
      makeButton(retrying.has(getId(row)) ? text("retrying") : retry, () => retryRow(row), {
        testid: "retry", class: "main", disabled: retrying.has(getId(row)), ...named(retry),
      }),
    makeButton(why, () => showWhy(row), { testid: "why", ...named(why) }),
  ];
}
function fillRow(element, row) {
  const focused = element.contains(document.activeElement) && document.activeElement.dataset.testid;
  Object.assign(element.dataset, { key: row.key, bucket: row.bucket, state: row.state, phase: row.phase });
  const showsSteps = row.state !== "done" || followed.has(getId(row));
  const folder = getFolder(row.key);
  const several = session.buckets.length > 1;
  const length = row.minutes >= 1 ? { minutes: formatNumber(row.minutes) } : { seconds: Math.round(row.minutes * 60) };
  const duration = row.minutes ? text(row.minutes >= 1 ? "minutes" : "seconds", length) : "";
  element.replaceChildren(
    make("span", { class: "state" }, makeIcon(row.state), text(`state_${row.state}`)),
    make(
      "span",
      { class: "title" },
      make("bdi", { class: "name", text: row.name, on: { click: () => openRow(row) } }),
      (folder || several) && make("bdi", { class: "folder", text: (several ? `${row.bucket}/` : "") + folder }),
    ),
    make("span", { class: "minutes", text: duration }),
    makeTime(row.since, { class: "since" }),
    make("span", { class: "actions" }, ...makeActions(row)),
    ...(showsSteps ? [makeSteps(row)] : []),
    ...(row.note || row.next_at ? [make("span", { class: "note" }, ...describe(row))] : []),
  );
  if (focused) (element.querySelector(`[data-testid=${focused}]`) ?? element.querySelector("button")).focus();
}
function getElement(row) {
  const id = getId(row);
  if (!elements.has(id)) {
    const element = make("div", { role: "listitem", class: "row", data: { testid: "recording" } });
    elements.set(id, element);
    fillRow(element, row);
  }
  return elements.get(id);
}
async function retryRow(row) {
  const id = getId(row);
  if (retrying.has(id)) return;
  retrying.add(id);
  refresh(row);
  try {
    const { message } = await request("/api/retry", { method: "POST", body: { bucket: row.bucket, key: row.key } });
    announce(message);
    noteRetry(row, message);
  } catch (refusal) {
    noteRetry(row, refusal.message);
    announce(refusal.message);
  }
  retrying.delete(id);
  refresh(row);
}
bus.addEventListener("retry", ({ detail: { bucket, key } }) => {
  const row = known.get(JSON.stringify([bucket, key]));
  if (row) retryRow(row);
});
function noteRetry(row, message) {
  const newest = known.get(getId(row));
  if (newest?.state === row.state) Object.assign(newest, { note: message, next_step: "" });
}
function refresh(row) {
  const [id, newest] = [getId(row), known.get(getId(row))];
  if (newest && elements.has(id)) fillRow(elements.get(id), newest);
}

// A hundred rows: empty, and as high as they were, while they are far from the window.
const chunks = [];
const watcher = new IntersectionObserver(
  (entries) => {
    for (const { target, isIntersecting } of entries) {
      const chunk = chunks.find(({ element }) => element === target);
      // Nothing of a list that is hidden is in view; it keeps what it has.
      if (!chunk || chunk.isNear === isIntersecting || !list.offsetParent) continue;
      const height = target.offsetHeight;
      chunk.isNear = isIntersecting;
      target.style.height = isIntersecting ? "" : `${height}px`;
      fillChunk(chunk);
    }
  },
  { rootMargin: "1500px" },
);
function fillChunk(chunk) {
  const { element, number, isNear } = chunk;
  const wanted = isNear ? rows.slice(number * CHUNK_SIZE, (number + 1) * CHUNK_SIZE).map(getElement) : [];
  if (!isNear) for (const child of element.children) if (child.contains(document.activeElement)) wanted.push(child);
  const kept = new Set(wanted);
  for (const child of [...element.children]) {
    if (kept.has(child)) continue;
    child.remove();
    if (!isNear) elements.delete(JSON.stringify([child.dataset.bucket, child.dataset.key]));
  }
  let place = element.firstChild;
  for (const child of wanted) {
    if (child === place) {
      place = place.nextSibling;
      continue;
    }
    const focused = child.contains(document.activeElement) ? document.activeElement : null;
    element.insertBefore(child, place);
    focused?.focus({ preventScroll: true });
  }
}
function showRows() {
  const count = Math.ceil(rows.length / CHUNK_SIZE);
  while (chunks.length > count) {
    const { element } = chunks.pop();
    watcher.unobserve(element);
    element.remove();
  }
  while (chunks.length < count) {
    const chunk = { element: make("div", { class: "chunk" }), number: chunks.length, isNear: true };
    chunks.push(chunk);
    list.append(chunk.element);
    watcher.observe(chunk.element);
  }
  chunks.forEach(fillChunk);
  const isLoaded = revision >= 0;
  const isEmpty = isLoaded && !rows.length;
  const isAll = !Object.values(counts).some(Boolean);
  find("empty").hidden = !isEmpty;
  find("empty").textContent = text(!isAll && state ? "empty_filter" : session.write ? "empty_write" : "empty");
  find("more").hidden = isLoaded && rows.length >= total;
  find("more").textContent = text(isLoaded ? "loading_more" : "loading");
  find("more-done").hidden = !hasMoreDone || rows.length < total || (state && state !== "done");
}

// The filter.
function showCounts() {
  const sum = STATES.reduce((all, name) => all + (counts[name] ?? 0), 0);
  const buttons = ["", ...STATES].map((name) => {
    const count = name ? (counts[name] ?? 0) : sum;
    return make(
      "button",
      {
        type: "button", "aria-pressed": String(name === state), data: { state: name },
        on: { click: () => choose(name) },
      },
      name && makeIcon(name),
      text(name ? `state_${name}` : "all"),
      " ",
      make("b", { text: formatNumber(count) }),
    );
  });
  const filter = get("state-filter");
  const focused = filter.contains(document.activeElement) ? document.activeElement.dataset.state : null;
  filter.replaceChildren(...buttons);
  if (focused !== null) buttons.find((button) => button.dataset.state === focused).focus();
}
function choose(name) {
  if (state === name) return;
  state = name;
  showCounts();
  load();
}

// Loading. Of two loads at a time, the later one counts.
const fetchPage = (offset, signal) =>
  request("/api/recordings", { query: { state, q: "", offset, limit: PAGE_SIZE }, signal });
function accept(page) {
  ({ revision, counts, total } = page);
  hasMoreDone = page.has_more_done;
  tell(page.problem ?? "");
}
const tell = (problem) => bus.dispatchEvent(new CustomEvent("problem", { detail: problem }));

// Load the list again: as many rows as were shown, when `keeps` is set.
export async function load({ keeps = false } = {}) {
  loading?.abort();
  const own = (loading = new AbortController());
  const wanted = keeps ? Math.max(rows.length, PAGE_SIZE) : PAGE_SIZE;
  try {
    const found = new Map();
    let page;
    for (let offset = 0; offset < wanted; offset += PAGE_SIZE) {
      page = await fetchPage(offset, own.signal);
      for (const row of page.rows) found.set(getId(row), row);
      if (offset + PAGE_SIZE >= page.total) break;
    }
    known = found;
    rows = [...found.values()];
    note(rows);
    elements = new Map();
    list.replaceChildren();
    for (const chunk of chunks.splice(0)) watcher.unobserve(chunk.element);
    accept(page);
    showRows();
    showCounts();
    fillFolders();
  } catch (error) {
    if (error.name === "AbortError") return;
    find("more").textContent = text("failed_load", { message: error.message });
  } finally {
    if (loading === own) loading = null;
  }
  settle();
}
function settle() {
  const changes = waitingChanges;
  waitingChanges = [];
  changes.forEach(change);
  // Where the rows are few or the window is high, the end is in view already.
  requestAnimationFrame(loadMore);
}
const note = (list) => list.forEach((row) => row.state === "open" && followed.add(getId(row)));

let isEndNear = false;
async function loadMore() {
  if (loading || !isEndNear || revision < 0 || rows.length >= total || !list.offsetParent) return;
  const own = (loading = new AbortController());
  try {
    // Rows that came by events are in front, so the pages move: what is known already is left out.
    const page = await fetchPage(rows.length - (rows.length % PAGE_SIZE), own.signal);
    const fresh = page.rows.filter((row) => !known.has(getId(row)));
    for (const row of fresh) known.set(getId(row), row);
    rows.push(...fresh);
    note(fresh);
    total = fresh.length ? page.total : rows.length;
    showRows();
    fillFolders();
  } catch (error) {
    if (error.name === "AbortError") return;
    find("more").textContent = text("failed_load", { message: error.message });
    return;
  } finally {
    if (loading === own) loading = null;
  }
  settle();
}
new IntersectionObserver(
  (entries) => {
    isEndNear = entries.at(-1).isIntersecting; // a busy page gets several changes at once
    loadMore();
  },
  { rootMargin: "1200px" },
).observe(find("end"));

// Changes that the console tells.
const isBefore = (one, other) => {
  const ranks = [one, other].map((row) => STATES.indexOf(row.state));
  if (ranks[0] !== ranks[1]) return ranks[0] < ranks[1];
  return one.since === other.since ? one.key < other.key : one.since > other.since;
};
function take(id) {
  const row = known.get(id);
  if (!row) return;
  rows.splice(rows.indexOf(row), 1);
  known.delete(id);
}
function put(row) {
  const id = getId(row);
  const before = known.get(id);
  if (row.state === "open") followed.add(id);
  take(id);
  if (before && before.state !== row.state) {
    announce(text("changed", { name: isolate(row.name), state: text(`state_${row.state}`) }));
  }
  if (!state || state === row.state) {
    let place = rows.findIndex((other) => isBefore(row, other));
    if (place < 0) place = rows.length;
    // What belongs behind the rows that are loaded comes with its page.
    if (place < rows.length || before || rows.length >= total) rows.splice(place, 0, row);
    if (rows[place] === row) known.set(id, row);
  }
  if (elements.has(id)) {
    if (known.has(id)) fillRow(elements.get(id), row);
    else {
      elements.get(id).remove();
      elements.delete(id);
    }
  }
}
export function change(data) {
  if (loading) return void waitingChanges.push(data);
  if (data.revision <= revision) return;
  // The first event of a connection has no rows: what changed before it was missed, as was what a gap leaves out.
  const isMissing = data.revision > revision + 1 || !(data.rows.length || data.removed.length);
  revision = data.revision;
  counts = data.counts;
  if (data.reload || isMissing) return void load({ keeps: true });
  for (const name of data.removed ?? []) {
    const id = JSON.stringify(name);
    take(id);
    elements.get(id)?.remove();
    elements.delete(id);
  }
  const isComplete = rows.length >= total;
  for (const row of data.rows) put(row);
  total = state ? counts[state] : STATES.reduce((all, name) => all + counts[name], 0);
  if (isComplete) total = rows.length;
  showRows();
  showCounts();
  if (data.rows.some((row) => row.state === "done")) bus.dispatchEvent(new CustomEvent("transcribed"));
}

// Check whether something was missed between the first load and the first connection.
export async function catchUp() {
  if (revision < 0) return load();
  try {
    const page = await request("/api/recordings", { query: { state, q: "", offset: 0, limit: 1 } });
    if (page.revision > revision) await load({ keeps: true });
    else tell(page.problem ?? "");
  } catch {
    // The banner says it.
  }
}
export const findRow = (bucket, key) => known.get(JSON.stringify([bucket, key]));

// Folders of the rows are proposed in the upload's field.
function fillFolders() {
  const folders = [...new Set(rows.map((row) => getFolder(row.key)).filter(Boolean))].sort().slice(0, 100);
  find("folders").replaceChildren(...folders.map((folder) => make("option", { value: folder })));
}
bus.addEventListener("language", () => {
  showCounts();
  elements.forEach((element, id) => known.has(id) && fillRow(element, known.get(id)));
  showRows();
});
