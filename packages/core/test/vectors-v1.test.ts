import { createSecretKey } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { toHex } from '../src/bytes.ts';
import { openMessage, sealMessage } from '../src/crypto/message.ts';
import {
  type EncryptionContext,
  type KeyUse,
  checkpointContext,
  decodeContext,
  encodeContext,
  encodeWrapContext,
  kmsAad,
  wrapContext,
} from '../src/format/context.ts';
import { metadataBinding } from '../src/format/checkpoint.ts';
import type { KeyRecord, WrappedKey } from '../src/format/key-record.ts';
import type { ByteRange } from '../src/ports/object-store.ts';
import { openCheckpointData } from '../src/sealing/checkpoint-opener.ts';
import { openCheckpointRange } from '../src/sealing/checkpoint-range-opener.ts';
import { signKeyRecord } from '../src/sealing/record-mac.ts';
import { collect } from './support/checkpoints.ts';
import {
  FixedKms,
  type Recipe,
  type Summary,
  bytesOf,
  casesOf,
  expectBytes,
  inPieces,
  openRecordOf,
  orRefuse,
  outcome,
  pieceSizes,
} from './support/own-vectors.ts';
import { PartSource } from './support/parts.ts';
import { recordOf, wrapOf } from './support/records.ts';

describe('contexts of vectors/v1', () => {
  const { valid, invalid } = casesOf<{ bytes: Recipe }, { entries: [string, string][] }>('context', 'context');

  test.each(valid)('$id: $description', ({ input, output }) => {
    const bytes = bytesOf(input.bytes);
    expect(decodeContext(bytes)).toEqual(Object.fromEntries(output.entries));
    expect(encodeContext(Object.fromEntries(output.entries))).toEqual(bytes);
    expect(encodeContext(Object.fromEntries(output.entries.toReversed()))).toEqual(bytes);
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await outcome(() => decodeContext(bytesOf(input.bytes)))).toEqual({ refused: refusal });
  });

  const entries = casesOf<{ entries: [string, string][] }, never>('context', 'context-entries');
  test.each(entries.invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await outcome(() => encodeContext(Object.fromEntries(input.entries)))).toEqual({ refused: refusal });
  });
});

describe('wrap contexts of vectors/v1', () => {
  interface Input {
    readonly use: KeyUse;
    readonly tenant: string;
    readonly scope: string;
    readonly dekId: string;
  }
  const { valid, invalid } = casesOf<Input, { context: string; aad: string }>('context', 'wrap-context');
  const contextOf = ({ use, tenant, scope, dekId }: Input): EncryptionContext => wrapContext(use, tenant, scope, bytesOf(dekId));

  test.each(valid)('$id: $description', ({ input, output }) => {
    expect(toHex(encodeWrapContext(contextOf(input)))).toBe(output.context);
    expect(toHex(kmsAad(contextOf(input)))).toBe(output.aad);
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await outcome(() => kmsAad(contextOf(input)))).toEqual({ refused: refusal });
  });
});

describe('core messages of vectors/v1', () => {
  interface Input {
    readonly key: Recipe;
    readonly context: Recipe;
    readonly message: Recipe;
  }
  const { valid, invalid } = casesOf<Input, { plaintext: Summary }>('core-message', 'core-message');
  const open = ({ key, context, message }: Input): Uint8Array | undefined =>
    openMessage(createSecretKey(bytesOf(key)), bytesOf(context), bytesOf(message));

  test.each(valid)('$id: $description', ({ input, output }) => {
    const plaintext = orRefuse(open(input));
    expectBytes(plaintext, output.plaintext);
    const message = bytesOf(input.message);
    const random = { bytes: (length: number) => message.slice(0, length) };
    expect(Buffer.compare(sealMessage(createSecretKey(bytesOf(input.key)), bytesOf(input.context), plaintext, random), message)).toBe(0);
  });

  test.each(invalid)('$id is refused: $reason', ({ input }) => {
    expect(open(input)).toBeUndefined();
  });
});

interface ObjectInput {
  readonly dek: Recipe;
  readonly tenant: string;
  readonly checkpoint: string;
  readonly suites: readonly number[];
  readonly object: Recipe;
}

/** A record that agrees with a data object in everything, as far as a record can say it. */
function recordFor(object: Uint8Array, { dek, tenant, checkpoint }: ObjectInput): Uint8Array {
  const lead = new Uint8Array(96);
  lead.set(object.subarray(0, 96));
  const suite = lead[5] ?? 0;
  const ids = { objectId: lead.slice(8, 24), dekId: lead.slice(24, 40) };
  const key = createSecretKey(bytesOf(dek));
  const metadataKey = key.symmetricKeySize === 32 ? key : createSecretKey(new Uint8Array(32));
  const sealedMetadata = sealMessage(metadataKey, metadataBinding(ids, checkpointContext(tenant, checkpoint)), Buffer.from('{}'), {
    bytes: (length) => new Uint8Array(length),
  });
  const fields: Partial<KeyRecord> = { suite: [1, 2, 3].includes(suite) ? suite : 3, ...ids, binding: lead.slice(64), sealedMetadata };
  return signKeyRecord(key, recordOf({ ...fields, wraps: [wrapOf({ keyId: 'k1' })] }));
}

async function openObject(input: ObjectInput, object: Uint8Array) {
  const identity = { tenant: input.tenant, checkpoint: input.checkpoint };
  const kms = new FixedKms({ provider: 'local', keyId: 'k1' }, bytesOf(input.dek));
  const opened = await openRecordOf(recordFor(object, input), { kms, suites: input.suites, identity });
  return { opened, identity };
}

describe('data objects of vectors/v1', () => {
  interface Output {
    readonly suite: number;
    readonly objectId: string;
    readonly dekId: string;
    readonly plaintext: Summary;
  }
  const { valid, invalid } = casesOf<ObjectInput, Output>('data-object', 'data-object');
  const open = async (input: ObjectInput, object: Uint8Array, size: number): Promise<Buffer> => {
    const { opened, identity } = await openObject(input, object);
    return Buffer.concat(await collect(openCheckpointData(opened, identity, inPieces(object, size))));
  };

  test.each(valid)('$id: $description', async ({ input, output }) => {
    const object = bytesOf(input.object);
    for (const size of pieceSizes(object)) expectBytes(await open(input, object, size), output.plaintext);
    expect([object[5], Buffer.from(object.subarray(8, 24)).toString('hex'), Buffer.from(object.subarray(24, 40)).toString('hex')]).toEqual([
      output.suite,
      output.objectId,
      output.dekId,
    ]);
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    const object = bytesOf(input.object);
    for (const size of pieceSizes(object)) expect(await outcome(() => open(input, object, size))).toEqual({ refused: refusal });
  });
});

describe('ranges of vectors/v1', () => {
  const { valid, invalid } = casesOf<ObjectInput & ByteRange, { plaintext: Summary }>('range', 'range');
  const read = async (input: ObjectInput & ByteRange, size: number): Promise<Buffer> => {
    const object = bytesOf(input.object);
    const { opened, identity } = await openObject(input, object);
    const source = new PartSource([{ bytes: object }], size);
    const part = await openCheckpointRange(opened, identity, source.open, { start: input.start, end: input.end });
    return Buffer.concat(await collect(orRefuse(part).plaintext));
  };

  test.each(valid)('$id: $description', async ({ input, output }) => {
    for (const size of [100_000, 65_537, 997]) expectBytes(await read(input, size), output.plaintext);
  });

  test.each(invalid)('$id is refused: $reason', async ({ input, refusal }) => {
    for (const size of [100_000, 65_537, 997]) expect(await outcome(() => read(input, size))).toEqual({ refused: refusal });
  });
});

interface RecordCase {
  readonly dek: Recipe;
  readonly kek: Pick<WrappedKey, 'provider' | 'keyId'>;
  readonly use: KeyRecord['use'];
  readonly tenant: string;
  readonly scope: string;
  readonly suites: readonly number[];
  readonly record: Recipe;
}

interface RecordOutput {
  readonly suite: number;
  readonly use: string;
  readonly state: string;
  readonly objectId: string;
  readonly dekId: string;
  readonly generation: number;
  readonly created: number;
  readonly binding: string;
  readonly wraps: readonly (Omit<WrappedKey, 'ciphertext'> & { readonly wrapped: Summary })[];
  readonly metadata: Summary;
  readonly rest: Summary;
}

describe("checkpoints' key records of vectors/v1", () => {
  const all = casesOf<RecordCase, RecordOutput>('key-record', 'key-record');
  const open = ({ dek, kek, tenant, scope, suites, record }: RecordCase) =>
    openRecordOf(bytesOf(record), { kms: new FixedKms(kek, bytesOf(dek)), suites, identity: { tenant, checkpoint: scope } });

  test.each(all.valid.filter(({ input }) => input.use === 'checkpoint'))('$id: $description', async ({ input, output }) => {
    const { parsed, metadata, dek } = await open(input);
    const { record, rest } = parsed;
    const { wraps, sealedMetadata, objectId, dekId, binding, ...fields } = record;
    const { metadata: sealedText, rest: behind, wraps: expectedWraps, objectId: object, dekId: id, binding: bound, ...expected } = output;
    expect(fields).toEqual(expected);
    expect([objectId, dekId, binding].map((bytes) => Buffer.from(bytes).toString('hex'))).toEqual([object, id, bound]);
    expect(wraps.map(({ ciphertext, ...wrap }) => ({ ...wrap, wrapped: Buffer.from(ciphertext).toString('hex') }))).toHaveLength(expectedWraps.length);
    for (const [index, { wrapped, ...names }] of expectedWraps.entries()) {
      const { ciphertext = new Uint8Array(0), ...wrap } = wraps[index] ?? {};
      expect(wrap).toEqual(names);
      expectBytes(ciphertext, wrapped);
    }
    const context = metadataBinding(record, checkpointContext(input.tenant, input.scope));
    const json = orRefuse(openMessage(dek, context, sealedMetadata));
    expectBytes(json, sealedText);
    expect(JSON.stringify(metadata)).toBe(JSON.stringify(JSON.parse(Buffer.from(json).toString())));
    expectBytes(rest, behind);
  });

  test.each(all.invalid.filter(({ input }) => input.use === 'checkpoint'))('$id is refused: $reason', async ({ input, refusal }) => {
    expect(await outcome(() => open(input))).toEqual({ refused: refusal });
  });
});
