// Names of parsed labels: what is not a letter, digit or underscore becomes an underscore, a leading digit gets one in front, white
// space around is cut (reference §2.5).

/** `""` for a key that is no name at all. */
export function toLabelName(key: string): string {
  if (/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(key)) return key;
  const trimmed = key.trim();
  if (trimmed === "") return "";
  const clean = trimmed.replace(/[^a-zA-Z0-9_]/gu, "_");
  return /^[0-9]/.test(clean) ? `_${clean}` : clean;
}

/** Adds a key to the name of the object it was found in: `a` and `b.c` make `a_b_c`. */
export function joinLabelName(prefix: string, key: string): string {
  const trimmed = key.trim();
  if (trimmed === "") return prefix;
  const clean = trimmed.replace(/[^a-zA-Z0-9_]/gu, "_");
  if (prefix === "") return /^[0-9]/.test(clean) ? `_${clean}` : clean;
  return `${prefix}_${clean}`;
}
