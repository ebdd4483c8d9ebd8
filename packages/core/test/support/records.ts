import type { KeyRecord, WrappedKey } from '../../src/format/key-record.ts';
import { patterned } from './bytes.ts';

export function wrapOf(overrides: Partial<WrappedKey> = {}): WrappedKey {
  return {
    provider: 'local',
    keyId: 'k',
    keyVersion: '1',
    algorithm: 'a',
    ciphertext: Uint8Array.of(0xee),
    ...overrides,
  };
}

/** A checkpoint's record as a writer would fill it. */
export function recordOf(overrides: Partial<KeyRecord> = {}): KeyRecord {
  return {
    suite: 0x03,
    use: 'checkpoint',
    state: 'active',
    objectId: patterned(16, 'object'),
    dekId: patterned(16, 'dek'),
    generation: 1,
    created: 1_700_000_000_000,
    binding: patterned(32, 'binding'),
    sealedMetadata: patterned(74, 'metadata'),
    wraps: [wrapOf()],
    ...overrides,
  };
}

/** A field DEK's record. */
export function fieldRecordOf(overrides: Partial<KeyRecord> = {}): KeyRecord {
  return recordOf({ suite: 0x01, use: 'field', objectId: new Uint8Array(16), sealedMetadata: new Uint8Array(0), ...overrides });
}
