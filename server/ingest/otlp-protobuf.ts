// ExportLogsServiceRequest in protobuf (opentelemetry-proto, logs/v1):
//
//   request   { resource_logs = 1 }
//   resource  { resource = 1 { attributes = 1 }, scope_logs = 2 }
//   scope     { scope = 1 { name = 1, version = 2, attributes = 3, dropped = 4 }, log_records = 2 }
//   record    { time = 1 fixed64, severity_number = 2, severity_text = 3, body = 5, attributes = 6, dropped = 7, flags = 8 fixed32,
//               trace_id = 9, span_id = 10, observed_time = 11 fixed64 }
//   key value { key = 1, value = 2 };  value { string = 1, bool = 2, int = 3, double = 4, array = 5, map = 6, bytes = 7 }

import { createTurns, type TakeTurn } from "../../lib/runtime/turns.ts";
import {
  idText,
  type OtlpAttribute,
  OtlpError,
  type OtlpRecord,
  type OtlpResource,
  type OtlpScope,
  type OtlpValue,
  VALUE_DEPTH_MAX,
} from "./otlp-tree.ts";
import { ProtoReader } from "./proto-reader.ts";

/** @throws OtlpError */
export async function decodeOtlpProtobuf(body: Buffer, takeTurn: TakeTurn = createTurns()): Promise<OtlpResource[]> {
  const resources: OtlpResource[] = [];
  const reader = new ProtoReader(body);
  while (reader.next()) {
    if (reader.is(1, "bytes")) resources.push(await readResource(reader.message(), takeTurn));
    const turn = takeTurn();
    if (turn instanceof Promise) await turn;
  }
  return resources;
}

async function readResource(reader: ProtoReader, takeTurn: TakeTurn): Promise<OtlpResource> {
  const attributes: OtlpAttribute[] = [];
  const scopes: OtlpScope[] = [];
  while (reader.next()) {
    if (reader.is(1, "bytes")) readResourceAttributes(reader.message(), attributes);
    else if (reader.is(2, "bytes")) scopes.push(await readScope(reader.message(), takeTurn));
  }
  return { attributes, scopes };
}

function readResourceAttributes(reader: ProtoReader, attributes: OtlpAttribute[]): void {
  while (reader.next()) if (reader.is(1, "bytes")) attributes.push(readAttribute(reader.message(), 0));
}

async function readScope(reader: ProtoReader, takeTurn: TakeTurn): Promise<OtlpScope> {
  const scope = { name: "", version: "", attributes: [] as OtlpAttribute[], droppedAttributes: 0, records: [] as OtlpRecord[] };
  while (reader.next()) {
    if (reader.is(2, "bytes")) scope.records.push(readRecord(reader.message()));
    else if (reader.is(1, "bytes")) {
      const inner = reader.message();
      while (inner.next()) {
        if (inner.is(1, "bytes")) scope.name = inner.text();
        else if (inner.is(2, "bytes")) scope.version = inner.text();
        else if (inner.is(3, "bytes")) scope.attributes.push(readAttribute(inner.message(), 0));
        else if (inner.is(4, "varint")) scope.droppedAttributes = inner.uint32();
      }
    }
    const turn = takeTurn();
    if (turn instanceof Promise) await turn;
  }
  return scope;
}

function readRecord(reader: ProtoReader): OtlpRecord {
  const record = {
    timeNs: 0n,
    observedNs: 0n,
    severityNumber: 0,
    severityText: "",
    body: undefined as OtlpValue,
    attributes: [] as OtlpAttribute[],
    droppedAttributes: 0,
    flags: 0,
    traceId: "",
    spanId: "",
  };
  while (reader.next()) {
    if (reader.is(1, "fixed64")) record.timeNs = reader.fixed64();
    else if (reader.is(2, "varint")) record.severityNumber = reader.int32();
    else if (reader.is(3, "bytes")) record.severityText = reader.text();
    else if (reader.is(5, "bytes")) record.body = readValue(reader.message(), 0);
    else if (reader.is(6, "bytes")) record.attributes.push(readAttribute(reader.message(), 0));
    else if (reader.is(7, "varint")) record.droppedAttributes = reader.uint32();
    else if (reader.is(8, "fixed32")) record.flags = reader.fixed32();
    else if (reader.is(9, "bytes")) record.traceId = readId(reader, 16);
    else if (reader.is(10, "bytes")) record.spanId = readId(reader, 8);
    else if (reader.is(11, "fixed64")) record.observedNs = reader.fixed64();
  }
  return record;
}

function readId(reader: ProtoReader, wantedBytes: number): string {
  const id = reader.bytes();
  if (id.length !== 0 && id.length !== wantedBytes) {
    throw new OtlpError(`invalid length for ${wantedBytes === 16 ? "TraceID" : "SpanID"}: ${id.length} bytes, expected ${wantedBytes}`);
  }
  return idText(id.toString("hex"));
}

function readAttribute(reader: ProtoReader, depth: number): OtlpAttribute {
  let key = "";
  let value: OtlpValue;
  while (reader.next()) {
    if (reader.is(1, "bytes")) key = reader.text();
    else if (reader.is(2, "bytes")) value = readValue(reader.message(), depth);
  }
  return [key, value];
}

function readValue(reader: ProtoReader, depth: number): OtlpValue {
  if (depth > VALUE_DEPTH_MAX) throw new OtlpError(`a value is nested more than ${VALUE_DEPTH_MAX} deep`);
  let value: OtlpValue;
  while (reader.next()) {
    if (reader.is(1, "bytes")) value = reader.text();
    else if (reader.is(2, "varint")) value = reader.varint() !== 0n;
    else if (reader.is(3, "varint")) value = BigInt.asIntN(64, reader.varint());
    else if (reader.is(4, "fixed64")) value = reader.double();
    else if (reader.is(5, "bytes")) value = readArray(reader.message(), depth + 1);
    else if (reader.is(6, "bytes")) value = readMap(reader.message(), depth + 1);
    else if (reader.is(7, "bytes")) value = reader.bytes();
  }
  return value;
}

function readArray(reader: ProtoReader, depth: number): OtlpValue {
  const items: OtlpValue[] = [];
  while (reader.next()) if (reader.is(1, "bytes")) items.push(readValue(reader.message(), depth));
  return items;
}

function readMap(reader: ProtoReader, depth: number): OtlpValue {
  const map = new Map<string, OtlpValue>();
  while (reader.next()) if (reader.is(1, "bytes")) map.set(...(readAttribute(reader.message(), depth) as [string, OtlpValue]));
  return map;
}
