// Prometheus' `http_headers`: several values per name, secrets, and files that are read anew while the agent runs.

import type { Clock } from "../../lib/runtime/clock.ts";
import type { HeaderSources } from "./client-options.ts";
import { rememberFile } from "./credentials.ts";

export class ExtraHeaders {
  readonly #headers: readonly {
    readonly name: string;
    readonly fixed: readonly string[];
    readonly files: readonly (() => Promise<string>)[];
  }[];

  constructor(headers: Readonly<Record<string, HeaderSources>>, clock: Clock) {
    this.#headers = Object.entries(headers).map(([name, { values, secrets, files }]) => ({
      name,
      fixed: [...values, ...secrets],
      files: files.map((file) => rememberFile(file, clock)),
    }));
  }

  /** Names with their values. @throws Error when a file cannot be read */
  async read(): Promise<[name: string, values: string[]][]> {
    const read: [string, string[]][] = [];
    for (const { name, fixed, files } of this.#headers) {
      const values = [...fixed];
      for (const file of files) values.push((await file()).trim());
      read.push([name, values]);
    }
    return read;
  }
}
