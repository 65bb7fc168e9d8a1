// Go's reference-time layouts (`Mon Jan 2 15:04:05 MST 2006`) cut into elements and literal text. Rules: Go's time package, nextStdChunk.

export type LayoutElement =
  | "longYear"
  | "year"
  | "longMonth"
  | "month"
  | "numMonth"
  | "zeroMonth"
  | "longWeekday"
  | "weekday"
  | "day"
  | "underDay"
  | "zeroDay"
  | "underYearDay"
  | "zeroYearDay"
  | "hour"
  | "hour12"
  | "zeroHour12"
  | "minute"
  | "zeroMinute"
  | "second"
  | "zeroSecond"
  | "PM"
  | "pm"
  | "zoneName"
  | "offset"
  | "fraction0"
  | "fraction9";

export interface LayoutStep {
  /** Literal text in front of the element. */
  readonly prefix: string;
  /** Null in the last step, which has only a prefix. */
  readonly element: LayoutElement | null;
  /** The element as written in the layout. */
  readonly text: string;
}

const FIXED: readonly (readonly [text: string, element: LayoutElement])[] = [
  ["January", "longMonth"],
  ["Monday", "longWeekday"],
  ["MST", "zoneName"],
  ["2006", "longYear"],
  ["002", "zeroYearDay"],
  ["01", "zeroMonth"],
  ["02", "zeroDay"],
  ["03", "zeroHour12"],
  ["04", "zeroMinute"],
  ["05", "zeroSecond"],
  ["06", "year"],
  ["15", "hour"],
  ["1", "numMonth"],
  ["2", "day"],
  ["3", "hour12"],
  ["4", "minute"],
  ["5", "second"],
  ["__2", "underYearDay"],
  ["PM", "PM"],
  ["pm", "pm"],
  ...["-070000", "-07:00:00", "-0700", "-07:00", "-07", "Z070000", "Z07:00:00", "Z0700", "Z07:00", "Z07"].map(
    (text): [string, LayoutElement] => [text, "offset"],
  ),
];

/** Cuts a layout into its steps; the last one has no element. */
export function layoutSteps(layout: string): LayoutStep[] {
  const steps: LayoutStep[] = [];
  let prefixStart = 0;
  for (let at = 0; at < layout.length; ) {
    const found = elementAt(layout, at);
    if (found === null) {
      at++;
      continue;
    }
    const start = at + found.skip;
    const end = start + found.text.length;
    steps.push({ prefix: layout.slice(prefixStart, start), element: found.element, text: found.text });
    at = prefixStart = end;
  }
  steps.push({ prefix: layout.slice(prefixStart), element: null, text: "" });
  return steps;
}

function elementAt(layout: string, at: number): { element: LayoutElement; text: string; skip: number } | null {
  for (const [text, element] of FIXED) if (layout.startsWith(text, at)) return { element, text, skip: 0 };
  const short = layout.slice(at, at + 3);
  if ((short === "Jan" || short === "Mon") && !/^[a-z]/.test(layout.slice(at + 3))) {
    return { element: short === "Jan" ? "month" : "weekday", text: short, skip: 0 };
  }
  if (layout.startsWith("_2006", at)) return { element: "longYear", text: "2006", skip: 1 };
  if (layout.startsWith("_2", at)) return { element: "underDay", text: "_2", skip: 0 };
  const fraction = /^[.,](0+|9+)(?!\d)/.exec(layout.slice(at, at + 24));
  if (fraction !== null) return { element: fraction[1]![0] === "0" ? "fraction0" : "fraction9", text: fraction[0], skip: 0 };
  return null;
}

/** Layouts by the names Go's constants have. */
export const NAMED_LAYOUTS: Readonly<Record<string, string>> = {
  ANSIC: "Mon Jan _2 15:04:05 2006",
  UnixDate: "Mon Jan _2 15:04:05 MST 2006",
  RubyDate: "Mon Jan 02 15:04:05 -0700 2006",
  RFC822: "02 Jan 06 15:04 MST",
  RFC822Z: "02 Jan 06 15:04 -0700",
  RFC850: "Monday, 02-Jan-06 15:04:05 MST",
  RFC1123: "Mon, 02 Jan 2006 15:04:05 MST",
  RFC1123Z: "Mon, 02 Jan 2006 15:04:05 -0700",
  RFC3339: "2006-01-02T15:04:05Z07:00",
  RFC3339Nano: "2006-01-02T15:04:05.999999999Z07:00",
};

export const MONTHS = [
  "January",
  "February",
  "March",
  "April",
  "May",
  "June",
  "July",
  "August",
  "September",
  "October",
  "November",
  "December",
] as const;
export const WEEKDAYS = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"] as const;
