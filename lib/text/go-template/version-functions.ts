// sprig's functions over semantic versions.

import { compileConstraint, parseVersion, printVersion } from "../semver.ts";
import { fn, type TemplateFunction } from "./function.ts";
import type { TemplateMap, TemplateValue } from "./value.ts";

export const VERSION_FUNCTIONS: readonly (readonly [string, TemplateFunction])[] = [
  ["semver", fn(["text"], (text) => new VersionValue(text))],
  ["semverCompare", fn(["text", "text"], (constraint, text) => compileConstraint(constraint)(parseVersion(text)))],
];

/** A version: prints as such, and its parts can be asked for, `(semver .v).Major`. */
class VersionValue implements TemplateMap {
  readonly printed: string;
  readonly #parts: ReadonlyMap<string, TemplateValue>;

  /** @throws SemverError */
  constructor(text: string) {
    const version = parseVersion(text);
    this.printed = printVersion(version);
    this.#parts = new Map<string, TemplateValue>([
      ["Major", version.major],
      ["Minor", version.minor],
      ["Patch", version.patch],
      ["Prerelease", version.prerelease],
      ["Metadata", version.metadata],
      ["Original", version.original],
      ["String", this.printed],
    ]);
  }

  get(name: string): TemplateValue | undefined {
    return this.#parts.get(name);
  }

  entries(): Iterable<readonly [string, TemplateValue]> {
    return this.#parts.entries();
  }
}
