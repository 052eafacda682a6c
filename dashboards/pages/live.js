// The live page: hubs from /api/v1/hubs, then one stream of what happens in them.

import { clockTime, localDay } from "./format.js";
import { HubView, showTotals } from "./view.js";

const RETRY_MS = 2000;
const CHECK_MS = 20_000; // a connection that died without a word looks like a quiet day
const ANSWER_MS = 8000;
const SUMMARY_MS = 30_000; // how often a screen reader may be told, at most

const at = (id) => document.getElementById(id);
const views = new Map();
let stream = null;
let lostSince = null;
let retrying = 0;
let sentence = "";

async function get(path) {
  const response = await fetch(path, { signal: AbortSignal.timeout(ANSWER_MS), cache: "no-store" });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

/** Draw the hubs there are; those known already keep their figures. */
async function loadHubs() {
  const summaries = await get("/api/v1/hubs");
  const ids = new Set(summaries.map((summary) => summary.id));
  for (const summary of summaries) {
    if (views.has(summary.id)) views.get(summary.id).describe(summary);
    else views.set(summary.id, new HubView(summary));
  }
  for (const id of views.keys()) if (!ids.has(id)) views.delete(id);
  const ordered = summaries.map((summary) => views.get(summary.id));
  const place = (parent, nodes) => {
    if (nodes.some((node, index) => parent.children[index] !== node) || parent.children.length !== nodes.length) {
      parent.replaceChildren(...nodes);
    }
  };
  place(at("cards"), ordered.map((view) => view.card));
  place(document.querySelector("#table tbody"), ordered.map((view) => view.row));
  tick();
}

function show(live) {
  views.get(live.hub)?.update(live, new Date());
  showAll();
}

function showAll() {
  sentence = showTotals([...views.values()]);
  const inside = at("total-inside").querySelector(".value")?.textContent;
  document.title = inside ? `${inside} inside · Foyer, live` : "Foyer, live";
}

function connectionIs(state, text) {
  at("connection").dataset.state = state;
  at("connection-text").textContent = text;
  document.body.dataset.connection = state;
}

function lost() {
  stream?.close();
  stream = null;
  if (lostSince === null) {
    lostSince = new Date();
    const since = clockTime(lostSince);
    connectionIs("lost", `Lost since ${since}`);
    at("lost").textContent = `Connection lost at ${since}. The figures below are from then; trying to reconnect.`;
  }
  clearTimeout(retrying);
  retrying = setTimeout(connect, RETRY_MS);
}

function found() {
  lostSince = null;
  connectionIs("live", "Live");
  at("lost").textContent = "";
}

async function connect() {
  try {
    await loadHubs();
  } catch {
    if (!document.hidden) lost();
    return;
  }
  if (stream !== null || document.hidden) return;
  stream = new EventSource("/api/v1/stream");
  stream.addEventListener("open", found);
  stream.addEventListener("live", (event) => show(JSON.parse(event.data)));
  stream.addEventListener("error", lost);
}

/** A browser opens six connections to a server and no more: a page that nobody sees gives its own back. */
function followVisibility() {
  if (!document.hidden) {
    connect();
  } else if (stream !== null) {
    stream.close();
    stream = null;
    connectionIs("connecting", "Connecting");
  }
}

/** Ask from time to time whether the server is still there; learn of new hubs and of a new day by the way. */
async function check() {
  const asked = stream;
  if (asked === null) return;
  try {
    await loadHubs();
    await Promise.all([...views.values()].filter(isOfAnotherDay).map(async (view) => {
      show(await get(`/api/v1/hubs/${encodeURIComponent(view.summary.id)}/live`));
    }));
  } catch {
    if (asked === stream) lost();
  }
}

function isOfAnotherDay({ live, summary: { timezone } }) {
  return live && localDay(new Date(live.as_of), timezone) !== localDay(new Date(), timezone);
}

function tick() {
  const now = new Date();
  for (const view of views.values()) view.tick(now);
  const zones = new Set([...views.values()].map((view) => view.summary.timezone));
  at("clock").textContent = clockTime(now, zones.size === 1 ? [...zones][0] : undefined).slice(0, 5);
  at("clock").dateTime = now.toISOString();
  showAll();
}

function tell() {
  if (lostSince === null && at("summary").textContent !== sentence) at("summary").textContent = sentence;
}

function choose(view) {
  for (const button of document.querySelectorAll("[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
    at(button.dataset.view).hidden = button.dataset.view !== view;
  }
}

for (const button of document.querySelectorAll("[data-view]")) {
  button.addEventListener("click", () => {
    history.replaceState(null, "", `#as-${button.dataset.view}`); // so that a screen can be given the table's address
    choose(button.dataset.view);
  });
}
choose(location.hash === "#as-table" ? "table" : "cards");
addEventListener("hashchange", () => { // typed, a bookmark, or the way back; the skip link's is no view
  if (["#as-cards", "#as-table"].includes(location.hash)) choose(location.hash.slice(4));
});
document.addEventListener("visibilitychange", followVisibility);
setInterval(tick, 1000);
setInterval(check, CHECK_MS);
setInterval(tell, SUMMARY_MS);
connect();
