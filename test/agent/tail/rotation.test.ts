// Every way of rotating × every state of the remote × an agent that runs, restarts in order or is killed in between: each line arrives,
// in order, and none twice unless the agent was killed with it in flight.

import {
  appendFileSync,
  copyFileSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, test } from "vitest";
import { numbered, pause, type Remote, Rig } from "./harness.ts";

let rig: Rig;
afterEach(() => rig.close());

const LOG = "app.log";
/** Lines per generation: more than the sink takes while the remote is away. */
const COUNT = 120;

interface Rotation {
  readonly name: string;
  /** Brings the next generation about; the file at the path holds its text afterwards. */
  readonly rotate: (generation: number, text: string) => void;
  readonly prepare?: (text: string) => void;
  /** Whether what is not read before a restart can still be read after it. */
  readonly keepsContent: boolean;
}

const shift = (generation: number): void => {
  for (let n = generation; n >= 1; n--) {
    if (n === 1) renameSync(rig.path(LOG), rig.path(`${LOG}.1`));
    else renameSync(rig.path(`${LOG}.${n - 1}`), rig.path(`${LOG}.${n}`));
  }
};

const ROTATIONS: readonly Rotation[] = [
  {
    name: "rename and create",
    rotate: (generation, text) => {
      shift(generation);
      writeFileSync(rig.path(LOG), text);
    },
    keepsContent: true,
  },
  {
    name: "rename with a date and create",
    rotate: (generation, text) => {
      renameSync(rig.path(LOG), rig.path(`${LOG}-2024010${generation}`));
      writeFileSync(rig.path(LOG), text);
    },
    keepsContent: true,
  },
  {
    name: "copy and truncate",
    rotate: (generation, text) => {
      for (let n = generation; n > 1; n--) renameSync(rig.path(`${LOG}.${n - 1}`), rig.path(`${LOG}.${n}`));
      copyFileSync(rig.path(LOG), rig.path(`${LOG}.1`));
      truncateSync(rig.path(LOG));
      appendFileSync(rig.path(LOG), text);
    },
    keepsContent: true,
  },
  {
    name: "a link set to another file",
    prepare: (text) => {
      writeFileSync(rig.path("real.0"), text);
      symlinkSync(rig.path("real.0"), rig.path(LOG));
    },
    rotate: (generation, text) => {
      writeFileSync(rig.path(`real.${generation}`), text);
      symlinkSync(rig.path(`real.${generation}`), rig.path("next"));
      renameSync(rig.path("next"), rig.path(LOG));
    },
    keepsContent: true,
  },
  {
    name: "delete and create",
    rotate: (_, text) => {
      rmSync(rig.path(LOG));
      writeFileSync(rig.path(LOG), text);
    },
    keepsContent: false,
  },
];

async function run(rotation: Rotation, remote: Remote, between: "nothing" | "restart" | "kill"): Promise<string[]> {
  const generations = [0, 1, 2].map((generation) => numbered(`generation ${generation} line `, COUNT));
  rig = new Rig({ roomLines: 50 });
  if (rotation.prepare !== undefined) rotation.prepare(generations[0]!.text);
  else writeFileSync(rig.path(LOG), generations[0]!.text);
  await rig.start(remote);
  if (remote === "up") await rig.untilLines(COUNT);
  else await pause(60);
  // Of a file that comes and goes before anything was written down, nobody could know after a kill.
  await rig.positions.sync();
  for (const generation of [1, 2]) {
    rotation.rotate(generation, generations[generation]!.text);
    if (remote === "up" && between === "nothing") await rig.untilLines(COUNT * (generation + 1));
    else await pause(40);
  }
  if (between === "restart") await rig.stop();
  if (between === "kill") await rig.kill();
  if (between !== "nothing") await rig.start("up");
  else rig.sink.recover();
  await rig.until(() => rig.linesOnce().length >= 3 * COUNT, "all generations");
  await pause(60);
  return generations.flatMap((generation) => generation.list);
}

for (const rotation of ROTATIONS) {
  describe(rotation.name, () => {
    for (const remote of ["up", "slow", "down"] as const) {
      test(`the remote is ${remote}`, async () => {
        const all = await run(rotation, remote, "nothing");
        expect(rig.lines()).toEqual(all);
        expect(await rig.metric("promtail_file_losses_total")).toBe(0);
      });
      if (!rotation.keepsContent) continue;
      test(`the remote is ${remote}, and the agent restarts after both rotations`, async () => {
        const all = await run(rotation, remote, "restart");
        expect(rig.linesOnce()).toEqual(all);
      });
      test(`the remote is ${remote}, and the agent is killed after both rotations`, async () => {
        const all = await run(rotation, remote, "kill");
        expect(rig.linesOnce()).toEqual(all);
      });
    }
  });
}

describe("while the agent is away", () => {
  const rename = (generation: number, text: string): void => {
    shift(generation);
    writeFileSync(rig.path(LOG), text);
  };
  const copyTruncate = (text: string): void => {
    copyFileSync(rig.path(LOG), rig.path(`${LOG}.1`));
    truncateSync(rig.path(LOG));
    appendFileSync(rig.path(LOG), text);
  };
  const WHILE_AWAY: readonly (readonly [name: string, rotate: (first: string, second: string) => void])[] = [
    ["one rotation", (first) => rename(1, first)],
    [
      "two rotations, the generation between never seen",
      (first, second) => {
        rename(1, first);
        rename(2, second);
      },
    ],
    ["a copy and truncation, regrown beyond the offset", (first, second) => copyTruncate(first + second)],
  ];
  for (const [name, rotate] of WHILE_AWAY) {
    for (const end of ["stop", "kill"] as const) {
      test(`${name} (${end})`, async () => {
        const generations = [0, 1, 2].map((generation) => numbered(`generation ${generation} line `, COUNT));
        rig = new Rig({ roomLines: 50 });
        writeFileSync(rig.path(LOG), generations[0]!.text);
        await rig.start("up");
        await rig.untilLines(COUNT);
        await rig.positions.sync();
        await rig[end]();
        appendFileSync(rig.path(LOG), "written while away\n");
        await pause(60);
        rotate(generations[1]!.text, generations[2]!.text);
        await rig.start("up");
        const seen = name === "one rotation" ? 2 : 3;
        const all = [...generations[0]!.list, "written while away", ...generations.slice(1, seen).flatMap((generation) => generation.list)];
        await rig.until(() => rig.linesOnce().length >= all.length, "all lines");
        await pause(60);
        expect(rig.lines()).toEqual(all);
      });
    }
  }

  const pack = (name: string): void => {
    const { atime, mtime } = statSync(rig.path(name));
    writeFileSync(rig.path(`${name}.gz`), gzipSync(readFileSync(rig.path(name))));
    utimesSync(rig.path(`${name}.gz`), atime, mtime);
    rmSync(rig.path(name));
  };

  test("a generation that was read is packed later, with the time of the packing, and is not read again", async () => {
    rig = new Rig({ roomLines: 1e6 });
    writeFileSync(rig.path(LOG), numbered("g0 ", 20).text);
    await rig.start();
    await rig.untilLines(20);
    for (let g = 1; g < 4; g++) {
      await rig.until(() => rig.target.details().length === 1, "the end of the generation before");
      // As kubelet does it: the one before is packed just before the next one is renamed.
      const before = rig.path(`${LOG}.20261126-10000${g - 2}`);
      if (g > 1) {
        writeFileSync(`${before}.gz`, gzipSync(readFileSync(before)));
        rmSync(before);
      }
      renameSync(rig.path(LOG), rig.path(`${LOG}.20261126-10000${g - 1}`));
      writeFileSync(rig.path(LOG), numbered(`g${g} `, 20).text);
      await rig.until(() => rig.linesOnce().includes(`g${g} 19`), `generation ${g}`);
    }
    await pause(300);
    expect(rig.lines()).toEqual([0, 1, 2, 3].flatMap((g) => numbered(`g${g} `, 20).list));
  });

  type Meanwhile = () => void;
  const ways: Record<string, (meanwhile: Meanwhile) => Promise<void>> = {
    stop: async (meanwhile) => {
      await rig.stop();
      await pause(30);
      meanwhile();
      await rig.start();
    },
    kill: async (meanwhile) => {
      await rig.positions.sync();
      await rig.kill();
      await pause(30);
      meanwhile();
      await rig.start();
    },
    reload: async (meanwhile) => {
      await rig.target.stop({ drain: false });
      meanwhile();
      await rig.openTarget({ job: "changed" });
    },
  };
  for (const [name, beginAgain] of Object.entries(ways)) {
    for (const packed of ["meanwhile", "later"]) {
      test(`a generation that was read before a ${name} and is packed ${packed}, with the time of the packing, is not read again`, async () => {
        rig = new Rig({ roomLines: 1e6 });
        writeFileSync(rig.path(LOG), numbered("g0 ", 20).text);
        await rig.start();
        await rig.untilLines(20);
        renameSync(rig.path(LOG), rig.path(`${LOG}.20261126-100000`));
        writeFileSync(rig.path(LOG), numbered("g1 ", 20).text);
        await rig.untilLines(40);
        await rig.until(() => rig.target.details().length === 1, "the end of the first generation");
        const packAndRotate = (): void => {
          writeFileSync(rig.path(`${LOG}.20261126-100000.gz`), gzipSync(readFileSync(rig.path(`${LOG}.20261126-100000`))));
          rmSync(rig.path(`${LOG}.20261126-100000`));
          renameSync(rig.path(LOG), rig.path(`${LOG}.20261126-100001`));
          writeFileSync(rig.path(LOG), numbered("g2 ", 20).text);
        };
        await beginAgain(packed === "meanwhile" ? packAndRotate : () => {});
        if (packed === "later") packAndRotate();
        await rig.until(() => rig.linesOnce().includes("g2 19"), "the next generation");
        await pause(300);
        expect(rig.lines()).toEqual([0, 1, 2].flatMap((g) => numbered(`g${g} `, 20).list));
      });
    }
  }

  for (const rotations of [1, 2]) {
    test(`${rotations} rotations, each packed at once`, async () => {
      const generations = [0, 1, 2].map((generation) => numbered(`generation ${generation} line `, COUNT));
      rig = new Rig({ roomLines: 50 });
      writeFileSync(rig.path(`${LOG}.1`), numbered("of old times ", COUNT).text);
      pack(`${LOG}.1`);
      await pause(30);
      writeFileSync(rig.path(LOG), generations[0]!.text);
      await rig.start("up");
      await rig.untilLines(COUNT);
      await rig.positions.sync();
      await rig.kill();
      appendFileSync(rig.path(LOG), "written while away\n");
      await pause(60);
      for (let n = 1; n <= rotations; n++) {
        for (let old = n; old >= 1; old--) renameSync(rig.path(`${LOG}.${old}.gz`), rig.path(`${LOG}.${old + 1}.gz`));
        renameSync(rig.path(LOG), rig.path(`${LOG}.1`));
        pack(`${LOG}.1`);
        writeFileSync(rig.path(LOG), generations[n]!.text);
        await pause(30);
      }
      await rig.start("up");
      const all = [...generations[0]!.list, "written while away", ...generations.slice(1, rotations + 1).flatMap(({ list }) => list)];
      await rig.untilLines(all.length);
      await pause(60);
      expect(rig.lines()).toEqual(all);
    });
  }

  test("a packed generation that is damaged is a loss, and the rest is read", async () => {
    rig = new Rig({ roomLines: 5 });
    writeFileSync(rig.path(LOG), numbered("line ", 100).text);
    await rig.start("down");
    await rig.until(() => rig.target.details()[0]!.offset > 0, "something to be read");
    await rig.positions.sync();
    await rig.kill();
    renameSync(rig.path(LOG), rig.path(`${LOG}.1`));
    pack(`${LOG}.1`);
    truncateSync(rig.path(`${LOG}.1.gz`), 60);
    writeFileSync(rig.path(LOG), "next\n");
    await rig.start("up");
    await rig.until(() => rig.lines().includes("next"), "the next generation");
    await rig.until(() => rig.logLines.join("").includes("could not unpack"), "the damage to be noticed");
    expect(await rig.metric("promtail_file_lost_bytes_total")).toBe(790);
    expect(rig.logLines.join("")).toContain("could not unpack a compressed generation");
  });

  test("a copy and truncation of what was not read at all", async () => {
    rig = new Rig({ roomLines: 5 });
    writeFileSync(rig.path(LOG), numbered("old ", 100).text);
    await rig.start("down");
    await rig.until(() => rig.target.details()[0]!.offset > 0, "something to be read");
    await rig.positions.sync();
    await rig.kill();
    copyFileSync(rig.path(LOG), rig.path(`${LOG}.1`));
    truncateSync(rig.path(LOG));
    appendFileSync(rig.path(LOG), numbered("new, and longer ", 100).text);
    await rig.start("up");
    await rig.untilLines(200);
    expect(rig.lines()).toEqual([...numbered("old ", 100).list, ...numbered("new, and longer ", 100).list]);
  });

  test("a file deleted and another made with its inode is read from its start", async () => {
    rig = new Rig();
    writeFileSync(rig.path(LOG), numbered("old ", 10).text);
    await rig.start();
    await rig.untilLines(10);
    await rig.stop();
    // The content is replaced in place: the inode stays, as when it is used again.
    writeFileSync(rig.path(LOG), numbered("new line ", 50).text);
    await rig.start();
    await rig.untilLines(60);
    expect(rig.lines()).toEqual([...numbered("old ", 10).list, ...numbered("new line ", 50).list]);
  });

  test("an inode that belongs to another path's file by now leads nobody to that file", async () => {
    rig = new Rig();
    writeFileSync(rig.path("other.log"), "");
    writeFileSync(rig.path(LOG), "app 1\n");
    await rig.start();
    await rig.untilLines(1);
    await rig.positions.sync();
    await rig.stop();
    // Where inodes are used again at once, the next file made has the one of the file deleted last.
    await pause(60);
    rmSync(rig.path("other.log"));
    renameSync(rig.path(LOG), rig.path(`${LOG}.1`));
    writeFileSync(rig.path(LOG), "app 2\n");
    renameSync(rig.path(LOG), rig.path(`${LOG}.0`));
    writeFileSync(rig.path(LOG), "app 3\n");
    await rig.start();
    await rig.untilLines(3);
    await pause(50);
    const of = (name: string): string[] =>
      [...rig.sent, ...rig.sink.acknowledged].filter((sent) => sent.filename === rig.path(name)).map(({ line }) => line);
    expect(of(LOG)).toEqual(["app 1", "app 2", "app 3"]);
    expect(of("other.log")).toEqual([]);
  });

  test("a file that was deleted unread is a loss with its byte range", async () => {
    rig = new Rig({ roomLines: 5 });
    writeFileSync(rig.path(LOG), numbered("line ", 100).text);
    await rig.start("down");
    await pause(80);
    await rig.stop();
    rmSync(rig.path(LOG));
    await rig.start("up");
    await pause(50);
    expect(await rig.metric("promtail_file_losses_total")).toBe(1);
    expect(await rig.metric("promtail_file_lost_bytes_total")).toBe(790);
    expect(rig.logLines.join("")).toContain("from_byte=0 to_byte=790");
  });

  test("a file renamed within the pattern is gone on with where it was", async () => {
    rig = new Rig();
    writeFileSync(rig.path("b.log"), "b1\nb2\n");
    await rig.start();
    await rig.untilLines(2);
    await rig.stop();
    renameSync(rig.path("b.log"), rig.path("a.log"));
    writeFileSync(rig.path("b.log"), "new b1\n");
    appendFileSync(rig.path("a.log"), "b3\n");
    await rig.start();
    await rig.untilLines(4);
    await pause(100);
    expect(rig.lines()).toEqual(["b1", "b2", "b3", "new b1"]);
  });
});

describe("between two looks", () => {
  test("a generation comes and goes when the one before was seen to have left, where that one was then", async () => {
    rig = new Rig();
    writeFileSync(rig.path(LOG), numbered("first ", 10).text);
    await rig.start();
    await rig.untilLines(10);
    renameSync(rig.path(LOG), rig.path(`${LOG}.1`));
    await rig.until(() => rig.target.details()[0]?.state === "rotated", "the first generation to be seen rotated");
    writeFileSync(rig.path(LOG), numbered("second ", 10).text);
    shift(2);
    writeFileSync(rig.path(LOG), numbered("third ", 10).text);
    await rig.untilLines(30);
    expect(rig.lines()).toEqual([...numbered("first ", 10).list, ...numbered("second ", 10).list, ...numbered("third ", 10).list]);
  });

  for (const how of ["looking on", "stopped", "killed"] as const) {
    test(`a link leads to another dated file and on to the next (${how})`, async () => {
      rig = new Rig();
      const date = (day: number): string => rig.path(`app-2024-01-0${day}.txt`);
      const lead = (day: number): void => {
        writeFileSync(date(day), "");
        symlinkSync(date(day), rig.path("next"));
        renameSync(rig.path("next"), rig.path(LOG));
        appendFileSync(rig.path(LOG), numbered(`day ${day} `, 10).text);
      };
      writeFileSync(rig.path("app-2024-01-01.txt.old"), "of another time\n");
      lead(1);
      await rig.start();
      await rig.untilLines(10);
      await rig.positions.sync();
      if (how === "stopped") await rig.stop();
      if (how === "killed") await rig.kill();
      lead(2);
      lead(3);
      lead(4);
      if (how !== "looking on") await rig.start();
      await rig.untilLines(40);
      expect(rig.lines()).toEqual([1, 2, 3, 4].flatMap((day) => numbered(`day ${day} `, 10).list));
    });
  }

  test("a file is copied and truncated twice", async () => {
    rig = new Rig({ reading: { pollMinMs: 300, pollMaxMs: 300 } });
    writeFileSync(rig.path(LOG), numbered("0.", 30).text);
    await rig.start();
    await rig.untilLines(30);
    for (const generation of [1, 2]) {
      appendFileSync(rig.path(LOG), `last of ${generation - 1}\n`);
      copyFileSync(rig.path(LOG), rig.path(`${LOG}-2024010${generation}`));
      truncateSync(rig.path(LOG));
      appendFileSync(rig.path(LOG), numbered(`${generation}.`, 30).text);
    }
    await rig.untilLines(92);
    const expected = [0, 1, 2].flatMap((n) => [...numbered(`${n}.`, 30).list, ...(n < 2 ? [`last of ${n}`] : [])]);
    expect(rig.lines()).toEqual(expected);
  });

  test("a file that is deleted for good leaves no position for the next of its name", async () => {
    rig = new Rig({ reading: { rotatedIdleMs: 60 } });
    writeFileSync(rig.path(LOG), numbered("first ", 10).text);
    await rig.start();
    await rig.untilLines(10);
    await rig.positions.sync();
    rmSync(rig.path(LOG));
    await rig.until(() => rig.target.details().length === 0, "the file to be forgotten");
    // As if nothing had been written down since.
    expect(rig.positions.get(rig.path(LOG))).toBeUndefined();
    writeFileSync(rig.path(LOG), numbered("second one ", 30).text);
    await rig.untilLines(40);
    expect(rig.lines().slice(10)).toEqual(numbered("second one ", 30).list);
  });
});

describe("numbered generations that are all followed", () => {
  for (const how of ["looking on", "stopped", "killed"] as const) {
    test(`two rotations (${how})`, async () => {
      rig = new Rig({ glob: "app.log*" });
      writeFileSync(rig.path(LOG), numbered("0.", 30).text);
      await rig.start();
      await rig.untilLines(30);
      for (const generation of [1, 2]) {
        shift(generation);
        writeFileSync(rig.path(LOG), numbered(`${generation}.`, 30).text);
        await rig.untilLines(30 * (generation + 1));
      }
      await rig.positions.sync();
      if (how === "stopped") await rig.stop();
      if (how === "killed") await rig.kill();
      appendFileSync(rig.path(`${LOG}.1`), "late\n");
      for (const generation of [3, 4]) {
        shift(generation);
        writeFileSync(rig.path(LOG), numbered(`${generation}.`, 30).text);
        if (how === "looking on") await pause(30 * generation - 80);
      }
      if (how !== "looking on") await rig.start();
      await rig.untilLines(151);
      await pause(100);
      expect(rig.lines().toSorted()).toEqual([...[0, 1, 2, 3, 4].flatMap((n) => numbered(`${n}.`, 30).list), "late"].toSorted());
    });
  }
});

describe("what was read and not confirmed when it went", () => {
  const gone: readonly (readonly [name: string, reason: string, remove: () => void])[] = [
    ["truncated", "truncated", () => writeFileSync(rig.path(LOG), "after\n")],
    ["deleted", "rotated_away", () => rmSync(rig.path(LOG))],
  ];
  for (const [name, reason, remove] of gone) {
    test(`${name}, and the agent killed before the answer: in the loss ledger to the byte`, async () => {
      rig = new Rig({ roomLines: 1e6 });
      writeFileSync(rig.path(LOG), numbered("line ", 100).text);
      await rig.start("down");
      await rig.until(() => rig.target.details()[0]?.offset === 790, "the file to be read");
      remove();
      await rig.until(() => rig.target.details()[0]?.state !== "following", "the file to be seen gone");
      await rig.positions.sync();
      await rig.kill();
      await rig.start("up");
      await pause(50);
      expect(await rig.metric("promtail_file_lost_bytes_total")).toBe(790);
      expect(rig.logLines.join("")).toContain(`reason=${reason} from_byte=0 to_byte=790`);
    });
  }
});

describe("in place", () => {
  test("regrown beyond the offset between two looks", async () => {
    rig = new Rig({ reading: { pollMinMs: 300, pollMaxMs: 300 } });
    writeFileSync(rig.path(LOG), numbered("old line ", 10).text);
    await rig.start();
    await rig.untilLines(10);
    writeFileSync(rig.path(LOG), numbered("new line, longer ", 50).text);
    await rig.untilLines(60);
    expect(rig.lines()).toEqual([...numbered("old line ", 10).list, ...numbered("new line, longer ", 50).list]);
  });

  test("rewritten with as many bytes", async () => {
    rig = new Rig();
    writeFileSync(rig.path(LOG), "aaa\nbbb\n");
    await rig.start();
    await rig.untilLines(2);
    await pause(50);
    writeFileSync(rig.path(LOG), "ccc\nddd\n");
    await rig.untilLines(4);
    expect(rig.lines()).toEqual(["aaa", "bbb", "ccc", "ddd"]);
  });

  test("a writer that keeps its place after a truncation leaves NULs, which are skipped", async () => {
    rig = new Rig();
    writeFileSync(rig.path(LOG), numbered("old ", 10).text);
    await rig.start();
    await rig.untilLines(10);
    writeFileSync(rig.path(LOG), `${"\0".repeat(60)}after\n`);
    await rig.untilLines(11);
    expect(rig.lines().at(-1)).toBe("after");
  });

  test("a last line without line feed is sent when its file has been rotated away", async () => {
    rig = new Rig();
    writeFileSync(rig.path(LOG), "whole\nunfinished");
    await rig.start();
    await rig.untilLines(1);
    renameSync(rig.path(LOG), rig.path(`${LOG}.1`));
    writeFileSync(rig.path(LOG), "next\n");
    await rig.untilLines(3);
    expect(rig.lines().sort()).toEqual(["next", "unfinished", "whole"]);
  });

  test("what is still written to a renamed file is read", async () => {
    rig = new Rig();
    writeFileSync(rig.path(LOG), "a\n");
    await rig.start();
    await rig.untilLines(1);
    renameSync(rig.path(LOG), rig.path(`${LOG}.1`));
    writeFileSync(rig.path(LOG), "b\n");
    await rig.untilLines(2);
    appendFileSync(rig.path(`${LOG}.1`), "late\n");
    await rig.untilLines(3);
    expect(rig.lines()).toEqual(["a", "b", "late"]);
  });

  test("a writer that knows of no rotation is followed until the next file is written to", async () => {
    rig = new Rig({ reading: { rotatedIdleMs: 50 } });
    writeFileSync(rig.path(LOG), "a\n");
    await rig.start();
    await rig.untilLines(1);
    renameSync(rig.path(LOG), rig.path(`${LOG}.1`));
    writeFileSync(rig.path(LOG), "");
    await pause(300);
    appendFileSync(rig.path(`${LOG}.1`), "late\n");
    await rig.untilLines(2);
    appendFileSync(rig.path(LOG), "b\n");
    await rig.untilLines(3);
    await rig.until(() => rig.target.details().length === 1, "the former file to be let go");
    expect(rig.lines()).toEqual(["a", "late", "b"]);
  });

  test("a deleted file is read to its end", async () => {
    rig = new Rig({ roomLines: 5 });
    writeFileSync(rig.path(LOG), numbered("line ", 100).text);
    await rig.start("down");
    await pause(50);
    rmSync(rig.path(LOG));
    await pause(100);
    rig.sink.recover();
    await rig.untilLines(100);
    expect(rig.lines()).toEqual(numbered("line ", 100).list);
  });
});

/** Packs what is at the path, as gzip does. Nothing is at the path then. */
function packAway(date: string): void {
  const { atime, mtime } = statSync(rig.path(LOG));
  const packed = rig.path(`${LOG}-${date}.gz`);
  writeFileSync(packed, gzipSync(readFileSync(rig.path(LOG)), { level: 1 }));
  utimesSync(packed, atime, mtime);
  rmSync(rig.path(LOG));
}

test("a generation that comes and goes while another is being unpacked is found after a kill", async () => {
  rig = new Rig();
  writeFileSync(rig.path(LOG), numbered("first ", 10).text);
  await rig.start();
  await rig.untilLines(10);
  await rig.stop();
  await pause(50);
  packAway("20240101");
  // Unpacking it takes a while.
  writeFileSync(rig.path(LOG), `${"x".repeat(12_000_000)}\n`);
  packAway("20240102");
  await rig.start("down");
  writeFileSync(rig.path(LOG), numbered("third ", 10).text);
  packAway("20240103");
  await rig.until(() => rig.target.details().some(({ offset }) => offset === 12_000_001), "the long line to be read");
  await rig.positions.sync();
  await rig.kill();
  await rig.start();
  await rig.untilLines(21);
  expect(rig.linesOnce().filter((line) => !line.startsWith("x"))).toEqual([...numbered("first ", 10).list, ...numbered("third ", 10).list]);
});

describe("an orderly end", () => {
  test("what was read to its end and is not acknowledged by then is read again", async () => {
    rig = new Rig({ roomLines: 1e6 });
    writeFileSync(rig.path(LOG), numbered("line ", COUNT).text);
    await rig.start("down");
    await pause(50);
    shift(1);
    writeFileSync(rig.path(LOG), "after\n");
    await rig.until(() => rig.target.details().some(({ state }) => state === "waiting for acknowledgement"), "its end");
    await rig.stopSlowly(120);
    await rig.start();
    await rig.untilLines(COUNT + 1);
    expect(rig.lines()).toEqual([...numbered("line ", COUNT).list, "after"]);
  });

  test("what was looked for among compressed files is looked for again", async () => {
    rig = new Rig({ roomLines: 5 });
    const { list, text } = numbered("line ", COUNT);
    // Unpacking takes longer than the stop.
    const long = "x".repeat(12_000_000);
    writeFileSync(rig.path(LOG), `${text}${long}\n`);
    await rig.start("down");
    await pause(80);
    await rig.stop();
    const { atime, mtime } = statSync(rig.path(LOG));
    writeFileSync(rig.path(`${LOG}.1.gz`), gzipSync(readFileSync(rig.path(LOG))));
    utimesSync(rig.path(`${LOG}.1.gz`), atime, mtime);
    writeFileSync(rig.path("other.log"), "other\n");
    rmSync(rig.path(LOG));
    writeFileSync(rig.path(LOG), "after\n");
    await rig.start("down");
    await rig.until(() => rig.target.details().some(({ offset }) => offset === 6), "the other file, which is not acknowledged");
    await rig.stopSlowly(400);
    await rig.start();
    await rig.untilLines(COUNT + 3);
    expect(rig.linesOnce().filter((line) => line !== "other")).toEqual([...list, long, "after"]);
    expect(await rig.metric("promtail_file_losses_total")).toBe(0);
  });
});

describe("reload", () => {
  test("a new target goes on where the stopped one was, with what is in flight", async () => {
    rig = new Rig({ roomLines: 1e6 });
    writeFileSync(rig.path(LOG), numbered("line ", 100).text);
    await rig.start("down");
    await pause(50);
    await rig.target.stop({ drain: false });
    await rig.openTarget({ job: "changed" });
    appendFileSync(rig.path(LOG), "after\n");
    await pause(80);
    expect(rig.positions.get(rig.path(LOG)) ?? "0").toBe("0");
    rig.sink.recover();
    await rig.untilLines(101);
    expect(rig.lines()).toEqual([...numbered("line ", 100).list, "after"]);
    await rig.until(() => rig.positions.get(rig.path(LOG)) === "796", "the position");
  });

  test("a deleted file that was not read to its end is gone on with", async () => {
    rig = new Rig({ roomLines: 5 });
    writeFileSync(rig.path(LOG), numbered("line ", 40_000).text);
    await rig.start("down");
    await pause(50);
    rmSync(rig.path(LOG));
    await pause(80);
    await rig.target.stop({ drain: false });
    await rig.openTarget({ job: "changed" });
    rig.sink.recover();
    await rig.untilLines(40_000);
    expect(rig.lines()).toEqual(numbered("line ", 40_000).list);
  });
});
