// dist/agent/launch.cjs of a build: starts the agent from one file, with the byte code that the build has put beside it, so that next to
// nothing is parsed or compiled at start. Byte code of another version of Node is not taken, which costs 60 ms and no more.
const { readFileSync } = require("node:fs");
const { join } = require("node:path");
const { setFlagsFromString } = require("node:v8");
const { constants, Script } = require("node:vm");

const START_MS = 10_000;

// Node carries byte code of its own modules, too, which is only taken with the engine's flags as they are at first. `cluster` is asked for by
// each server that listens.
for (const name of ["cluster", "crypto", "dns", "fs/promises", "http", "https", "module", "os", "process", "zlib"]) {
  require(`node:${name}`);
}

// Byte code is taken only when the engine's flags are those it was made with, so what modules would set is set first.
for (const flag of ["--enable-experimental-regexp-engine-on-excessive-backtracks", "--enable-experimental-regexp-engine"]) {
  setFlagsFromString(flag);
}
// Entries live in buffers and are done with soon: room for young objects that grows to 48 MB would only be resident memory.
setFlagsFromString("--semi-space-growth-factor=1");
// On a busy node what lives long comes to lie between what is gone soon: pages that are partly free are cleared and given back, where by
// default they are kept until nearly nothing is left on them, and the heap grows by 15 MB in ten minutes. Not during the start, where
// everything is new and looking through it finds nothing to free.
setTimeout(() => setFlagsFromString("--optimize-for-size"), START_MS).unref();
// What loops over lines or bytes is WebAssembly. JavaScript runs once for a block of lines, and compiling it as soon as by default (a
// quarter of this) cost more than it saved over 118 MB of lines, CRI alone or with JSON stages.
setFlagsFromString("--interrupt-budget=540672");

const file = join(__dirname, "agent.cjs");

function readCode() {
  try {
    return readFileSync(`${file}.code`);
  } catch {
    return undefined;
  }
}

const script = new Script(readFileSync(file, "latin1"), {
  filename: file,
  cachedData: readCode(),
  importModuleDynamically: constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
});
const loaded = { exports: {} };
script.runInThisContext()(loaded.exports, require, loaded, file, __dirname);

exports.main = (args) => loaded.exports.main(args);
exports.script = script;
