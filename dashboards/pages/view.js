// Draws hubs as cards and as the rows of a table, and all of them as totals. Reads no clock and asks no server.

import { clockTime, figure, opening, plural, sum, units } from "./format.js";

const PASSAGES = 5;
const HIGHLIGHT_MS = 2000;
const NOTHING = { value: null, low: null, high: null, completeness: 0 };
const DIRECTIONS = { in: "In", out: "Out", unknown: "Unknown" };

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Put a figure into `cell`; true where it replaced another. */
function setFigure(cell, shown) {
  if (!cell.children.length) cell.replaceChildren(...["value", "range", "gap"].map((name) => element("span", name)));
  const [value, range, note] = cell.children;
  const changed = value.textContent !== "" && value.textContent !== shown.value;
  setText(value, shown.value);
  value.classList.toggle("unknown", !/\d/.test(shown.value));
  setText(range, shown.range);
  setText(note, shown.gap);
  return changed;
}

/** Let the eye find what moved. */
function highlight(node) {
  node.classList.remove("changed");
  void node.offsetWidth; // starts the animation again
  node.classList.add("changed");
  clearTimeout(node.fading);
  node.fading = setTimeout(() => node.classList.remove("changed"), HIGHLIGHT_MS);
}

function passage({ t, direction, persons, entrance }, { entrances, timezone }) {
  const place = entrances.find((each) => each.id === entrance)?.name ?? entrance ?? "";
  const time = element("time", "", clockTime(new Date(t), timezone));
  time.dateTime = t;
  const way = element("span", `way ${direction}`, persons > 1 ? `${persons} ${direction}` : DIRECTIONS[direction]);
  return [time, way, element("span", "place", place)];
}

/** A hub's card and row; `update` shows what is known of it at `now`. */
export class HubView {
  constructor(summary) {
    this.card = document.getElementById("card").content.firstElementChild.cloneNode(true);
    this.card.id = `hub-${summary.id}`;
    this.card.firstElementChild.firstElementChild.id = `name-${summary.id}`;
    this.card.setAttribute("aria-labelledby", `name-${summary.id}`);
    this.find = (selector) => this.card.querySelector(selector);
    this.row = element("tr", "", element("th"), ...Array.from({ length: 5 }, () => element("td")));
    this.row.firstElementChild.scope = "row";
    this.row.children[1].className = this.row.children[2].className = "number";
    this.describe(summary);
  }

  /** What of a hub seldom changes: its name, doors and hours. */
  describe(summary) {
    this.summary = summary;
    setText(this.find("h2"), summary.name);
    setText(this.row.firstElementChild, summary.name);
    const source = this.find(".source");
    source.href = `/api/v1/hubs/${encodeURIComponent(summary.id)}/live`;
    setText(source.firstElementChild, ` behind ${summary.name}`);
  }

  update(live, now) {
    this.live = live;
    const [, inside, visits] = this.row.children;
    this.show([this.find(".inside dd"), inside], live.occupancy);
    this.show([this.find(".visits dd"), visits], live.visits_today);
    this.showPassages(live.last_passages);
    this.tick(now);
  }

  show(cells, total) {
    for (const cell of cells) if (setFigure(cell, figure(total))) highlight(cell.firstElementChild);
  }

  showPassages(all) {
    const list = this.find(".passages ol");
    const newest = all.toSorted((a, b) => Date.parse(b.t) - Date.parse(a.t)).slice(0, PASSAGES);
    const key = JSON.stringify(newest);
    if (key === this.shownPassages) return; // who reads the list, by eye or by ear, is not disturbed for nothing
    this.shownPassages = key;
    list.replaceChildren(...newest.map((each) => element("li", "", ...passage(each, this.summary))));
    if (!newest.length) list.append(element("li", "none", "None known yet"));
    const text = newest.length ? [...list.firstElementChild.children].map((each) => each.textContent).join(" ") : "–";
    setText(this.row.children[4], text);
  }

  /** What moves with the clock alone: opening and how long units are silent. */
  tick(now) {
    const { hours, timezone } = this.summary;
    this.opening = opening(hours, now, timezone);
    const { open, text, today } = this.opening;
    const line = this.find(".opening");
    line.dataset.open = String(open);
    const whole = today ? `${text} · today ${today}` : text;
    setText(line, whole);
    setText(this.row.children[3], whole);
    this.units = units(this.live?.units ?? [], now, timezone);
    const note = this.find(".units");
    note.dataset.fine = String(this.units.fine);
    setText(note, [this.units.text, ...this.units.away].join("; "));
    setText(this.row.children[5], note.textContent);
  }
}

/** The totals of all hubs, at the top and at the table's foot; returns them in one sentence. */
export function showTotals(views) {
  const inside = sum(views.map((view) => view.live?.occupancy ?? NOTHING));
  const visits = sum(views.map((view) => view.live?.visits_today ?? NOTHING));
  const open = `${views.filter((view) => view.opening?.open).length} of ${views.length}`;
  const fleet = views.flatMap((view) => view.live?.units ?? []);
  const online = `${fleet.filter((unit) => unit.online).length} of ${fleet.length}`;
  const foot = document.querySelector("#table tfoot");
  for (const [what, { total, missing }] of [["inside", inside], ["visits", visits]]) {
    const shown = figure(total);
    const left = missing && total.value !== null ? `${plural(missing, "hub")} unknown` : "";
    const gap = [shown.gap, left].filter(Boolean).join(", ");
    setFigure(document.getElementById(`total-${what}`), { ...shown, gap });
    setFigure(foot.querySelector(`[data-${what}]`), { ...shown, gap });
  }
  setText(document.getElementById("total-open"), open);
  setText(document.getElementById("total-units"), online);
  setText(foot.querySelector("[data-open]"), `${open} open`);
  setText(foot.querySelector("[data-units]"), `${online} online`);
  const people = figure(inside.total).value;
  return `People inside: ${people}. Visits today: ${figure(visits.total).value}. Hubs open: ${open}. Units online: ${online}.`;
}
