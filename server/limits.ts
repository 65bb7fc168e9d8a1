// Hard limits of format and machine. What a user may set is configuration; what is here is not.

const KiB = 1024;
const MiB = 1024 * KiB;

/** Line bytes after which a page is cut. Smaller pages are skipped more precisely, larger ones compress better (256 KiB gains 3 % over 64 KiB). */
export const PAGE_BYTES_TARGET = 256 * KiB;
/** Entries after which a page is cut, whatever its bytes: bounds the columns of pages full of empty lines. */
export const PAGE_ENTRIES_MAX = 32_768;
/** One page after decoding. A page holds at least one line, which may be longer than the target. */
export const PAGE_BYTES_MAX = 256 * MiB;
/** First size of a stream's open page: there may be 100 000 streams that hardly write. */
export const OPEN_PAGE_BYTES_MIN = 256;
/** Memory of open pages that is kept for those to come. */
export const OPEN_PAGE_BYTES_KEPT = 24 * MiB;

/** Bytes of the head, encoded and open pages together, after which it is flushed. Bounds memory and the time a restart replays. */
export const HEAD_BYTES_FLUSH = 48 * MiB;
/** Raw bytes accepted since the last flush, after which the head is flushed: bounds the WAL's size and replay. */
export const HEAD_RAW_BYTES_FLUSH = 384 * MiB;
/** An append waits when head and frozen head together hold more than this. */
export const HEAD_BYTES_MAX = 4 * HEAD_BYTES_FLUSH;
/** An append is refused when they hold more than this: blocks cannot be written, and clients that wait come again. */
export const HEAD_BYTES_REFUSE = 6 * HEAD_BYTES_FLUSH;

/** A WAL segment is closed after this many bytes; cutting removes whole segments. */
export const WAL_SEGMENT_BYTES_TARGET = 64 * MiB;
/** One WAL record: guards replay against a damaged length. */
export const WAL_RECORD_BYTES_MAX = 512 * MiB;

/** Open block files per reader. */
export const READER_FILES_MAX = 32;
/** Bytes of gram filters a reader keeps. */
export const READER_FILTER_BYTES_MAX = 24 * MiB;
/** Bytes of tallies a reader keeps. */
export const READER_TALLY_BYTES_MAX = 16 * MiB;
/** Memory for the indexes of blocks. One of a full block with 1000 streams takes about a megabyte; what is not kept is read again. */
export const INDEX_BYTES_MAX = 128 * MiB;
/** Readers of the main thread whose scratch lies in the kernels' memory, about half a megabyte each, for good. */
export const RESIDENT_READERS_MAX = 16;
