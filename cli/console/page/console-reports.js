// What is shown in the dialog: why a recording is in its state, minutes and cost of a month, the check.
import {
  bus, find, formatMoney, formatNumber, formatSize, get, getLanguage, getName, hasText, make, makeButton, makeTime, request,
  session, splitCode, tell, text,
} from "./console-common.js";

const dialog = find("dialog");
let shown = null;

// Show the dialog: what `build` returns, once it is there; a later call takes the place of an earlier one.
async function show(title, build, loading = text("loading")) {
  const own = (shown = {});
  find("dialog-title").textContent = title;
  find("dialog-body").replaceChildren(make("p", { class: "quiet", role: "status", text: loading }));
  if (!dialog.open) dialog.showModal();
  let nodes;
  try {
    nodes = await build();
  } catch (refusal) {
    nodes = [make("p", { class: "bad", dir: "auto", text: text("failed_load", { message: refusal.message }) })];
  }
  if (shown === own) find("dialog-body").replaceChildren(...nodes.flat().filter(Boolean));
}
find("dialog-close").addEventListener("click", () => dialog.close());
dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
dialog.addEventListener("close", () => (shown = null));
bus.addEventListener("language", () => dialog.close());

const makeHeading = (key) => make("h3", { text: text(key) });
const makeSentence = (sentence, attributes) => make("p", { dir: "auto", ...attributes }, ...splitCode(sentence));

// Why.
export function showWhy({ bucket, key }) {
  show(getName(key), async () => buildStory(await request("/api/story", { query: { bucket, key } })));
}
function buildStory(story) {
  const { next } = story;
  return [
    make("p", { class: "quiet" }, make("bdi", { text: `${story.bucket}/${story.key}` })),
    makeSentence(story.summary, { class: "summary", data: { state: story.state } }),
    next.what && [
      makeHeading("next"),
      makeSentence(next.what),
      next.at && make("p", {}, ...splitTime("next_at", next.at)),
    ],
    next.do && [makeHeading("to_do"), makeSentence(next.do)],
    story.state === "failed" && session.write && makeButton(text("retry"), () => retry(story), { class: "main" }),
    story.story.length && [
      makeHeading("story"),
      make("ol", { class: "timeline" }, ...story.story.map(makeEvent)),
    ],
    story.error && makeDetails(story.error),
    story.outputs.length && [
      makeHeading("output_files"),
      make("ul", { class: "files" }, ...story.outputs.map(makeFile)),
    ],
  ].flat();
}
function splitTime(key, iso) {
  const [before, after] = text(key).split("{time}");
  return [before, makeTime(iso), after];
}
const makeEvent = ({ at, event, detail }) => {
  const key = `event_${event.replaceAll(" ", "_")}`;
  return make(
    "li",
    { data: { event } },
    at && makeTime(at, {}, true),
    make("b", { text: hasText(key) ? text(key) : event }),
    detail && make("bdi", { class: "quiet", text: hasText(`end_${detail}`) ? text(`end_${detail}`) : detail }),
  );
};
const makeFile = ({ key, size }) =>
  make("li", {}, make("bdi", { text: key }), make("span", { class: "quiet", text: formatSize(size) }));
function makeDetails(error) {
  // Some members have a twin in Chinese.
  const isShown = ([name, value]) => value !== null && typeof value !== "object" && !name.endsWith("_zh");
  const members = Object.entries(error).filter(isShown);
  const choose = (name) => (getLanguage() === "zh" && error[`${name}_zh`]) || error[name];
  const pairs = members.flatMap(([name]) => [
    make("dt", { text: name }),
    make("dd", { dir: "auto", text: String(choose(name)) }),
  ]);
  return make("details", {}, make("summary", { text: text("error_object") }), make("dl", {}, ...pairs));
}
function retry({ bucket, key }) {
  dialog.close();
  tell("retry", { bucket, key });
}

// Minutes and cost.
const MONTHS = 13;
function listMonths() {
  // Bills are made in UTC+8.
  const now = new Date(Date.now() + 8 * 3600000);
  return Array.from({ length: MONTHS }, (_, back) =>
    new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth() - back)).toISOString().slice(0, 7),
  );
}
let latest = null;
export async function loadCost() {
  try {
    latest = await request("/api/cost");
  } catch {
    latest = null;
  }
  showCost();
}
function showCost() {
  const sums = latest && {
    minutes: formatNumber(latest.minutes), cost: formatMoney(latest.cost, latest.currency),
  };
  get("cost").textContent = sums ? text("cost_now", sums) : text("cost_short");
}
function openCost(month) {
  const months = make("select", { "aria-label": text("month"), on: { change: () => openCost(months.value) } });
  months.append(...listMonths().map((name) => make("option", { value: name, text: name, selected: name === month })));
  show(text("cost"), async () => {
    try {
      return [months, ...buildCost(await request("/api/cost", { query: { month } }))];
    } catch (refusal) {
      return [months, make("p", { class: "bad", dir: "auto", text: refusal.message })];
    }
  }).then(() => months.focus({ preventScroll: true }));
}
function buildCost(report) {
  const cells = (row) => [
    make("td", { text: formatNumber(row.recordings) }),
    make("td", { text: formatNumber(row.minutes) }),
    make("td", { text: formatMoney(row.cost, report.currency) }),
  ];
  const buckets = new Set(report.folders.map((row) => row.bucket));
  // A folder of the bucket ends with a slash.
  const folder = (row) => (row.folder === "(forgotten)" ? text("folder_forgotten") : row.folder);
  const name = (row) => (buckets.size > 1 ? `${row.bucket}/${folder(row)}` : folder(row) || text("folder_top"));
  const heads = ["cost_folder", "recordings_of", "minutes_of", "cost_of"];
  const price = formatMoney(report.price_per_hour, report.currency);
  const { monthly_minutes: count, minutes_left: left } = report;
  return [
    report.folders.length
      ? make(
          "table",
          {},
          make("thead", {}, make("tr", {}, ...heads.map((head) => make("th", { scope: "col", text: text(head) })))),
          make(
            "tbody",
            {},
            ...report.folders.map((row) =>
              make("tr", {}, make("th", { scope: "row" }, make("bdi", { text: name(row) })), ...cells(row)),
            ),
          ),
          make(
            "tfoot",
            {},
            make("tr", {}, make("th", { scope: "row", text: text("cost_total") }), ...cells(report)),
          ),
        )
      : make("p", { text: text("cost_none") }),
    count !== null && make("p", { text: text("cost_budget", { count, left: formatNumber(left ?? 0) }) }),
    make("p", { class: "quiet", text: text(report.price_is_confirmed ? "cost_price" : "cost_price_default", { price }) }),
  ];
}
get("cost").addEventListener("click", () => openCost(listMonths()[0]));

// The check.
const ORDER = ["wrong", "note", "skipped", "ok"];
const KEPT_MS = 60000;
let findings = null;
let checkedAt = 0;
export async function loadDoctor() {
  const report = await request("/api/doctor");
  ({ findings } = report);
  checkedAt = Date.now();
  showBadge();
  return report;
}
function showBadge() {
  const count = findings?.filter((finding) => finding.status === "wrong").length;
  const button = get("doctor");
  button.textContent = text("doctor");
  if (count) button.append(" ", make("b", { class: "badge", text: formatNumber(count) }));
  button.setAttribute("aria-label", count ? text("doctor_badge", { count }) : text("doctor"));
}
function openDoctor(report) {
  const again = makeButton(text("doctor_again"), () => openDoctor(null));
  const build = async () => [...buildFindings((report ?? (await loadDoctor())).findings), again];
  show(text("doctor_title"), build, text("doctor_running"));
}
function buildFindings(list) {
  const count = list.filter((finding) => finding.status === "wrong").length;
  const fine = list.filter((finding) => finding.status === "ok");
  const others = list
    .filter((finding) => finding.status !== "ok")
    .sort((one, other) => ORDER.indexOf(one.status) - ORDER.indexOf(other.status));
  const makeList = (part) => make("ul", { class: "findings" }, ...part.map(makeFinding));
  return [
    make("p", { class: "summary", text: count ? text("doctor_wrong", { count }) : text("doctor_all_well") }),
    others.length && makeList(others),
    fine.length &&
      make(
        "details",
        {},
        make("summary", { text: text("doctor_ok", { count: fine.length }) }),
        makeList(fine),
      ),
  ];
}
const makeFinding = ({ status, message, subject, fix }) =>
  make(
    "li",
    { data: { status } },
    make("b", { class: "status", text: text(`finding_${status}`) }),
    make(
      "div",
      {},
      subject && make("bdi", { class: "quiet", text: subject }),
      makeSentence(message),
      fix && make("p", { class: "fix", dir: "auto" }, make("b", { text: text("fix") }), " ", ...splitCode(fix)),
    ),
  );
get("doctor").addEventListener("click", () => openDoctor(Date.now() - checkedAt < KEPT_MS ? { findings } : null));
bus.addEventListener("language", () => {
  showCost();
  showBadge();
});
