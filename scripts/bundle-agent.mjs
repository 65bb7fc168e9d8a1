// Puts the compiled agent and the packages that every start needs into one file, dist/agent/agent.cjs, with its byte code beside it: most of
// the processor time of a start was finding, parsing and compiling hundreds of modules. Files that are found beside a module (the
// kernels, package.json) are still found there.
import { execFileSync } from "node:child_process";
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { build } from "esbuild";

const entry = resolve("dist/agent/main.js");

/** What every start uses. Other packages are loaded from node_modules when a configuration needs them. */
const BUNDLED =
  /^(?:zod|yaml|re2js|axios|follow-redirects|https-proxy-agent|agent-base|debug|ms|proxy-from-env|pino|picomatch|prom-client|ws|@jmespath-community)(?:\/|$)/;

/** `import.meta.url` means the original module's place, not the bundle's. */
const keepPlaces = {
  name: "keep-places",
  setup(bundle) {
    bundle.onLoad({ filter: /\/dist\/.*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8")
        .replaceAll("createRequire(import.meta.url)(", "require(")
        .replaceAll("const require = createRequire(import.meta.url);", "")
        .replaceAll("import.meta.url", `placeOf(${JSON.stringify(relative(dirname(entry), path))})`),
    }));
  },
};

const rarePackages = {
  name: "rare-packages",
  setup(bundle) {
    bundle.onResolve({ filter: /^[^./]/ }, ({ path, importer }) =>
      importer.includes("/node_modules/") || BUNDLED.test(path) ? undefined : { path, external: true },
    );
  },
};

/** What stands for a module that nothing here makes anything of. */
const absent = {
  name: "absent",
  setup(bundle) {
    bundle.onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: "module.exports = class {};" }));
  },
};

/** Messages of the schema library in forty languages that nobody asks for. */
const oneLanguage = {
  name: "one-language",
  setup(bundle) {
    bundle.onLoad({ filter: /\/zod\/v4\/locales\/[\w-]+\.js$/ }, ({ path }) =>
      /\/(en|index)\.js$/.test(path) ? undefined : { contents: "export default () => ({ localeError: () => undefined });" },
    );
  },
};

/**
 * The HTTP client without what it only looks for: forms of several parts with their two thousand media types, the browser's globals,
 * the first look at which makes Node load its own second HTTP client (20 ms), and HTTP/2, which nobody asks it to speak.
 */
const plainClient = {
  name: "plain-client",
  setup(bundle) {
    bundle.onResolve({ filter: /^form-data$/ }, ({ path }) => ({ path, namespace: "absent" }));
    bundle.onLoad({ filter: /\/axios\/dist\/node\/axios\.cjs$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replaceAll("return globalThis;", "return {};").replace("require('http2')", "{}"),
      loader: "js",
    }));
  },
};

/** The log without what writes files and what writes in another thread: its lines go where log-destination.ts says. */
const plainLog = {
  name: "plain-log",
  setup(bundle) {
    bundle.onResolve({ filter: /^(?:sonic-boom|thread-stream)$/ }, ({ path }) => ({ path, namespace: "absent" }));
    bundle.onLoad({ filter: /\/pino\/lib\/tools\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8").replace("require('worker_threads')", "{ isMainThread: true }"),
      loader: "js",
    }));
  },
};

/** Kubernetes' client is a file of its own, for those who need it. */
const KUBE_CONFIG = "./discovery/kubernetes/kube-config.cjs";
const kubernetesApart = {
  name: "kubernetes-apart",
  setup(bundle) {
    bundle.onResolve({ filter: /^\.\/discovery\/kubernetes\/kube-config\.cjs$/ }, ({ path }) => ({ path, external: true }));
    bundle.onLoad({ filter: /\/kubernetes\/kube-config\.js$/ }, () => ({ contents: `export { KubeConfig } from "${KUBE_CONFIG}";` }));
  },
};

/** The Kubernetes client's configuration asks for two small things of its hundreds of generated API classes. */
const noApiClasses = {
  name: "no-api-classes",
  setup(bundle) {
    bundle.onLoad({ filter: /\/@kubernetes\/client-node\/dist\/gen\/index\.js$/ }, ({ path }) => ({
      contents: 'export { createConfiguration } from "./configuration.js"; export { ServerConfiguration } from "./servers.js";',
      resolveDir: dirname(path),
    }));
  },
};

const common = {
  minifyWhitespace: true,
  minifySyntax: true,
  bundle: true,
  platform: "node",
  format: "cjs",
  target: "node20",
  legalComments: "none",
  logLevel: "warning",
};

await build({
  ...common,
  entryPoints: [resolve("dist/agent/discovery/kubernetes/kube-config.js")],
  outfile: resolve("dist/agent", KUBE_CONFIG),
  plugins: [noApiClasses],
});
await build({
  ...common,
  entryPoints: [entry],
  outfile: resolve("dist/agent/agent.cjs"),
  // The first that knows a file loads it.
  plugins: [absent, kubernetesApart, keepPlaces, rarePackages, oneLanguage, plainClient, plainLog],
  // A function of what Node gives a CommonJS module, for the launcher to call.
  banner: {
    js: `(function (exports, require, module, __filename, __dirname) {
const placeOf = (path) => require("node:url").pathToFileURL(require("node:path").join(__dirname, path)).href;`,
  },
  footer: { js: "})" },
});
copyFileSync("scripts/agent-launcher.cjs", "dist/agent/launch.cjs");
writeFileSync(entry, 'export { main } from "./launch.cjs";\n');
execFileSync(process.execPath, ["scripts/keep-agent-code.mjs"], { stdio: "inherit" });
