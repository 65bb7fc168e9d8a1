// A real journald of the tests' own: an instance for a namespace, which touches nothing of the machine's journal.

import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { until } from "./processes.ts";

const JOURNALD = "/lib/systemd/systemd-journald";

/** Why no journald can be started here; undefined when one can. */
export function journaldMissing(): string | undefined {
  if (!existsSync(JOURNALD)) return `${JOURNALD} is not installed`;
  if (process.getuid?.() !== 0) return "a journald of its own needs root";
  return undefined;
}

export class Journald {
  readonly namespace: string;
  readonly #child: ChildProcess;

  private constructor(namespace: string, child: ChildProcess) {
    this.namespace = namespace;
    this.#child = child;
  }

  static async start(namespace: string): Promise<Journald> {
    mkdirSync(`/run/systemd/journal.${namespace}`, { recursive: true });
    const child = spawn(JOURNALD, [namespace], { stdio: "ignore" });
    const journald = new Journald(namespace, child);
    await until("journald listens", () => existsSync(journald.socket("dev-log")) && existsSync(journald.socket("stdout")));
    return journald;
  }

  socket(name: "dev-log" | "stdout"): string {
    return `/run/systemd/journal.${this.namespace}/${name}`;
  }

  /** Writes entries by the protocol of syslog, one per line, and waits until they are in the journal. */
  write(lines: readonly string[]): void {
    this.writeBytes(Buffer.from(`${lines.join("\n")}\n`));
  }

  /** The same with any bytes. */
  writeBytes(input: Buffer): void {
    execFileSync("logger", ["--socket", this.socket("dev-log"), "--tag", "e2e", "--priority", "local0.warning"], { input });
    this.control("--sync");
  }

  control(...args: string[]): string {
    return execFileSync("journalctl", [`--namespace=${this.namespace}`, ...args], {
      encoding: "utf8",
      maxBuffer: 64 * 1024 * 1024,
      stdio: ["ignore", "pipe", "pipe"],
    });
  }

  /** Ends it and removes what it has written. */
  async stop(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("exit", resolve));
    if (this.#child.exitCode === null) {
      this.#child.kill();
      await gone;
    }
    rmSync(`/run/systemd/journal.${this.namespace}`, { recursive: true, force: true });
    for (const folder of ["/run/log/journal", "/var/log/journal"]) {
      if (!existsSync(folder)) continue;
      for (const name of readdirSync(folder)) {
        if (name.endsWith(`.${this.namespace}`)) rmSync(join(folder, name), { recursive: true, force: true });
      }
    }
  }
}

/** Processes whose command line has all these words. */
export function processesWith(...words: string[]): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const line = execFileSync("cat", [`/proc/${pid}/cmdline`], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
        return words.every((word) => line.includes(word));
      } catch {
        return false;
      }
    })
    .map(Number);
}
