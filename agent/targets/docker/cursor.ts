// How far a container's log was read, so that a new request for it brings nothing twice and leaves nothing out.
//
// Docker can be asked for what is not older than a whole second. Within that second entries are told apart by counting: the daemon gives
// the same entries in the same order again, so the first `count` of them are those that were read. None of them is newer than the newest
// that was read, which keeps an entry from being skipped when a rotated log lacks some of the counted ones.
//
//   cursor-<container id>          "1714557600"                          as Promtail keeps it: the second to ask for
//   cursor-<container id>-<job>    "1714557600 1714557600.123456789 17"  that second, the newest time read, entries of the second and later
//
// The two outputs are stamped before they are written, so a time may be a little older than that of the entry before it. The second to
// ask for is therefore that of a tenth of a second before the newest time.

const SLACK_NANOS = 100_000_000;
const MARK = /^(\d+) (\d+)\.(\d{9}) (\d+)$/;

export interface LogPosition {
  /** Whole seconds since 1970 to ask for; 0 for all there is. */
  readonly sinceSec: number;
  readonly newestSec: number;
  readonly newestNanos: number;
  /** Entries that were read and are not older than `sinceSec`, in the daemon's order. */
  readonly count: number;
}

export const LOG_BEGINNING: LogPosition = { sinceSec: 0, newestSec: 0, newestNanos: 0, count: 0 };

export class LogCursor {
  #position: LogPosition;
  /** Entries seen since the last `restart`, by their second; those before `sinceSec` are forgotten. */
  readonly #counts = new Map<number, number>();
  #skipLeft = 0;
  #skipSec = 0;
  #skipNanos = 0;

  constructor(position: LogPosition) {
    this.#position = position;
  }

  get position(): LogPosition {
    return this.#position;
  }

  /** The log is asked for anew, from `position.sinceSec` on. */
  restart(): void {
    this.#counts.clear();
    this.#skipLeft = this.#position.count;
    this.#skipSec = this.#position.newestSec;
    this.#skipNanos = this.#position.newestNanos;
  }

  /** Takes the next entry's time. @returns whether the entry is new; the position is behind it then */
  take(sec: number, nanos: number): boolean {
    const { newestSec, newestNanos, sinceSec } = this.#position;
    this.#counts.set(sec, (this.#counts.get(sec) ?? 0) + 1);
    if (this.#skipLeft > 0) {
      this.#skipLeft--;
      if (!isNewer(sec, nanos, this.#skipSec, this.#skipNanos)) return false;
    }
    // A clock that was set back: what comes now would not be brought again by a later second.
    const isSetBack = sec < sinceSec;
    if (isSetBack || isNewer(sec, nanos, newestSec, newestNanos)) this.#moveTo(sec, nanos);
    else this.#position = { ...this.#position, count: this.#countSince(sinceSec) };
    return true;
  }

  #moveTo(newestSec: number, newestNanos: number): void {
    const sinceSec = Math.max(0, newestNanos < SLACK_NANOS ? newestSec - 1 : newestSec);
    this.#position = { sinceSec, newestSec, newestNanos, count: this.#countSince(sinceSec) };
  }

  #countSince(sinceSec: number): number {
    let count = 0;
    for (const [sec, entries] of this.#counts) {
      if (sec < sinceSec) this.#counts.delete(sec);
      else count += entries;
    }
    return count;
  }
}

export function printMark({ sinceSec, newestSec, newestNanos, count }: LogPosition): string {
  return `${sinceSec} ${newestSec}.${String(newestNanos).padStart(9, "0")} ${count}`;
}

/**
 * Where to begin, by what the positions file has. Promtail's value counts alone where it is later (Promtail has read on meanwhile) or
 * ours is missing: up to a second of entries comes twice then. Without Promtail's value the log is read from its beginning.
 */
export function readPosition(seconds: string | undefined, mark: string | undefined): LogPosition {
  if (seconds === undefined || !/^\d{1,12}$/.test(seconds)) return LOG_BEGINNING;
  const sinceSec = Number(seconds);
  const own = parseMark(mark ?? "");
  if (own !== undefined && sinceSec <= own.sinceSec) return own;
  return { sinceSec, newestSec: sinceSec, newestNanos: 0, count: 0 };
}

export function parseMark(mark: string): LogPosition | undefined {
  const match = MARK.exec(mark);
  if (match === null) return undefined;
  const [sinceSec = 0, newestSec = 0, newestNanos = 0, count = 0] = match.slice(1).map(Number);
  return { sinceSec, newestSec, newestNanos, count };
}

function isNewer(sec: number, nanos: number, thanSec: number, thanNanos: number): boolean {
  return sec > thanSec || (sec === thanSec && nanos > thanNanos);
}
