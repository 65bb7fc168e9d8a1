// Relabelling as the collector's parts know it: of targets, and of entries of sources like the journal. The server's alerts use the same.

export * from "../lib/text/relabel.ts";
