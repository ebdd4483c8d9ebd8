import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, expectTypeOf, test } from 'vitest';
import * as index from '../src/index.ts';
import * as provider from '../src/provider.ts';
import * as testing from '../src/testing.ts';
import { patterned, secretKey } from './support/bytes.ts';
import { IDENTITY } from './support/checkpoints.ts';

/** Names of the types that an entry exports one by one. */
function typesOf(entry: string): string[] {
  const source = readFileSync(new URL(`../src/${entry}.ts`, import.meta.url), 'utf8');
  const lists = [...source.matchAll(/export (type )?\{([^}]*)\}/g)];
  return lists
    .flatMap(([, all, names = '']) =>
      names
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '' && (all !== undefined || name.startsWith('type ')))
        .map((name) => name.replace(/^type /, '')),
    )
    .sort();
}

/** Modules whose every type an entry exports. */
function typeModulesOf(entry: string): string[] {
  const source = readFileSync(new URL(`../src/${entry}.ts`, import.meta.url), 'utf8');
  return [...source.matchAll(/export type \* from '([^']+)'/g)].map(([, module = '']) => module).sort();
}

describe('the entry for users', () => {
  test('exports these values', () => {
    expect(Object.keys(index).sort()).toEqual([
      'ALL_SUITES',
      'Auditor',
      'ERROR_CODES',
      'GCM_SUITES',
      'GuardedKmsClient',
      'HIDDEN_PREFIX_LIMIT_BYTES',
      'HiddenNames',
      'KEY_RECORD_LIMITS',
      'KeyCache',
      'KeyVault',
      'KeyfoldError',
      'METRICS',
      'Meter',
      'NAME_KEY_CHECKPOINT',
      'SecretBytes',
      'checkRange',
      'checkpointLength',
      'encodeMetadata',
      'forgetCheckpointKey',
      'hiddenTenantName',
      'inspectCheckpointRecord',
      'isKeyfoldError',
      'keyPolicy',
      'openCheckpointData',
      'openCheckpointRange',
      'openCheckpointRecord',
      'openKms',
      'parseHiddenRecord',
      'rangeInvalid',
      'rewrapRecord',
      'sealCheckpoint',
      'systemClock',
    ]);
  });

  test('exports these types', () => {
    expect(typesOf('index')).toEqual([
      'AuditAction',
      'AuditEvent',
      'AuditSink',
      'BlindIndex',
      'BlindIndexPolicy',
      'ByteRange',
      'CheckpointIdentity',
      'CheckpointMetadata',
      'CheckpointSealer',
      'Clock',
      'ColumnPolicy',
      'EncryptionContext',
      'ErrorCode',
      'GuardOptions',
      'Jitter',
      'JsonValue',
      'KeyCacheOptions',
      'KeyPolicy',
      'KeyRecordStore',
      'KeyVaultOptions',
      'KeyVersion',
      'KmsClient',
      'KmsHealth',
      'KmsRetryOptions',
      'MetricLabels',
      'MetricsSink',
      'Normalisation',
      'ObjectInfo',
      'ObjectStore',
      'OpenKmsOptions',
      'OpenKmsUrl',
      'OpenObject',
      'OpenOptions',
      'OpenPart',
      'OpenedKeyRecord',
      'OpenedRange',
      'OpenedValue',
      'ParsedHiddenRecord',
      'PreparedPut',
      'RecordIdentity',
      'RewrapOptions',
      'RewrapResult',
      'RowOptions',
      'SealCheckpointOptions',
      'SealedColumn',
      'StoredKeyRecord',
      'SuiteName',
      'Timers',
      'VaultKeyIdentity',
      'VaultRecordInfo',
      'VaultUse',
      'WrappedKey',
    ]);
    expect(typeModulesOf('index')).toEqual([]);
  });
});

describe('the entry for those who write providers and stores', () => {
  test('exports these values', () => {
    expect(Object.keys(provider).sort()).toEqual([
      'BufferFreer',
      'ERROR_CODES',
      'KeyfoldError',
      'SecretBytes',
      'concatBytes',
      'constantTimeEqual',
      'decodeContext',
      'decodeUtf8',
      'encodeContext',
      'encodeUtf8',
      'encodeWrapContext',
      'fromBase64Url',
      'integrityFailure',
      'isKeyfoldError',
      'kmsAad',
      'label',
      'lengthPrefixed',
      'openMessage',
      'sealMessage',
      'systemClock',
      'systemRandomSource',
      'throwIfAborted',
      'toBase64Url',
      'toHex',
      'wrapContext',
    ]);
  });

  test('exports these types', () => {
    expect(typesOf('provider')).toEqual(['Clock', 'EncryptionContext', 'ErrorCode', 'KeyUse', 'RandomSource']);
    expect(typeModulesOf('provider')).toEqual([
      './ports/audit-sink.ts',
      './ports/key-record-store.ts',
      './ports/kms-client.ts',
      './ports/metrics-sink.ts',
      './ports/object-store.ts',
    ]);
  });
});

describe('the entry for tests', () => {
  test('exports these values', () => {
    expect(Object.keys(testing).sort()).toEqual(['ManualClock', 'MemoryKeyRecordStore', 'MemoryKms', 'RecordingAuditSink', 'RecordingMetricsSink']);
    expect(typesOf('testing')).toEqual(['MemoryKmsFault']);
  });
});

describe('randomness', () => {
  test('cannot be chosen by those who seal checkpoints', async () => {
    expectTypeOf<Parameters<typeof index.sealCheckpoint>>().toEqualTypeOf<[index.SealCheckpointOptions]>();
    expectTypeOf<index.SealCheckpointOptions>().not.toHaveProperty('random');
    const chosen = { bytes: (length: number) => new Uint8Array(length) };
    const seal = index.sealCheckpoint as (options: object, sources: object) => ReturnType<typeof index.sealCheckpoint>;
    const options = { ...IDENTITY, kms: new testing.MemoryKms(), random: chosen };
    const [one, two] = await Promise.all([seal(options, { random: chosen }), seal(options, { random: chosen })]);
    for (const sealer of [one, two]) expect(sealer.lead.subarray(8, 64)).not.toEqual(new Uint8Array(56));
    expect(one.objectId).not.toEqual(two.objectId);
    expect(one.lead.subarray(40, 64)).not.toEqual(two.lead.subarray(40, 64));
  });

  test('cannot be chosen by those who seal messages', () => {
    expectTypeOf<Parameters<typeof provider.sealMessage>>().toEqualTypeOf<[KeyObject, Uint8Array, Uint8Array]>();
    const seal = provider.sealMessage as (...args: readonly unknown[]) => Uint8Array;
    const [key, context, plaintext] = [secretKey(patterned(32)), patterned(5), patterned(20)];
    const chosen = { bytes: (length: number) => new Uint8Array(length) };
    const [one, two] = [seal(key, context, plaintext, chosen), seal(key, context, plaintext, chosen)];
    expect(one.subarray(0, 24)).not.toEqual(new Uint8Array(24));
    expect(one.subarray(0, 24)).not.toEqual(two.subarray(0, 24));
    expect(provider.openMessage(key, context, one)).toEqual(plaintext);
  });

  test('is asked for by no function that users or their tests import', () => {
    const functions = Object.entries({ ...index, ...testing }).filter(([name]) => /seal|random|nonce|salt/i.test(name));
    expect(functions.map(([name]) => name)).toEqual(['sealCheckpoint']);
  });
});
