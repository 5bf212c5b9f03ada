// A text as hashed pieces of its words, Int32 [token, piece], with the rules of `tacit.signature.text`.

import { roundHalfEven } from "./numbers.mjs";

const MOST_CHARACTERS = 1000000;
const LONGEST_WORD = 32;

// Python's classes of characters, spelt with Unicode properties: \w is a letter, a number or _, \d a decimal digit.
const IDEOGRAPH = "[\\u3040-\\u30ff\\u3400-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3134f}]";
const LETTER = `(?:(?!${IDEOGRAPH})[\\p{L}\\p{Nl}\\p{No}])`;
const WORD_LETTER = "[\\p{L}\\p{Nl}\\p{No}]";
const MARK = "(?:(?=[\\u0300-\\u20ff])\\p{M})";
const SIGN = "[^\\p{L}\\p{N}\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]";
// One ideograph or kana; letters with marks and inner apostrophes; digits with inner separators; a run of one other sign.
const TOKEN = new RegExp(
  `${IDEOGRAPH}|${LETTER}(?:${LETTER}|${MARK}|['’](?=${WORD_LETTER}))*|\\p{Nd}+(?:[.,:/]\\p{Nd}+)*|(${SIGN})\\1*`,
  "gu",
);
// What Python's str.isdigit takes beyond decimal digits: signs with a digit's value, such as circled ones.
const DIGIT =
  "[\\p{Nd}\\u00b2\\u00b3\\u00b9\\u1369-\\u1371\\u19da\\u2070\\u2074-\\u2079\\u2080-\\u2089\\u2460-\\u2468\\u2474-\\u247c\\u2488-\\u2490" +
  "\\u24ea\\u24f5-\\u24fd\\u24ff\\u2776-\\u277e\\u2780-\\u2788\\u278a-\\u2792\\u{10a40}-\\u{10a43}\\u{10e60}-\\u{10e68}" +
  "\\u{11052}-\\u{1105a}\\u{1f100}-\\u{1f10a}]";
const IS_DIGIT = new RegExp(`^${DIGIT}$`, "u");
const ALL_DIGITS = new RegExp(`^${DIGIT}+$`, "u");

/** Read a text as a type `{length, buckets, pieces}` does: Int32Array [token, piece], 0 where there is nothing. */
export function readText(text, type) {
  const ids = new Int32Array(type.length * type.pieces);
  tokens(text, type.length).forEach((token, place) => {
    piecesOf(token, type.pieces).forEach((piece, at) => {
      ids[place * type.pieces + at] = hashed(piece, type.buckets);
    });
  });
  return ids;
}

/** Split a text into its first `most` tokens: words, numbers, single ideographs, runs of one sign. */
export function tokens(text, most) {
  const head = text.length > MOST_CHARACTERS ? Array.from(text).slice(0, MOST_CHARACTERS).join("") : text;
  const found = [];
  for (const match of head.normalize("NFKC").matchAll(TOKEN)) {
    const characters = Array.from(match[0]);
    for (let start = 0; start < characters.length; start += LONGEST_WORD) {
      found.push(characters.slice(start, start + LONGEST_WORD).join(""));
      if (found.length === most) return found;
    }
  }
  return found;
}

/** The pieces of a token before hashing: `w` the word, `s` its shape, `g` its 3-grams, spread evenly over a long word. */
export function piecesOf(token, most) {
  const word = token.toLowerCase();
  const edged = ["<", ...Array.from(word), ">"];
  let grams = [];
  if (edged.length > 3) for (let at = 0; at < edged.length - 2; at += 1) grams.push(`g${edged.slice(at, at + 3).join("")}`);
  const room = Math.max(0, most - 2);
  if (grams.length > room) {
    const all = grams;
    grams = Array.from({ length: room }, (_, at) => all[roundHalfEven((at * (all.length - 1)) / Math.max(1, room - 1))]);
  }
  return [`w${word}`, `s${shape(token)}`, ...grams].slice(0, most);
}

/** What a token looks like: XXX, Xx, xx, 5d for five digits, else the sign itself and whether it repeats. */
function shape(token) {
  const characters = Array.from(token);
  const first = characters[0];
  if (IS_DIGIT.test(first)) {
    return `${characters.filter((character) => IS_DIGIT.test(character)).length}d${ALL_DIGITS.test(token) ? "" : "."}`;
  }
  if (/^\p{L}$/u.test(first)) {
    const upper = /\p{Uppercase}/u.test(token) && !/[\p{Lowercase}\p{Lt}]/u.test(token);
    if (characters.length > 1 && upper) return "XXX";
    if (/^\p{Uppercase}$/u.test(first)) return "Xx";
    return token !== token.toLowerCase() ? "xX" : "xx";
  }
  return first.repeat(Math.min(characters.length, 3));
}

/** Hash a piece to 1 <= id < buckets: CRC-32 of its UTF-8, spread by Knuth's multiplier, scaled to the range. */
export function hashed(piece, buckets) {
  const spread = Math.imul(crc32(utf8(piece)), 0x9e3779b1) >>> 0;
  const [high, low] = [spread >>> 16, spread & 0xffff];
  return 1 + Math.floor((high * (buckets - 1) + Math.floor((low * (buckets - 1)) / 65536)) / 65536);
}

let table = null;

function crc32(bytes) {
  table ??= Int32Array.from({ length: 256 }, (_, byte) => {
    let rest = byte;
    for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >>> 1) ^ 0xedb88320 : rest >>> 1;
    return rest;
  });
  let crc = -1;
  for (const byte of bytes) crc = (crc >>> 8) ^ table[(crc ^ byte) & 255];
  return crc ^ -1;
}

/** UTF-8, in which a lone surrogate keeps its own three bytes (a TextEncoder would replace it). */
function utf8(text) {
  const bytes = [];
  for (const character of text) {
    const code = character.codePointAt(0);
    if (code < 0x80) bytes.push(code);
    else if (code < 0x800) bytes.push(0xc0 | (code >> 6), 0x80 | (code & 63));
    else if (code < 0x10000) bytes.push(0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
    else bytes.push(0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63));
  }
  return bytes;
}
