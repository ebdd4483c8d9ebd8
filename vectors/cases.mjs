// Reads the cases of vectors/v1 and the byte strings in them. For the tests of the packages; the layout
// is described in README.md.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

/**
 * Bytes `from` up to `to` of the stream that a name stands for: SHAKE256 of the name.
 * @param {string} name
 * @param {number} from
 * @param {number} to
 * @returns {Uint8Array}
 */
export function stream(name, from, to) {
  if (to === 0) {
    return new Uint8Array(0);
  }
  return new Uint8Array(createHash('shake256', { outputLength: to }).update(name).digest().subarray(from));
}

/**
 * @typedef {string | readonly (string | { readonly stream: string, readonly from: number, readonly to: number })[]} Recipe
 */

/**
 * The bytes of a recipe: hexadecimal digits, or a list of these and of pieces of streams.
 * @param {Recipe} recipe
 * @returns {Uint8Array}
 */
export function bytesOf(recipe) {
  if (typeof recipe === 'string') {
    if (!/^(?:[0-9a-f]{2})*$/.test(recipe)) {
      throw new Error(`no lowercase hexadecimal digits: ${recipe.slice(0, 40)}`);
    }
    return new Uint8Array(Buffer.from(recipe, 'hex'));
  }
  const parts = recipe.map((part) => (typeof part === 'string' ? bytesOf(part) : stream(part.stream, part.from, part.to)));
  return new Uint8Array(Buffer.concat(parts));
}

/**
 * What a case says of bytes that come out: their digits, or their number and SHA-256 when they are many.
 * @param {Uint8Array} bytes
 * @returns {string | { bytes: number, sha256: string }}
 */
export function summary(bytes) {
  return bytes.byteLength <= 128
    ? Buffer.from(bytes).toString('hex')
    : { bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/**
 * The cases of one file, e.g. `core-message`.
 * @param {string} name
 * @returns {any[]}
 */
export function readCases(name) {
  const file = JSON.parse(readFileSync(new URL(`./v1/${name}.json`, import.meta.url), 'utf8'));
  return file.cases;
}
