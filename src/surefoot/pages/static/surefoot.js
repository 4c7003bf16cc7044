// Keeps an open page true: parts come by server-sent events, times are shown in the reader's own.
"use strict";

const page = document.getElementById("page");
const connection = document.getElementById("connection");
const announced = document.getElementById("announced");
const SILENT_MS = 6000; // three beats: who sleeps longer than that is looked after
const RETRY_MS = 1500;
const ARMED_MS = 3000;
const CLOCKS_DIFFER_MS = 2000;

// --- times ---------------------------------------------------------------------------------------

let skew = 0; // milliseconds that the server's clock is ahead of this one
const two = (number) => String(number).padStart(2, "0");

function clock(at, withDay) {
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  const time = `${two(at.getHours())}:${two(at.getMinutes())}`;
  return withDay ? `${day} ${time}` : `${time}:${two(at.getSeconds())}`;
}

function span(ms) {
  const s = Math.max(0, Math.round(ms / 1000));
  if (s < 120) return `${s} s`;
  if (s < 7200) return `${Math.round(s / 60)} min`;
  if (s < 172800) return `${Math.round(s / 3600)} h`;
  return `${Math.round(s / 86400)} days`;
}

function showTimes(root) {
  const now = Date.now() + skew;
  for (const time of root.querySelectorAll("time[datetime]")) {
    const at = new Date(time.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const far = Math.abs(now - at) > 43200000; // half a day away and further, with its day
    const { shape } = time.dataset;
    const said = shape === "ago" ? `${span(now - at)} ago` : clock(at, shape === "day" || far);
    if (time.textContent !== said) time.textContent = said;
  }
}

// --- parts ---------------------------------------------------------------------------------------

const byHand = new WeakSet(); // what the reader folded or unfolded
const isOwn = (node) => Boolean(node.dataset && "own" in node.dataset);

// Makes `old` like `fresh` without replacing what stays: focus, selection, what is typed and what
// was opened by hand are the reader's. What this script says itself (data-own) is left alone.
function morph(old, fresh) {
  if (old.nodeType !== fresh.nodeType || old.nodeName !== fresh.nodeName || old.id !== fresh.id) {
    old.replaceWith(fresh);
    return;
  }
  if (old.nodeType !== Node.ELEMENT_NODE) {
    if (old.data !== fresh.data) old.data = fresh.data;
    return;
  }
  for (const { name } of [...old.attributes]) {
    const readers = name === "open" || name === "data-armed" || (name === "hidden" && "copy" in old.dataset);
    if (!fresh.hasAttribute(name) && !readers) old.removeAttribute(name);
  }
  for (const { name, value } of fresh.attributes) {
    if (name === "open" && byHand.has(old)) continue;
    if (name === "hidden" && "copy" in old.dataset) continue;
    if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  }
  if (old.isEqualNode(fresh)) return;
  morphChildren(old, fresh);
}

// Children are known by their ids, all others by their order. So what comes or goes beside a form
// leaves the form alone; and what stays is not moved, for moving it would take its focus away.
function morphChildren(old, fresh) {
  const wanted = new Set([...fresh.children].map((child) => child.id));
  let at = old.firstChild;
  const step = (gone) => {
    const passed = at;
    at = at.nextSibling;
    if (gone && !isOwn(passed)) passed.remove();
  };
  for (const child of [...fresh.childNodes].filter((one) => !isOwn(one))) {
    while (at && isOwn(at)) step(false);
    const kept = child.id && [...old.children].find((one) => one.id === child.id);
    if (kept) {
      while (at && at !== kept && !(at.id && wanted.has(at.id))) step(true);
      if (at === kept) step(false);
      else old.insertBefore(kept, at);
      morph(kept, child);
    } else if (at && !at.id && at.nodeName === child.nodeName) {
      const same = at;
      step(false);
      morph(same, child);
    } else old.insertBefore(child, at);
  }
  while (at) step(true);
}

function part(html) {
  const template = document.createElement("template");
  template.innerHTML = html; // made and escaped by the server that this script came from
  return template.content.firstElementChild;
}

function show(news) {
  for (const [id, html] of Object.entries(news.parts)) {
    const fresh = part(html);
    showTimes(fresh);
    const old = document.getElementById(id);
    if (old) morph(old, fresh);
    else page.append(fresh);
  }
  for (const child of [...page.children]) if (!news.order.includes(child.id)) child.remove();
  news.order.forEach((id, at) => {
    const [wanted, there] = [document.getElementById(id), page.children[at]];
    if (wanted !== there) page.insertBefore(wanted, there); // what is in its place keeps its focus
  });
  document.documentElement.dataset.mood = news.mood;
  const icon = document.getElementById("icon");
  const shown = icon.href.replace(/icon-[a-z]+/, `icon-${news.mood}`);
  if (icon.href !== shown) icon.href = shown; // the same one would be asked for again
  document.title = news.title;
  ready(page);
}

// --- the connection ------------------------------------------------------------------------------

let source = null;
let heardAt = Date.now();
let shownAt = Number(page.dataset.at) * 1000;
let has = page.dataset.has;
let lost = false;

function listen() {
  if (source) source.close();
  source = new EventSource(`${page.dataset.live}${page.dataset.live.includes("?") ? "&" : "?"}has=${encodeURIComponent(has)}`);
  source.onmessage = (event) => {
    const news = JSON.parse(event.data);
    heardAt = Date.now();
    skew = news.at * 1000 - heardAt;
    shownAt = news.at * 1000;
    has = event.lastEventId;
    lost = false;
    if (news.parts) show(news);
    tell();
  };
  source.onerror = () => {
    lost = true;
    tell();
    if (source.readyState === EventSource.CLOSED) setTimeout(again, RETRY_MS);
  };
}

// An event source gives up when it is answered with an error; a sign-in that ended needs the page.
async function again() {
  try {
    const answer = await fetch(location.href, { method: "HEAD" });
    if (answer.status === 401) return location.reload();
  } catch {
    // Nobody is there yet.
  }
  if (lost && source.readyState === EventSource.CLOSED) listen();
}

// How old the page is changes each second: it is shown, and only that it grows old is announced.
function tell() {
  let [said, age] = ["", ""];
  if (lost) {
    said = "Not connected";
    age = `: this is ${span(Date.now() + skew - shownAt)} old. Trying again.`;
  } else if (Math.abs(skew) > CLOCKS_DIFFER_MS) {
    said = `This browser's clock is ${span(Math.abs(skew))} ${skew > 0 ? "behind" : "ahead of"} the server's; times are the server's.`;
  }
  if (announced.textContent !== said) announced.textContent = said;
  if (connection.textContent !== said + age) connection.textContent = said + age;
  connection.hidden = said === "";
  connection.classList.toggle("lost", lost);
}

setInterval(() => {
  if (Date.now() - heardAt > SILENT_MS && page.dataset.live) {
    heardAt = Date.now(); // one try at a time
    lost = true;
    listen();
  }
  if (lost) tell();
  showTimes(document);
}, 1000);

// --- what a reader does --------------------------------------------------------------------------

function ready(root) {
  if (!navigator.clipboard) return; // over plain http browsers have none
  for (const button of root.querySelectorAll("button.copy")) button.hidden = false;
}

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button.copy");
  if (!button) return;
  await navigator.clipboard.writeText(button.dataset.copy);
  button.textContent = "Copied";
  setTimeout(() => (button.textContent = "Copy"), 1500);
});

document.addEventListener("click", (event) => {
  const summary = event.target.closest("summary");
  if (summary) byHand.add(summary.parentElement);
});

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("live" in form.dataset)) return;
  event.preventDefault();
  const button = form.querySelector("button");
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      body: new URLSearchParams(new FormData(form)),
      headers: { Accept: "application/problem+json" },
    });
    if (answer.status === 401) location.reload();
    else if (!answer.ok) {
      const problem = await answer.json();
      say(form, `${problem.detail} ${problem.cure}`);
    } else {
      form.reset();
      if (lost) location.reload();
    }
  } catch {
    say(form, "Surefoot did not answer: it is not known whether this was taken. Try it again.");
  }
  button.removeAttribute("aria-busy");
});

function say(form, text) {
  let said = form.querySelector("[role=alert]");
  if (!said) {
    said = document.createElement("p");
    said.setAttribute("role", "alert");
    said.dataset.own = "";
    form.append(said);
  }
  said.textContent = text;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== " " || !event.target.matches("a[role=button]")) return;
  event.preventDefault(); // what is called a button is pressed like one
  event.target.click();
});

let armedUntil = 0;
document.addEventListener("keydown", (event) => {
  const typing = event.target.closest("input, select, textarea");
  if (event.key !== "u" || typing || event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const button = document.querySelector("[data-key=u]");
  if (!button) return;
  const note = document.querySelector(".armed");
  if (Date.now() < armedUntil) {
    armedUntil = 0;
    button.removeAttribute("data-armed");
    if (note) note.textContent = "";
    button.click();
    return;
  }
  armedUntil = Date.now() + ARMED_MS;
  button.dataset.armed = "";
  if (note) note.textContent = `Press u again: ${button.textContent.trim()}`;
  setTimeout(() => {
    if (Date.now() < armedUntil) return;
    button.removeAttribute("data-armed");
    if (note) note.textContent = "";
  }, ARMED_MS + 50);
});

showTimes(document);
document.getElementById("own-times").hidden = false;
ready(document);
if (page.dataset.live) listen();
