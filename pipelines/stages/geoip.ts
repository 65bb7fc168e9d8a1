// Sets labels from a MaxMind database: where an address is, or whose network it is in.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { isIP } from "node:net";
import { z } from "zod";
import { messageOf } from "../../lib/runtime/invariant.ts";
import { formatFloat } from "../../lib/text/go-template/format.ts";
import { defineStage, type Stage } from "../stage.ts";
import { requiredSource, text } from "../stage-config.ts";
import { textOfValue } from "../value-text.ts";

const DB_TYPES = ["city", "asn", "country"] as const;
type DbType = (typeof DB_TYPES)[number];

/** What is asked of a database: the record of an address, or null. */
export interface GeoipDatabase {
  get(address: string): unknown;
}

export const geoip = defineStage({
  name: "geoip",
  config: () =>
    z.object({
      db: text().min(1, "is required: the path of a .mmdb file"),
      source: requiredSource(),
      db_type: z.enum(DB_TYPES, { error: `has to be one of ${DB_TYPES.join(", ")}` }),
    }),
  build: ({ db, source, db_type: type }): Stage => geoipStage(openDatabase(db), source, type),
});

export function geoipStage(database: GeoipDatabase, source: string, type: DbType): Stage {
  return {
    process(batch) {
      for (let k = 0; k < batch.liveCount; k++) {
        const i = batch.live[k]!;
        const address = textOfValue(batch.extract(source, i));
        if (address === undefined || isIP(address) === 0) continue;
        for (const [name, value] of labelsOf(database.get(unmapped(address)), type)) {
          if (value !== "") batch.labels.set(i, batch.labels.get(i)!.with(name, value));
        }
      }
    },
  };
}

/** An IPv4 address that is written as one of IPv6 (`::ffff:192.0.2.1`, RFC 4291 §2.5.5.2) as IPv4. */
function unmapped(address: string): string {
  // The URL parser writes every form of such an address as the same two hexadecimal words. It knows no zones.
  const host = address.includes(":") && !address.includes("%") ? new URL(`http://[${address}]`).hostname : "";
  const [, high, low] = /^\[::ffff:([0-9a-f]+):([0-9a-f]+)\]$/.exec(host) ?? [];
  if (high === undefined || low === undefined) return address;
  return [high, low]
    .map((word) => Number.parseInt(word, 16))
    .flatMap((word) => [word >> 8, word & 255])
    .join(".");
}

/** The package is loaded when a pipeline asks for it, for few do. */
function openDatabase(path: string): GeoipDatabase {
  let module: { readonly Reader: new (bytes: Buffer) => GeoipDatabase };
  try {
    module = createRequire(import.meta.url)("mmdb-lib") as typeof module;
  } catch {
    throw new Error("this build reads no MaxMind databases: the package mmdb-lib is not installed");
  }
  try {
    return new module.Reader(readFileSync(path));
  } catch (cause) {
    throw new Error(`open database ${path}: ${messageOf(cause)}`, { cause });
  }
}

function labelsOf(record: unknown, type: DbType): [name: string, value: string][] {
  const at = (...path: (string | number)[]): string => printed(path.reduce(inside, record));
  if (type === "asn") {
    return [
      ["geoip_autonomous_system_number", nonZero(at("autonomous_system_number"))],
      ["geoip_autonomous_system_organization", at("autonomous_system_organization")],
    ];
  }
  const country: [string, string][] = [
    ["geoip_country_name", at("country", "names", "en")],
    ["geoip_continent_name", at("continent", "names", "en")],
    ["geoip_continent_code", at("continent", "code")],
  ];
  if (type === "country") return country;
  const somewhere = nonZero(at("location", "latitude")) !== "" || nonZero(at("location", "longitude")) !== "";
  return [
    ...country,
    ["geoip_city_name", at("city", "names", "en")],
    ["geoip_location_latitude", somewhere ? at("location", "latitude") : ""],
    ["geoip_location_longitude", somewhere ? at("location", "longitude") : ""],
    ["geoip_postal_code", at("postal", "code")],
    ["geoip_timezone", at("location", "time_zone")],
    // The last subdivision is the smallest.
    ["geoip_subdivision_name", at("subdivisions", -1, "names", "en")],
    ["geoip_subdivision_code", at("subdivisions", -1, "iso_code")],
  ];
}

function inside(value: unknown, step: string | number): unknown {
  if (typeof step === "number") return Array.isArray(value) ? value.at(step) : undefined;
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>)[step] : undefined;
}

function printed(value: unknown): string {
  if (typeof value === "number") return Number.isInteger(value) ? String(value) : formatFloat(value, "g", -1);
  return typeof value === "string" ? value : "";
}

const nonZero = (text: string): string => (text === "0" ? "" : text);
