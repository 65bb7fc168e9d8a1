// `gelf`: Graylog's messages over UDP, with Promtail's keys and labels. The entry's line is the message's JSON.

import type { RemoteInfo } from "node:dgram";
import { LabelSet } from "../../../lib/wire/labels.ts";
import { counter } from "../../metric.ts";
import { plainAddress, printAddress } from "../listen-address.ts";
import { ReceivedEntries } from "../received-entries.ts";
import type { Source, SourceContext } from "../source.ts";
import { UdpListener } from "../udp-listener.ts";
import { ChunkAssembler, isChunk } from "./chunks.ts";
import { GelfError, type GelfMessage, readGelf } from "./gelf-message.ts";
import { type GelfConfig, gelfAddress } from "./settings.ts";

const MESSAGE_BYTES_MAX = 2 * 1024 * 1024;
const EXPIRE_PERIOD_MS = 1_000;

/** @throws Error for an address that cannot be read or is in use */
export async function openGelf(
  config: GelfConfig,
  context: SourceContext,
  options: { readonly inFlightBytesMax?: number } = {},
): Promise<Source> {
  const { intake, clock, log } = context;
  const address = gelfAddress(config);
  const metrics = openMetrics(context);
  const received = new ReceivedEntries({
    intake,
    clock,
    log,
    onUnconfirmed: (count) => metrics.dropped.inc({ reason: "unconfirmed" }, count),
    ...options,
  });
  const chunks = new ChunkAssembler(clock, MESSAGE_BYTES_MAX, (fault) => {
    if (fault === "incomplete") metrics.dropped.inc({ reason: "incomplete" });
    else metrics.parsingErrors.inc();
    log.debug({ reason: fault }, "GELF message given up");
  });
  const reader = new GelfReader(config, context, metrics, received);
  const onDatagram = (datagram: Buffer, from: RemoteInfo): void => {
    if (!received.hasRoom) return metrics.dropped.inc({ reason: "in_flight_limit" });
    const whole = isChunk(datagram) ? chunks.take(datagram, `${from.address} ${from.port}`) : datagram;
    if (whole !== undefined) reader.read(whole, plainAddress(from.address));
  };
  const socket = await UdpListener.open(address, {
    onDatagram,
    onError: (error) => log.error({ error: error.message }, "GELF listener failed"),
    onLost: (count) => metrics.dropped.inc({ reason: "socket_buffer" }, count),
  });
  const expiring = setInterval(() => chunks.expire(), EXPIRE_PERIOD_MS);
  const listening = printAddress(address.host ?? "", socket.port);
  log.info({ address: listening }, "listening for GELF");
  const target = {
    kind: "Gelf",
    labels: LabelSet.fromObject(config.labels),
    discovered: {},
    ready: true,
    details: () => ({ address: listening, inFlight: received.inFlight, waitingForChunks: chunks.waitingCount }),
    stop: async () => {
      target.ready = false;
      clearInterval(expiring);
      await socket.close();
      chunks.clear();
      await received.settle();
    },
  };
  return { targets: [target], dropped: [], stop: target.stop };
}

function openMetrics({ registry }: SourceContext) {
  return {
    entries: counter(registry, "promtail_gelf_target_entries_total", "Total number of successful entries sent to the gelf target"),
    parsingErrors: counter(
      registry,
      "promtail_gelf_target_parsing_errors_total",
      "Total number of parsing errors while receiving gelf messages",
    ),
    dropped: counter(registry, "promtail_gelf_target_dropped_total", "Messages that were received and not sent.", ["reason"]),
  };
}

class GelfReader {
  readonly #config: GelfConfig;
  readonly #context: SourceContext;
  readonly #metrics: ReturnType<typeof openMetrics>;
  readonly #received: ReceivedEntries;

  constructor(config: GelfConfig, context: SourceContext, metrics: ReturnType<typeof openMetrics>, received: ReceivedEntries) {
    this.#config = config;
    this.#context = context;
    this.#metrics = metrics;
    this.#received = received;
  }

  read(payload: Uint8Array, sender: string): void {
    let message: GelfMessage;
    try {
      message = readGelf(payload, MESSAGE_BYTES_MAX);
    } catch (error) {
      if (!(error instanceof GelfError)) throw error;
      this.#metrics.parsingErrors.inc();
      this.#context.log.debug({ error: error.message, from: sender }, "not a GELF message");
      return;
    }
    const labels = this.#context.relabel.labelsOf(this.#labelsOf(message));
    if (labels === undefined) return this.#metrics.dropped.inc({ reason: "relabel" });
    this.#metrics.entries.inc();
    this.#received.add(message.json, this.#config.use_incoming_timestamp ? message.time : undefined, labels);
  }

  #labelsOf({ version, host, facility, level }: GelfMessage): Map<string, string> {
    return new Map([
      ...Object.entries(this.#config.labels),
      ["__gelf_message_level", level],
      ["__gelf_message_host", host],
      ["__gelf_message_version", version],
      ["__gelf_message_facility", facility],
    ]);
  }
}
