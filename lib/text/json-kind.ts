// A value of somebody's JSON as messages show it. Never written out whole: it may be as large as the body, and nested deeper than a stack.

const TEXT_UNITS_MAX = 100;

/** `5`, `true`, `"the beginning of a text"`, `an array of 3`, `an object`, `nothing`. */
export function jsonKind(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "string") return JSON.stringify(value.slice(0, TEXT_UNITS_MAX));
  if (Array.isArray(value)) return `an array of ${value.length}`;
  return typeof value === "object" && value !== null ? "an object" : String(value);
}
