import type { z } from "zod";
import type { gelfSchema } from "../../config/rare-blocks.ts";
import { type ListenAddress, parseListenAddress } from "../listen-address.ts";

export type GelfConfig = z.infer<ReturnType<typeof gelfSchema>>;

const ADDRESS_DEFAULT = "0.0.0.0:12201";

/** @throws Error for an address that cannot be read */
export function gelfAddress(config: GelfConfig): ListenAddress {
  return parseListenAddress(config.listen_address || ADDRESS_DEFAULT, "listen_address");
}
