// What every part of the page uses: texts, elements, requests, times. Whatever comes from outside goes in as text.
import { TEXTS } from "./console-texts.js";

export const find = (id) => document.getElementById(id);
export const get = (id) => document.querySelector(`[data-testid="${id}"]`);

// Tells the parts of the page what happened: language, unreachable, forbidden, reached.
export const bus = new EventTarget();
export const tell = (name, detail) => bus.dispatchEvent(new CustomEvent(name, { detail }));

// What /api/session says.
export const session = { write: false, language: "en", buckets: [], extensions: [] };

// Texts.
let language = "en";
export const getLocale = () => (language === "zh" ? "zh-CN" : "en-GB");
// Marks of the writing direction make a name look like another one, unless they are shown.
const MARKS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
export const showMarks = (name) => name.replace(MARKS, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);
// A name keeps its own direction of writing within a sentence.
export const isolate = (name) => `\u2068${showMarks(name)}\u2069`;

export function text(key, values = {}) {
  const found = TEXTS[language][key] ?? key;
  const chosen = Array.isArray(found) ? found[values.count === 1 ? 0 : 1] : found;
  return chosen.replace(/\{(\w+)\}/g, (all, name) => {
    const value = values[name];
    return typeof value === "number" ? value.toLocaleString(getLocale()) : (value ?? all);
  });
}
export const hasText = (key) => key in TEXTS[language];

const LABELS = { label: "aria-label", title: "title", placeholder: "placeholder" };
export function setLanguage(code) {
  language = code in TEXTS ? code : "en";
  document.documentElement.lang = language === "zh" ? "zh-CN" : "en";
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = text(element.dataset.text);
  for (const [name, attribute] of Object.entries(LABELS)) {
    for (const element of document.querySelectorAll(`[data-${name}]`)) {
      element.setAttribute(attribute, text(element.dataset[name]));
    }
  }
  tell("language");
}
export const getLanguage = () => language;

// Elements. `data` are its data- attributes, `on` its listeners, the other members its attributes.
export function make(tag, { text: content, data, on, ...attributes } = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== false && value !== undefined) element.setAttribute(name, value === true ? "" : value);
  }
  Object.assign(element.dataset, data);
  // A <bdi> has a name.
  if (content !== undefined) element.textContent = tag === "bdi" ? showMarks(content) : content;
  for (const [name, action] of Object.entries(on ?? {})) element.addEventListener(name, action);
  element.append(...children.filter(Boolean));
  return element;
}
export const makeButton = (label, action, { testid, ...attributes } = {}) =>
  make("button", { type: "button", text: label, data: testid && { testid }, on: { click: action }, ...attributes });

const SVG = "http://www.w3.org/2000/svg";
const PATHS = {
  open: "M20 12a8 8 0 1 1-3-6.2M20 3v4h-4",
  waiting: "M12 4a8 8 0 1 0 0 16 8 8 0 1 0 0-16M12 8v4l3 2",
  failed: "M12 4a8 8 0 1 0 0 16 8 8 0 1 0 0-16M9 9l6 6M15 9l-6 6",
  done: "M5 13l4 4L19 7",
};
export function makeIcon(name) {
  const svg = document.createElementNS(SVG, "svg");
  const path = document.createElementNS(SVG, "path");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  path.setAttribute("d", PATHS[name] ?? PATHS.open);
  svg.append(path);
  return svg;
}

// A sentence of the program, in which `backticks` surround what is to be typed.
export const splitCode = (sentence) =>
  sentence.split("`").map((part, number) => (number % 2 ? make("code", { text: part }) : part));

// Requests. A refusal has the code and the message of the console.
export class Refusal extends Error {
  constructor(code, message, status = 0) {
    super(message.replaceAll("`", ""));
    Object.assign(this, { code, status });
  }
}
export function readRefusal(status, body) {
  let answer = {};
  try {
    answer = JSON.parse(body) ?? {};
  } catch {
    // A page of a proxy, or nothing.
  }
  return new Refusal(answer.error ?? "", answer.message || `HTTP ${status}`, status);
}
export async function request(path, { method = "GET", body, query, signal } = {}) {
  const headers = body ? { "Content-Type": "application/json" } : {};
  const address = query ? `${path}?${new URLSearchParams(query)}` : path;
  let response;
  try {
    response = await fetch(address, { method, headers, signal, body: body && JSON.stringify(body) });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    tell("unreachable");
    throw new Refusal("unreachable", text("stopped"));
  }
  tell("reached");
  const content = await response.text();
  if (response.ok) return content ? JSON.parse(content) : null;
  const refusal = readRefusal(response.status, content);
  if (response.status !== 403 || refusal.code === "read_only") throw refusal;
  tell("forbidden");
  throw new Refusal(refusal.code, text("forbidden"), response.status);
}

// Times and sizes.
const formats = new Map();
function getFormat(name, options) {
  const key = `${name} ${language}`;
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat(getLocale(), options));
  return formats.get(key);
}
export function formatTime(iso, hasSeconds = false) {
  const time = new Date(iso);
  if (!iso || isNaN(time)) return "";
  const second = hasSeconds ? "2-digit" : undefined;
  const options = { hour: "2-digit", minute: "2-digit", second, hourCycle: "h23" };
  const clock = getFormat(`clock ${second}`, options).format(time);
  const now = new Date();
  if (time.toDateString() === now.toDateString()) return clock;
  const year = time.getFullYear() === now.getFullYear() ? undefined : "numeric";
  return `${getFormat(`day ${year}`, { day: "numeric", month: "short", year }).format(time)} ${clock}`;
}
export const makeTime = (iso, attributes, hasSeconds) =>
  make("time", { datetime: iso, title: iso, text: formatTime(iso, hasSeconds), ...attributes });

export function formatPosition(ms) {
  const hours = Math.floor(ms / 3600000);
  const rest = new Date(ms).toISOString().slice(14, 19);
  return hours ? `${hours}:${rest}` : rest.replace(/^0/, "");
}
export function formatSize(bytes) {
  const units = ["B", "KB", "MB", "GB"];
  let power = 0;
  while (bytes >= 1000 && power < 3) [bytes, power] = [bytes / 1024, power + 1];
  return `${bytes.toLocaleString(getLocale(), { maximumFractionDigits: bytes < 10 && power ? 1 : 0 })} ${units[power]}`;
}
export const formatNumber = (value, digits = 1) =>
  value.toLocaleString(getLocale(), { maximumFractionDigits: digits });
export function formatMoney(value, currency) {
  const digits = { minimumFractionDigits: 2, maximumFractionDigits: 2 };
  const number = value.toLocaleString(getLocale(), digits);
  return language === "zh" && currency === "CNY" ? `¥${number}` : `${number} ${currency}`;
}

// Keys in the bucket: the folder ends with its slash.
export const getFolder = (key) => key.slice(0, key.lastIndexOf("/") + 1);
export const getName = (key) => showMarks(key.slice(key.lastIndexOf("/") + 1) || key);

// What is said to screen readers: at most one sentence in two seconds.
const sentences = [];
let speaking;
export function announce(sentence) {
  sentences.push(sentence);
  speaking ??= setTimeout(() => {
    speaking = undefined;
    const count = sentences.length;
    find("status").textContent = count > 3 ? text("changed_many", { count }) : sentences.join(" ");
    sentences.length = 0;
  }, 2000);
}

// Addresses within the page: #view=transcript&bucket=...&key=...
export const buildHash = (view, values = {}) => `#${new URLSearchParams({ view, ...values })}`;
export const readHash = () => Object.fromEntries(new URLSearchParams(location.hash.slice(1)));
