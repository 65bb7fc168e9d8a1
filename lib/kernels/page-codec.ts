// The page codec: LZ77 over the whole page, its four kinds of values in streams of their own, each Huffman coded. All numbers are
// little endian; bit streams are filled from the lowest bit of each byte.
//
//   page     := | kind <1b> |                    0 stored: the raw bytes follow;  1 packed: what is below
//   packed   := literals tokens offset-codes lengths | offset bits: bytes <3b>, bits |
//
//   stream   := | coding <1b> | values <3b> |    then, by coding:
//     0 raw     the values, a byte each
//     1 run     one byte, which all the values are
//     2 coded   | code lengths | bytes of each quarter <3b> x4 | quarter 0 | quarter 1 | quarter 2 | quarter 3 |
//               Quarters hold a fourth of the values each, rounded down, the last one the rest. Four of them, because a processor
//               decodes four independent streams nearly as fast as one.
//   code lengths := half bytes, low one first, until all 256 values have one, padded to a byte:
//     0..11     the length of the next value's code; 0: it does not occur
//     12 n      2 + n values that do not occur;  13 n m: 18 + n + 16 m of them
//     14 n      the length before, 2 + n times more
//     Codes are canonical: shorter ones first, then by value. The first bit of a code is the lowest of its bits in the stream.
//
//   A page is made of as many sequences as there are tokens: literals to copy, then a match to copy from what is already there.
//   Literals that are left after the last sequence end the page.
//   token       := | literals: 0..6, 7 and more | 3 high bits,  | match - 4: 0..30, 31 and more | 5 low bits
//   lengths     holds what is more than 7 literals, and then what is more than 31 + 4 bytes of match, where the token says so:
//               one byte below 254; 254 and <2b>; 255 and <3b>
//   offset code := 0: as far back as the last match (1 at first); else 1 + 2 log2(offset) + the bit below the highest;
//               the log2(offset) - 1 bits below that are in the offset bits
//
// Why these: on logs a hash of six bytes finds the previous line of the same form, and the offset last used is by far the most
// frequent one; a second and third last offset (as zstd keeps) or small differences to the last one gained 0.1 %. Tokens coded
// jointly save about 3 % over separate lengths. Measured on 8 MB of generated logs, one core of an AMD EPYC (Zen 3), Node 20; the
// ratio of zstd -3 on the same pages in brackets:
//
//                256 KiB pages   512 KiB   lz4     pack       unpack
//   access log   7.55 [7.43]     7.69      4.91    410 MB/s   1.8 GB/s
//   JSON         4.91 [4.77]     4.92      2.82    310 MB/s   1.4 GB/s
//   logfmt       5.13 [4.96]     5.13      3.22    300 MB/s   1.3 GB/s
//   Java         7.37 [7.15]     7.38      4.49    420 MB/s   1.8 GB/s

/** Pages longer than their counts can say are stored. */
export const PACKED_BYTES_MAX = 0xff_ffff;

export const KIND_STORED = 0;
export const KIND_PACKED = 1;

export const CODING_RAW = 0;
export const CODING_RUN = 1;
export const CODING_HUFFMAN = 2;
export const CODE_BITS_MAX = 11;

export const MATCH_MIN = 4;
export const TOKEN_LITERALS_MAX = 7;
export const TOKEN_MATCH_MAX = 31;

/**
 * Room for the streams before they are coded, or after they are decoded: n literals, a fourth of n each for tokens, offset codes and
 * lengths (a page has at most a fourth as many sequences as bytes), n for offset bits, and 64 bytes behind each.
 */
export const streamRoomBytes = (rawBytes: number): number => 3 * rawBytes + 1_024;
/** Room for a packed page: a stream that does not gain by coding is kept raw, so this is that of the streams. */
export const packedRoomBytes = streamRoomBytes;
