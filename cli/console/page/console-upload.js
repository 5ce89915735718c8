// Uploads: each file is checked, asked about if its name exists, sent, and can be cancelled and tried again.
import {
  announce, bus, find, formatSize, get, isolate, make, makeButton, readRefusal, request, session, tell, text,
} from "./console-common.js";

const MAX_PARALLEL = 2;
const uploads = [];
// Closing the page would lose those.
const UNFINISHED = ["checking", "queued", "sending"];
const ENDED = ["sent", "refused", "cancelled"];

// Files of the input, of a drop, and of the folders in a drop, with their path below the folder.
async function listDropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return [...transfer.files].map((file) => [file, file.name]);
  const found = [];
  const visit = async (entry, path) => {
    if (entry.isFile) {
      const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
      if (!file.name.startsWith(".")) found.push([file, path + file.name]);
      return;
    }
    const reader = entry.createReader();
    for (;;) {
      // A reader gives a hundred at a time.
      const children = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
      if (!children.length) return;
      for (const child of children) await visit(child, `${path}${entry.name}/`);
    }
  };
  for (const entry of entries) await visit(entry, "");
  return found;
}
function add(files) {
  const folder = find("folder").value.trim().replace(/^\/+|\/+$/g, "");
  // What is uploaded is shown above the list.
  location.hash = "";
  for (const [file, path] of files) {
    const upload = {
      file, name: file.name, key: (folder ? `${folder}/` : "") + path, bucket: find("bucket").value,
      state: "checking", message: "", warnings: [], overwrite: false, share: 0, request: null,
      element: make("li", { data: { testid: "upload" } }),
    };
    uploads.push(upload);
    find("upload-list").append(upload.element);
    check(upload);
  }
  showSum();
}

// The way of one upload.
async function check(upload) {
  set(upload, "checking");
  const { bucket, file } = upload;
  let answer;
  try {
    answer = await request("/api/upload-check", { query: { bucket, key: upload.key, size: file.size } });
  } catch (refusal) {
    if (upload.state === "checking") set(upload, "failed", refusal.message);
    return;
  }
  // It may have been cancelled since.
  if (upload.state !== "checking") return;
  upload.target = answer.key || upload.key;
  // What would be overwritten is asked about.
  upload.warnings = answer.exists ? [] : (answer.warnings ?? []);
  if (answer.refusal) set(upload, "refused", answer.refusal);
  else if (answer.exists && !upload.overwrite) ask(upload);
  else set(upload, "queued");
  sendNext();
}
const ask = (upload) => set(upload, "asking", text("ask_overwrite", { name: isolate(upload.target) }));

function sendNext() {
  const count = uploads.filter(({ state }) => state === "sending").length;
  const next = uploads.filter(({ state }) => state === "queued").slice(0, Math.max(0, MAX_PARALLEL - count));
  next.forEach(send);
}
function send(upload) {
  const { bucket, file } = upload;
  const query = new URLSearchParams({ bucket, key: upload.target, overwrite: upload.overwrite ? "1" : "0" });
  const sender = (upload.request = new XMLHttpRequest());
  const end = (state, message) => {
    upload.request = null;
    set(upload, state, message);
    if (state === "sent") {
      announce(`${isolate(upload.name)}: ${text("sent")}`);
      tell("uploaded");
    } else if (state === "failed") announce(`${isolate(upload.name)}: ${message}`);
    sendNext();
  };
  sender.open("PUT", `/api/upload?${query}`);
  sender.upload.onprogress = ({ loaded, total }) => {
    upload.share = total ? loaded / total : 0;
    showProgress(upload);
  };
  sender.onload = () => {
    if (sender.status === 201 || sender.status === 200) return end("sent");
    const refusal = readRefusal(sender.status, sender.responseText);
    if (sender.status === 409) {
      upload.request = null;
      ask(upload);
      return sendNext();
    }
    // A console that is being stopped gives no reason.
    end("failed", refusal.code ? refusal.message : text("lost"));
  };
  sender.onerror = () => end("failed", text("lost"));
  sender.ontimeout = sender.onerror;
  sender.onabort = () => end("cancelled");
  upload.share = 0;
  set(upload, "sending");
  // Without a type, so that the browser's guess is no metadata: the console decides by the name.
  sender.send(file.slice(0, file.size, "application/octet-stream"));
}
function cancel(upload) {
  if (upload.request) upload.request.abort();
  else set(upload, "cancelled");
  sendNext();
}
function overwrite(upload) {
  upload.overwrite = true;
  set(upload, "queued");
  sendNext();
}
function remove(upload) {
  uploads.splice(uploads.indexOf(upload), 1);
  upload.element.remove();
  showSum();
}

// What is shown of it.
function set(upload, state, message = "") {
  Object.assign(upload, { state, message });
  showUpload(upload);
  showSum();
}
const BUTTONS = {
  checking: [["cancel", cancel]],
  queued: [["cancel", cancel]],
  sending: [["cancel", cancel]],
  asking: [["overwrite", overwrite], ["skip", remove]],
  failed: [["retry_upload", check], ["remove", remove]],
  cancelled: [["add_again", check], ["remove", remove]],
  refused: [["remove", remove]],
  sent: [],
};
function showUpload(upload) {
  const { element, state, name } = upload;
  const folder = (upload.target ?? upload.key).slice(0, -name.length);
  const hadFocus = element.contains(document.activeElement);
  Object.assign(element.dataset, { state, key: upload.target ?? upload.key });
  const words = upload.message || (["checking", "queued", "cancelled", "sent"].includes(state) ? text(state) : "");
  const buttons = BUTTONS[state].map(([label, action]) =>
    makeButton(text(label), () => action(upload), { "aria-label": `${text(label)} ${isolate(name)}` }),
  );
  const size = make("span", { class: "quiet", text: formatSize(upload.file.size) });
  const title = make("span", { class: "title" }, folder && make("bdi", { class: "folder", text: folder }));
  title.append(make("bdi", { class: "name", text: name }), " ", size);
  const bar = state === "sending" && make("progress", { max: 1, value: 0, "aria-label": name });
  element.replaceChildren(
    title,
    make("span", { class: "actions" }, ...buttons),
    ...(bar ? [bar] : []),
    make("span", { class: "message", dir: "auto", text: words }),
    ...upload.warnings.map((warning) =>
      make("span", { class: "warning", dir: "auto" }, make("b", { text: text("warning") }), ` ${warning}`),
    ),
  );
  showProgress(upload);
  if (hadFocus) (buttons[0] ?? find("upload-clear")).focus();
}
function showProgress({ element, state, share, file }) {
  if (state !== "sending") return;
  element.querySelector("progress").value = share;
  const values = { percent: Math.floor(share * 100), size: formatSize(file.size) };
  element.querySelector(".message").textContent = text("progress", values);
}
function showSum() {
  const count = (...states) => uploads.filter(({ state }) => states.includes(state)).length;
  const [sent, asking, lost] = [count("sent"), count("asking"), count("failed", "refused")];
  find("uploads").hidden = !uploads.length;
  const parts = [text("uploads_sum", { sent, count: uploads.length })];
  // These may be out of sight in a long list.
  if (asking) parts.push(text("uploads_asking", { count: asking }));
  if (lost) parts.push(text("uploads_not", { count: lost }));
  find("upload-sum").textContent = parts.join(" · ");
  find("upload-clear").hidden = !count(...ENDED);
}
find("upload-clear").addEventListener("click", () => {
  for (const upload of uploads.filter(({ state }) => ENDED.includes(state))) remove(upload);
  get("file").focus();
});

// The input, and the drop, which may be anywhere on the page.
get("file").addEventListener("change", ({ target }) => {
  add([...target.files].map((file) => [file, file.name]));
  target.value = "";
});
const hasFiles = (event) => session.write && event.dataTransfer?.types.includes("Files");
let depth = 0;
const mark = (change) => {
  depth = change === 0 ? 0 : Math.max(0, depth + change);
  document.body.classList.toggle("dropping", depth > 0);
};
addEventListener("dragenter", (event) => hasFiles(event) && mark(1));
addEventListener("dragleave", (event) => hasFiles(event) && mark(-1));
addEventListener("dragover", (event) => {
  // Without this the browser opens the file in place of the page.
  event.preventDefault();
  if (event.dataTransfer) event.dataTransfer.dropEffect = hasFiles(event) ? "copy" : "none";
});
addEventListener("drop", async (event) => {
  event.preventDefault();
  mark(0);
  if (hasFiles(event)) add(await listDropped(event.dataTransfer));
});
addEventListener("beforeunload", (event) => {
  if (uploads.some(({ state }) => UNFINISHED.includes(state))) event.preventDefault();
});

export function showUploadForm() {
  const { write, buckets, extensions } = session;
  get("drop").hidden = !write;
  find("read-only").hidden = write;
  find("read-only-command").textContent = session.read_only_hint ?? "";
  find("bucket").replaceChildren(...buckets.map((name) => make("option", { value: name, text: name })));
  find("bucket-label").hidden = buckets.length < 2;
  get("file").accept = extensions.map((name) => `.${name.replace(/^\./, "")}`).join(",");
}
bus.addEventListener("language", () => {
  uploads.forEach(showUpload);
  showSum();
});
