// The elements of an array inside a JSON object, as they are written: parsing and printing again would change numbers and spaces.

const SPACES = /[ \t\n\r]*/y;
/** A string, a bracket, or what stands outside of both. */
const TOKEN = /"(?:[^"\\]|\\.)*"|[[\]{},:]|[^"[\]{},:\s]+/y;

/**
 * @param json a text that JSON.parse takes
 * @returns texts of the elements of the array that the top object has under `key`, the last of that name; undefined when there is none
 */
export function elementsOf(json: string, key: string): string[] | undefined {
  const scan = new Scan(json);
  if (scan.next() !== "{") return undefined;
  let found: string[] | undefined;
  for (let token = scan.next(); token !== undefined && token !== "}"; token = scan.next()) {
    if (token === ",") continue;
    const isWanted = JSON.parse(token) === key;
    scan.next();
    const elements = isWanted && scan.peek() === "[" ? scan.elements() : scan.skipValue();
    if (isWanted) found = typeof elements === "string" ? undefined : elements;
  }
  return found;
}

class Scan {
  readonly #json: string;
  #at = 0;

  constructor(json: string) {
    this.#json = json;
  }

  next(): string | undefined {
    this.#skipSpaces();
    TOKEN.lastIndex = this.#at;
    const token = TOKEN.exec(this.#json)?.[0];
    this.#at += token?.length ?? 0;
    return token;
  }

  peek(): string | undefined {
    this.#skipSpaces();
    return this.#json[this.#at];
  }

  /** The text of the value that comes next. */
  skipValue(): string {
    this.#skipSpaces();
    const start = this.#at;
    let depth = 0;
    do {
      const token = this.next();
      if (token === "{" || token === "[") depth++;
      else if (token === "}" || token === "]") depth--;
      else if (token === undefined) break;
    } while (depth > 0);
    return this.#json.slice(start, this.#at);
  }

  elements(): string[] {
    const elements: string[] = [];
    this.next();
    while (this.peek() !== "]" && this.peek() !== undefined) {
      if (this.peek() === ",") this.next();
      else elements.push(this.skipValue());
    }
    this.next();
    return elements;
  }

  #skipSpaces(): void {
    SPACES.lastIndex = this.#at;
    this.#at += SPACES.exec(this.#json)?.[0].length ?? 0;
  }
}
