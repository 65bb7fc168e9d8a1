// docker_sd_configs: the running containers of Docker daemons, each read through the API. Containers are looked for at each
// `refresh_interval`, and at once when the daemon tells of one that started or ended.

import type { DockerSdConfig } from "../../config/discoveries.ts";
import type { DroppedTarget } from "../../discovery/target-set.ts";
import type { OpenSource, Source, SourceContext } from "../source.ts";
import type { Target } from "../target.ts";
import { DockerHost } from "./docker-host.ts";
import { createDockerMetrics } from "./docker-metrics.ts";

/** Does not wait for the daemons: one that is away is asked again. @throws Error for a host or a certificate that cannot be used */
export const openDocker: OpenSource = async (configs: readonly DockerSdConfig[], context: SourceContext) => {
  // What the source before a reload has acknowledged meanwhile is taken up.
  await context.positions.sync();
  return new DockerSource(configs, context);
};

class DockerSource implements Source {
  readonly #hosts: readonly DockerHost[];

  constructor(configs: readonly DockerSdConfig[], context: SourceContext) {
    const metrics = createDockerMetrics(context.registry);
    this.#hosts = configs.map((config) => new DockerHost(config, context, metrics));
    for (const host of this.#hosts) host.start();
  }

  get targets(): readonly Target[] {
    return this.#hosts.flatMap((host) => host.targets);
  }

  get dropped(): readonly DroppedTarget[] {
    return this.#hosts.flatMap((host) => host.dropped);
  }

  async stop(options: { readonly drain: boolean }): Promise<void> {
    await Promise.all(this.#hosts.map((host) => host.stop(options)));
  }
}
