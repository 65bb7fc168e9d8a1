// Time zones as Go's time.Location: which offset and which abbreviation hold at a moment. IANA rules come from Intl.

/** Offset east of UTC and abbreviation, as they hold at one moment. */
export interface ZoneState {
  readonly offsetSec: number;
  readonly abbreviation: string;
}

export interface TimeZone {
  /** IANA name, `UTC`, or the name a fixed offset was given. */
  readonly name: string;
  /** @param sec seconds since 1970, UTC */
  at(sec: number): ZoneState;
  /** Offset of an abbreviation this zone uses (`CEST`), undefined when it uses no such one. */
  offsetOf(abbreviation: string, sec: number): number | undefined;
}

/** A zone name that is not known; the text is Go's. */
export class TimeZoneError extends Error {
  override readonly name = "TimeZoneError";
}

export function fixedZone(name: string, offsetSec: number): TimeZone {
  const state = { offsetSec, abbreviation: name };
  return { name, at: () => state, offsetOf: (abbreviation) => (abbreviation === name ? offsetSec : undefined) };
}

export const UTC: TimeZone = fixedZone("UTC", 0);

const zones = new Map<string, TimeZone>([
  ["", UTC],
  ["UTC", UTC],
]);

/** Go's time.LoadLocation: `""` and `UTC` are UTC, `Local` is this machine's zone. @throws TimeZoneError */
export function loadZone(name: string): TimeZone {
  let zone = zones.get(name);
  if (zone === undefined)
    zones.set(name, (zone = new IanaZone(name === "Local" ? Intl.DateTimeFormat().resolvedOptions().timeZone : name, name)));
  return zone;
}

/** Seconds since 1970 of a wall clock in a zone, given as if it were UTC. Gaps and repeated hours are decided as Go's time.Date does. */
export function wallToUtc(wallSec: number, zone: TimeZone): number {
  const guess = zone.at(wallSec).offsetSec;
  const utcSec = wallSec - guess;
  return wallSec - zone.at(utcSec).offsetSec;
}

/** Transitions fall on quarters of an hour (since 1972), so that one look-up serves a quarter. */
const QUARTER_SEC = 900;
const STATES_MAX = 10_000;

class IanaZone implements TimeZone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  readonly #states = new Map<number, ZoneState>();
  readonly #abbreviations = new Map<string, string>();
  readonly #iana: string;

  constructor(iana: string, name: string) {
    // Go knows zones by their exact spelling, and no offsets; Intl is more generous.
    if (!/^[A-Z]/.test(iana)) throw new TimeZoneError(`unknown time zone ${name}`);
    try {
      this.#format = new Intl.DateTimeFormat("en-US", {
        timeZone: iana,
        hourCycle: "h23",
        year: "numeric",
        month: "numeric",
        day: "numeric",
        hour: "numeric",
        minute: "numeric",
        second: "numeric",
        era: "short",
      });
    } catch {
      throw new TimeZoneError(`unknown time zone ${name}`);
    }
    const known = this.#format.resolvedOptions().timeZone;
    if (known !== iana && known.toLowerCase() === iana.toLowerCase())
      throw new TimeZoneError(`unknown time zone ${name}; did you mean ${known}?`);
    this.name = name;
    this.#iana = iana;
  }

  at(sec: number): ZoneState {
    const quarter = Math.floor(sec / QUARTER_SEC);
    let state = this.#states.get(quarter);
    if (state !== undefined) return state;
    if (this.#states.size >= STATES_MAX) this.#states.clear();
    const moment = new Date(quarter * QUARTER_SEC * 1000);
    if (Number.isNaN(moment.getTime())) return UTC.at(sec);
    const offsetSec = this.#offset(moment);
    state = { offsetSec, abbreviation: this.#abbreviate(moment, offsetSec) };
    this.#states.set(quarter, state);
    return state;
  }

  offsetOf(abbreviation: string, sec: number): number | undefined {
    // The abbreviation counts as it is used around that time: half a year in either direction shows both.
    const halfYearSec = 15_768_000;
    for (const near of [0, halfYearSec, -halfYearSec]) {
      const state = this.at(sec + near);
      if (state.abbreviation === abbreviation) return state.offsetSec;
    }
    return undefined;
  }

  #offset(moment: Date): number {
    const fields: Record<string, string> = {};
    for (const { type, value } of this.#format.formatToParts(moment)) fields[type] = value;
    const year = fields.era === "BC" ? 1 - Number(fields.year) : Number(fields.year);
    const wall = new Date(0);
    wall.setUTCFullYear(year, Number(fields.month) - 1, Number(fields.day));
    wall.setUTCHours(Number(fields.hour), Number(fields.minute), Number(fields.second));
    return Math.round((wall.getTime() - moment.getTime()) / 1000);
  }

  /** English locales each know the abbreviations of their own part of the world; elsewhere Go prints the offset. */
  #abbreviate(moment: Date, offsetSec: number): string {
    const known = this.#abbreviations.get(`${offsetSec}`);
    if (known !== undefined) return known;
    let found = ABBREVIATIONS.get(this.#iana)?.[String(offsetSec / 3600)];
    for (const locale of found === undefined ? ABBREVIATING_LOCALES : []) {
      const parts = new Intl.DateTimeFormat(locale, { timeZone: this.#iana, timeZoneName: "short" }).formatToParts(moment);
      const name = parts.find((part) => part.type === "timeZoneName")?.value ?? "";
      if (!/^[A-Z]{2,5}$/.test(name) || (name === "GMT" && offsetSec !== 0)) continue;
      found = name;
      break;
    }
    found ??= printOffset(offsetSec);
    this.#abbreviations.set(`${offsetSec}`, found);
    return found;
  }
}

const ABBREVIATING_LOCALES = ["en-US", "en-GB", "en-AU", "en-ZA", "en-IN", "en-NZ", "en-CA", "ja"] as const;

/** What the locales lack, or have where Go's zone data has only the offset: by zone, the names of its offsets in hours. */
const ABBREVIATIONS: ReadonlyMap<string, Readonly<Record<string, string>>> = new Map(
  (
    [
      ["GMT", { 0: "GMT" }],
      ["America/Adak America/Atka US/Aleutian", { "-10": "HST", "-9": "HDT" }],
      ["America/Chihuahua", { "-7": "MST", "-6": "CST" }],
      ["America/Ciudad_Juarez America/Mazatlan Mexico/BajaSur", { "-7": "MST", "-6": "MDT" }],
      ["America/Dawson America/Hermosillo America/Whitehorse Canada/Yukon", { "-7": "MST" }],
      ["America/Havana Cuba", { "-5": "CST", "-4": "CDT" }],
      ["America/Miquelon", { "-3": "-03", "-2": "-02" }],
      ["America/Ojinaga", { "-6": "CST", "-5": "CDT" }],
      ["Antarctica/Casey", { 8: "+08" }],
      ["Asia/Amman Asia/Damascus", { 3: "+03" }],
      ["Asia/Chongqing Asia/Chungking Asia/Harbin Asia/Macao Asia/Macau Asia/Shanghai Asia/Taipei PRC ROC", { 8: "CST" }],
      ["Asia/Dubai Asia/Muscat", { 4: "+04" }],
      ["Asia/Hong_Kong Hongkong", { 8: "HKT" }],
      ["Asia/Jakarta Asia/Pontianak", { 7: "WIB" }],
      ["Asia/Makassar Asia/Ujung_Pandang", { 8: "WITA" }],
      ["Asia/Jayapura", { 9: "WIT" }],
      ["Asia/Jerusalem Asia/Tel_Aviv Israel", { 2: "IST", 3: "IDT" }],
      ["Asia/Karachi", { 5: "PKT" }],
      ["Asia/Manila", { 8: "PST" }],
      ["Asia/Pyongyang Asia/Seoul ROK", { 9: "KST" }],
      ["Australia/LHI Australia/Lord_Howe", { 11: "+11" }],
      ["Eire Europe/Dublin", { 1: "IST" }],
      ["Europe/Guernsey Europe/Isle_of_Man Europe/Jersey", { 1: "BST" }],
      ["Europe/Kirov Europe/Moscow Europe/Simferopol Europe/Volgograd W-SU", { 3: "MSK" }],
      ["MET", { 1: "MET", 2: "MEST" }],
      ["Pacific/Guam Pacific/Saipan", { 10: "ChST" }],
      ["Pacific/Midway Pacific/Pago_Pago Pacific/Samoa US/Samoa", { "-11": "SST" }],
    ] as const
  ).flatMap(([zones, names]) => zones.split(" ").map((zone): [string, Readonly<Record<string, string>>] => [zone, names])),
);

function printOffset(offsetSec: number): string {
  const size = Math.abs(offsetSec);
  const minutes = Math.floor(size / 60) % 60;
  const two = (n: number): string => String(n).padStart(2, "0");
  return `${offsetSec < 0 ? "-" : "+"}${two(Math.floor(size / 3600))}${minutes === 0 ? "" : two(minutes)}`;
}
