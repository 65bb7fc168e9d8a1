// What the positions know of a path when a target begins to follow it.

import type { FileRecord } from "../file-records.ts";
import type { Positions } from "../positions.ts";
import { idKey } from "./file-identity.ts";

/** Records of files read as `name`: this owner's if it has any, else another's (the labels may have changed), which are its own from now on. */
export function takeRecords(positions: Positions, name: string, owner: string): readonly FileRecord[] {
  const noted = positions.recordsOf(name);
  const own = noted.filter((record) => record.owner === owner);
  for (const record of own) positions.claim(record);
  if (own.some(({ done }) => done !== true)) return own;
  const newest = new Map<string, FileRecord>();
  for (const record of noted) {
    // A file that was read to its end may be gone, and another have its inode.
    const key = record.done === true ? `${idKey(record)} ${record.headDigest}` : idKey(record);
    const other = newest.get(key);
    if (other === undefined || other.offset > record.offset) newest.set(key, record);
    // Left with the former reader, it would go stale, and be where the next one begins after another change of labels.
    positions.claim(record);
  }
  return [...newest.values()];
}

/** The offset that stands for a path in Promtail's file, if it is one. */
export function offsetOf(value: string | undefined): number | undefined {
  if (value === undefined || !/^\+?\d{1,15}$/.test(value)) return undefined;
  return Number(value);
}
