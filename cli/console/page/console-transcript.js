// A transcript: click on a sentence to hear it, the sound is followed in the text. Times are in ms.
import {
  announce, buildHash, bus, find, formatPosition, get, getFolder, getName, make, request, showMarks, splitCode, text,
} from "./console-common.js";

const PARAGRAPH_LENGTH = 600;
const PAUSE_MS = 3000;
const main = get("transcript");
const audio = get("audio");
const speed = find("speed");

let recording = null;
let spans = [];
let starts = [];
let ends = [];
let numbers = new Map();
let current = -1;
let tabStop = -1;
let position = 0;
let wantsSound = false;
let hasSound = false;
let renewals = 0;
let opening = null;
let transcript = null;

// Opening and leaving.
export async function openTranscript({ bucket, key, t }, query) {
  const ms = Math.max(0, Number(t) * 1000 || 0);
  if (recording && recording.bucket === bucket && recording.key === key && transcript) return seek(ms, false);
  leaveTranscript();
  recording = { bucket, key };
  const own = (opening = new AbortController());
  find("transcript-title").textContent = getName(key);
  find("transcript-folder").textContent = showMarks(`${bucket}/${getFolder(key)}`);
  say(text("loading"));
  let found;
  try {
    found = await request("/api/transcript", { query: { bucket, key }, signal: own.signal });
  } catch (error) {
    if (error.name === "AbortError") return;
    return say(error.message);
  }
  transcript = found;
  say(found.problem || (found.sentences.length ? "" : text("no_sentences")));
  showSentences(found.sentences);
  markHits(query);
  setSound(found);
  position = ms || query ? findHit(query, ms) : 0;
  show();
  if (position) reveal(spans[current], true);
  find("transcript-heading").focus({ preventScroll: true });
}
export function leaveTranscript() {
  opening?.abort();
  audio.pause();
  audio.removeAttribute("src");
  audio.load();
  recording = transcript = null;
  [spans, starts, ends, numbers] = [[], [], [], new Map()];
  [current, tabStop, position, wantsSound, hasSound, renewals] = [-1, -1, 0, false, false, 0];
  main.replaceChildren();
  CSS.highlights?.clear();
  find("player").hidden = find("full-page").hidden = true;
  find("copy").hidden = true;
  find("copied").textContent = "";
  follow(true);
}
const say = (sentence) => {
  find("transcript-problem").replaceChildren(...splitCode(sentence));
  find("transcript-problem").hidden = !sentence;
};

// Paragraphs: those of one speaker, cut at pauses, so that they stay short.
function showSentences(sentences) {
  const voices = new Map();
  const paragraphs = [];
  let last = null;
  let length = 0;
  for (const sentence of sentences) {
    const isLong = length > PARAGRAPH_LENGTH;
    const isPause = last && sentence.start_ms - last.end_ms > PAUSE_MS;
    if (!last || last.speaker !== sentence.speaker || isLong || isPause) {
      paragraphs.push([]);
      length = 0;
    }
    paragraphs.at(-1).push(sentence);
    length += sentence.text.length;
    last = sentence;
  }
  const sections = paragraphs.map((group, number) => {
    const { speaker, start_ms: ms } = group[0];
    const isNew = speaker && speaker !== paragraphs[number - 1]?.[0].speaker;
    if (speaker && !voices.has(speaker)) voices.set(speaker, voices.size);
    const voice = voices.get(speaker);
    const paragraph = make("p", { dir: "auto" });
    let before = "";
    for (const sentence of group) {
      if (needsSpace(before, sentence.text)) paragraph.append(" ");
      paragraph.append(makeSentence(sentence));
      before = sentence.text;
    }
    const data = speaker ? { voice: String.fromCharCode(65 + (voice % 26)) } : {};
    return make(
      "section",
      { data, class: speaker ? `c${(voice % 8) + 1}` : undefined },
      isNew && make("cite", { dir: "auto", text: speaker }),
      ms !== null && make("time", { datetime: `PT${Math.floor(ms / 1000)}S`, text: formatPosition(ms) }),
      paragraph,
    );
  });
  main.replaceChildren();
  for (const section of sections) main.append(section);
  setTabStop(0);
}
function makeSentence({ start_ms: start, end_ms: end, text: words }) {
  const span = make("span", { text: words, data: { testid: "sentence", startMs: start, endMs: end } });
  numbers.set(span, spans.length);
  spans.push(span);
  starts.push(start);
  ends.push(end);
  return span;
}
// Chinese has no space between sentences.
const CJK = /[\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]/;
const needsSpace = (before, after) => before && !CJK.test(before.at(-1)) && !/\s/.test(before.at(-1)) && !CJK.test(after[0] ?? "");

const MAX_MARKED = 10000;
function markHits(query) {
  if (!query || !CSS.highlights) return;
  const wanted = query.toLowerCase();
  const ranges = [];
  for (const { firstChild: node } of spans) {
    const words = node?.data.toLowerCase() ?? "";
    if (words.length !== node?.length || ranges.length > MAX_MARKED) continue;
    for (let at = -1; (at = words.indexOf(wanted, at + 1)) >= 0; ) {
      const place = { startContainer: node, startOffset: at, endContainer: node, endOffset: at + wanted.length };
      ranges.push(new StaticRange(place));
    }
  }
  CSS.highlights.set("hit", new Highlight(...ranges.slice(0, MAX_MARKED)));
}

// The console knows the time of the caption that has a hit, in which the sentence may begin later.
const CAPTION_MS = 10000;
function findHit(query, ms) {
  const first = Math.max(0, findSentence(ms));
  for (let index = first; query && starts[index] <= ms + CAPTION_MS; index++) {
    if (spans[index].textContent.toLowerCase().includes(query.toLowerCase())) return Math.max(ms, starts[index]);
  }
  return ms;
}

// The sound. Its address lasts twelve hours: a page that was open for longer asks for another one.
const SOUND = /^\/api\/sound\/[\w-]+$/;
const PAGE = /^\/page\/[\w-]+$/;
function setSound({ sound, page, sentences }) {
  hasSound = false;
  find("copy").hidden = !sentences.length;
  find("full-page").hidden = !PAGE.test(page);
  if (PAGE.test(page)) find("full-page").href = page;
  find("player").hidden = !SOUND.test(sound);
  if (SOUND.test(sound)) audio.src = sound;
}
audio.addEventListener("loadedmetadata", () => {
  hasSound = true;
  audio.playbackRate = Number(speed.value);
  if (position) audio.currentTime = position / 1000;
  if (wantsSound) audio.play().catch(() => {});
});
audio.addEventListener("error", async () => {
  if (!recording || !audio.hasAttribute("src")) return;
  const own = recording;
  if (renewals++ < 1) {
    wantsSound ||= hasSound && !audio.paused;
    try {
      const found = await request("/api/transcript", { query: own });
      if (recording === own) setSound(found);
      return;
    } catch {
      // It is said below.
    }
  }
  hasSound = false;
  say(`${find("transcript-problem").textContent} ${text("no_sound")}`.trim());
});
audio.addEventListener("playing", () => (renewals = 0));

// The position.
function findLast(items, limit) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (items[middle] > limit) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}
// Where voices overlap: the one that began last and still speaks.
function findSentence(ms) {
  // The sentences of a text file have no times.
  if (starts[0] === null) return -1;
  const last = findLast(starts, ms);
  for (let index = last; index > last - 9; index--) if (ends[index] > ms) return index;
  return last;
}
function show() {
  if (!transcript) return;
  if (hasSound) position = audio.currentTime * 1000;
  // A browser may report a little less than where it was sent.
  const index = findSentence(position + 5);
  if (index === current) return;
  spans[current]?.removeAttribute("aria-current");
  current = index;
  spans[index]?.setAttribute("aria-current", "true");
  if (isFollowing) reveal(spans[index]);
  if (!main.contains(document.activeElement)) setTabStop(Math.max(0, index));
}
function seek(ms, plays) {
  if (ms === null) return;
  position = Math.max(0, ms);
  if (hasSound) audio.currentTime = position / 1000;
  const { bucket, key } = recording;
  history.replaceState(null, "", buildHash("transcript", { bucket, key, t: Math.round(position) / 1000 }));
  current = -1;
  for (const span of main.querySelectorAll("[aria-current]")) span.removeAttribute("aria-current");
  follow(true);
  show();
  if (plays) play();
}
function play() {
  wantsSound = true;
  if (hasSound) audio.play().catch(() => {});
}
function tick() {
  show();
  if (!audio.paused) requestAnimationFrame(tick);
}
for (const name of ["timeupdate", "seeked"]) audio.addEventListener(name, show);
audio.addEventListener("play", tick);
audio.addEventListener("pause", () => (wantsSound = false));
speed.addEventListener("change", () => (audio.playbackRate = Number(speed.value)));

// Following. The reader's own scrolling ends it, that of the page does not.
const isStill = matchMedia("(prefers-reduced-motion: reduce)");
let isFollowing = true;
let ownScrollEnd = 0;
function isInView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return top > innerHeight * 0.15 && bottom < innerHeight * 0.8;
}
function reveal(element, isJump) {
  if (!element || isInView(element)) return;
  ownScrollEnd = performance.now() + 900;
  element.scrollIntoView({ block: "center", behavior: isJump || isStill.matches ? "instant" : "smooth" });
}
function follow(isOn) {
  isFollowing = isOn;
  find("follow").hidden = isOn;
  if (isOn) reveal(spans[current], true);
}
const leave = () => transcript && isFollowing && !audio.paused && follow(false);
for (const name of ["wheel", "touchmove"]) addEventListener(name, leave, { passive: true });
addEventListener("scroll", () => {
  if (performance.now() > ownScrollEnd && spans[current] && !isInView(spans[current])) leave();
});
find("follow").addEventListener("click", () => follow(true));

// Clicks and keys in the text: Tab goes to one sentence, arrow keys from there to the others.
function setTabStop(index) {
  spans[tabStop]?.removeAttribute("tabindex");
  spans[index]?.setAttribute("tabindex", "0");
  tabStop = index;
}
function focusOn(index) {
  if (!spans[index]) return;
  leave();
  setTabStop(index);
  spans[index].focus({ preventScroll: true });
  reveal(spans[index], true);
}
main.addEventListener("click", ({ target, detail }) => {
  const span = target.matches("time") ? target.parentNode.querySelector("span") : target;
  const index = numbers.get(span);
  // A reader who marks words does not want to hear them.
  if (index === undefined || detail > 1 || !getSelection().isCollapsed) return;
  setTabStop(index);
  seek(starts[index], true);
});
main.addEventListener("keydown", (event) => {
  const index = numbers.get(event.target);
  const moves = {
    Enter: () => seek(starts[index], true),
    ArrowDown: () => focusOn(index + 1),
    ArrowUp: () => focusOn(index - 1),
  };
  if (index === undefined || !moves[event.key] || event.ctrlKey || event.metaKey || event.altKey) return;
  event.preventDefault();
  moves[event.key]();
});
const skip = (ms) => seek(position + ms, false);
const KEYS = {
  " ": () => (audio.paused ? play() : audio.pause()),
  k: () => (audio.paused ? play() : audio.pause()),
  j: () => skip(-10000),
  l: () => skip(10000),
  ",": () => seek(starts[Math.max(0, current - 1)] ?? 0, false),
  ".": () => seek(starts[Math.min(spans.length - 1, current + 1)] ?? 0, false),
  f: () => follow(true),
};
// Returns whether the key was one of the player's.
export function pressKey(key) {
  const action = transcript && KEYS[key.toLowerCase()];
  action?.();
  return Boolean(action);
}
find("rewind").addEventListener("click", () => skip(-10000));
find("forward").addEventListener("click", () => skip(10000));

// The whole text, with the names of those who speak.
find("copy").addEventListener("click", async () => {
  const lines = [...main.querySelectorAll("section")].map((section) => {
    const name = section.querySelector("cite")?.textContent;
    return (name ? `${name}: ` : "") + section.querySelector("p").textContent;
  });
  let result = text("copied");
  try {
    await navigator.clipboard.writeText(lines.join("\n"));
  } catch {
    result = text("copy_failed");
  }
  find("copied").textContent = result;
  announce(result);
});
bus.addEventListener("language", () => {
  find("copied").textContent = "";
});
