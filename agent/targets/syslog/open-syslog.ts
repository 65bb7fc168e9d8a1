// `syslog`: messages of RFC 5424 and 3164 over TCP, TLS and UDP, with Promtail's keys and labels.

import { readFileSync } from "node:fs";
import type { SecureVersion, TlsOptions } from "node:tls";
import type { z } from "zod";
import { messageOf } from "../../../lib/runtime/invariant.ts";
import { LabelSet } from "../../../lib/wire/labels.ts";
import type { tlsSchema } from "../../config/http-client.ts";
import { type ListenAddress, plainAddress, printAddress } from "../listen-address.ts";
import { ReceivedEntries } from "../received-entries.ts";
import type { Source, SourceContext } from "../source.ts";
import { UdpListener } from "../udp-listener.ts";
import { readDatagram } from "./frames.ts";
import { Hostnames, type ReverseLookup } from "./hostnames.ts";
import { MessageReader } from "./message-reader.ts";
import { type SyslogConfig, syslogSettings } from "./settings.ts";
import { openSyslogMetrics } from "./syslog-metrics.ts";
import { TcpListener } from "./tcp-listener.ts";

const MESSAGE_BYTES_MAX = 8_192;
const IDLE_MS = 120_000;
const HOSTNAME_LABEL = "__syslog_connection_hostname";

interface Listener {
  readonly port: number;
  connectionCount?: number;
  stop(): Promise<void>;
}

/** @param options for tests. @throws Error for a setting that cannot be used, an address in use, a certificate that cannot be read */
export async function openSyslog(
  config: SyslogConfig,
  context: SourceContext,
  options: { readonly lookup?: ReverseLookup; readonly inFlightBytesMax?: number } = {},
): Promise<Source> {
  const { relabel, intake, registry, clock, log } = context;
  const { address, protocol, format } = syslogSettings(config);
  const metrics = openSyslogMetrics(registry);
  const received = new ReceivedEntries({
    intake,
    clock,
    log,
    onUnconfirmed: (count) => metrics.dropped.inc({ reason: "unconfirmed" }, count),
    ...(options.inFlightBytesMax === undefined ? {} : { inFlightBytesMax: options.inFlightBytesMax }),
  });
  const reader = new MessageReader({
    format,
    labels: config.labels,
    labelStructuredData: config.label_structured_data,
    useIncomingTimestamp: config.use_incoming_timestamp,
    useWholeMessage: config.use_rfc5424_message,
    relabel,
    received,
    metrics,
    clock,
    log,
  });
  const shared: Shared = {
    address,
    messageBytesMax: config.max_message_length || MESSAGE_BYTES_MAX,
    reader,
    received,
    hostnames: relabel.looksAt(HOSTNAME_LABEL) ? new Hostnames(clock, options.lookup) : undefined,
    metrics,
    clock,
    log,
  };
  const tls = config.tls_config === undefined ? undefined : readTls(config.tls_config);
  if (protocol === "udp" && tls !== undefined) log.warn({}, "syslog over UDP has no TLS: tls_config has no effect");
  const listener =
    protocol === "udp" ? await listenUdp(shared) : await TcpListener.open({ ...shared, tls, idleMs: config.idle_timeout || IDLE_MS });
  const listening = printAddress(address.host ?? "", listener.port);
  log.info({ address: listening, protocol, format, tls: tls !== undefined }, "listening for syslog");
  const target = {
    kind: "Syslog",
    labels: LabelSet.fromObject(config.labels),
    discovered: {},
    ready: true,
    details: () => ({ address: listening, protocol, connections: listener.connectionCount ?? 0, inFlight: received.inFlight }),
    stop: async () => {
      target.ready = false;
      await listener.stop();
      await received.settle();
    },
  };
  return { targets: [target], dropped: [], stop: target.stop };
}

interface Shared {
  readonly address: ListenAddress;
  readonly messageBytesMax: number;
  readonly reader: MessageReader;
  readonly received: ReceivedEntries;
  readonly hostnames: Hostnames | undefined;
  readonly metrics: ReturnType<typeof openSyslogMetrics>;
  readonly clock: SourceContext["clock"];
  readonly log: SourceContext["log"];
}

/** A datagram cannot wait: without room it is dropped and counted. */
async function listenUdp({ address, messageBytesMax, reader, received, hostnames, metrics, log }: Shared): Promise<Listener> {
  const socket = await UdpListener.open(address, {
    onDatagram: (bytes, from) => {
      if (!received.hasRoom) return metrics.dropped.inc({ reason: "in_flight_limit" });
      const ip = plainAddress(from.address);
      const sender = { address: ip, hostname: hostnames?.nameOf(ip) ?? "" };
      readDatagram(bytes, messageBytesMax, {
        message: (datagram, start, end) => reader.message(datagram, start, end, sender),
        fault: (fault) => reader.fault(fault, sender),
      });
    },
    onError: (error) => log.error({ error: error.message }, "syslog listener failed"),
    onLost: (count) => metrics.dropped.inc({ reason: "socket_buffer" }, count),
  });
  return { port: socket.port, stop: () => socket.close() };
}

const TLS_VERSIONS: Readonly<Record<string, SecureVersion>> = { TLS10: "TLSv1", TLS11: "TLSv1.1", TLS12: "TLSv1.2", TLS13: "TLSv1.3" };

/** With an authority, senders must show a certificate of it. Undefined when nothing is set. */
function readTls(config: z.infer<ReturnType<typeof tlsSchema>>): TlsOptions | undefined {
  const read = (text: string | undefined, file: string | undefined, key: string): string | undefined => {
    if (text) return text;
    if (!file) return undefined;
    try {
      return readFileSync(file, "utf8");
    } catch (error) {
      throw new Error(`cannot read ${file} of tls_config.${key}: ${messageOf(error)}`);
    }
  };
  const cert = read(config.cert, config.cert_file, "cert_file");
  const key = read(config.key, config.key_file, "key_file");
  const ca = read(config.ca, config.ca_file, "ca_file");
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  if (cert === undefined || key === undefined) throw new Error("tls_config needs both cert_file and key_file");
  const minVersion = TLS_VERSIONS[config.min_version ?? ""];
  const maxVersion = TLS_VERSIONS[config.max_version ?? ""];
  return {
    cert,
    key,
    ...(ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true }),
    ...(minVersion === undefined ? {} : { minVersion }),
    ...(maxVersion === undefined ? {} : { maxVersion }),
  };
}
