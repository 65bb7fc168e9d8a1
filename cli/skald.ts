#!/usr/bin/env node
// The one program: `skald <command> …`. Each command is loaded only when asked for, so that the agent does not pay for the server. This file
// is CommonJS, and what starts the agent too: Node's loader of modules of the other kind costs a process 9 ms.

type Main = (args: readonly string[]) => Promise<number>;

const COMMANDS: Readonly<Record<string, { readonly help: string; readonly load: () => Promise<Main> }>> = {
  up: { help: "run server and agent together: this machine's logs in the browser", load: async () => (await import("./up.mts")).up },
  agent: {
    help: "collect logs and push them (Promtail's flags and configuration)",
    load: async () => (require("../agent/launch.cjs") as { main: Main }).main,
  },
  "docker-driver": {
    help: "a logging driver for Docker, with the log-opts of Loki's",
    load: async () => (await import("../agent/docker-driver/main.ts")).main,
  },
  server: {
    help: "store logs and answer LogQL (Loki's flags and configuration)",
    load: async () => (await import("../server/main.ts")).main,
  },
  query: { help: "run a LogQL query against a server", load: async () => (await import("./query.mts")).query },
  labels: { help: "list label names, or the values of one label", load: async () => (await import("./labels.mts")).labels },
};

async function main(args: readonly string[]): Promise<number> {
  const [name = "help", ...rest] = args;
  const command = COMMANDS[name];
  if (command !== undefined) return (await command.load())(rest);
  if (["version", "-version", "--version"].includes(name)) {
    const { VERSION } = await import("../lib/runtime/version.ts");
    process.stdout.write(`skald, version ${VERSION}\n`);
    return 0;
  }
  const help = ["help", "-h", "-help", "--help"].includes(name);
  const lines = Object.entries(COMMANDS).map(([key, { help: text }]) => `  ${key.padEnd(13)} ${text}`);
  const usage = `usage: skald <command> [flags]\n\n${lines.join("\n")}\n  version       print the version\n\n'skald <command> -help' lists a command's flags.\n`;
  (help ? process.stdout : process.stderr).write(help ? usage : `unknown command "${name}"\n\n${usage}`);
  return help ? 0 : 2;
}

main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
    process.exitCode = 1;
  },
);
