// Puts the compiled agent and the packages it uses into one file: the agent starts in half the processor time, for most of it was finding
// and compiling hundreds of small modules. Files that are found beside a module (the kernels, package.json) are still found there.
import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { build } from "esbuild";

const entry = resolve("dist/agent/main.js");

/** `import.meta.url` means the original module's place, not the bundle's; a package that is required late is in the bundle all the same. */
const keepPlaces = {
  name: "keep-places",
  setup(bundle) {
    bundle.onLoad({ filter: /\/dist\/.*\.js$/ }, ({ path }) => ({
      contents: readFileSync(path, "utf8")
        .replaceAll("createRequire(import.meta.url)(", "require(")
        .replaceAll("import.meta.url", `new URL(${JSON.stringify(relative(dirname(entry), path))}, import.meta.url).href`),
    }));
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

await build({
  entryPoints: [entry],
  outdir: dirname(entry),
  // What is imported late (TLS, character sets …) stays out of the first file.
  splitting: true,
  chunkNames: "part-[hash]",
  minifyWhitespace: true,
  minifySyntax: true,
  allowOverwrite: true,
  bundle: true,
  platform: "node",
  format: "esm",
  target: "node20",
  plugins: [keepPlaces, oneLanguage],
  // Packages in CommonJS call `require` for Node's own modules.
  banner: {
    js: 'import { createRequire as createRequireForBundle } from "node:module"; const require = createRequireForBundle(import.meta.url);',
  },
  legalComments: "none",
  logLevel: "warning",
});
