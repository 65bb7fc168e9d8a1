// Names of addresses, by reverse DNS: remembered, bounded, and never in the way.

import { Resolver } from "node:dns/promises";
import { readFile } from "node:fs/promises";
import type { Clock } from "../../../lib/runtime/clock.ts";

const NAMES_MAX = 4_096;
const FOUND_MS = 10 * 60_000;
/** An address without a name is asked for again sooner. */
const MISSING_MS = 60_000;
/** Questions open at a time; who comes when there are more gets no name for now. */
const QUESTIONS_MAX = 32;

/** Names of an address as Promtail joins them; `""` for none. @throws Error when it has none, or nobody answers */
export type ReverseLookup = (address: string) => Promise<string>;

interface Known {
  name: string;
  /** Asked for anew after this. */
  staleMs: number;
  asking: Promise<string> | undefined;
}

export class Hostnames {
  readonly #clock: Clock;
  readonly #lookup: ReverseLookup;
  readonly #known = new Map<string, Known>();
  #questions = 0;

  constructor(clock: Clock, lookup: ReverseLookup = reverseLookup) {
    this.#clock = clock;
    this.#lookup = lookup;
  }

  /** What is known now; asks for what is not. */
  nameOf(address: string): string {
    const known = this.#knownOf(address);
    if (known.asking === undefined && this.#clock.nowMs() >= known.staleMs) this.#ask(address, known);
    return known.name;
  }

  /** The name, waited for at most so long. */
  async find(address: string, waitMs: number): Promise<string> {
    this.nameOf(address);
    const { asking } = this.#knownOf(address);
    if (asking !== undefined) {
      const answered = new AbortController();
      await Promise.race([asking, this.#clock.sleep(waitMs, answered.signal)]);
      answered.abort();
    }
    return this.nameOf(address);
  }

  #knownOf(address: string): Known {
    let known = this.#known.get(address);
    if (known === undefined) {
      if (this.#known.size >= NAMES_MAX) this.#known.clear();
      this.#known.set(address, (known = { name: "", staleMs: 0, asking: undefined }));
    }
    return known;
  }

  #ask(address: string, known: Known): void {
    if (this.#questions >= QUESTIONS_MAX) return;
    this.#questions++;
    known.asking = this.#lookup(address)
      .catch(() => "")
      .then((name) => {
        this.#questions--;
        known.asking = undefined;
        known.name = name;
        known.staleMs = this.#clock.nowMs() + (name === "" ? MISSING_MS : FOUND_MS);
        return name;
      });
  }
}

const HOSTS_FILE = "/etc/hosts";
const resolver = new Resolver({ timeout: 2_000, tries: 2 });

/** The machine's own table first, then DNS, whose names end with a dot as Go gives them. */
async function reverseLookup(address: string): Promise<string> {
  const own = namesInHosts(await readFile(HOSTS_FILE, "utf8").catch(() => ""), address);
  if (own.length > 0) return own.join(",");
  const names = await resolver.reverse(address);
  return names.map((name) => (name.endsWith(".") ? name : `${name}.`)).join(",");
}

/** Names of an address in a table such as /etc/hosts. */
export function namesInHosts(text: string, address: string): string[] {
  return text.split("\n").flatMap((line) => {
    const [first, ...names] = line.replace(/#.*/, "").trim().split(/\s+/);
    return first === address ? names : [];
  });
}
