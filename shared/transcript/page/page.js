"use strict";
// What the page does: it plays the recording, follows it in the text, searches, renames and copies.
// The markup is described in formats/html_page.py. An index is that of a sentence; times are in ms.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const get = (id) => document.querySelector(`[data-testid="${id}"]`);
const on = (target, names, action) => names.split(" ").forEach((name) => target.addEventListener(name, action));
const page = document.body;
const [main, audio, map, search, help, speed] = ["transcript", "audio", "map", "search", "help", "speed"].map(get);
const { id, name: recording, duration } = page.dataset;

// Labels are English in the markup. Where the browser prefers Chinese, they are replaced.
const isChinese = /^zh/i.test(navigator.languages.find((code) => /^(zh|en)/i.test(code)));
const chinese = isChinese ? JSON.parse(get("labels").textContent) : {};
const label = (text, ...values) => values.reduce((all, value) => all.replace("{}", () => value), chinese[text] || text);

if (isChinese) {
  document.documentElement.lang = "zh-CN";
  for (const element of all("[data-label]")) element.textContent = label(element.textContent);
  for (const name of ["aria-label", "title", "placeholder"]) {
    for (const element of all(`[${name}]`)) element.setAttribute(name, label(element.getAttribute(name)));
  }
}

function format(ms) {
  const hours = Math.floor(ms / 3600000);
  const rest = new Date(ms).toISOString().slice(14, 19);
  return hours ? `${hours}:${rest}` : rest.replace(/^0/, "");
}

let messageTimer;
function say(text, isBrief) {
  get("message").textContent = text;
  clearTimeout(messageTimer);
  if (isBrief) messageTimer = setTimeout(say, 2500, "");
}

// Sentences and their words.
const paragraphs = all("section p", main);
const sentences = all("[data-t]", main);
const numbers = new Map(sentences.map((span, index) => [span, index]));
const starts = [];
const ends = [];
for (const span of sentences) {
  const [start, length] = span.dataset.t.split(" ", 2).map((digits) => parseInt(digits, 36));
  starts.push(start);
  ends.push(start + length);
  Object.assign(span.dataset, { testid: "sentence", startMs: start, endMs: start + length });
}
const total = map.max * 1000;

// Returns the words as offsets in the text with their times; none if they are unknown.
const wordCache = {};
function getWords(index) {
  const span = sentences[index];
  if (!span || wordCache[index]) return wordCache[index] || [];
  let [from, time, words] = [0, starts[index], []];
  for (const [, later, letters] of [...span.dataset.t.matchAll(/([0-9a-z]+)([A-Z]*)/g)].slice(2)) {
    let to = span.textContent.indexOf(" ", from) + 1 || Infinity;
    if (letters) to = from + [...letters].reduce((sum, letter) => sum * 26 + letter.charCodeAt() - 65, 0);
    time += parseInt(later, 36);
    words.push({ from, to, time });
    from = to;
  }
  return (wordCache[index] = words);
}

// Returns the index of the last item whose value is not above the limit, or -1.
function findLast(items, limit, read = (item) => item) {
  let [low, high] = [0, items.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (read(items[middle]) > limit) high = middle;
    else low = middle + 1;
  }
  return low - 1;
}
const findWord = (index, limit, member) => getWords(index)[findLast(getWords(index), limit, (word) => word[member])];

// Where voices overlap: the one that began last and still speaks.
function findSentence(ms) {
  const last = findLast(starts, ms);
  for (let index = last; index > last - 9; index--) if (ends[index] > ms) return index;
  return last;
}

// Marks in the text, without changing it.
const marks = CSS.highlights;
function mark(name, ranges, priority = 0) {
  if (!marks) return;
  const highlight = Object.assign(new Highlight(), { priority });
  for (const range of ranges) highlight.add(range);
  marks.set(name, highlight);
}
function buildRange(first, from, last, to) {
  const [start, end] = [sentences[first].firstChild, sentences[last].firstChild];
  return new StaticRange({
    startContainer: start,
    startOffset: Math.min(from, start.length),
    endContainer: end,
    endOffset: Math.min(to, end.length),
  });
}
function markWord(name, index, word) {
  if (!word) return mark(name, []);
  const end = sentences[index].textContent.slice(0, word.to).trimEnd().length;
  mark(name, [buildRange(index, word.from, index, end)], 2);
}

// Scrolling. The reader's own ends following, the page's does not.
const isStill = matchMedia("(prefers-reduced-motion: reduce)");
let isFollowing = true;
let ownScrollEnd = 0;
function isInView(element) {
  const { top, bottom } = element.getBoundingClientRect();
  return top > innerHeight * 0.12 && bottom < innerHeight * 0.78;
}
function reveal(element, isJump) {
  if (!element || isInView(element)) return;
  ownScrollEnd = performance.now() + 900;
  element.scrollIntoView({ block: "center", behavior: isJump || isStill.matches ? "instant" : "smooth" });
}
function follow(isOn = true) {
  isFollowing = isOn;
  get("follow").hidden = isOn;
  if (isOn) reveal(sentences[current], true);
}
const leave = () => isFollowing && !audio.paused && follow(false);
on(window, "wheel touchmove", (event) => event.target === map || leave());
on(window, "scroll", () => {
  if (performance.now() > ownScrollEnd && current >= 0 && !isInView(sentences[current])) leave();
});

// The position: the sentence and the word being spoken, the clock, the map.
let isReady, currentWord, shownSecond;
let position = 0;
let current = -1;
function show() {
  if (isReady) position = audio.currentTime * 1000;
  // A browser may report a little less than where it was sent.
  const ms = position + 5;
  const index = findSentence(ms);
  if (index !== current) {
    if (current >= 0) sentences[current].ariaCurrent = null;
    current = index;
    if (index >= 0) sentences[index].ariaCurrent = "true";
    if (isFollowing) reveal(sentences[index]);
    if (!main.contains(document.activeElement)) setTabStop(Math.max(0, index));
  }
  const word = findWord(index, ms, "time");
  if (word !== currentWord) markWord("word", index, word);
  currentWord = word;
  map.value = position / 1000;
  const second = Math.floor(ms / 1000);
  if (second === shownSecond) return;
  shownSecond = second;
  get("clock").textContent = format(ms);
  map.ariaValueText = [format(ms), names[getVoice(sentences[index])]].filter(Boolean).join(" ");
}
function seek(ms, isPlaying) {
  position = Math.min(Math.max(0, ms), total);
  if (isReady) audio.currentTime = position / 1000;
  try {
    history.replaceState(0, "", `#t=${Math.round(position) / 1000}`);
  } catch {
    // Some browsers refuse it for files, or many times in a second.
  }
  show();
  follow();
  if (isPlaying) play();
}
function play() {
  if (isReady) audio.play().catch(() => {});
  else ask();
}
function readLink() {
  const match = location.hash.match(/^#t=(\d+(\.\d+)?)/);
  if (match) seek(match[1] * 1000);
}
on(window, "hashchange", readLink);

// The recording: beside the page, or dropped or chosen by the reader.
let file;
const ask = () => say(label("Drop {} here to hear it, or choose it.", recording || label("the recording")));
function open(chosen) {
  if (!chosen) return;
  file = chosen;
  isReady = false;
  URL.revokeObjectURL(audio.src);
  audio.src = URL.createObjectURL(file);
}
function fail() {
  isReady = false;
  page.dataset.sound = "none";
  if (file) say(label("This browser cannot play {}.", file.name));
  else ask();
}
const simplify = (name) => name.normalize().replace(/\s+/g, " ").trim();
function accept() {
  isReady = true;
  page.dataset.sound = "ready";
  const ms = audio.duration * 1000;
  const isSame = !file || !recording || simplify(file.name) === simplify(recording);
  // Either may be unknown: recordings of browsers have an infinite duration.
  const isAsLong = !isFinite(ms - duration) || Math.abs(ms - duration) < Math.max(2000, duration / 50);
  say(
    (isSame ? "" : label("The transcript is of {}.", recording)) +
      (isAsLong ? "" : label(" This recording is {} long, not {}.", format(ms), format(+duration))),
  );
  setSpeed(0);
  if (position) audio.currentTime = position / 1000;
}
function tick() {
  show();
  if (!audio.paused) requestAnimationFrame(tick);
}
on(audio, "loadedmetadata", accept);
on(audio, "error", fail);
on(audio, "timeupdate seeked", show);
on(audio, "play pause", () => {
  page.classList.toggle("playing", !audio.paused);
  get("play").title = label(audio.paused ? "Play (space)" : "Pause (space)");
  tick();
});
on(get("file"), "change", (event) => open(event.target.files[0]));
on(window, "dragover drop dragleave", (event) => {
  event.preventDefault();
  page.classList.toggle("drop", event.type === "dragover");
  if (event.type === "drop") open(event.dataTransfer.files[0]);
});

// Speakers: their names by letter, which the reader can change.
const names = {};
const firstNames = {};
const getVoice = (element) => element?.closest("[data-voice]")?.dataset.voice;
function setName(voice, name) {
  names[voice] = name.trim() || firstNames[voice];
  for (const element of all(`[data-voice="${voice}"] > :is(button, cite)`)) {
    element.textContent = names[voice] + (element.matches("cite") ? ":" : "");
  }
}
const store = `scribe-names-${id}`;
for (const button of all("[data-voice] > button")) {
  names[getVoice(button)] = firstNames[getVoice(button)] = button.textContent;
  button.disabled = false;
  button.title = label("Rename");
  on(button, "click", () => rename(button));
}
try {
  for (const [voice, name] of Object.entries(JSON.parse(localStorage[store]))) setName(voice, name);
} catch {
  // Nothing is stored, or the browser has no storage for files.
}
function rename(element) {
  const voice = getVoice(element);
  const input = document.createElement("input");
  input.value = names[voice];
  input.ariaLabel = label("Name");
  on(input, "blur", () => {
    setName(voice, input.value);
    element.hidden = false;
    input.remove();
    try {
      // Without those that the page has itself, which may be others when it is written again.
      localStorage[store] = JSON.stringify(names, (key, name) => (name === firstNames[key] ? undefined : name));
    } catch {
      // The names last as long as the page.
    }
  });
  on(input, "keydown", ({ key, isComposing }) => {
    if (isComposing) return;
    if (key === "Escape") input.value = names[voice];
    if (key === "Escape" || key === "Enter") input.blur();
  });
  element.hidden = true;
  element.after(input);
  input.select();
}

// Clicks in the text.
function findCaret(x, y) {
  const range = document.caretPositionFromPoint?.(x, y) || document.caretRangeFromPoint(x, y);
  const node = range?.offsetNode || range?.startContainer;
  let offset = range?.offset ?? range?.startOffset;
  // On the right half of a character, the offset is that after it.
  if (offset) {
    const before = new Range();
    before.setStart(node, offset - 1);
    before.setEnd(node, offset);
    const { left, right, bottom } = before.getBoundingClientRect();
    if (x >= left && x < right && y < bottom) offset--;
  }
  return [node, offset];
}
const hasSelection = () => !getSelection().isCollapsed;
let hadSelection;
on(window, "pointerdown", () => (hadSelection = hasSelection()));
on(main, "click", ({ target, clientX, clientY, detail }) => {
  if (target.matches("cite")) return rename(target);
  const span = target.matches("time") ? target.parentNode.querySelector("span") : target;
  const index = numbers.get(span);
  if (index === undefined || hadSelection || hasSelection() || detail > 1) return;
  const [node, offset] = findCaret(clientX, clientY);
  const word = node === span.firstChild && findWord(index, offset, "from");
  setTabStop(index);
  seek(word?.time ?? starts[index], true);
});

// Tab goes to one sentence of the text, arrow keys from there to the others and to words.
let tabStop;
let cursor = -1;
function setTabStop(index) {
  sentences[tabStop]?.removeAttribute("tabindex");
  sentences[index]?.setAttribute("tabindex", "0");
  tabStop = index;
}
function focusOn(index, word = -1) {
  const span = sentences[index];
  if (!span) return;
  leave();
  setTabStop(index);
  span.focus({ preventScroll: true });
  reveal(span, true);
  cursor = word;
  markWord("cursor", index, getWords(index)[word]);
}
on(main, "focusout", () => {
  cursor = -1;
  mark("cursor", []);
});
on(main, "keydown", (event) => {
  const index = numbers.get(event.target);
  if (index === undefined || hasModifier(event)) return;
  const words = getWords(index);
  const moves = {
    Enter: () => seek(words[cursor]?.time ?? starts[index], true),
    ArrowDown: () => focusOn(index + 1),
    ArrowUp: () => focusOn(index - 1),
    ArrowRight: () => (cursor + 1 < words.length ? focusOn(index, cursor + 1) : focusOn(index + 1, 0)),
    ArrowLeft: () => (cursor > 0 ? focusOn(index, cursor - 1) : focusOn(index - 1, getWords(index - 1).length - 1)),
  };
  if (!moves[event.key]) return;
  event.preventDefault();
  moves[event.key]();
});

// Search, in all paragraphs as one text. A hit is [first sentence, offset, last sentence, offset].
let searchText = "";
let hits = [];
let hit = 0;
const offsets = [];
// The only letter whose lower case is longer.
const fold = (text) => text.replace(/İ/g, "i").toLowerCase();
function readText() {
  let offset = 0;
  const texts = paragraphs.map((paragraph) => {
    for (const node of paragraph.childNodes) {
      if (numbers.has(node)) offsets.push(offset);
      offset += node.textContent.length;
    }
    offset++;
    return fold(paragraph.textContent);
  });
  searchText = texts.join("\n");
}
function find() {
  const query = fold(search.value.trim());
  let first = 0;
  hits = [];
  for (let at = -1; query && (at = searchText.indexOf(query, at + 1)) >= 0; at += query.length - 1) {
    while (offsets[first + 1] <= at) first++;
    let last = first;
    while (offsets[last + 1] < at + query.length) last++;
    hits.push([first, at - offsets[first], last, at + query.length - offsets[last]]);
  }
  mark("hit", hits.map((place) => buildRange(...place)));
  mark("current-hit", []);
  get("hits").textContent = query && "0/0";
  showHit(Math.max(0, hits.findIndex(([index]) => index >= current)));
}
function showHit(number) {
  if (!hits.length) return;
  hit = (number + hits.length) % hits.length;
  get("hits").textContent = `${hit + 1}/${hits.length}`;
  mark("current-hit", [buildRange(...hits[hit])], 1);
  leave();
  const span = sentences[hits[hit][0]];
  reveal(span, true);
  if (!marks) getSelection().selectAllChildren(span);
}
// An input method first composes Chinese from letters, which are not searched.
on(search, "input compositionend", (event) => event.isComposing || find());
on(search, "keydown", ({ key, shiftKey, isComposing }) => {
  if (isComposing) return;
  if (key === "Enter") showHit(hit + (shiftKey ? -1 : 1));
  if (key !== "Escape") return;
  search.value = "";
  find();
  search.blur();
});

// Copies: what is selected of the paragraphs, or all of them.
async function copy(hasTimes) {
  const selection = hasSelection() ? getSelection().getRangeAt(0) : new Range();
  const start = [selection.startContainer, selection.startOffset];
  const end = [selection.endContainer, selection.endOffset];
  const selected = paragraphs.filter((paragraph) => selection.intersectsNode(paragraph));
  const quotes = (selected[0] ? selected : paragraphs).map((paragraph) => {
    const range = new Range();
    range.selectNodeContents(paragraph);
    if (range.isPointInRange(...start)) range.setStart(...start);
    if (range.isPointInRange(...end)) range.setEnd(...end);
    // It may begin in the space before a sentence.
    const span = [...paragraph.children].find((child) => range.intersectsNode(child)) || paragraph.lastChild;
    const index = numbers.get(span);
    const ms = findWord(index, range.startOffset, "from")?.time ?? starts[index];
    const name = names[getVoice(paragraph)];
    return (hasTimes ? `[${format(ms)}] ` : "") + (name ? `${name}: ` : "") + range.toString().trim();
  });
  let result = label("Copied");
  try {
    await navigator.clipboard.writeText(quotes.join("\n\n"));
  } catch {
    result = label("The browser does not allow it.");
  }
  say(result, true);
}

on(map, "input", () => seek(map.value * 1000));
// Actions, by the names that buttons and keys have in the markup.
function setSpeed(step) {
  if (speed[speed.selectedIndex + step]) speed.selectedIndex += step;
  audio.playbackRate = speed.value;
}
on(speed, "change", () => setSpeed(0));
const actions = {
  play: () => (audio.paused ? play() : audio.pause()),
  back: () => seek(position - 10000),
  forward: () => seek(position + 10000),
  previous: () => seek(starts[current - (position < starts[current] + 1500)] ?? 0),
  next: () => seek(starts[current + 1] ?? total),
  slower: () => setSpeed(-1),
  faster: () => setSpeed(1),
  search: () => search.select(),
  nextHit: () => showHit(hit + 1),
  previousHit: () => showHit(hit - 1),
  follow,
  help: () => help.showModal(),
  copyText: () => copy(false),
  copyTimes: () => copy(true),
};
const keys = {};
for (const element of all("[data-do]")) {
  for (const key of (element.dataset.keys || "").split(" ")) keys[key] = element.dataset.do;
  // A press must not end the selection that is to be copied.
  on(element, "mousedown", (event) => event.preventDefault());
  on(element, "click", () => actions[element.dataset.do]());
}
const hasModifier = (event) => event.ctrlKey || event.altKey || event.metaKey || event.isComposing;
on(window, "keydown", (event) => {
  const { key, target } = event;
  const action = actions[keys[key === " " ? "Space" : key]];
  if (!action || hasModifier(event) || help.open || target.matches("input:not([type=range]), select")) return;
  if (key === " " && target.matches("button")) return;
  event.preventDefault();
  action();
});

audio.controls = false;
for (const part of all(".tools, .controls, .map")) part.hidden = false;
setTabStop(0);
show();
readLink();
// The browser may have tried the file before this script ran.
if (audio.error || audio.networkState === audio.NETWORK_NO_SOURCE) fail();
else if (audio.readyState) accept();
performance.mark("ready");
setTimeout(readText);
