// Every page works without this: it polls, writes times in the reader's zone, copies, and has keys.
"use strict";
const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];
const home = $("[data-base]"); // the body, or what stands in a page of an application
const base = home.dataset.base;

// Times: the server writes its own zone, unless the address names one.
const zone = home.dataset.zone;
const two = (number) => String(number).padStart(2, "0");
function localize(within) {
  if (zone) return;
  for (const node of $$("time[datetime], text[data-at]", within)) {
    const at = new Date(node.dateTime || node.dataset.at);
    if (isNaN(at)) continue;
    const minutes = `${two(at.getHours())}:${two(at.getMinutes())}`;
    const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
    if (node.dataset.at) node.textContent = node.dataset.day ? day.slice(5) : minutes;
    else {
      const whole = `${day} ${minutes}:${two(at.getSeconds())}`;
      const size = node.textContent.trim().length; // what the server left out stays out
      node.textContent = node.textContent.includes("-") && size < 19 ? whole.slice(5, 5 + size) : whole.slice(-size);
      node.title = whole;
    }
  }
}

// Copying a command.
async function copy(node) {
  try {
    await navigator.clipboard.writeText(node.dataset.command);
  } catch {
    getSelection().selectAllChildren(node); // no leave, or no https: ^C takes it
    return;
  }
  node.classList.add("copied");
  setTimeout(() => node.classList.remove("copied"), 900);
}
function enliven(within) {
  for (const node of $$(".ask", within)) {
    node.role = "button";
    node.tabIndex = 0;
    node.title = "copy the command";
  }
  localize(within);
}
const page = () => $(".cmd code");
document.addEventListener("click", (event) => {
  const ask = event.target.closest(".ask");
  if (ask && getSelection().isCollapsed) copy(ask);
});

// The newest state of the page. Parts are replaced when they have changed, never under a selection,
// the focus, a tick or an open form; polls do not overlap, and a hidden page does not ask.
let shown = parts(document);
let missed = 0;
let paused = false;
let lastAlarms = $$(".need li").length;
function parts(from) {
  return new Map($$("[data-part]", from).map((node) => [node.dataset.part, node.outerHTML]));
}
function isBusy(node) {
  const selection = getSelection();
  return node.contains(document.activeElement) || $("input:checked, .act[open]", node) || (!selection.isCollapsed && selection.containsNode(node, true));
}
function show(text) {
  const fresh = new DOMParser().parseFromString(text, "text/html");
  const found = parts(fresh);
  // Another set of parts is another page: its cards come and go as a whole.
  if ([...found.keys()].join() !== [...shown.keys()].join()) {
    if (isBusy($(".board"))) return;
    $(".board").replaceWith($(".board", fresh));
    enliven($(".board"));
  }
  for (const node of $$("[data-part]")) {
    const name = node.dataset.part;
    if (found.get(name) === shown.get(name) || isBusy(node)) {
      if (isBusy(node)) found.set(name, shown.get(name));
      continue;
    }
    const next = $(`[data-part="${CSS.escape(name)}"]`, fresh);
    if (!next) continue;
    const before = $$(".scroll", node).map((box) => box.scrollLeft);
    node.replaceWith(next);
    $$(".scroll", next).forEach((box, place) => (box.scrollLeft = before[place] || 0));
    enliven(next);
  }
  shown = found;
  document.title = fresh.title;
  const alarms = $$(".need li").length;
  if (alarms > lastAlarms) $("#news").textContent = $(".need li p").textContent;
  lastAlarms = alarms;
}
async function poll() {
  let pause = 2000;
  if (!paused && !document.hidden) {
    try {
      const answer = await fetch(location.href, { signal: AbortSignal.timeout(15000) });
      if (!answer.ok) throw new Error(answer.status);
      show(await answer.text());
      missed = 0;
    } catch {
      missed += 1;
      pause = Math.min(30000, 2000 * 2 ** Math.max(0, missed - 2));
    }
    home.classList.toggle("stale", missed >= 3);
    if (missed === 3 && $(".live .word")) {
      $(".live .word").textContent = "no answer since";
      shown.set("live", ""); // the next answer puts it back
    }
  }
  setTimeout(poll, pause);
}

// Keys.
const places = { o: "", j: "jobs", d: "dead", p: "periodic", l: "limits", t: "tasks", w: "workers", e: "events", h: "health" };
let leader = 0;
function step(by) {
  const rows = $$(".board tbody tr");
  const next = rows[rows.findIndex((row) => row.classList.contains("here")) + by] || rows[by > 0 ? rows.length - 1 : 0];
  rows.forEach((row) => row.classList.toggle("here", row === next));
  next?.scrollIntoView({ block: "nearest" });
}
const keys = {
  "/": () => $("#q").focus(),
  "?": () => $("#keys").showModal(),
  ".": () => $(".live").classList.toggle("paused", (paused = !paused)),
  c: () => copy(page()),
  j: () => step(1),
  k: () => step(-1),
  x: () => $("tr.here input[type=checkbox]")?.click(),
  Enter: () => $("tr.here a")?.click(),
};
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") event.target.blur();
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  if (event.key === "Enter" && event.target.matches(".ask")) return copy(event.target);
  if (event.key === "Enter" && event.target !== document.body) return; // what has the focus is meant
  if (Date.now() - leader < 1500 && event.key in places) location.href = base + places[event.key];
  else if (event.key in keys) { event.preventDefault(); keys[event.key](); }
  leader = event.key === "g" ? Date.now() : 0;
});
for (const [id, act] of [["copy", keys.c], ["show-keys", keys["?"]]]) {
  $(`#${id}`).hidden = false;
  $(`#${id}`).addEventListener("click", act);
}
enliven(document);
for (const box of $$(".newest")) box.scrollLeft = box.scrollWidth;
if (!home.dataset.still) setTimeout(poll, 2000);
