// Why blocks that are checked cannot be run, and what to use instead: one sentence each, for the person who starts the agent.

import type { RareBlock } from "./scrape-config.ts";

const FILES = "let another tool write the targets to a file and name it under file_sd_configs";

const REASONS: Readonly<Partial<Record<RareBlock, string>>> = {
  digitalocean_sd_configs: `asking DigitalOcean for droplets is not supported; ${FILES}`,
  dockerswarm_sd_configs: "asking a swarm is not supported; use docker_sd_configs on each node, which reads the tasks that run there",
  serverset_sd_configs: `reading ZooKeeper is not supported; ${FILES}`,
  nerve_sd_configs: `reading ZooKeeper is not supported; ${FILES}`,
  marathon_sd_configs: `asking Marathon is not supported; ${FILES}`,
  gce_sd_configs: `asking Google Compute Engine for instances is not supported; ${FILES}`,
  ec2_sd_configs: `asking EC2 for instances is not supported; ${FILES}`,
  openstack_sd_configs: `asking OpenStack is not supported; ${FILES}`,
  azure_sd_configs: `asking Azure for virtual machines is not supported; ${FILES}`,
  triton_sd_configs: `asking Triton is not supported; ${FILES}`,
  windows_events: `the event log is a part of Windows, and this platform (${process.platform}) has none; take it out of the file to start without it`,
};

export function whyUnsupported(key: RareBlock): string {
  return REASONS[key] ?? `this version cannot run ${key} yet; take it out of the file to start without it`;
}
