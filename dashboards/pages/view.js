// Draws hubs as cards and as the rows of a table, and all of them as totals. Reads no clock and asks no server.

import { HubBuilding } from "./building.js";
import { element, fill, mark, setText } from "./dom.js";
import { clockTime, figure, opening, plural, sum } from "./format.js";

const PASSAGES = 5;
const HIGHLIGHT_MS = 2000;
const NOTHING = { value: null, low: null, high: null, completeness: 0 };
const DIRECTIONS = { in: "In", out: "Out", unknown: "Unknown" };
const CELLS = ["inside", "visits", "opening", "rooms", "cabinet", "last", "compared", "units"];

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
    this.cells = Object.fromEntries(CELLS.map((name) => [name, element("td")]));
    for (const [name, cell] of Object.entries(this.cells)) cell.dataset.cell = name;
    this.cells.inside.className = this.cells.visits.className = "number";
    this.row = element("tr", "", element("th"), ...Object.values(this.cells));
    this.row.firstElementChild.scope = "row";
    this.building = new HubBuilding(this.card, this.cells);
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
    setText(this.find("summary .visually-hidden"), ` at ${summary.name}, and more`);
    this.find(".health").setAttribute("aria-label", `Building of ${summary.name}`);
  }

  update(live, now) {
    this.live = live;
    this.show([this.find(".inside dd"), this.cells.inside], live.occupancy);
    this.show([this.find(".visits dd"), this.cells.visits], live.visits_today);
    this.showPassages(live.last_passages);
    this.tick(now);
  }

  show(cells, total) {
    for (const cell of cells) if (setFigure(cell, figure(total))) highlight(cell.firstElementChild);
  }

  showPassages(all) {
    const list = this.find(".passages ol");
    const newest = all.toSorted((a, b) => Date.parse(b.t) - Date.parse(a.t)).slice(0, PASSAGES);
    fill(list, newest, () =>
      newest.length
        ? newest.map((each) => element("li", "", ...passage(each, this.summary)))
        : [element("li", "none", "None known yet")],
    );
    const text = newest.length ? [...list.firstElementChild.children].map((each) => each.textContent).join(" ") : "–";
    setText(this.cells.last, text);
  }

  /** What moves with the clock alone: opening, and the day of times that are not today's. */
  tick(now) {
    const { hours, timezone } = this.summary;
    this.opening = opening(hours, now, timezone);
    const { open, text, today } = this.opening;
    const line = this.find(".opening");
    line.dataset.open = String(open);
    const whole = today ? `${text} · today ${today}` : text;
    setText(line, whole);
    setText(this.cells.opening, whole);
    this.building.show(this.live, this.summary, now);
  }
}

/** Those cabinets of which somebody must know at once. */
function showAlarms(views) {
  const alarms = views.filter((view) => view.building.alarm).map((view) => [view.summary.name, view.building.alarm]);
  fill(document.getElementById("alarms"), alarms, () =>
    alarms.map(([name, alarm]) => {
      const text = element("span", "", element("strong", "", name), ` Defibrillator ${alarm}`);
      return element("p", "", mark("critical"), text);
    }),
  );
  return alarms.map(([name, alarm]) => ` Defibrillator at ${name} ${alarm}.`).join("");
}

function showCabinets(views) {
  const levels = views.map((view) => view.building.level).filter(Boolean);
  const count = (level) => levels.filter((each) => each === level).length;
  const text = levels.length ? `${count("ok")} of ${levels.length}` : "–";
  const notes = ["critical", "unknown", "warning"].filter(count).map((level) => `${count(level)}\u00a0${level}`);
  const tile = document.getElementById("total-cabinets");
  tile.parentElement.dataset.critical = String(views.some((view) => view.building.alarm));
  setFigure(tile, { value: text, range: "", gap: notes.join(", ") });
  setText(document.querySelector("#table tfoot [data-cabinets]"), [`${text} OK`, ...notes].join(", "));
  return [text, ...notes].join(", ");
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
  const cabinets = showCabinets(views);
  const alarms = showAlarms(views);
  const people = figure(inside.total).value;
  return (
    `People inside: ${people}. Visits today: ${figure(visits.total).value}. Hubs open: ${open}. ` +
    `Units online: ${online}. Cabinets OK: ${cabinets}.${alarms}`
  );
}
