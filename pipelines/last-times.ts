// The last good time of each label set, for `action_on_failure: fudge`: an entry whose time cannot be read gets the one before plus a
// nanosecond, so that it keeps its place.

import type { TimeZone } from "../lib/text/time-zone.ts";
import type { EntryBatch } from "../lib/wire/entry-batch.ts";
import type { LabelSet } from "../lib/wire/labels.ts";

/** Label sets remembered; Promtail's number. */
const LABEL_SETS_MAX = 10_000;

interface LastTime {
  sec: number;
  nanos: number;
  zone: TimeZone | undefined;
}

export class LastTimes {
  /**
   * By the text of the set, for a set would keep all that is known of its stream, also of a pod that is gone. Used since the last change of
   * generation; when it is full it becomes `older`, and what was older is forgotten.
   */
  #recent = new Map<string, LastTime>();
  #older = new Map<string, LastTime>();
  #lastLabels: LabelSet | undefined;
  #lastTime: LastTime | undefined;

  /** Entry i's time, as it stands in the batch, is good. */
  remember(batch: EntryBatch, i: number): void {
    const labels = batch.labels.get(i)!;
    let last = this.#find(labels);
    if (last === undefined) {
      last = { sec: 0, nanos: 0, zone: undefined };
      this.#add(labels, last);
    }
    last.sec = batch.farSec === undefined ? batch.sec[i]! : batch.secondsOf(i);
    last.nanos = batch.nanos[i]!;
    last.zone = batch.zones?.get(i);
  }

  /** As `remember`, for all live entries: of each label set the last time counts. */
  rememberLive(batch: EntryBatch): void {
    for (const i of batch.labels.lastOf(batch.live, batch.liveCount)) if (i >= 0) this.remember(batch, i);
  }

  /** Gives entry i the time after the last good one of its labels; without one its time stays. */
  fudge(batch: EntryBatch, i: number): void {
    const last = this.#find(batch.labels.get(i)!);
    if (last === undefined) return;
    if (++last.nanos === 1_000_000_000) {
      last.nanos = 0;
      last.sec++;
    }
    batch.setTime(i, last.sec, last.nanos);
    if (last.zone !== undefined) batch.zones?.set(i, last.zone);
  }

  #find(labels: LabelSet): LastTime | undefined {
    if (labels === this.#lastLabels) return this.#lastTime;
    const text = String(labels);
    let last = this.#recent.get(text);
    if (last === undefined) {
      last = this.#older.get(text);
      if (last === undefined) return undefined;
      this.#add(labels, last);
    }
    this.#lastLabels = labels;
    this.#lastTime = last;
    return last;
  }

  #add(labels: LabelSet, last: LastTime): void {
    if (this.#recent.size >= LABEL_SETS_MAX / 2) {
      this.#older = this.#recent;
      this.#recent = new Map();
    }
    this.#recent.set(String(labels), last);
    this.#lastLabels = labels;
    this.#lastTime = last;
  }
}
