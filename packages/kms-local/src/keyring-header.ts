import { KeyfoldError, constantTimeEqual, decodeUtf8, encodeUtf8, fromBase64Url, toBase64Url } from '@keyfold/core/provider';

/** How the key of a keyring comes from what its user holds (spec/local-keyring, "Key derivation"). */
export type KdfHeader =
  | { readonly name: 'none' }
  | { readonly name: 'scrypt'; readonly n: number; readonly r: number; readonly p: number; readonly salt: Uint8Array }
  | { readonly name: 'pbkdf2-hmac-sha-512'; readonly iterations: number; readonly salt: Uint8Array };

/** The first line of a keyring file: readable by anybody, authenticated with the second. */
export interface KeyringHeader {
  readonly keyId: string;
  /** From 1, one more with every change. */
  readonly generation: number;
  readonly kdf: KdfHeader;
}

export const KDF_LIMITS = {
  scryptN: [131_072, 262_144],
  scryptR: 8,
  scryptP: 4,
  pbkdf2Iterations: [600_000, 10_000_000],
  saltBytes: [16, 64],
} as const;

export const MAX_HEADER_BYTES = 4_096;

/** No character of an id needs an escape in JSON, a shell or a URL. */
export const KEY_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** The exact bytes of line 1, without its LF. */
export function encodeHeader(header: KeyringHeader): Uint8Array {
  const { keyId, generation, kdf } = header;
  const text = JSON.stringify({ format: 'keyfold-keyring', version: 1, keyId, generation, kdf: kdfMembers(kdf) });
  return encodeUtf8(text, 'The header of a keyring');
}

/** Equal for two headers whose key is derived in the same way from the same password. */
export function kdfIdentity(kdf: KdfHeader): string {
  return JSON.stringify(kdfMembers(kdf));
}

/**
 * Reads line 1. Whatever is not exactly what {@link encodeHeader} writes is
 * refused, and so are parameters out of bounds: a hostile file costs no derivation.
 * @throws KeyfoldError INTEGRITY_FAILURE
 */
export function decodeHeader(line: Uint8Array): KeyringHeader {
  const parsed = line.byteLength > MAX_HEADER_BYTES ? undefined : parseJson(line);
  if (!isObject(parsed) || parsed['format'] !== 'keyfold-keyring' || parsed['version'] !== 1) throw malformed();
  const { keyId, generation, kdf } = parsed;
  if (typeof keyId !== 'string' || !KEY_ID_PATTERN.test(keyId) || !isInteger(generation, 1, Number.MAX_SAFE_INTEGER)) {
    throw malformed();
  }
  const header = { keyId, generation, kdf: decodeKdf(kdf) };
  if (!constantTimeEqual(encodeHeader(header), line)) throw malformed();
  return header;
}

function decodeKdf(value: unknown): KdfHeader {
  if (!isObject(value)) throw malformed();
  if (value['name'] === 'none') return { name: 'none' };
  const salt = typeof value['salt'] === 'string' ? fromBase64Url(value['salt']) : undefined;
  const [minSalt, maxSalt] = KDF_LIMITS.saltBytes;
  if (salt === undefined || salt.byteLength < minSalt || salt.byteLength > maxSalt) throw malformed();
  if (value['name'] === 'scrypt') {
    const { n, r, p } = value;
    if (isScryptN(n) && r === KDF_LIMITS.scryptR && isScryptP(p)) return { name: 'scrypt', n, r, p, salt };
  }
  if (value['name'] === 'pbkdf2-hmac-sha-512') {
    const { iterations } = value;
    if (isIterations(iterations)) return { name: 'pbkdf2-hmac-sha-512', iterations, salt };
  }
  throw malformed();
}

export function isScryptN(value: unknown): value is number {
  return KDF_LIMITS.scryptN.some((n) => n === value);
}

export function isScryptP(value: unknown): value is number {
  return isInteger(value, 1, KDF_LIMITS.scryptP);
}

export function isIterations(value: unknown): value is number {
  return isInteger(value, ...KDF_LIMITS.pbkdf2Iterations);
}

function isInteger(value: unknown, min: number, max: number): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= min && value <= max;
}

function kdfMembers(kdf: KdfHeader): Readonly<Record<string, string | number>> {
  switch (kdf.name) {
    case 'none':
      return { name: kdf.name };
    case 'scrypt':
      return { name: kdf.name, n: kdf.n, r: kdf.r, p: kdf.p, salt: toBase64Url(kdf.salt) };
    case 'pbkdf2-hmac-sha-512':
      return { name: kdf.name, iterations: kdf.iterations, salt: toBase64Url(kdf.salt) };
  }
}

function parseJson(line: Uint8Array): unknown {
  const text = decodeUtf8(line);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw malformed();
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function malformed(): KeyfoldError {
  return new KeyfoldError(
    'INTEGRITY_FAILURE',
    'The keyring file is damaged or is none: its first line is no header of format version 1 within the permitted parameters.',
  );
}
