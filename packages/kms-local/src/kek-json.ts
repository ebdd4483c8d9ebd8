import { SecretBytes, concatBytes, encodeUtf8 } from '@keyfold/core/provider';
import { MAX_VERSIONS, findVersion, type KekSet, type KekVersion } from './kek-set.ts';

/*
 * The JSON of the KEK versions is written and read as bytes and never becomes
 * a JavaScript string, because strings cannot be overwritten. Its form is
 * fixed to the byte, so reading it needs no general parser.
 */

const ALPHABET = encodeUtf8('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_', 'base64url');
const KEY_BYTES = 32;
const KEY_TEXT_BYTES = 43;
const STATES = ['enabled', 'disabled', 'destroyed'] as const;

/** The exact JSON bytes; the caller zeroes them. */
export function encodeKeks(keks: KekSet): Uint8Array {
  const parts: Uint8Array[] = [ascii(`{"primary":"${keks.primary}","versions":[`)];
  for (const [index, version] of keks.versions.entries()) {
    const { id, state, createdAt, key } = version;
    parts.push(ascii(`${index === 0 ? '' : ','}{"id":"${id}","state":"${state}","created":${createdAt},"key":`));
    parts.push(...(key === undefined ? [ascii('null')] : [ascii('"'), key.expose(encodeKey), ascii('"')]), ascii('}'));
  }
  parts.push(ascii(']}'));
  const joined = concatBytes(...parts);
  for (const part of parts) part.fill(0);
  return joined;
}

/** Undefined for anything that {@link encodeKeks} would not have written. */
export function decodeKeks(json: Uint8Array): KekSet | undefined {
  const versions: KekVersion[] = [];
  try {
    const scanner = new Scanner(json);
    scanner.expect('{"primary":"');
    const primary = scanner.digits();
    scanner.expect('","versions":[');
    let newest = 0;
    do {
      const version = decodeVersion(scanner);
      versions.push(version);
      if (versions.length > MAX_VERSIONS) throw new Malformed();
      if (Number(version.id) <= newest) throw new Malformed();
      newest = Number(version.id);
    } while (scanner.accept(','));
    scanner.expect(']}');
    scanner.end();
    const keks = { primary, versions };
    if ((findVersion(keks, primary)?.state ?? 'destroyed') === 'destroyed') throw new Malformed();
    return keks;
  } catch (error) {
    for (const { key } of versions) key?.dispose();
    if (error instanceof Malformed) return undefined;
    throw error;
  }
}

function decodeVersion(scanner: Scanner): KekVersion {
  scanner.expect('{"id":"');
  const id = scanner.digits();
  scanner.expect('","state":"');
  const state = STATES.find((candidate) => scanner.accept(`${candidate}"`));
  if (state === undefined) throw new Malformed();
  scanner.expect(',"created":');
  const createdAt = Number(scanner.digits());
  scanner.expect(',"key":');
  if (state === 'destroyed') {
    scanner.expect('null}');
    return { id, state, createdAt, key: undefined };
  }
  scanner.expect('"');
  const key = SecretBytes.adopt(decodeKey(scanner.take(KEY_TEXT_BYTES)));
  if (!scanner.accept('"}')) {
    key.dispose();
    throw new Malformed();
  }
  return { id, state, createdAt, key };
}

/** Inside this file only: any deviation from the one permitted form. */
class Malformed extends Error {}

class Scanner {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Steps over `text` if it comes next. */
  accept(text: string): boolean {
    const found = ascii(text).every((byte, index) => this.#bytes[this.#offset + index] === byte);
    if (found) this.#offset += text.length;
    return found;
  }

  expect(text: string): void {
    if (!this.accept(text)) throw new Malformed();
  }

  /** A decimal number below 2^53 without leading zeros. */
  digits(): string {
    let text = '';
    for (;;) {
      const byte = this.#bytes[this.#offset];
      if (byte === undefined || byte < 0x30 || byte > 0x39 || text.length > 16) break;
      text += String.fromCharCode(byte);
      this.#offset++;
    }
    if (text === '' || !Number.isSafeInteger(Number(text)) || String(Number(text)) !== text) throw new Malformed();
    return text;
  }

  take(length: number): Uint8Array {
    const taken = this.#bytes.subarray(this.#offset, this.#offset + length);
    if (taken.byteLength !== length) throw new Malformed();
    this.#offset += length;
    return taken;
  }

  end(): void {
    if (this.#offset !== this.#bytes.byteLength) throw new Malformed();
  }
}

function ascii(text: string): Uint8Array {
  return encodeUtf8(text, 'JSON');
}

/** 32 bytes as 43 characters of unpadded base64url. */
function encodeKey(key: Uint8Array): Uint8Array {
  const padded = new Uint8Array(KEY_BYTES + 1);
  padded.set(key);
  const bits = new DataView(padded.buffer);
  const text = new Uint8Array(KEY_TEXT_BYTES);
  for (let index = 0; index < KEY_TEXT_BYTES; index++) {
    const bit = index * 6;
    text.set(ALPHABET.subarray((bits.getUint16(bit >> 3) >> (10 - (bit & 7))) & 63).subarray(0, 1), index);
  }
  padded.fill(0);
  return text;
}

function decodeKey(text: Uint8Array): Uint8Array {
  const padded = new Uint8Array(KEY_BYTES + 1);
  const bits = new DataView(padded.buffer);
  for (const [index, character] of text.entries()) {
    const value = ALPHABET.indexOf(character);
    if (value < 0) throw new Malformed();
    const bit = index * 6;
    bits.setUint16(bit >> 3, bits.getUint16(bit >> 3) | (value << (10 - (bit & 7))));
  }
  // 43 characters carry 258 bits: the two that are no part of the key must be zero.
  if (padded[KEY_BYTES] !== 0) throw new Malformed();
  const key = padded.slice(0, KEY_BYTES);
  padded.fill(0);
  return key;
}
