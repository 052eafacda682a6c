// Figures, times and opening hours in words. Nothing here touches the page or reads a clock.

const WEEKDAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];
const DAY_NAMES = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];
const integer = new Intl.NumberFormat("en-GB");
const signed = new Intl.NumberFormat("en-GB", { signDisplay: "exceptZero" });

export const UNKNOWN = "unknown";

export const plural = (count, one, many = `${one}s`) => `${integer.format(count)} ${count === 1 ? one : many}`;

/** A Total as `{value, range, gap}`, each a text or "". What is not known is never a number, and says why it can. */
export function figure(total) {
  const { value, low, high, completeness, reason } = total;
  const bounded = low !== null && high !== null && (low !== high || low !== value);
  return {
    value: value === null ? UNKNOWN : integer.format(value),
    range: bounded ? `${integer.format(low)} to ${integer.format(high)}` : "",
    gap: reason || [counted(completeness), corrected(total)].filter(Boolean).join(", "),
  };
}

function counted(completeness) {
  if (completeness >= 1) return "";
  if (completeness === 0) return "nothing counted";
  return completeness < 0.01 ? "under 1 % counted" : `${Math.floor(completeness * 100)} % counted`;
}

/** Which corrections a total has in it; people who compare it with another count must see that. */
function corrected({ value, correction, corrections }) {
  if (!corrections?.length) return "";
  return value === null ? "left out by a correction" : `corrected by ${signed.format(correction)}`;
}

/** Many Totals as one; `missing` of them know nothing and are left out. Summed ends hold at least as surely. */
export function sum(totals) {
  const known = totals.filter((total) => total.value !== null);
  const add = (key) => (known.length ? known.reduce((so_far, total) => so_far + total[key], 0) : null);
  return {
    total: {
      value: add("value"),
      low: known.every((total) => total.low !== null) ? add("low") : null,
      high: known.every((total) => total.high !== null) ? add("high") : null,
      completeness: known.length ? add("completeness") / known.length : 0,
      correction: known.reduce((so_far, total) => so_far + (total.correction ?? 0), 0),
      corrections: known.flatMap((total) => total.corrections ?? []),
    },
    missing: totals.length - known.length,
  };
}

const formats = new Map();

function formatter(timezone, options) {
  const key = timezone + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.DateTimeFormat("en-GB", { timeZone: timezone, ...options }));
  return formats.get(key);
}

/** Local time of day, to the second. */
export const clockTime = (date, timezone) =>
  formatter(timezone, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }).format(date);

/** Local time, with the day where that is not `now`'s. */
export function moment(date, now, timezone) {
  const minute = formatter(timezone, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(date);
  const day = formatter(timezone, { weekday: "short", day: "numeric", month: "short" });
  return localDay(date, timezone) === localDay(now, timezone) ? minute : `${day.format(date)}, ${minute}`;
}

/** The local date, as 2026-03-02. */
export function localDay(date, timezone) {
  const parts = formatter(timezone, { year: "numeric", month: "2-digit", day: "2-digit" }).formatToParts(date);
  const part = (type) => parts.find((each) => each.type === type).value;
  return `${part("year")}-${part("month")}-${part("day")}`;
}

function stretches(hours, weekday) {
  return (hours[WEEKDAYS[weekday]] ?? []).map((text) => {
    const [opens, closes] = text.split("-").map((each) => each.trim());
    return { opens, closes: closes === "00:00" ? "24:00" : closes };
  });
}

/** Whether a hub is open: `{open: true|false|null, text, today}`; null where no hours are given. */
export function opening(hours, now, timezone) {
  if (!Object.values(hours).some((day) => day.length)) return { open: null, text: "Hours not given", today: "" };
  const weekday = new Date(localDay(now, timezone)).getUTCDay();
  const time = clockTime(now, timezone).slice(0, 5);
  const today = stretches(hours, weekday);
  // Word joiners keep a stretch on one line.
  const todayText = today.map(({ opens, closes }) => `${opens}\u2060–\u2060${closes}`).join(", ") || "closed";
  const current = today.find(({ opens, closes }) => opens <= time && time < closes);
  if (current) return { open: true, text: `Open until ${current.closes}`, today: todayText };
  const later = today.find(({ opens }) => time < opens);
  if (later) return { open: false, text: `Closed, opens ${later.opens}`, today: todayText };
  for (let ahead = 1; ahead <= 7; ahead += 1) {
    const day = (weekday + ahead) % 7;
    const [first] = stretches(hours, day);
    if (first) {
      const when = ahead === 1 ? "tomorrow" : DAY_NAMES[day];
      return { open: false, text: `Closed, opens ${when} ${first.opens}`, today: todayText };
    }
  }
  return { open: false, text: "Closed", today: todayText };
}

/** Units in words, and whether all of them are there. */
export function units(list, now, timezone) {
  const online = list.filter((unit) => unit.online).length;
  const away = list.filter((unit) => !unit.online).map((unit) => {
    const heard = unit.last_heard ? `last heard ${moment(new Date(unit.last_heard), now, timezone)}` : "never heard";
    return `${unit.id} ${unit.online === null ? UNKNOWN : "offline"}, ${heard}`;
  });
  const text = list.length ? `${online} of ${plural(list.length, "unit")} online` : "No unit";
  return { online, away, text, fine: list.length > 0 && away.length === 0 };
}
