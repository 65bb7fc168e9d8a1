import { describe, expect, test } from "vitest";
import { BadBzip2, decodeBzip2 } from "../../../agent/tail/bzip2.ts";

const decode = (file: Uint8Array): Buffer => Buffer.concat([...decodeBzip2(file)]);

/** Made with the reference library: the file, and its text, in base64. */
const FILES = {
  "two lines": ["QlpoOTFBWSZTWacUK3cAAALBgAAQAgGEgCAAIYAMAjj1G4u5IpwoSFOKFbuA", "b25lCnR3bwo="],
  nothing: ["QlpoORdyRThQkAAAAAA=", ""],
  "two streams": [
    "QlpoOTFBWSZTWXgTwIIAAAHBAAAQAgGgACGaaDNNDLxdyRThQkHgTwIIQlpoOTFBWSZTWS63GtcAAAFBgAAQAACEgCAAIZpoM00HPF3JFOFCQLrca1w=",
    "b25lCnR3bwo=",
  ],
} as const;
const RUNS =
  "QlpoOTFBWSZTWWD06ocAAHX////////////////////////////////////////////4QAKxwDAzsMpVMgx+qeqBvVA/VAAGgHoIAAAAAAAAAAAAAAAAAAANA0AGgGmjRiNGnqaZP1J6mjamnqep6mnp6mJEtAT/0qAmAf/+qqpNNMmCYAAjJgCYTBGCMAAAIGjTATTTAAJkwACYACYJgAAAEwARgACZBgVVNMRiZBn+qhP9UAJgJpgAAmJhGmCYhhMAAAABGATRgAmTACYExMBGAEYI0ZMmmAEYIGjABMGSqgA9tVNAfqQ3qgAAaB5qg0AANBoaNAAA0aNAA0DRo0GQNHqDI9QbUD1DTRo9QANAND1A0DQA00AAAXm22q3Wy3264XC4wuULnC6QusLtD6IfTD6ofXD7IXeH2w+6F4h98LyiRIkSKJEiRIkEEEEEEEEEAAAJdLZZKwAAAAASyMjIz1UCN1a1r7kpGUl6W/NCAKYhNKJK1dSAg6bnY2S63rqtnaAAQCPqEvZD6gInlmSChazEuHbyYrlvaABSEAPZD4gIU/pfsk/RW14vZ9llgVLAgrgvSAGZKgUwsNadRt+R2/a/3xYAFcF6QAtVNUhIe4t3XLlfdA4RYAFcGioAWymyZCJgo2Qk+9777CLAArgsIAWqmqZeLwGy4HQ8Hww2RWABXBYQAtlNkh4yDcu+nLfGFzCwAK4LCAFlTKaHXY/dcbq+P5ZWIWABXBYQAsqZTTOIaQ5Tzy/OHilgAVwWEALKmUbuYiSk+15/po9UsACuCwgBZUymwdRfE6Mr6frGRywAK4LCAFlTKR8i35Mp35f7R0esACuQwgIZUy6duJN5LTH3ctCCKEQ+ICIVSFh4jm+n3ry8z0kkEKkLIBEIpCd3zdSMZtGzHZSQQqQsgEQakH4/V24+S+7eaiEkEKkLIBEEpBRUd4mco1cOolJBCpCyAQyUh42QipOV/Uw7jEkEKkLIBDJSOkJL2tGrdy8+KSCFSFkAhkozk2nulm39Y+k2kghUhZAIZKSkq1j2zhy6XfH4EoQTAEUZAIrb3LS/7+bj/MO139JL8gk0EiioBFae27iRmHLDp4u/vqSSIAGeoAL1WUTLEjNOnbybSukghR6nCr6zjYnwdfocffbXWaPNZHEX+7W2l0WeTQAAAAAAAAAAAAAAAAYxjGMBAIBAIBAIBAIBAIBAIBAIAAAABjICAYhiGP+LuSKcKEgwenVDgA==";
const BYTES =
  "QlpoOTFBWSZTWe3ga8wAAAF/////////////////////////////////////////////sAFgAS//9VVQJgJgAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAACTAATAAEwAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAASYACYAAmAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAH9QFAkDQRBX/IMg6EIShSFoY/9DUOQ9EERRJE0URVFkXRhGUaRtHEdR5H0gSFIkjSRJUmSdKEpSpK0sS1LkvTBMUyTNNE1TZN04TlOk7TxPU+T9QFBUJQ1EUVRlHUhSVKUtTFNU5T1QVFUlTVRVVWVdWFZVpW1cV1XlfWBYViWNZFlWZZ1oWlalrWxbVuW9cFxXJc10XVdl3XheV6XtfF9X5f2AYFgmDYRhWGYdiGJYpi2MY1jmPZBkWSZNlGVZZl2YZlmmbZxnWeZ9oGhaJo2kaVpmnahqWqatrGta5r2wbFsmzbRtW2bduG5bpu28b1vm/cBwXCcNxHFcZx3IclynLcxzXOc90HRdJ03UdV1nXdh2Xadt3Hdd533geF4njeR5Xmed6Hpep63se17nvfB8XyfN9H1fZ934fl+n7fx/X+F3JFOFCQ7eBrzAA==";

describe("bzip2", () => {
  for (const [name, [file, text]] of Object.entries(FILES)) {
    test(name, () => expect(decode(Buffer.from(file, "base64"))).toEqual(Buffer.from(text, "base64")));
  }

  test("runs of every length", () => {
    const text = Array.from({ length: 300 }, (_, i) => String.fromCharCode(97 + (i % 26)).repeat(i)).join("");
    expect(decode(Buffer.from(RUNS, "base64")).toString("latin1")).toBe(text);
  });

  test("all bytes", () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, i) => i);
    expect(decode(Buffer.from(BYTES, "base64"))).toEqual(Buffer.concat([bytes, bytes, bytes]));
  });

  test("a file that is cut is refused, wherever it is cut", () => {
    const file = Buffer.from(RUNS, "base64");
    for (let end = 0; end < file.length; end += 7) expect(() => decode(file.subarray(0, end))).toThrow(BadBzip2);
  });

  test("a file with a flipped bit is refused, or none of its text differs", () => {
    const file = Buffer.from(RUNS, "base64");
    const text = decode(file);
    for (let bit = 0; bit < file.length * 8; bit += 13) {
      const damaged = Buffer.from(file);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      let got: Buffer;
      try {
        got = decode(damaged);
      } catch (error) {
        expect(error).toBeInstanceOf(BadBzip2);
        continue;
      }
      expect(got.equals(text)).toBe(true);
    }
  });
});
