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
 * @typedef {string | { readonly text: string } | { readonly stream: string, readonly from: number, readonly to: number }} Piece
 * @typedef {string | readonly Piece[]} Recipe
 * @typedef {string | { readonly bytes: number, readonly sha256: string }} Summary
 */

/**
 * @template Input
 * @template Output
 * @typedef {object} ValidCase
 * @property {string} id
 * @property {string} description
 * @property {string} what
 * @property {Input} input
 * @property {'valid'} expect
 * @property {Output} output
 */

/**
 * @template Input
 * @typedef {object} InvalidCase
 * @property {string} id
 * @property {string} description
 * @property {string} what
 * @property {Input} input
 * @property {'invalid'} expect
 * @property {string} refusal
 * @property {string} reason
 */

/**
 * The bytes of a recipe: hexadecimal digits, or a list of pieces.
 * @param {Recipe} recipe
 * @returns {Uint8Array}
 */
export function bytesOf(recipe) {
  return typeof recipe === 'string' ? hexOf(recipe) : new Uint8Array(Buffer.concat(recipe.map(bytesOfPiece)));
}

/**
 * @param {Piece} piece
 * @returns {Uint8Array}
 */
function bytesOfPiece(piece) {
  if (typeof piece === 'string') {
    return hexOf(piece);
  }
  return 'text' in piece ? new Uint8Array(Buffer.from(piece.text, 'utf8')) : stream(piece.stream, piece.from, piece.to);
}

/**
 * @param {string} digits
 * @returns {Uint8Array}
 */
function hexOf(digits) {
  if (!/^(?:[0-9a-f]{2})*$/.test(digits)) {
    throw new Error(`no lowercase hexadecimal digits: ${digits.slice(0, 40)}`);
  }
  return new Uint8Array(Buffer.from(digits, 'hex'));
}

/**
 * What a case says of bytes that come out: their digits, or their number and SHA-256 when they are many.
 * @param {Uint8Array} bytes
 * @returns {Summary}
 */
export function summary(bytes) {
  return bytes.byteLength <= 128
    ? Buffer.from(bytes).toString('hex')
    : { bytes: bytes.byteLength, sha256: createHash('sha256').update(bytes).digest('hex') };
}

/**
 * The valid and the invalid cases of one kind in one file.
 * @template Input
 * @template Output
 * @param {string} file e.g. `core-message`
 * @param {string} what
 * @returns {{ readonly valid: readonly ValidCase<Input, Output>[], readonly invalid: readonly InvalidCase<Input>[] }}
 */
export function casesOf(file, what) {
  /** @type {{ cases: (ValidCase<Input, Output> | InvalidCase<Input>)[] }} */
  const { cases } = JSON.parse(readFileSync(new URL(`./v1/${file}.json`, import.meta.url), 'utf8'));
  const ofKind = cases.filter((each) => each.what === what);
  return {
    valid: ofKind.filter((each) => each.expect === 'valid'),
    invalid: ofKind.filter((each) => each.expect === 'invalid'),
  };
}
