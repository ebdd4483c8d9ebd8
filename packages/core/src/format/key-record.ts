import { concatBytes, encodeUtf8 } from '../bytes.ts';
import type { KeyUse } from './context.ts';
import { ByteReader, MalformedError } from './reader.ts';
import { lengthPrefixed, u16, u64, u8 } from './writer.ts';

/** A DEK as a KMS wrapped it, with what is needed to ask the right key to unwrap it. */
export interface WrappedKey {
  /** Which kind of KMS: 1..32 of `[a-z0-9-]`, e.g. `local`, `aws-kms`. */
  readonly provider: string;
  /** The KEK, as the KMS names it: 1..2,048 printable ASCII characters. Opaque. */
  readonly keyId: string;
  /** The KEK's version, 0..256 printable ASCII characters; empty where the KMS does not say. */
  readonly keyVersion: string;
  /** The provider's name for how it wrapped: 1..64 printable ASCII characters. */
  readonly algorithm: string;
  /** 1..8,192 bytes. */
  readonly ciphertext: Uint8Array;
}

/** `decrypt-only` keys open and never seal; checkpoints' keys are always `active`. */
export type KeyRecordState = 'active' | 'decrypt-only';

/** A key record's fields (spec/key-record). Nothing in it may be acted on before its MAC is verified. */
export interface KeyRecord {
  /** The data object's suite; 01 for uses other than checkpoints. */
  readonly suite: number;
  readonly use: KeyUse;
  readonly state: KeyRecordState;
  /** 16 bytes; zeros for uses other than checkpoints. */
  readonly objectId: Uint8Array;
  /** 16 bytes. */
  readonly dekId: Uint8Array;
  /** From 1, one more with every replacement. */
  readonly generation: number;
  /** Unix milliseconds; never changes. */
  readonly created: number;
  /** 32 bytes: the data object's commitment, or SHA-256 of the encoded wrap context. */
  readonly binding: Uint8Array;
  /** A core message, or empty for uses other than checkpoints. */
  readonly sealedMetadata: Uint8Array;
  /** 1..16, no two by the same provider, key and version. */
  readonly wraps: readonly WrappedKey[];
}

/** Where a parsed record's parts lie in the bytes that were given. */
export interface ParsedKeyRecord {
  readonly record: KeyRecord;
  /** What the MAC covers. */
  readonly body: Uint8Array;
  /** 32 bytes. */
  readonly mac: Uint8Array;
  /** What stands behind the record: an inline data object, or nothing. */
  readonly rest: Uint8Array;
}

/** The largest sizes that a key record's parts may have (spec/key-record). */
export const KEY_RECORD_LIMITS = {
  /** What readers of storage allow for; the other limits add up to 235,262. */
  recordBytes: 262_144,
  sealedMetadataBytes: 65_536,
  wraps: 16,
  providerBytes: 32,
  keyIdBytes: 2_048,
  keyVersionBytes: 256,
  algorithmBytes: 64,
  wrappedBytes: 8_192,
} as const;

const MAGIC = Uint8Array.of(0x8f, 0x4b, 0x46, 0x4b);
const VERSION = 0x01;
const MAC_BYTES = 32;
const SUITES = [0x01, 0x02, 0x03];
const USES: readonly (KeyUse | undefined)[] = [undefined, 'checkpoint', 'field', 'index-root', 'audit'];
const STATES: readonly (KeyRecordState | undefined)[] = [undefined, 'active', 'decrypt-only'];
const PROVIDER_PATTERN = /^[a-z0-9-]+$/;
const PRINTABLE = /^[\x20-\x7e]*$/;

/**
 * Everything of a record that its MAC covers, from the magic to the last wrap byte.
 * @throws Error of any kind when a field is outside its limits: a record that is written can be read
 */
export function encodeKeyRecordBody(record: KeyRecord): Uint8Array {
  const body = concatBytes(
    MAGIC,
    u8(VERSION),
    u8(record.suite),
    u8(USES.indexOf(record.use)),
    u8(STATES.indexOf(record.state)),
    record.objectId,
    record.dekId,
    u64(record.generation),
    u64(record.created),
    record.binding,
    lengthPrefixed(32, record.sealedMetadata),
    u16(record.wraps.length),
    ...record.wraps.flatMap(encodeWrap),
  );
  // One set of rules: what the parser refuses, or reads otherwise, is never written.
  const { record: reread, rest } = parseKeyRecord(concatBytes(body, new Uint8Array(MAC_BYTES)));
  if (rest.byteLength > 0 || !sameFixedFields(reread, record)) throw new MalformedError('a field of another size');
  return body;
}

/** Fields without a length of their own: one that is too long would be read as the next. */
function sameFixedFields(a: KeyRecord, b: KeyRecord): boolean {
  const sizes = (record: KeyRecord): string => [record.suite, ...[record.objectId, record.dekId, record.binding].map((field) => field.byteLength)].join();
  return sizes(a) === sizes(b);
}

function encodeWrap(wrap: WrappedKey): Uint8Array[] {
  return [
    lengthPrefixed(8, encodeUtf8(wrap.provider, 'A provider')),
    lengthPrefixed(16, encodeUtf8(wrap.keyId, 'A key id')),
    lengthPrefixed(16, encodeUtf8(wrap.keyVersion, 'A key version')),
    lengthPrefixed(8, encodeUtf8(wrap.algorithm, 'An algorithm')),
    lengthPrefixed(16, wrap.ciphertext),
  ];
}

/**
 * Takes a record apart without trusting it.
 * @throws MalformedError on anything that spec/key-record does not permit
 */
export function parseKeyRecord(bytes: Uint8Array): ParsedKeyRecord {
  const reader = new ByteReader(bytes);
  if (!MAGIC.every((byte) => reader.u8() === byte) || reader.u8() !== VERSION) throw new MalformedError('no key record');
  const suite = reader.u8();
  const use = USES[reader.u8()];
  const state = STATES[reader.u8()];
  if (!SUITES.includes(suite) || use === undefined || state === undefined) throw new MalformedError('unknown suite, use or state');
  const record: KeyRecord = {
    suite,
    use,
    state,
    objectId: reader.take(16),
    dekId: reader.take(16),
    generation: reader.u64(),
    created: reader.u64(),
    binding: reader.take(32),
    sealedMetadata: reader.prefixed(32, 0, KEY_RECORD_LIMITS.sealedMetadataBytes),
    wraps: parseWraps(reader),
  };
  refuseImpossible(record);
  const body = bytes.subarray(0, reader.offset);
  const mac = reader.take(MAC_BYTES);
  return { record, body, mac, rest: bytes.subarray(reader.offset) };
}

function parseWraps(reader: ByteReader): WrappedKey[] {
  const count = reader.u16();
  if (count < 1 || count > KEY_RECORD_LIMITS.wraps) throw new MalformedError('number of wraps');
  const wraps: WrappedKey[] = [];
  for (let i = 0; i < count; i++) {
    const wrap: WrappedKey = {
      provider: reader.text(8, 1, KEY_RECORD_LIMITS.providerBytes, PROVIDER_PATTERN),
      keyId: reader.text(16, 1, KEY_RECORD_LIMITS.keyIdBytes, PRINTABLE),
      keyVersion: reader.text(16, 0, KEY_RECORD_LIMITS.keyVersionBytes, PRINTABLE),
      algorithm: reader.text(8, 1, KEY_RECORD_LIMITS.algorithmBytes, PRINTABLE),
      ciphertext: reader.prefixed(16, 1, KEY_RECORD_LIMITS.wrappedBytes),
    };
    if (wraps.some((other) => sameKek(other, wrap))) throw new MalformedError('two wraps by one key version');
    wraps.push(wrap);
  }
  return wraps;
}

/** What the single fields permit and the whole does not. */
function refuseImpossible(record: KeyRecord): void {
  const checkpoint = record.use === 'checkpoint';
  if (record.generation < 1) throw new MalformedError('generation 0');
  if (checkpoint ? record.state !== 'active' : record.suite !== 0x01) throw new MalformedError('state or suite of this use');
  if (!checkpoint && record.objectId.some((byte) => byte !== 0)) throw new MalformedError('object id of this use');
  if (checkpoint !== record.sealedMetadata.byteLength > 0) throw new MalformedError('metadata of this use');
}

/** Whether two wraps are by the same version of the same KEK. */
export function sameKek(
  a: Pick<WrappedKey, 'provider' | 'keyId' | 'keyVersion'>,
  b: Pick<WrappedKey, 'provider' | 'keyId' | 'keyVersion'>,
): boolean {
  return a.provider === b.provider && a.keyId === b.keyId && a.keyVersion === b.keyVersion;
}
