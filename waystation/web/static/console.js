// What the console does by itself.  Everything works without it; this makes it quicker.
"use strict";

const find = (selector, from = document) => from.querySelector(selector);
const typing = (target) => target.closest("input, select, textarea, [contenteditable]") !== null;

// Light, dark, or as the system says.
find("[data-theme-next]")?.addEventListener("click", () => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const now = root.dataset.theme ?? (dark ? "dark" : "light");
  const next = now === "dark" ? "light" : "dark";
  root.dataset.theme = next;
  try {
    localStorage.setItem("waystation-theme", next);
  } catch {
    // Kept for this page only.
  }
});

// Dialogs.
document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-open]");
  if (opener) document.getElementById(opener.dataset.open)?.showModal();
});

// A form that asks first.
const confirmed = new WeakSet();
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.method === "dialog") return;
  if (form.dataset.confirm && !confirmed.has(form)) {
    event.preventDefault();
    ask(form, event.submitter);
    return;
  }
  // Twice is once.
  if (form.dataset.sent) event.preventDefault();
  form.dataset.sent = "1";
});
addEventListener("pageshow", () => {
  for (const form of document.querySelectorAll("form[data-sent]")) delete form.dataset.sent;
});

function ask(form, submitter) {
  const dialog = document.getElementById("confirm");
  find("#confirm-title", dialog).textContent = form.dataset.confirm;
  find("#confirm-detail", dialog).textContent = form.dataset.detail ?? "";
  find("#confirm-yes", dialog).textContent = form.dataset.verb ?? "Yes";
  dialog.returnValue = "no";
  dialog.showModal();
  dialog.addEventListener("close", () => {
    if (dialog.returnValue !== "yes") return;
    confirmed.add(form);
    form.requestSubmit(submitter);
  }, { once: true });
}

// What was said goes by itself, unless somebody is there to undo it.
for (const toast of document.querySelectorAll(".toast.done")) {
  let timer = 0;
  const go = () => { timer = setTimeout(() => toast.remove(), 12000); };
  toast.addEventListener("pointerenter", () => clearTimeout(timer));
  toast.addEventListener("focusin", () => clearTimeout(timer));
  toast.addEventListener("pointerleave", go);
  go();
}

// Errors first.
find("[data-focus]")?.focus();

// Keys.  g and a letter leads to a page; pages name further keys with data-hotkey.
let went = 0;
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "Escape" && typing(event.target)) event.target.blur();
  if (typing(event.target) || find("dialog[open]")) return;
  if (event.key === "?") {
    document.getElementById("keys")?.showModal();
  } else if (event.key === "/") {
    const field = find("[type=search]");
    if (!field) return;
    field.focus();
    field.select();
  } else if (event.key === "g") {
    went = event.timeStamp;
    return;
  } else {
    const soon = went && event.timeStamp - went < 1500;
    const name = CSS.escape(event.key);
    const target = find(soon ? `[data-key="${name}"]` : `[data-hotkey="${name}"]`);
    went = 0;
    if (!target) return;
    target.click();
  }
  event.preventDefault();
});

// Rows that are chosen with the arrow keys, where a table says so: data-rows.
document.addEventListener("keydown", (event) => {
  const row = event.target.closest?.("[data-rows] tr");
  const step = { ArrowDown: 1, j: 1, ArrowUp: -1, k: -1 }[event.key];
  if (!step || typing(event.target)) return;
  const rows = [...document.querySelectorAll("[data-rows] tbody tr[tabindex]")];
  const next = rows[row ? rows.indexOf(row) + step : 0];
  if (!next) return;
  next.focus();
  event.preventDefault();
});
document.addEventListener("keydown", (event) => {
  const row = event.target.matches?.("[data-rows] tr[tabindex]") ? event.target : null;
  if (row && event.key === "Enter") find("a", row)?.click();
});

// Parts of a page that follow what happens: <section id="..." data-live="5">, seconds.
const live = [...document.querySelectorAll("[data-live][id]")];
if (live.length) {
  const pause = 1000 * Math.min(...live.map((part) => Number(part.dataset.live) || 5));
  setInterval(refresh, pause);
}
async function refresh() {
  if (document.hidden || find("dialog[open]")) return;
  let text = "";
  try {
    // Nobody uses the page by this: a login ends although it is open, and then so does the page.
    const headers = { Accept: "text/html", "X-Waystation-Live": "1" };
    const answer = await fetch(location.href, { headers });
    if (answer.redirected && new URL(answer.url).pathname === "/sign-in") location.reload();
    if (!answer.ok || answer.redirected) return;
    text = await answer.text();
  } catch {
    document.body.classList.add("away");
    return;
  }
  document.body.classList.remove("away");
  const fresh = new DOMParser().parseFromString(text, "text/html");
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const other = fresh.getElementById(part.id);
    if (!other || part.contains(document.activeElement)) continue;
    if (part.innerHTML !== other.innerHTML) part.replaceChildren(...other.childNodes);
  }
}

// Printing, and leaving a dialog.
document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) print();
  event.target.closest("[data-close]")?.closest("dialog")?.close();
});
