// `-dry-run`: entries are printed instead of sent. One line each, with tabs between time, labels and line, as Promtail prints them.

import { formatTime } from "../lib/text/go-time.ts";
import { UTC } from "../lib/text/time-zone.ts";
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
  const time = { sec: batch.secondsOf(i), nanos: batch.nanos[i]!, zone: batch.zones?.get(i) ?? UTC };
  return `${formatTime(time, "2006-01-02T15:04:05.999999999-0700")}\t${batch.labels.get(i)!}\t${batch.line(i)}`;
}
