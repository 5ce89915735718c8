// The start of the page, its views by address, the connection to the console and the banner above all.
import {
  buildHash, bus, find, get, getLanguage, getName, make, readHash, request, session, setLanguage, splitCode, text,
} from "./console-common.js";
import { catchUp, change, load } from "./console-list.js";
import { loadCost, loadDoctor } from "./console-reports.js";
import { getQuery, search } from "./console-search.js";
import { leaveTranscript, openTranscript, pressKey } from "./console-transcript.js";
import { showUploadForm } from "./console-upload.js";

const RECONNECT_MS = 1000;
const WATCH_MS = 30000;
const HIDDEN_MS = 60000;
const COST_AFTER_MS = 5000;
const REPORTS_AFTER_MS = 1500;

// The banner: the connection to the console comes before that of the console to the cloud.
const problems = { connection: "", cloud: "" };
function showProblem() {
  const sentence = problems.connection ? text(problems.connection) : problems.cloud;
  const banner = get("problem");
  if (banner.hidden === !sentence && banner.dataset.shown === sentence) return;
  banner.dataset.shown = sentence;
  banner.hidden = !sentence;
  banner.replaceChildren(...splitCode(sentence));
}
function setProblem(name, value) {
  problems[name] = value;
  showProblem();
}
bus.addEventListener("problem", ({ detail }) => setProblem("cloud", detail));
bus.addEventListener("unreachable", () => setProblem("connection", "stopped"));
bus.addEventListener("forbidden", () => setProblem("connection", "forbidden"));
bus.addEventListener("reached", () => problems.connection === "stopped" && setProblem("connection", ""));

// The events. A connection that ends, also by a night's sleep of the computer, is opened again.
let events = null;
let wasConnected = false;
let reconnectTimer;
function connect() {
  clearTimeout(reconnectTimer);
  events?.close();
  events = new EventSource("/api/events");
  events.addEventListener("open", () => {
    setProblem("connection", "");
    // After a break the console may be another process, which counts its revisions from the start.
    if (wasConnected) return load({ keeps: true });
    wasConnected = true;
    catchUp();
    setTimeout(() => {
      loadCost();
      loadDoctor().catch(() => {});
    }, REPORTS_AFTER_MS);
  });
  events.addEventListener("changed", ({ data }) => {
    const changed = JSON.parse(data);
    change(changed);
    // Another page may have switched the language.
    if (changed.reload) readSession().catch(() => {});
  });
  events.addEventListener("problem", ({ data }) => setProblem("cloud", JSON.parse(data).message));
  events.addEventListener("recovered", () => setProblem("cloud", ""));
  events.addEventListener("error", () => {
    events.close();
    reconnectTimer = setTimeout(reconnect, RECONNECT_MS);
  });
}
async function reconnect() {
  try {
    await readSession();
    connect();
  } catch {
    reconnectTimer = setTimeout(reconnect, RECONNECT_MS);
  }
}
// A page that is not seen closes its connection: a browser has six for all pages, and the cloud need not be asked.
let hiddenTimer;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hiddenTimer);
  if (document.hidden) {
    hiddenTimer = setTimeout(() => {
      clearTimeout(reconnectTimer);
      events?.close();
    }, HIDDEN_MS);
  } else if (events?.readyState === EventSource.CLOSED) reconnect();
});
let watched = Date.now();
setInterval(() => {
  const now = Date.now();
  if (now - watched > 3 * WATCH_MS && !document.hidden) reconnect();
  watched = now;
}, WATCH_MS);
addEventListener("online", reconnect);

// The session, and what depends on it.
async function readSession() {
  const before = JSON.stringify(session);
  Object.assign(session, await request("/api/session"));
  if (JSON.stringify(session) === before) return;
  showUploadForm();
  setLanguage(session.language);
}
bus.addEventListener("language", () => {
  const isChinese = getLanguage() === "zh";
  const button = get("language");
  button.textContent = isChinese ? "English" : "中文";
  button.lang = isChinese ? "en" : "zh-CN";
  find("buckets").replaceChildren(...session.buckets.map((name) => make("bdi", { text: name })));
  find("cloud").textContent = text(session.is_local ? "local" : "real");
  find("cloud").dataset.local = session.is_local;
  showProblem();
  showTitle();
});
get("language").addEventListener("click", async () => {
  const code = getLanguage() === "zh" ? "en" : "zh";
  try {
    await request("/api/language", { method: "PUT", body: { language: code } });
  } catch (refusal) {
    if (refusal.code === "unreachable") return;
  }
  session.language = code;
  setLanguage(code);
  // Notes and findings are in the language of the command; the list comes again by an event.
  loadDoctor().catch(() => {});
});

// The views: the list, results of a search, a transcript.
let view = "";
let listTop = 0;
function showTitle() {
  const { view: name, key } = readHash();
  document.title = name === "transcript" && key ? `${getName(key)} - Scribe` : "Scribe";
}
function route() {
  const hash = readHash();
  const next = hash.view === "transcript" && hash.key ? "transcript" : hash.view === "search" ? "search" : "list";
  if (view === "list" && next !== "list") listTop = scrollY;
  if (view === "transcript" && next !== "transcript") leaveTranscript();
  for (const name of ["list", "search", "transcript"]) find(`${name}-view`).hidden = name !== next;
  find("upload-view").hidden = get("state-filter").hidden = next !== "list";
  find("back").hidden = next === "list";
  const hasChanged = view !== next;
  view = next;
  if (next === "list" && getQuery()) search("");
  if (next === "search" && hash.q !== getQuery()) search(hash.q ?? "");
  if (hasChanged) scrollTo({ top: next === "list" ? listTop : 0, behavior: "instant" });
  if (next === "transcript") openTranscript(hash, getQuery());
  showTitle();
}
addEventListener("hashchange", route);
function goBack() {
  const query = view === "transcript" && getQuery();
  location.hash = query ? buildHash("search", { q: query }) : "";
}
find("back").addEventListener("click", goBack);

// Keys, where no field and no button has them.
addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || find("dialog").open) return;
  const { target, key } = event;
  if (key === "Escape" && view !== "list") return goBack();
  const isField = target.matches("input, select, textarea, audio");
  const isPressed = key === " " && target.matches("button, a, summary");
  if (isField || isPressed) return;
  const isOwn = key === "/" ? (get("search").focus(), true) : view === "transcript" && pressKey(key);
  if (isOwn) event.preventDefault();
});

// The bill of the month changes when recordings are done.
let costTimer;
bus.addEventListener("transcribed", () => {
  clearTimeout(costTimer);
  costTimer = setTimeout(loadCost, COST_AFTER_MS);
});

async function start() {
  route();
  // Both at once: rows need the language, and are drawn again if it is not the first one.
  const list = load();
  try {
    await readSession();
  } catch {
    setLanguage(/^zh/i.test(navigator.language) ? "zh" : "en");
  }
  document.body.classList.remove("starting");
  await list;
  if (problems.connection) reconnectTimer = setTimeout(reconnect, RECONNECT_MS);
  else connect();
}
start();
