import { describe, expect, test } from "vitest";
import { labelChoices } from "../../../../agent/targets/docker/container-labels.ts";
import type { DockerContainer, DockerNetwork } from "../../../../agent/targets/docker/docker-api.ts";

const OPTIONS = { port: 80, host_networking_host: "localhost", match_first_network: true };
const NETWORKS: DockerNetwork[] = [
  { Id: "n1", Name: "bridge", Scope: "local", Labels: { "com.x/zone": "a" } },
  { Id: "n2", Name: "mesh", Scope: "swarm", Internal: true, Ingress: true },
];
const web: DockerContainer = {
  Id: "w",
  Names: ["/web", "/other/web"],
  Labels: { "com.docker.compose.service": "web" },
  Ports: [
    { IP: "0.0.0.0", PrivatePort: 8080, PublicPort: 80, Type: "tcp" },
    { PrivatePort: 53, Type: "udp" },
    { PrivatePort: 9090, Type: "tcp" },
  ],
  HostConfig: { NetworkMode: "bridge" },
  NetworkSettings: { Networks: { mesh: { NetworkID: "n2", IPAddress: "fd00::2" }, bridge: { NetworkID: "n1", IPAddress: "172.17.0.2" } } },
};
const choices = (containers: readonly DockerContainer[], options = {}) => labelChoices(containers, NETWORKS, { ...OPTIONS, ...options });
const picked = (sets: readonly Readonly<Record<string, string>>[], ...names: string[]): string[] =>
  sets.map((set) => names.map((name) => set[name] ?? "-").join(" "));

describe("labels of containers", () => {
  test("are Prometheus'", () =>
    expect(choices([web]).get("w")![0]).toEqual({
      __address__: "172.17.0.2:8080",
      __meta_docker_container_id: "w",
      __meta_docker_container_name: "/web",
      __meta_docker_container_network_mode: "bridge",
      __meta_docker_container_label_com_docker_compose_service: "web",
      __meta_docker_network_id: "n1",
      __meta_docker_network_name: "bridge",
      __meta_docker_network_scope: "local",
      __meta_docker_network_internal: "false",
      __meta_docker_network_ingress: "false",
      __meta_docker_network_label_com_x_zone: "a",
      __meta_docker_network_ip: "172.17.0.2",
      __meta_docker_port_private: "8080",
      __meta_docker_port_public: "80",
      __meta_docker_port_public_ip: "0.0.0.0",
    }));

  test("one choice per TCP port of the first network, or of each", () => {
    expect(picked(choices([web]).get("w")!, "__address__")).toEqual(["172.17.0.2:8080", "172.17.0.2:9090"]);
    expect(picked(choices([web], { match_first_network: false }).get("w")!, "__address__", "__meta_docker_network_ingress")).toEqual([
      "172.17.0.2:8080 false",
      "172.17.0.2:9090 false",
      "[fd00::2]:8080 true",
      "[fd00::2]:9090 true",
    ]);
  });

  const plain = (more: Partial<DockerContainer>): DockerContainer => ({ Id: "c", Names: ["/c"], ...more });
  const networked = { NetworkSettings: { Networks: { bridge: { NetworkID: "n1", IPAddress: "172.17.0.9" } } } };
  test.each<[string, DockerContainer[], string[]]>([
    ["without ports", [plain(networked)], ["172.17.0.9:80 bridge"]],
    ["in the host's network", [plain({ ...networked, HostConfig: { NetworkMode: "host" } })], ["localhost bridge"]],
    ["in another's network", [plain({ HostConfig: { NetworkMode: "container:w" } }), web], ["172.17.0.2:80 bridge"]],
    ["in a network of one that is gone", [plain({ HostConfig: { NetworkMode: "container:gone" } })], ["- -"]],
    ["in a circle of networks", [plain({ HostConfig: { NetworkMode: "container:c" } })], ["- -"]],
    ["without a network", [plain({ NetworkSettings: { Networks: { none: null } } })], ["- -"]],
  ])("%s", (_name, containers, wanted) =>
    expect(picked(choices(containers).get("c")!, "__address__", "__meta_docker_network_name")).toEqual(wanted),
  );
});
