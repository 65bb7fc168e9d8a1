// Log files as kubelet and container runtime make them: a folder per pod and container, CRI lines, links in `containers`, rotation by
// renaming with the older one compressed, a new file per restart.

import { appendFileSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { gzipSync } from "node:zlib";

export interface PodPlace {
  readonly namespace: string;
  readonly pod: string;
  /** As in the folder's name: of a static pod, its hash. */
  readonly uid: string;
  readonly container: string;
}

/** Rotated files that are kept beside the one that is written. */
const ROTATED_KEPT = 4;

export class ContainerLog {
  readonly place: PodPlace;
  /** Number of the newest line. */
  written = 0;
  readonly #folder: string;
  readonly #link: string;
  #restarts = 0;
  #rotations = 0;

  /** @param logs stands for `/var/log` */
  constructor(logs: string, place: PodPlace) {
    this.place = place;
    const { namespace, pod, uid, container } = place;
    this.#folder = join(logs, "pods", `${namespace}_${pod}_${uid}`, container);
    this.#link = join(logs, "containers", `${pod}_${namespace}_${container}-${uid.replaceAll("-", "").padEnd(64, "0")}.log`);
    mkdirSync(this.#folder, { recursive: true });
    mkdirSync(dirname(this.#link), { recursive: true });
    this.#begin();
  }

  get path(): string {
    return join(this.#folder, `${this.#restarts}.log`);
  }

  /** Each line says whose it is, its number, and when it was written. */
  write(count = 1): void {
    const { namespace, pod, container } = this.place;
    let text = "";
    for (let i = 0; i < count; i++) {
      const now = new Date().toISOString().replace("Z", "000000Z");
      text += `${now} stdout F ${namespace}/${pod}/${container} n=${++this.written} at=${Date.now()}\n`;
    }
    appendFileSync(this.path, text);
  }

  rotate(): void {
    const stamp = `${new Date().toISOString().replace(/\D/g, "").slice(0, 14)}-${this.#rotations++}`;
    for (const name of readdirSync(this.#folder).filter((each) => /\.log\.[\d-]+$/.test(each))) this.#compress(name);
    const compressed = readdirSync(this.#folder).filter((name) => name.endsWith(".gz"));
    for (const name of compressed.slice(0, -ROTATED_KEPT)) rmSync(join(this.#folder, name));
    renameSync(this.path, `${this.path}.${stamp}`);
    writeFileSync(this.path, "");
  }

  restart(): void {
    this.#restarts++;
    rmSync(this.#link, { force: true });
    this.#begin();
  }

  remove(): void {
    rmSync(dirname(this.#folder), { recursive: true, force: true });
    rmSync(this.#link, { force: true });
  }

  #begin(): void {
    writeFileSync(this.path, "");
    symlinkSync(this.path, this.#link);
  }

  #compress(name: string): void {
    const path = join(this.#folder, name);
    writeFileSync(`${path}.tmp`, gzipSync(readFileSync(path)));
    renameSync(`${path}.tmp`, `${path}.gz`);
    rmSync(path);
  }
}

export interface ArrivedLine {
  /** `namespace/pod/container` as the line says. */
  readonly from: string;
  readonly n: number;
  readonly writtenMs: number;
  readonly labels: Readonly<Record<string, string>>;
}

/** Takes apart `{a="b", …} line`. */
export function parseEntry(entry: string): ArrivedLine {
  const match = /^\{(.*?)\} (?:\S+ stdout F )?(\S+) n=(\d+) at=(\d+)$/.exec(entry);
  if (match === null) throw new Error(`not a line of a test's pod: ${entry}`);
  const labels = Object.fromEntries([...match[1]!.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, value]) => [name!, value!]));
  return { from: match[2]!, n: Number(match[3]), writtenMs: Number(match[4]), labels };
}
