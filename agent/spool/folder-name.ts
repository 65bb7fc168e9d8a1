import { createHash } from "node:crypto";

/** Longest name of a folder; what it stands for may be longer. */
const NAME_BYTES_MAX = 200;

/** A name as a folder's: readable where it can be, and never two names the same. */
export function folderName(text: string): string {
  const name = encodeURIComponent(Buffer.from(text).toString()).replace(
    /[.*'()!~]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  if (name.length <= NAME_BYTES_MAX) return name;
  return `${name.slice(0, NAME_BYTES_MAX - 33)}%${createHash("sha256").update(text).digest("hex").slice(0, 32)}`;
}
