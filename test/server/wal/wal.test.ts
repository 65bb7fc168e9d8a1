import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { seededRandom } from "../../../lib/runtime/clock.ts";
import type { AcceptedPush } from "../../../server/ingest/accepted-push.ts";
import { openWal, type Wal } from "../../../server/wal/wal.ts";
import { FaultDisk } from "../../lib/runtime/fault-disk.ts";
import { silentLog } from "../../silent-log.ts";
import { entriesOfPush, type ModelEntry, pushOf } from "../storage-entries.ts";

const folders: string[] = [];
const wals: Wal[] = [];
afterAll(async () => {
  for (const wal of wals) await wal.close().catch(() => {});
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "skald-wal-"));
  folders.push(folder);
  return folder;
}

interface Opened {
  readonly wal: Wal;
  /** Entries in order of application, those of the restart first: `tenant: line`. */
  readonly applied: string[];
  readonly entries: ModelEntry[];
  corruptions: number;
}

/** @param options.slow awaited before a push is applied */
async function open(folder: string, options: { disk?: FaultDisk; from?: number; slow?: () => Promise<void> } = {}): Promise<Opened> {
  const opened = { applied: [] as string[], entries: [] as ModelEntry[], corruptions: 0 };
  const wal = await openWal({
    folder,
    log: silentLog,
    from: options.from ?? 0,
    async apply(tenant, push) {
      await options.slow?.();
      for (const entry of entriesOfPush(push)) {
        opened.applied.push(`${tenant}: ${entry.line}`);
        opened.entries.push(entry);
      }
    },
    onCorruption: () => opened.corruptions++,
    onFailure: () => {},
    ...(options.disk === undefined ? {} : { disk: options.disk }),
  });
  wals.push(wal);
  return Object.assign(opened, { wal });
}

const entry = (line: string): ModelEntry => ({ labels: { app: "a" }, sec: 1, nanos: 2, line });
const push = (...lines: string[]): AcceptedPush => pushOf(lines.map(entry));
const segments = (folder: string): string[] => readdirSync(folder).sort();
const linesOf = ({ applied }: Opened): string[] => applied.map((text) => text.slice(text.indexOf(": ") + 2));

/** A log of three records in one segment: its bytes, and where each record ends. */
async function threeRecords(folder: string): Promise<{ path: string; content: Buffer; ends: number[] }> {
  const { wal } = await open(folder);
  const ends: number[] = [];
  for (const line of ["one", "two", "three"]) {
    await wal.append("t", push(line));
    ends.push(statSync(join(folder, segments(folder)[0]!)).size);
  }
  await wal.close();
  const path = join(folder, segments(folder)[0]!);
  return { path, content: readFileSync(path), ends };
}

describe("the log", () => {
  test("gives back what was appended, every column of it", async () => {
    const folder = newFolder();
    const entries: ModelEntry[] = [
      { labels: { app: "ü", b: 'quoted "x"' }, sec: -5, nanos: 999_999_999, line: "with\nfeeds\n" },
      {
        labels: { app: "ü", b: 'quoted "x"' },
        sec: 2 ** 31 - 1,
        nanos: 0,
        line: "",
        metadata: [
          ["trace", "ö"],
          ["n", ""],
        ],
      },
      { labels: { other: "c" }, sec: 0, nanos: 1, line: "x".repeat(100_000) },
    ];
    const first = await open(folder);
    await first.wal.append("tenant/ü", pushOf(entries));
    await first.wal.close();
    expect(first.entries).toEqual(entries);
    const again = await open(folder);
    expect(again.entries).toEqual(entries);
    expect(again.applied[1]).toBe("tenant/ü: ");
    expect(again.corruptions).toBe(0);
  });

  test("leaves out what was refused", async () => {
    const folder = newFolder();
    const first = await open(folder);
    const whole = pushOf([
      { ...entry("kept 1"), metadata: [["a", "1"]] },
      { ...entry("refused"), metadata: [["a", "2"]] },
      { ...entry("kept 2"), metadata: [["a", "3"]] },
      { ...entry("alone and refused"), labels: { app: "b" } },
    ]);
    await first.wal.append("t", { ...whole, keep: Uint8Array.of(1, 0, 1, 0) });
    await first.wal.close();
    const want = [
      { ...entry("kept 1"), metadata: [["a", "1"]] },
      { ...entry("kept 2"), metadata: [["a", "3"]] },
    ];
    expect(first.entries).toEqual(want);
    expect((await open(folder)).entries).toEqual(want);
  });

  test("copies a push before append returns", async () => {
    const opened = await open(newFolder());
    const changing = push("as it was");
    const done = opened.wal.append("t", changing);
    changing.bytes.fill(120);
    changing.sec.fill(77);
    await done;
    expect(opened.entries).toEqual([entry("as it was")]);
  });

  test("applies in the order of appends, and shares syncs among those that wait", async () => {
    const random = seededRandom(1);
    const disk = new FaultDisk(random);
    const opened = await open(newFolder(), { disk });
    await opened.wal.append("t", push("first"));
    const before = disk.calls;
    const lines = Array.from({ length: 100 }, (_, i) => `line ${i}`);
    await Promise.all(lines.map((line) => opened.wal.append("t", push(line))));
    expect(linesOf(opened)).toEqual(["first", ...lines]);
    expect(disk.calls - before).toBeLessThan(10);
  });

  test("a push is applied before its append resolves, and not before", async () => {
    const opened = await open(newFolder());
    const done = opened.wal.append("t", push("a"));
    expect(opened.applied).toEqual([]);
    await done;
    expect(opened.applied).toEqual(["t: a"]);
  });

  test("buffers are used again without mixing pushes", async () => {
    const folder = newFolder();
    const opened = await open(folder);
    const random = seededRandom(5);
    const lines: string[] = [];
    for (let round = 0; round < 40; round++) {
      const part = Array.from(
        { length: 1 + Math.floor(random() * 5) },
        (_, i) => `${round} ${i} ${"y".repeat(Math.floor(random() * 50_000))}`,
      );
      lines.push(...part);
      await Promise.all(part.map((line) => opened.wal.append("t", push(line))));
    }
    await opened.wal.close();
    expect(linesOf(opened)).toEqual(lines);
    expect(linesOf(await open(folder))).toEqual(lines);
  });
});

describe("cutting", () => {
  test("what is appended before a cut is applied before it, the rest behind it", async () => {
    const folder = newFolder();
    const opened = await open(folder);
    const before = opened.wal.append("t", push("before"));
    let cutAt = 0;
    opened.wal.cut((segment) => {
      cutAt = segment;
      opened.applied.push("cut");
    });
    await Promise.all([before, opened.wal.append("t", push("behind"))]);
    expect(opened.applied).toEqual(["t: before", "cut", "t: behind"]);
    await opened.wal.removeBefore(cutAt);
    await opened.wal.close();
    expect(linesOf(await open(folder))).toEqual(["behind"]);
  });

  test("with nothing under way a cut is passed at once", async () => {
    const opened = await open(newFolder());
    let passed = 0;
    opened.wal.cut(() => passed++);
    expect(passed).toBe(1);
  });

  test("several cuts at once are passed in order", async () => {
    const opened = await open(newFolder());
    const cuts: number[] = [];
    const done = opened.wal.append("t", push("a"));
    for (let i = 0; i < 3; i++) opened.wal.cut((segment) => cuts.push(segment));
    await done;
    await opened.wal.append("t", push("b"));
    expect(cuts.length).toBe(3);
    expect([...cuts].sort((a, b) => a - b)).toEqual(cuts);
  });

  test("removal waits until a push that is being applied is", async () => {
    const folder = newFolder();
    let go: (() => void) | undefined;
    const slow = (): Promise<void> => new Promise((resolve) => (go = resolve));
    const opened = await open(folder, { slow });
    const done = opened.wal.append("t", push("slow"));
    while (go === undefined) await new Promise((resolve) => setImmediate(resolve));
    const removed = opened.wal.removeBefore(Number.MAX_SAFE_INTEGER).then(() => linesOf(opened));
    await new Promise((resolve) => setImmediate(resolve));
    go();
    expect(await removed).toEqual(["slow"]);
    await done;
  });

  test("removal leaves no segment when nothing was appended since", async () => {
    const folder = newFolder();
    const { wal } = await open(folder);
    await wal.append("t", push("a"));
    await wal.removeBefore(await new Promise<number>((passed) => wal.cut(passed)));
    expect(segments(folder)).toEqual([]);
    await wal.append("t", push("b"));
    await wal.close();
    expect(linesOf(await open(folder))).toEqual(["b"]);
  });

  test("segments that the catalogue has no need of are removed unread, and their numbers are not used again", async () => {
    const folder = newFolder();
    const first = await open(folder);
    await first.wal.append("t", push("in a block"));
    let cutAt = 0;
    first.wal.cut((segment) => {
      cutAt = segment;
    });
    await first.wal.close();
    const second = await open(folder, { from: cutAt });
    expect(second.applied).toEqual([]);
    await second.wal.append("t", push("new"));
    await second.wal.close();
    expect(linesOf(await open(folder, { from: cutAt }))).toEqual(["new"]);
  });
});

describe("a damaged log", () => {
  test("cut off at any byte, it gives the records that are whole", async () => {
    const folder = newFolder();
    const { path, content, ends } = await threeRecords(folder);
    for (let length = 0; length <= content.length; length++) {
      writeFileSync(path, content.subarray(0, length));
      const opened = await open(folder);
      const whole = ends.filter((end) => end <= length).length;
      expect(linesOf(opened), `cut at ${length}`).toEqual(["one", "two", "three"].slice(0, whole));
      expect(opened.corruptions, `cut at ${length}`).toBe([0, 4, ...ends].includes(length) ? 0 : 1);
    }
  });

  test("any flipped bit costs its record, with its length those behind it too, never more, and is counted", async () => {
    const folder = newFolder();
    const { path, content, ends } = await threeRecords(folder);
    for (let bit = 32; bit < content.length * 8; bit += 3) {
      const damaged = Buffer.from(content);
      damaged[bit >> 3] = damaged[bit >> 3]! ^ (1 << (bit & 7));
      writeFileSync(path, damaged);
      const opened = await open(folder);
      const hit = ends.filter((end) => end <= bit >> 3).length;
      const inLength = (bit >> 3) - (ends[hit - 1] ?? 4) < 4;
      const want = ["one", "two", "three"].filter((_, i) => (inLength ? i < hit : i !== hit));
      expect(linesOf(opened), `bit ${bit}`).toEqual(want);
      expect(opened.corruptions, `bit ${bit}`).toBe(1);
    }
  });

  test("a torn segment does not keep the later ones from being read", async () => {
    const folder = newFolder();
    const { path, content, ends } = await threeRecords(folder);
    const second = await open(folder);
    await second.wal.append("t", push("four"));
    await second.wal.close();
    writeFileSync(path, content.subarray(0, ends[1]! + 3));
    expect(linesOf(await open(folder))).toEqual(["one", "two", "four"]);
  });

  test("files that are no segments are left alone", async () => {
    const folder = newFolder();
    writeFileSync(join(folder, "notes.txt"), "mine");
    const { wal } = await open(folder, { from: 1000 });
    await wal.close();
    expect(segments(folder)).toEqual(["notes.txt"]);
  });
});

describe("a failing disk", () => {
  test("a failed append is refused and leaves no trace; the next one goes to a new segment", async () => {
    const folder = newFolder();
    const disk = new FaultDisk(seededRandom(3));
    const opened = await open(folder, { disk });
    await opened.wal.append("t", push("good"));
    for (let call = 0; call < 6; call++) {
      disk.failAfter(call);
      await opened.wal.append("t", push(`after ${call} calls`)).then(
        () => {},
        (error: unknown) => {
          expect(error).toMatchObject({ name: "WalError", status: 503 });
          expect(String(error)).toContain(folder);
        },
      );
      disk.failAfter(Number.POSITIVE_INFINITY);
      await opened.wal.append("t", push(`then ${call}`));
    }
    await opened.wal.close();
    const again = await open(folder);
    expect(linesOf(again)).toEqual(linesOf(opened));
    expect(again.corruptions).toBe(0);
    expect(linesOf(again)).toContain("good");
    expect(linesOf(again).filter((line) => line.startsWith("then"))).toHaveLength(6);
    expect(linesOf(again)).not.toContain("after 0 calls");
  });

  test("a full disk refuses everything and keeps everything; with room again it goes on", async () => {
    const folder = newFolder();
    const disk = new FaultDisk(seededRandom(4));
    const opened = await open(folder, { disk });
    await opened.wal.append("t", push("before"));
    disk.isFull = true;
    for (let i = 0; i < 5; i++) await expect(opened.wal.append("t", push("no room"))).rejects.toThrow(/ENOSPC/);
    disk.isFull = false;
    await opened.wal.append("t", push("after"));
    await opened.wal.close();
    expect(linesOf(await open(folder))).toEqual(["before", "after"]);
    expect(segments(folder).length).toBeLessThan(4);
  });
});
