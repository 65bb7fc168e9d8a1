// `-dry-run`: entries are printed instead of sent. One line each, with tabs between time, labels and line, as Promtail prints them.

import type { EntryBatch } from "../lib/wire/entry-batch.ts";
import type { Sink } from "./sink.ts";

export function printSink(write: (text: string) => Promise<void> | void): Sink {
  return {
    consume(batch) {
      let text = "";
      for (let k = 0; k < batch.liveCount; k++) text += `${printEntry(batch, batch.live[k]!)}\n`;
      if (text !== "") return write(text);
    },
  };
}

function printEntry(batch: EntryBatch, i: number): string {
  return `${printTime(batch.secondsOf(i), batch.nanos[i]!)}\t${batch.labels.get(i)!}\t${batch.line(i)}`;
}

/** `2006-01-02T15:04:05.999999999-0700`: no zeros at the end of the fraction. Always in UTC, for an entry does not keep its offset. */
function printTime(sec: number, nanos: number): string {
  const stem = new Date(sec * 1000).toISOString().slice(0, -5);
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
  return `${stem}${fraction}+0000`;
}
