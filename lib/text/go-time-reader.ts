// Reads one text by the steps of a Go layout, with the leniencies of time.Parse: fractions the layout lacks, one-digit hours, names in any
// case, abbreviations nobody knows. Source of the rules: Go's time package, format.go.

import { quoteGo } from "./go-quote.ts";
import type { GoTime } from "./go-time.ts";
import { type LayoutStep, MONTHS, WEEKDAYS } from "./go-time-layout.ts";
import { fixedZone, type TimeZone, UTC, wallToUtc } from "./time-zone.ts";

/** Reads one text by the steps of a layout. */
export class TimeReader {
  readonly #text: string;
  readonly #steps: readonly LayoutStep[];
  #at = 0;
  #year = 0;
  #month = -1;
  #day = -1;
  #yearDay = -1;
  #hour = 0;
  #minute = 0;
  #second = 0;
  #nanos = 0;
  #afternoon: boolean | null = null;
  #offsetSec: number | null = null;
  #zoneName = "";
  /** What went wrong, for the message. */
  #rangeError = "";
  #failedStep: LayoutStep | null = null;
  #failedAt = 0;

  constructor(text: string, steps: readonly LayoutStep[]) {
    this.#text = text;
    this.#steps = steps;
  }

  read(zone: TimeZone): GoTime | null {
    for (let i = 0; i < this.#steps.length; i++) {
      const step = this.#steps[i]!;
      const start = this.#at;
      if (!this.#skip(step.prefix)) return this.#fail({ ...step, text: step.prefix }, this.#at);
      if (step.element === null) break;
      this.#failedAt = this.#at;
      const elementStart = this.#at;
      if (!this.#element(step, this.#steps[i + 1])) return this.#fail(step, this.#rangeError === "" ? elementStart : start);
    }
    if (this.#at < this.#text.length) {
      this.#rangeError = `: extra text: ${quoteGo(this.#text.slice(this.#at))}`;
      return null;
    }
    return this.#assemble(zone);
  }

  message(layout: string): string {
    const head = `parsing time ${quoteGo(this.#text)}`;
    if (this.#rangeError !== "") return head + this.#rangeError;
    return `${head} as ${quoteGo(layout)}: cannot parse ${quoteGo(this.#text.slice(this.#failedAt))} as ${quoteGo(this.#failedStep?.text ?? "")}`;
  }

  #fail(step: LayoutStep, at: number): null {
    this.#failedStep = step;
    this.#failedAt = at;
    return null;
  }

  #range(what: string): false {
    this.#rangeError = `: ${what} out of range`;
    return false;
  }

  /** Literal text; a run of blanks stands for any run of blanks, or for the end. */
  #skip(prefix: string): boolean {
    for (let p = 0; p < prefix.length; ) {
      if (prefix[p] === " ") {
        if (this.#at < this.#text.length && this.#text[this.#at] !== " ") return false;
        while (prefix[p] === " ") p++;
        while (this.#text[this.#at] === " ") this.#at++;
      } else {
        if (this.#text[this.#at] !== prefix[p]) return false;
        p++;
        this.#at++;
      }
    }
    return true;
  }

  #element(step: LayoutStep, next: LayoutStep | undefined): boolean {
    const text = this.#text;
    switch (step.element!) {
      case "longYear": {
        if (!/^\d{4}/.test(text.slice(this.#at, this.#at + 4))) return false;
        this.#year = Number(text.slice(this.#at, this.#at + 4));
        this.#at += 4;
        return true;
      }
      case "year": {
        const year = this.#number(true);
        if (year < 0) return false;
        this.#year = year >= 69 ? 1900 + year : 2000 + year;
        return true;
      }
      case "longMonth":
      case "month":
        this.#month = this.#name(MONTHS, step.element === "month") + 1;
        return this.#month > 0;
      case "numMonth":
      case "zeroMonth":
        this.#month = this.#number(step.element === "zeroMonth");
        return this.#month >= 0 && ((this.#month > 0 && this.#month <= 12) || this.#range("month"));
      case "longWeekday":
      case "weekday":
        return this.#name(WEEKDAYS, step.element === "weekday") >= 0;
      case "day":
      case "underDay":
      case "zeroDay":
        if (step.element === "underDay" && text[this.#at] === " ") this.#at++;
        this.#day = this.#number(step.element === "zeroDay");
        return this.#day >= 0;
      case "underYearDay":
      case "zeroYearDay":
        return this.#readYearDay(step.element === "zeroYearDay");
      case "hour":
        this.#hour = this.#number(false);
        return this.#hour >= 0 && (this.#hour < 24 || this.#range("hour"));
      case "hour12":
      case "zeroHour12":
        this.#hour = this.#number(step.element === "zeroHour12");
        return this.#hour >= 0 && (this.#hour <= 12 || this.#range("hour"));
      case "minute":
      case "zeroMinute":
        this.#minute = this.#number(step.element === "zeroMinute");
        return this.#minute >= 0 && (this.#minute < 60 || this.#range("minute"));
      case "second":
      case "zeroSecond":
        this.#second = this.#number(step.element === "zeroSecond");
        if (this.#second < 0) return false;
        if (this.#second >= 60) return this.#range("second");
        // A fraction is taken even where the layout has none.
        if (!(next?.prefix === "" && (next.element === "fraction0" || next.element === "fraction9"))) this.#anyFraction();
        return true;
      case "PM":
      case "pm": {
        const mark = text.slice(this.#at, this.#at + 2);
        const [am, pm] = step.element === "PM" ? ["AM", "PM"] : ["am", "pm"];
        if (mark !== am && mark !== pm) return false;
        this.#afternoon = mark === pm;
        this.#at += 2;
        return true;
      }
      case "zoneName":
        return this.#readZoneName();
      case "offset":
        return this.#readOffset(step.text);
      case "fraction0": {
        const digits = text.slice(this.#at + 1, this.#at + step.text.length);
        if (!/^[.,]$/.test(text[this.#at] ?? "") || digits.length < step.text.length - 1 || !/^\d+$/.test(digits)) return false;
        this.#nanos = Number(digits.slice(0, 9).padEnd(9, "0"));
        this.#at += step.text.length;
        return true;
      }
      case "fraction9":
        this.#anyFraction();
        return true;
    }
  }

  /** One or two digits, two when `fixed`; -1 when there are none. */
  #number(fixed: boolean): number {
    const a = this.#text.charCodeAt(this.#at) - 48;
    if (!(a >= 0 && a <= 9)) return -1;
    const b = this.#text.charCodeAt(this.#at + 1) - 48;
    if (!(b >= 0 && b <= 9)) {
      if (fixed) return -1;
      this.#at++;
      return a;
    }
    this.#at += 2;
    return a * 10 + b;
  }

  #name(names: readonly string[], short: boolean): number {
    const found = names.findIndex((name) => {
      const wanted = short ? name.slice(0, 3) : name;
      return this.#text.slice(this.#at, this.#at + wanted.length).toLowerCase() === wanted.toLowerCase();
    });
    if (found >= 0) this.#at += short ? 3 : names[found]!.length;
    return found;
  }

  #readYearDay(zero: boolean): boolean {
    if (!zero) for (let i = 0; i < 2 && this.#text[this.#at] === " "; i++) this.#at++;
    const digits = /^\d{1,3}/.exec(this.#text.slice(this.#at, this.#at + 3))?.[0] ?? "";
    if (digits === "" || (zero && digits.length < 3)) return false;
    this.#yearDay = Number(digits);
    this.#at += digits.length;
    return true;
  }

  #anyFraction(): void {
    const mark = this.#text[this.#at];
    if (mark !== "." && mark !== ",") return;
    let end = this.#at + 1;
    while (this.#text.charCodeAt(end) >= 48 && this.#text.charCodeAt(end) <= 57) end++;
    if (end === this.#at + 1) return;
    this.#nanos = Number(this.#text.slice(this.#at + 1, Math.min(end, this.#at + 10)).padEnd(9, "0"));
    this.#at = end;
  }

  #readOffset(layout: string): boolean {
    if (layout[0] === "Z" && this.#text[this.#at] === "Z") {
      this.#offsetSec = 0;
      this.#at++;
      return true;
    }
    const match = OFFSETS[layout.slice(1)]!.exec(this.#text.slice(this.#at, this.#at + 9));
    if (match === null) return false;
    const [hours, minutes, seconds] = [Number(match[2]), Number(match[3] ?? 0), Number(match[4] ?? 0)];
    if (hours > 24) return this.#range("time zone offset hour");
    if (minutes > 60) return this.#range("time zone offset minute");
    if (seconds > 60) return this.#range("time zone offset second");
    this.#offsetSec = (match[1] === "-" ? -1 : 1) * (hours * 3600 + minutes * 60 + seconds);
    this.#at += match[0].length;
    return true;
  }

  #readZoneName(): boolean {
    const rest = this.#text.slice(this.#at, this.#at + 16);
    if (rest.startsWith("UTC")) {
      this.#offsetSec = 0;
      this.#at += 3;
      return true;
    }
    const name = zoneNameAt(rest);
    this.#zoneName = name;
    this.#at += name.length;
    return name !== "";
  }

  #assemble(zone: TimeZone): GoTime | null {
    let hour = this.#hour;
    if (this.#afternoon === true && hour < 12) hour += 12;
    else if (this.#afternoon === false && hour === 12) hour = 0;
    if (this.#yearDay >= 0 && !this.#dateOfYearDay()) return null;
    const month = this.#month < 0 ? 1 : this.#month;
    const day = this.#day < 0 ? 1 : this.#day;
    if (day < 1 || day > daysIn(month, this.#year)) {
      this.#range("day");
      return null;
    }
    const wall = daysFromCivil(this.#year, month, day) * 86_400 + hour * 3600 + this.#minute * 60 + this.#second;
    if (this.#offsetSec !== null) {
      const at = wall - this.#offsetSec;
      // Go keeps the local zone when the offset is the one it has at that time.
      const same = this.#offsetSec !== 0 && zone.at(at).offsetSec === this.#offsetSec;
      return { sec: at, nanos: this.#nanos, zone: this.#offsetSec === 0 ? UTC : same ? zone : fixedZone("", this.#offsetSec) };
    }
    if (this.#zoneName !== "") {
      const offset = zone.offsetOf(this.#zoneName, wall);
      if (offset !== undefined) return { sec: wall - offset, nanos: this.#nanos, zone };
      // An abbreviation that is not known is taken for one with offset 0.
      return { sec: wall, nanos: this.#nanos, zone: fixedZone(this.#zoneName, 0) };
    }
    return { sec: wallToUtc(wall, zone), nanos: this.#nanos, zone };
  }

  #dateOfYearDay(): boolean {
    const leap = daysIn(2, this.#year) === 29;
    if (this.#yearDay < 1 || this.#yearDay > (leap ? 366 : 365)) return this.#range("day-of-year");
    let month = 1;
    let day = this.#yearDay;
    while (day > daysIn(month, this.#year)) day -= daysIn(month++, this.#year);
    if (this.#month >= 0 && this.#month !== month) {
      this.#rangeError = ": day-of-year does not match month";
      return false;
    }
    if (this.#day >= 0 && this.#day !== day) {
      this.#rangeError = ": day-of-year does not match day";
      return false;
    }
    this.#month = month;
    this.#day = day;
    return true;
  }
}

/** By the layout's text behind its sign or `Z`. */
const OFFSETS: Readonly<Record<string, RegExp>> = {
  "07": /^([+-])(\d\d)/,
  "0700": /^([+-])(\d\d)(\d\d)/,
  "07:00": /^([+-])(\d\d):(\d\d)/,
  "070000": /^([+-])(\d\d)(\d\d)(\d\d)/,
  "07:00:00": /^([+-])(\d\d):(\d\d):(\d\d)/,
};

/** `CET`, `CEST`, `WITA`, `GMT+3`, `-03` at the start of the text; empty when there is none. */
function zoneNameAt(text: string): string {
  if (text.startsWith("ChST") || text.startsWith("MeST")) return text.slice(0, 4);
  if (text.startsWith("GMT")) return `GMT${signedHours(text.slice(3))}`;
  if (text[0] === "+" || text[0] === "-") return signedHours(text);
  const upper = /^[A-Z]{0,6}/.exec(text)![0];
  if (upper.length === 3) return upper;
  if (upper.length === 4) return upper.endsWith("T") || upper === "WITA" ? upper : "";
  return upper.length === 5 && upper.endsWith("T") ? upper : "";
}

function signedHours(text: string): string {
  const match = /^[+-]\d+/.exec(text);
  return match !== null && Math.abs(Number(match[0])) <= 23 ? match[0] : "";
}

function daysIn(month: number, year: number): number {
  if (month === 2) return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0 ? 29 : 28;
  return month === 4 || month === 6 || month === 9 || month === 11 ? 30 : 31;
}

/** Days since 1970-01-01 in the proleptic Gregorian calendar; years start in March, so that the leap day comes last. */
function daysFromCivil(year: number, month: number, day: number): number {
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const yearOfEra = y - era * 400;
  const dayInYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1;
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayInYear - 719_468;
}
