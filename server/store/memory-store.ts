// Objects in memory, for tests.

import { invariant } from "../../lib/runtime/invariant.ts";
import { isObjectKey, type ObjectStore, StoreError } from "./object-store.ts";

export function createMemoryStore(): ObjectStore {
  const objects = new Map<string, Buffer>();
  const object = (key: string): Buffer => {
    const found = objects.get(key);
    if (found === undefined) throw new StoreError("missing", `read ${key}: no such object`);
    return found;
  };
  return {
    async put(key, parts) {
      invariant(isObjectKey(key), `object key ${key} is a relative path of plain segments`);
      if (objects.has(key)) throw new StoreError("exists", `put ${key}: an object of this name is there already`);
      objects.set(key, Buffer.concat(parts));
    },
    async get(key, offset, bytes) {
      const found = object(key);
      if (offset + bytes > found.length)
        throw new StoreError("io", `read ${key}: ${bytes} bytes at ${offset} asked for, the object has ${found.length}`);
      return found.subarray(offset, offset + bytes);
    },
    size: async (key) => object(key).length,
    list: async (prefix) => [...objects.keys()].filter((key) => key.startsWith(prefix)).sort(),
    async delete(key) {
      objects.delete(key);
    },
  };
}
