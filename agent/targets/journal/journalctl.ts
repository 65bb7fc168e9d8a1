// The child that reads the journal: journalctl knows the files, follows them through rotation, and is there wherever a journal is.

import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Readable } from "node:stream";
import type { Log } from "../../../lib/runtime/log.ts";
import type { StartPoint } from "./start-point.ts";

/** A child that does not end when it is told to is killed after this long. */
const END_GRACE_MS = 2_000;
/** Of a child that writes errors without end. */
const LOGGED_LINES_MAX = 100;
const LOGGED_LINE_CHARS_MAX = 500;

export interface JournalctlOptions {
  /** `""`: those of this machine. */
  readonly directory: string;
  /** `""`: the default one. */
  readonly namespace: string;
  readonly matches: readonly string[];
  /** Undefined for all. */
  readonly fields: readonly string[] | undefined;
  readonly start: StartPoint;
}

export function journalctlArguments({ directory, namespace, matches, fields, start }: JournalctlOptions): string[] {
  return [
    "--output=export",
    "--follow",
    // Following shows only the last entries unless it is told otherwise, and with `-n 0` it loses the first new ones.
    "--no-tail",
    "--no-pager",
    ...(directory === "" ? [] : [`--directory=${directory}`]),
    ...(namespace === "" ? [] : [`--namespace=${namespace}`]),
    ...(fields === undefined ? [] : [`--output-fields=${fields.join(",")}`]),
    start.kind === "cursor" ? `--cursor=${start.cursor}` : `--since=@${(start.sinceMs / 1000).toFixed(6)}`,
    "--",
    ...matches,
  ];
}

export class Journalctl {
  readonly #child: ChildProcess;
  /** How it ended, for a log line. */
  readonly ended: Promise<string>;
  /** Whether it said that it cannot find the cursor it was given. */
  cursorRefused = false;
  #loggedLines = 0;

  private constructor(child: ChildProcess, log: Log) {
    this.#child = child;
    this.ended = new Promise((resolve) => {
      child.once("exit", (code, signal) => resolve(signal === null ? `exit status ${code}` : signal));
    });
    // Errors after the start (a signal that cannot be sent) end in `exit` or matter to nobody.
    child.on("error", () => {});
    void this.#logErrors(child.stderr!, log);
  }

  /** @throws Error when the program is not there or cannot be started */
  static async start(program: string, args: readonly string[], log: Log): Promise<Journalctl> {
    const env = { ...process.env, LC_ALL: "C", SYSTEMD_COLORS: "0", SYSTEMD_PAGER: "", SYSTEMD_LOG_TARGET: "console" };
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "pipe"], env });
    try {
      await once(child, "spawn");
    } catch (error) {
      const missing = (error as NodeJS.ErrnoException).code === "ENOENT";
      if (!missing) throw error;
      throw new Error(`${program} is not installed: the journal is read by systemd's journalctl, which must be in PATH`);
    }
    return new Journalctl(child, log);
  }

  get output(): Readable {
    return this.#child.stdout!;
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Ends it; resolves when it is gone. */
  async end(): Promise<void> {
    this.output.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.#child.kill("SIGTERM");
    const timer = setTimeout(() => this.#child.kill("SIGKILL"), END_GRACE_MS);
    await this.ended;
    clearTimeout(timer);
  }

  async #logErrors(stderr: Readable, log: Log): Promise<void> {
    let rest = "";
    stderr.setEncoding("utf8");
    try {
      for await (const piece of stderr as AsyncIterable<string>) {
        const lines = (rest + piece).split("\n");
        rest = lines.pop()!.slice(0, LOGGED_LINE_CHARS_MAX);
        for (const line of lines) this.#logError(line, log);
      }
    } catch {
      // The child is being ended.
    }
    if (rest !== "") this.#logError(rest, log);
  }

  #logError(line: string, log: Log): void {
    if (/failed to seek to cursor/i.test(line)) this.cursorRefused = true;
    if (line !== "" && this.#loggedLines++ < LOGGED_LINES_MAX)
      log.warn({ journalctl: line.slice(0, LOGGED_LINE_CHARS_MAX) }, "journalctl says");
  }
}
