// Builds a real kube-apiserver and etcd from their Go modules for the discovery's tests, into a cache outside the clone:
// $SKALD_TEST_CACHE or ~/.cache/skald-tests. A program that is there already is left alone. Needs Go 1.26; the first build takes some
// twelve CPU minutes and 2 GB of memory, so it runs at low priority and nobody has to wait for it: the tests that use it are skipped
// until it is there.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, renameSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

const KUBERNETES = "v1.36.3";
const ETCD = "v3.6.16";

const goEnv = { ...process.env, CGO_ENABLED: "0" };
const cache = process.env.SKALD_TEST_CACHE || join(homedir(), ".cache", "skald-tests");

build(`etcd-${ETCD}`, "etcd", "go.etcd.io/etcd/server/v3", ETCD);
build(`kubernetes-${KUBERNETES}`, "kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", KUBERNETES);

/** Builds the program in a module of its own, so that the requirements of one do not move those of another. */
function build(folderName, program, packagePath, version) {
  const folder = join(cache, folderName);
  const built = join(folder, "bin", program);
  if (existsSync(built)) return console.log(`${built} is there`);
  const module = join(folder, "module");
  mkdirSync(module, { recursive: true });
  mkdirSync(join(folder, "bin"), { recursive: true });
  console.log(`building ${program} ${version}`);
  const go = (...args) =>
    execFileSync("nice", ["-n", "15", "go", ...args], { cwd: module, env: goEnv, stdio: ["ignore", "pipe", "inherit"] });
  if (!existsSync(join(module, "go.mod"))) {
    go("mod", "init", "example.invalid/parts");
    if (program === "kube-apiserver") mapStaging(go, version);
  }
  // With the version: without one, the newest is taken.
  go("get", "-tool", `${packagePath}@${version}`);
  // Written aside first: a build that was interrupted leaves no half program behind.
  go("build", "-ldflags", linkerFlags(version), "-o", `${built}.building`, packagePath);
  renameSync(`${built}.building`, built);
  console.log(`${built} is built`);
}

/** Kubernetes maps its staging modules to folders of its own tree; each of them is published as v0.<minor>.<patch> as well. */
function mapStaging(go, version) {
  go("mod", "edit", `-require=k8s.io/kubernetes@${version}`);
  const { GoMod } = JSON.parse(go("mod", "download", "-json", `k8s.io/kubernetes@${version}`));
  const staging = readFileSync(GoMod, "utf8").matchAll(/^\s*(k8s\.io\/\S+) => \.\/staging\//gm);
  for (const [, name] of staging) go("mod", "edit", `-replace=${name}=${name}@v0.${version.slice("v1.".length)}`);
}

function linkerFlags(version) {
  const [major, minor] = version.slice(1).split(".");
  const versionPackage = "k8s.io/component-base/version";
  return `-s -w -X ${versionPackage}.gitVersion=${version} -X ${versionPackage}.gitMajor=${major} -X ${versionPackage}.gitMinor=${minor}`;
}
