// Headers of a request, put together as Go's HTTP client does.

/** What HTTP itself decides, and no configuration. */
const NOT_SENT = /^(?:host|content-length|transfer-encoding|trailer)$/i;

/** Values by name, whose case does not matter. */
export class HeaderValues {
  readonly #headers = new Map<string, { readonly name: string; readonly values: string[] }>();

  constructor(headers: Readonly<Record<string, string>>) {
    for (const [name, value] of Object.entries(headers)) this.set(name, value);
  }

  /** An empty value is as good as none. */
  has(name: string): boolean {
    return (this.#headers.get(name.toLowerCase())?.values[0] ?? "") !== "";
  }

  set(name: string, value: string): void {
    this.#headers.set(name.toLowerCase(), { name, values: [value] });
  }

  /** Puts values behind those of the name that are there. */
  add(name: string, values: readonly string[]): void {
    const known = this.#headers.get(name.toLowerCase());
    if (known === undefined) this.#headers.set(name.toLowerCase(), { name, values: [...values] });
    else known.values.push(...values);
  }

  /** As Node takes them. */
  sent(): Record<string, string[]> {
    const headers = [...this.#headers.values()].filter(({ name }) => !NOT_SENT.test(name));
    return Object.fromEntries(headers.map(({ name, values }) => [name, values.map(bytesAsText)]));
  }
}

/** Node writes one byte per character of a header, and refuses those that have none: here the characters are the bytes of UTF-8. */
function bytesAsText(value: string): string {
  return Buffer.from(value).toString("latin1");
}
