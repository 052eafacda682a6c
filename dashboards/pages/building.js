// A hub's rooms, cabinet, second counts and units: in short on its card, whole in its fold and in the table.

import { element, fill, mark, setText } from "./dom.js";
import { units } from "./format.js";
import { cabinet, comparisons, fault, room, sensorName, troubles, unitFacts } from "./words.js";

const OK = { true: "works", false: "does not work", null: "unknown" };
const known = (live) => live ?? { entrances: [], rooms: [], cabinet: null, units: [] };

/** All that `HubBuilding` shows, in words. */
function describe(live, summary, now) {
  const { timezone } = summary;
  const { entrances, rooms, cabinet: box, units: list } = known(live);
  return {
    rooms: rooms.map((each) => ({ name: each.name, ...room(each, now, timezone) })),
    cabinet: box && cabinet(box, now, timezone),
    compared: comparisons(entrances),
    units: units(list, now, timezone),
    troubles: list.flatMap((unit) => troubles(unit, summary, now, timezone)),
    health: list.map((unit) => ({
      id: unit.id,
      facts: unitFacts(unit, now, timezone),
      sensors: unit.sensors.map((each) => `${sensorName(each, summary)} ${OK[each.ok]}${each.lost_edges ? `, ${each.lost_edges} signals lost` : ""}`),
      faults: unit.faults.map((each) => fault(each, unit, summary, now, timezone)),
    })),
  };
}

function glanced(name, className, { mark: shape, state, note }) {
  const value = element("dd", "", mark(shape), element("span", "state", state));
  if (note) value.append(element("span", "note", note));
  const shown = element("div", className, element("dt", "", name), value);
  shown.dataset.state = shape;
  return shown;
}

function glances({ rooms, cabinet: box, compared }) {
  const shown = rooms.map((each) => glanced(each.name, "room", each));
  if (box) shown.push(glanced("Defibrillator", "cabinet", box));
  for (const { entrance, apart, far } of compared) {
    const shape = apart === "Unknown" ? "unknown" : far ? "warning" : "alike";
    shown.push(glanced(`Second count, ${entrance}`, "compared", { mark: shape, state: apart }));
  }
  return shown;
}

const line = (text, note) => element("div", "line", element("span", "", text), element("span", "note", note));
const list = (className, texts) => element("ul", className, ...texts.map((text) => element("li", "", text)));
const fact = (name, ...children) => [element("dt", "", name), element("dd", "", ...children)];

function facts({ cabinet: box, compared, health }) {
  const shown = [];
  if (box) shown.push(...fact("Defibrillator", list("inline", [...box.reasons, ...box.facts])));
  for (const { entrance, texts } of compared) shown.push(...fact(`Second count, ${entrance}`, list("inline", texts)));
  for (const { id, facts: texts, sensors, faults } of health) {
    const told = faults.map(({ text, when, detail }) => {
      const item = element("li", "", `${text}, ${when}`);
      if (detail) item.append(element("span", "detail", detail));
      return item;
    });
    const lists = [list("inline", texts), list("inline", sensors)];
    if (told.length) lists.unshift(element("ul", "faults", ...told));
    shown.push(...fact(id, ...lists));
  }
  return shown;
}

/** What a card and a row show of a building, beside who is in it. `cells`: rooms, cabinet, compared, units of the row. */
export class HubBuilding {
  constructor(card, cells) {
    this.cells = cells;
    this.card = card;
    this.find = (selector) => card.querySelector(selector);
  }

  show(live, summary, now) {
    const found = describe(live, summary, now);
    this.level = found.cabinet?.mark ?? null;
    this.alarm = found.cabinet?.alarm ?? "";
    this.units = found.units;
    this.card.dataset.alarm = String(this.alarm !== "");
    const glance = [found.rooms, found.cabinet?.state, found.cabinet?.note, found.compared];
    fill(this.find(".premises"), glance, () => glances(found));
    const fine = found.units.fine && !found.troubles.length;
    this.find(".health").dataset.fine = String(fine);
    setText(this.find(".units"), [found.units.text, ...found.units.away].join("; "));
    const [first, ...others] = found.troubles;
    setText(this.find(".trouble"), first ? `${first}${others.length ? ` and ${others.length} more` : ""}` : "");
    fill(this.find(".facts"), [found.cabinet, found.compared, found.health], () => facts(found));
    this.showRow(found);
  }

  showRow({ rooms, cabinet: box, compared, units: there, troubles: wrong, health }) {
    const { cells } = this;
    const told = health.flatMap(({ faults }) => faults.map(({ text, when }) => `${text}, ${when}`));
    const missed = wrong.filter((text) => !told.some((each) => each.startsWith(text)));
    const lines = {
      rooms: rooms.map(({ name, state, note }) => [`${name}: ${state.toLowerCase()}`, note]),
      cabinet: box ? [[box.state, [...box.reasons, ...box.facts].join(" · ")]] : [],
      compared: compared.map(({ entrance, apart, texts }) => [`${entrance}: ${apart.toLowerCase()}`, texts.slice(0, 3).join(" · ")]),
      units: [[[there.text, ...there.away].join("; "), [...missed, ...told].join(" · ")]],
    };
    for (const [name, shown] of Object.entries(lines)) {
      fill(cells[name], shown, () => (shown.length ? shown.map(([text, note]) => line(text, note)) : ["–"]));
    }
    cells.cabinet.dataset.level = this.level ?? "";
  }
}
