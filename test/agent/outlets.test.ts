// The small sinks between pipelines and clients: the line limiter, the printer of a dry run; and standard input before them.

import { Readable } from "node:stream";
import { describe, expect, test } from "vitest";
import { printSink } from "../../agent/print-sink.ts";
import { limitLines, type ReadlineLimit } from "../../agent/readline-limiter.ts";
import { SharedPipeline } from "../../agent/shared-pipeline.ts";
import type { Sink } from "../../agent/sink.ts";
import { readStdin } from "../../agent/targets/stdin-target.ts";
import { manualClock } from "../../lib/runtime/clock.ts";
import { fixedZone, loadZone, UTC } from "../../lib/text/time-zone.ts";
import { EntryBatch } from "../../lib/wire/entry-batch.ts";
import { LabelSet } from "../../lib/wire/labels.ts";
import { Pipeline } from "../../pipelines/pipeline.ts";

const LABELS = LabelSet.fromObject({ job: "x" });

function batchOf(...lines: string[]): EntryBatch {
  const batch = new EntryBatch();
  for (const line of lines) batch.addText(line, 0, 0, LABELS);
  return batch;
}

function collector(): Sink & { readonly lines: string[] } {
  const lines: string[] = [];
  return {
    lines,
    consume(batch) {
      for (let k = 0; k < batch.liveCount; k++) lines.push(batch.line(batch.live[k]!));
    },
  };
}

describe("the limiter", () => {
  const open = (limit: Partial<ReadlineLimit>) => {
    const clock = manualClock();
    const sink = collector();
    let dropped = 0;
    const limited = limitLines(sink, { linesPerSecond: 10, burstLines: 3, drop: true, ...limit }, clock, (count) => {
      dropped += count;
    });
    return { clock, sink, limited, dropped: () => dropped };
  };
  test("drops what is above the burst, the last lines first", async () => {
    const { sink, limited, dropped } = open({});
    await limited.consume(batchOf("a", "b", "c", "d", "e"));
    expect([sink.lines, dropped()]).toEqual([["a", "b", "c"], 2]);
  });
  test("fills again with time, up to the burst", async () => {
    const { clock, sink, limited, dropped } = open({});
    await limited.consume(batchOf("a", "b", "c"));
    await clock.advance(100);
    await limited.consume(batchOf("d", "e"));
    await clock.advance(60_000);
    await limited.consume(batchOf("f", "g", "h", "i"));
    expect([sink.lines.join(""), dropped()]).toEqual(["abcdfgh", 2]);
  });
  test("waits where it must not drop, and drops nothing", async () => {
    const { clock, sink, limited, dropped } = open({ drop: false });
    await limited.consume(batchOf("a", "b", "c"));
    const waiting = limited.consume(batchOf("d", "e"));
    await clock.advance(100);
    expect(sink.lines.join("")).toBe("abc");
    await clock.advance(100);
    await waiting;
    expect([sink.lines.join(""), dropped()]).toEqual(["abcde", 0]);
  });
  test("lets a batch pass that is larger than the burst, and waits behind it", async () => {
    const { clock, sink, limited } = open({ drop: false });
    await limited.consume(batchOf("a", "b", "c", "d", "e"));
    const waiting = limited.consume(batchOf("f"));
    await clock.advance(200);
    expect(sink.lines.join("")).toBe("abcde");
    await clock.advance(100);
    await waiting;
    expect(sink.lines.join("")).toBe("abcdef");
  });
});

describe("the printer", () => {
  const prints = (name: string, sec: number, nanos: number, wanted: string): void =>
    test(name, async () => {
      let out = "";
      const batch = new EntryBatch();
      batch.addText("a line", 0, 0, LABELS);
      batch.setTime(0, sec, nanos);
      await printSink((text) => {
        out += text;
      }).consume(batch);
      expect(out).toBe(wanted);
    });
  prints("a time without fraction", 1_577_934_245, 0, '2020-01-02T03:04:05+0000\t{job="x"}\ta line\n');
  prints("a fraction without zeros at its end", 1_577_934_245, 120_000_000, '2020-01-02T03:04:05.12+0000\t{job="x"}\ta line\n');
  prints("a time beyond 2038", 4_070_908_800, 0, '2099-01-01T00:00:00+0000\t{job="x"}\ta line\n');
  test("the zone a time was written in", async () => {
    let out = "";
    const batch = new EntryBatch();
    for (const zone of [fixedZone("", 7_200), loadZone("America/New_York"), UTC]) {
      const i = batch.addText("x", 1_577_934_245, 0, LABELS);
      batch.zones = (batch.zones ?? new Map()).set(i, zone);
    }
    await printSink((text) => {
      out += text;
    }).consume(batch);
    expect(out.match(/^\S+/gm)).toEqual(["2020-01-02T05:04:05+0200", "2020-01-01T22:04:05-0500", "2020-01-02T03:04:05+0000"]);
  });
  prints("nanoseconds", 1_577_934_245, 7, '2020-01-02T03:04:05.000000007+0000\t{job="x"}\ta line\n');
});

describe("standard input", () => {
  const reads = (name: string, chunks: (string | Buffer)[], wanted: string[]): void =>
    test(name, async () => {
      const sink = collector();
      const pipeline = new Pipeline({ process: () => {} });
      await readStdin({
        input: Readable.from(chunks.map((chunk) => (typeof chunk === "string" ? Buffer.from(chunk) : chunk))),
        labels: LABELS,
        pipeline,
        sink,
        clock: manualClock(1_000),
      });
      expect(sink.lines).toEqual(wanted);
    });
  reads("lines", ["a\nb\n"], ["a", "b"]);
  reads("a last line without line feed", ["a\nb"], ["a", "b"]);
  reads("no empty lines", ["\n\na\n\r\n\nb\n"], ["a", "b"]);
  reads("line ends of Windows", ["a\r\nb\r\r\n"], ["a", "b"]);
  reads("a line in pieces", ["a", "b", "c\nd", "\n"], ["abc", "d"]);
  reads("a character in pieces", [Buffer.from([0xc3]), Buffer.from([0xa4, 0x0a])], ["\u00e4"]);
  reads("nothing", [], []);
});

describe("a shared pipeline", () => {
  test("is closed by the last target that ends", () => {
    const closings: boolean[] = [];
    const noteClosing = (_: number, closing: boolean): undefined => {
      closings.push(closing);
    };
    const shared = new SharedPipeline(new Pipeline({ process: () => {}, flush: noteClosing }));
    const [first, second] = [shared.lease(), shared.lease()];
    first.flush(0, true);
    first.flush(0, true);
    second.flush(0, false);
    second.flush(0, true);
    expect(closings).toEqual([false, false, false, true]);
  });
});
