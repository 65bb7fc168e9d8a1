// Puts a real Kafka broker for the tests of the source `kafka` into a cache outside the clone: $SKALD_TEST_CACHE or ~/.cache/skald-tests.
// One that is there already is left alone. Needs Maven, and Java 17 to run it; 43 MB.
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";

const VERSION = "4.1.0";
const COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies";

const cache = process.env.SKALD_TEST_CACHE || join(homedir(), ".cache", "skald-tests");
const folder = join(cache, `kafka-${VERSION}`);
if (existsSync(folder)) {
  console.log(`${folder} is there`);
  process.exit(0);
}
mkdirSync(cache, { recursive: true });
const scratch = mkdtempSync(join(tmpdir(), "fetch-kafka-"));
const unfinished = `${folder}.${process.pid}`;
writeFileSync(
  join(scratch, "pom.xml"),
  `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion><groupId>local</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>${VERSION}</version></dependency></dependencies>
</project>`,
);
try {
  execFileSync("mvn", ["-q", "-B", COPY, `-DoutputDirectory=${unfinished}`], { cwd: scratch, stdio: "inherit" });
  renameSync(unfinished, folder);
  console.log(`${folder} is ready`);
} finally {
  rmSync(unfinished, { recursive: true, force: true });
  rmSync(scratch, { recursive: true, force: true });
}
