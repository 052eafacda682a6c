// Rooms, cabinets, sensors, faults and differences in words. Nothing here touches the page or reads a clock.

import { moment, plural, UNKNOWN } from "./format.js";

const SENSORS = {
  "beam-pair": "beam pair",
  ld2450: "radar",
  "terabee-evo": "people counter",
  "modbus-counter": "people counter",
  room: "presence sensor",
  cabinet: "cabinet sensor",
};
const FAULTS = {
  sensor_unavailable: "is not available",
  sensor_silent: "is silent",
  sensor_unreadable: "cannot be read",
  beam_blocked: "has a blocked beam",
  beam_dead: "has a dead beam and counts without direction",
  beam_misaligned: "has a beam out of line",
  beam_chatters: "has a beam with a loose contact",
  beams_swapped: "may have its beams swapped: in may be out",
  losing_edges: "keeps missing signals",
  door_forgotten: "learns its door anew",
  repeated_level: "missed a signal",
  edges_lost: "missed signals",
  line_noise: "has noise on its line",
  modbus_refused: "does not answer as it should",
  recording_damaged: "has a damaged recording",
  messages_dropped: "missed messages",
  events_lost: "lost events",
  outbox_dropped: "gave up old events",
  outbox_damaged: "had its memory damaged",
  disk_slow: "has a slow disk",
  recording_paused: "paused its recording",
};
const LEVELS = { ok: "OK", warning: "Warning", critical: "Critical", unknown: "Unknown" };
const PARTS = { aed: "AED", cabinet: "" };
const REMIND_DAYS = 30;
const WAITING_S = 120; // events wait a moment for their acknowledgement, always
const APART_PERCENT = 10;
const FEW = 20; // persons, too few for a percentage to worry anybody

const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric", timeZone: "UTC" });
const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** How long, roughly: "45 s", "3 min", "2 h", "4 days". */
export function age(seconds) {
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 90 * 60) return `${Math.round(seconds / 60)} min`;
  return seconds < 48 * 3600 ? `${Math.round(seconds / 3600)} h` : plural(Math.round(seconds / 86400), "day");
}

/** A room as `{mark, state, note}`. */
export function room({ state, since, reason }, now, timezone) {
  const from = since && state !== UNKNOWN ? `since ${moment(new Date(since), now, timezone)}` : "";
  return { mark: state, state: capital(state), note: reason ? capital(reason) : from };
}

/** "aed: not in its place" as "AED not in its place". */
function reasonText(reason) {
  const [, part, text] = reason.match(/^(\w+): (.*)$/) ?? [null, "cabinet", reason];
  return capital(`${PARTS[part] ?? part} ${text}`.trim());
}

function expiry(what, { until, days_left: left }) {
  const date = day.format(new Date(until));
  return left > 0 ? `${what} until ${date}, ${plural(left, "day")} left` : `${what} to be replaced, good until ${date}`;
}

/** A cabinet as `{mark, state, note, alarm, reasons, facts}`: what to do first, then all that is known.
 *
 *  `alarm` is what somebody must know at once; falling silent does not end it.
 */
export function cabinet(found, now, timezone) {
  const { level, door, aed, mains, temperature_c: celsius, pads, battery, as_of: asOf } = found;
  const reasons = found.reasons.filter((reason) => !/fitted$|: good until/.test(reason)).map(reasonText);
  const due = Object.entries({ Pads: pads, Battery: battery }).filter(([, date]) => date);
  const soon = due.filter(([, date]) => date.days_left <= REMIND_DAYS).map(([what, date]) => expiry(what, date));
  const open = level === "ok" && door === "open" ? ["Door open"] : [];
  const facts = [
    `Door ${door}`,
    { present: "AED in its place", absent: "AED not in its place", unknown: "AED unknown" }[aed],
    `Mains ${mains}`,
    celsius === null ? "Temperature unknown" : `${celsius.toFixed(1)} °C`,
    asOf ? `As of ${moment(new Date(asOf), now, timezone)}` : "Never heard",
    ...due.map(([what, date]) => expiry(what, date)),
  ];
  const notes = level === "ok" ? [...open, ...soon] : reasons;
  const more = facts.filter((each) => !reasons.includes(each));
  const alarm = level === "critical" || found.was === "critical" ? `${LEVELS[level].toLowerCase()}: ${reasons.join("; ")}` : "";
  return { mark: level, state: LEVELS[level], note: notes.join("; "), alarm, reasons, facts: more };
}

/** "Main entrance radar". */
export function sensorName({ kind, entrance, room: place }, summary) {
  const at = [...summary.entrances, ...summary.rooms].find((each) => each.id === (entrance ?? place));
  return capital([at?.name, SENSORS[kind] ?? kind].filter(Boolean).join(" "));
}

/** A fault as `{text, when, detail}`; `text` is for anybody, `detail` for who mends it. */
export function fault(found, unit, summary, now, timezone) {
  const sensor = unit.sensors.find((each) => each.name === found.sensor);
  const who = sensor ? sensorName(sensor, summary) : unit.id;
  const what = FAULTS[found.fault] ?? found.fault.replaceAll("_", " ");
  const when = found.lasting ? `since ${moment(new Date(found.since), now, timezone)}` : moment(new Date(found.last), now, timezone);
  return { text: `${who} ${what}`, when, detail: [found.line, found.detail].filter(Boolean).join(": ") };
}

/** What a manager should know of a unit that is there: one short text for each trouble. */
export function troubles(unit, summary, now, timezone) {
  const lasting = unit.faults.filter((each) => each.lasting);
  const named = new Set(lasting.map((each) => each.sensor));
  const broken = unit.sensors.filter((each) => each.ok === false && !named.has(each.name));
  const late = unit.online && unit.outbox && unit.outbox.oldest_age_s > WAITING_S;
  return [
    ...lasting.map((each) => fault(each, unit, summary, now, timezone).text),
    ...broken.map((each) => `${sensorName(each, summary)} does not work`),
    ...(unit.online && unit.outbox?.trouble ? [`${unit.id} cannot write to its disk`] : []),
    ...(late ? [`${unit.id} is ${age(unit.outbox.oldest_age_s)} behind`] : []),
  ];
}

/** How a unit is, as short texts. */
export function unitFacts(unit, now, timezone) {
  const { online, last_heard: heard, outbox, missing, lost, clock, temperature_c: celsius, version } = unit;
  const at = heard ? `heard ${moment(new Date(heard), now, timezone)}` : "never heard";
  return [
    `${online ? "Online" : online === null ? "Unknown" : "Offline"}, ${at}`,
    ...(outbox ? [outbox.depth ? `${plural(outbox.depth, "event")} waiting, ${age(outbox.oldest_age_s)}` : "Nothing waiting"] : []),
    ...(outbox?.trouble ? [`Disk takes no events: ${outbox.trouble}`] : []),
    ...(outbox?.dropped ? [`${plural(outbox.dropped, "event")} given up`] : []),
    ...(missing ? [`${plural(missing, "event")} missing, asked for again`] : []),
    ...(lost ? [`${plural(lost, "event")} lost for good`] : []),
    ...(clock ? [clock === "synced" ? "Clock set" : "Clock not set"] : []),
    ...(celsius === null ? [] : [`${Math.round(celsius)} °C`]),
    ...(version ? [`Version ${version}`] : []),
  ];
}

const more = (count, way) => (count === 0 ? `as many ${way}` : `${Math.abs(count)} ${count > 0 ? "more" : "fewer"} ${way}`);
const counted = ({ kind, visits, exits }) =>
  `${capital(SENSORS[kind] ?? kind)} ${visits.value === null ? UNKNOWN : `${visits.value} in, ${exits.value} out`}`;

/** Each reference sensor beside the counting one: `{entrance, apart, far, texts}`; `apart` is short, `texts` whole. */
export function comparisons(entrances) {
  return entrances.flatMap(({ name, counting, references }) =>
    references.map((reference) => {
      const { difference } = reference;
      const both = [counted(counting), counted(reference)];
      if (!difference) return { entrance: name, apart: "Unknown", far: false, texts: [...both, "Not comparable today"] };
      const { visits, exits, percent } = difference;
      const off = Math.abs(visits) + Math.abs(exits);
      const persons = percent ? (off * 100) / percent : 0; // whom the counting sensor saw, where they differ at all
      const few = percent !== 0 && Math.max(persons, persons + visits + exits) < FEW;
      const far = !few && (percent === null || percent >= APART_PERCENT);
      const whole = few || percent === null;
      const share = () => `${percent < APART_PERCENT ? percent.toFixed(1) : Math.round(percent)} % apart`;
      const apart = off === 0 ? "No difference" : whole ? `${plural(off, "person")} apart` : share();
      return { entrance: name, apart, far, texts: [...both, `${more(visits, "in")}, ${more(exits, "out")}`, apart] };
    }),
  );
}
