import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { describe, expect, test, vi } from 'vitest';
import { ERROR_CODES, KeyfoldError } from '../src/errors.ts';
import { wrapContext } from '../src/format/context.ts';
import { parseKeyRecord, type WrappedKey } from '../src/format/key-record.ts';
import { KeyCache } from '../src/keys/key-cache.ts';
import { GuardedKmsClient } from '../src/kms/guarded-kms-client.ts';
import { Meter } from '../src/ports/metrics-sink.ts';
import { keyPolicy } from '../src/sealing/key-policy.ts';
import { forgetCheckpointKey, openCheckpointRecord } from '../src/sealing/open-key-record.ts';
import { ManualClock } from '../src/testing/manual-clock.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { flipBit, patterned } from './support/bytes.ts';
import { IDENTITY, LeakyKms, type Sealed, codeOf, open, openRecord, resigned, seal } from './support/checkpoints.ts';
import { same } from './support/reference.ts';

/** A KMS that answers decrypt with whatever the test says. */
class LyingKms extends LeakyKms {
  answer: (() => Uint8Array) | undefined;

  override async decrypt(...call: Parameters<MemoryKms['decrypt']>): Promise<Uint8Array> {
    const honest = await super.decrypt(...call);
    return this.answer?.() ?? honest;
  }
}

async function wrapBy(kms: MemoryKms, sealed: Sealed): Promise<WrappedKey> {
  const { dekId } = parseKeyRecord(sealed.record).record;
  return kms.encrypt(sealed.dekBytes, { context: wrapContext('checkpoint', IDENTITY.tenant, IDENTITY.checkpoint, dekId) });
}

describe('the keys that a reader accepts', () => {
  test('a key off the allow-list is never contacted', async () => {
    const kms = new LeakyKms('theirs');
    const { record } = await seal(kms, patterned(5));
    const ours = new MemoryKms('ours');
    kms.calls.clear();
    expect(await codeOf(openRecord(record, { kms: ours }))).toBe('KEY_NOT_ALLOWED');
    expect([kms.calls.size, ours.calls.size]).toEqual([0, 0]);
  });

  test('of a record with several wraps only accepted ones are tried', async () => {
    const [theirs, ours] = [new LeakyKms('theirs'), new MemoryKms('ours')];
    const sealed = await seal(theirs, patterned(5));
    const added = await wrapBy(ours, sealed);
    const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: [...parsed.wraps, added] }));
    theirs.calls.clear();
    expect((await openRecord(record, { kms: ours })).wrap).toEqual(added);
    expect(theirs.calls.size).toBe(0);
  });

  test('wraps are tried in the order of the policy, whatever their order in the record', async () => {
    const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
    const sealed = await seal(a, patterned(5));
    const added = await wrapBy(b, sealed);
    for (const wraps of [[parseKeyRecord(sealed.record).record.wraps, added], [added, parseKeyRecord(sealed.record).record.wraps]]) {
      const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: wraps.flat() }));
      expect((await openRecord(record, { kms: [b, a] })).wrap.keyId).toBe('b');
      expect((await openRecord(record, { kms: [a, b] })).wrap.keyId).toBe('a');
    }
  });

  test('only an outage leads to the next wrap', async () => {
    for (const code of ERROR_CODES) {
      const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
      const sealed = await seal(a, patterned(5));
      const added = await wrapBy(b, sealed);
      const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: [...parsed.wraps, added] }));
      a.fault = () => {
        throw new KeyfoldError(code, 'Injected.');
      };
      if (code === 'KMS_UNAVAILABLE') {
        expect((await openRecord(record, { kms: [a, b] })).wrap.keyId).toBe('b');
        continue;
      }
      const expected = code === 'INVALID_CIPHERTEXT' ? 'INTEGRITY_FAILURE' : code;
      expect(await codeOf(openRecord(record, { kms: [a, b] }))).toBe(expected);
      expect(b.calls.get('decrypt')).toBeUndefined();
    }
  });

  test('when every KMS is down the outage is what is reported', async () => {
    const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
    const sealed = await seal(a, patterned(5));
    const added = await wrapBy(b, sealed);
    const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: [...parsed.wraps, added] }));
    a.fault = b.fault = () => {
      throw new KeyfoldError('KMS_UNAVAILABLE', 'Injected.');
    };
    const cache = new KeyCache();
    expect(await codeOf(openRecord(record, { kms: [a, b], cache }))).toBe('KMS_UNAVAILABLE');
    expect(cache.size).toBe(0);
  });

  test('a damaged wrap is not made up for by another that is good', async () => {
    const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
    const sealed = await seal(a, patterned(5));
    const added = await wrapBy(b, sealed);
    const record = resigned(sealed, (parsed) => ({
      ...parsed,
      wraps: [...parsed.wraps.map((wrap) => ({ ...wrap, ciphertext: flipBit(wrap.ciphertext, 300) })), added],
    }));
    expect(await codeOf(openRecord(record, { kms: [a, b] }))).toBe('INTEGRITY_FAILURE');
    expect(b.calls.get('decrypt')).toBeUndefined();
  });

  test('a wrap that gives another key is not made up for by another that is good', async () => {
    const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
    const sealed = await seal(a, patterned(5));
    const wrong = await wrapBy(a, { ...sealed, dekBytes: patterned(32) });
    const added = await wrapBy(b, sealed);
    const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: [wrong, added] }));
    expect(await codeOf(openRecord(record, { kms: [a, b] }))).toBe('INTEGRITY_FAILURE');
    expect(b.calls.get('decrypt')).toBeUndefined();
  });

  test('a wrap from another checkpoint or tenant does not open', async () => {
    const kms = new LeakyKms();
    const sealed = await seal(kms, patterned(5));
    const { dekId } = parseKeyRecord(sealed.record).record;
    for (const context of [wrapContext('checkpoint', 'acme', 'other', dekId), wrapContext('checkpoint', 'other', IDENTITY.checkpoint, dekId), wrapContext('field', 'acme', IDENTITY.checkpoint, dekId)]) {
      const wrap = await kms.encrypt(sealed.dekBytes, { context });
      expect(await codeOf(openRecord(resigned(sealed, (record) => ({ ...record, wraps: [wrap] })), { kms }))).toBe('INTEGRITY_FAILURE');
    }
  });

  test('wraps reordered or removed without the DEK are refused', async () => {
    const [a, b] = [new LeakyKms('a'), new MemoryKms('b')];
    const sealed = await seal(a, patterned(5));
    const added = await wrapBy(b, sealed);
    const record = resigned(sealed, (parsed) => ({ ...parsed, wraps: [...parsed.wraps, added] }));
    const forger: Sealed = { ...sealed, record, dek: (await seal(a, patterned(5))).dek };
    for (const change of [
      (wraps: readonly WrappedKey[]) => wraps.toReversed(),
      (wraps: readonly WrappedKey[]) => wraps.slice(0, 1),
      (wraps: readonly WrappedKey[]) => wraps.slice(1),
    ]) {
      const forged = resigned(forger, (parsed) => ({ ...parsed, wraps: change(parsed.wraps) }));
      forged.set(record.subarray(-32), forged.byteLength - 32);
      expect(await codeOf(openRecord(forged, { kms: [a, b] }))).toBe('INTEGRITY_FAILURE');
    }
  });

  test('a key that left the configuration during the unwrap is refused after it', async () => {
    const kms = new LeakyKms();
    const cache = new KeyCache();
    const { record } = await seal(kms, patterned(5));
    kms.fault = () => {
      (kms as { keyId: string }).keyId = 'another';
    };
    vi.spyOn(kms, 'decrypt').mockImplementation(async () => {
      await kms.fault?.('decrypt');
      return patterned(32);
    });
    expect(await codeOf(openRecord(record, { kms, cache }))).toBe('KEY_NOT_ALLOWED');
  });
});

describe('a KMS that answers wrongly', () => {
  test('gives INTEGRITY_FAILURE, and the wrong key is neither kept nor left in memory', async () => {
    const kms = new LyingKms();
    const cache = new KeyCache();
    const { record, data } = await seal(kms, patterned(5));
    const wrong = new Uint8Array(randomBytes(32));
    kms.answer = () => wrong;
    expect(await codeOf(openRecord(record, { kms, cache }))).toBe('INTEGRITY_FAILURE');
    expect(cache.size).toBe(0);
    expect(wrong).toEqual(new Uint8Array(32));
    kms.answer = undefined;
    expect(same(await open(record, data, { kms, cache }), patterned(5))).toBe(true);
  });

  test.each([0, 1, 16, 31, 33, 64])('with a key of %i bytes gives KMS_PROTOCOL_ERROR through the guard, INTEGRITY_FAILURE without', async (length) => {
    const kms = new LyingKms();
    const cache = new KeyCache();
    const { record } = await seal(kms, patterned(5));
    const guarded = new GuardedKmsClient(kms, { clock: new ManualClock(), meter: new Meter(undefined), timeoutMs: 1_000 });
    const wrong = new Uint8Array(randomBytes(length));
    kms.answer = () => wrong;
    expect(await codeOf(openRecord(record, { kms: guarded, cache }))).toBe('KMS_PROTOCOL_ERROR');
    expect(wrong).toEqual(new Uint8Array(length));
    kms.answer = () => new Uint8Array(randomBytes(length));
    expect(await codeOf(openRecord(record, { kms, cache }))).toBe('INTEGRITY_FAILURE');
    expect(cache.size).toBe(0);
  });

  test('whose key is the right one without its last, zero byte is refused: HMAC pads, Keyfold does not', async () => {
    const kms = new LyingKms();
    const dek = new Uint8Array([...patterned(31), 0]);
    vi.spyOn(kms, 'generateDataKey').mockImplementationOnce(async (options) => {
      kms.deks.push(Uint8Array.from(dek));
      return { plaintext: Uint8Array.from(dek), wrapped: await kms.encrypt(dek, options) };
    });
    const sealed = await seal(kms, patterned(5));
    expect(same(await open(sealed.record, sealed.data, { kms }), patterned(5))).toBe(true);
    kms.answer = () => dek.slice(0, 31);
    expect(await codeOf(openRecord(sealed.record, { kms }))).toBe('INTEGRITY_FAILURE');
  });
});

describe('the cache behind opening', () => {
  test('one unwrap serves many openings, also at the same time', async () => {
    const kms = new LeakyKms();
    const cache = new KeyCache();
    const { record, data } = await seal(kms, patterned(5));
    await Promise.all(Array.from({ length: 20 }, () => open(record, data, { kms, cache })));
    await open(record, data, { kms, cache });
    expect(kms.calls.get('decrypt')).toBe(1);
  });

  test('readers of different policies or suites share nothing', async () => {
    const kms = new LeakyKms();
    const other = new MemoryKms('other');
    const cache = new KeyCache();
    const { record } = await seal(kms, patterned(5));
    for (const policy of [keyPolicy([kms]), keyPolicy([kms, other]), keyPolicy([other, kms]), keyPolicy([kms], { suites: ['aes-256-gcm'] })]) {
      (await openCheckpointRecord(record, IDENTITY, { policy, cache })).lease.release();
    }
    expect(kms.calls.get('decrypt')).toBe(4);
  });

  test('a key that is to be forgotten is zeroed once released, and unwrapped anew by the next', async () => {
    const kms = new LeakyKms();
    const other = new MemoryKms('other');
    const cache = new KeyCache();
    const { record } = await seal(kms, patterned(5));
    const [policy, wider] = [keyPolicy([kms]), keyPolicy([kms, other])];
    const opened = await openCheckpointRecord(record, IDENTITY, { policy, cache });
    const elsewhere = await openCheckpointRecord(record, IDENTITY, { policy: wider, cache });
    forgetCheckpointKey(opened.parsed.record, { ...IDENTITY, tenant: 'other' }, { policy, cache });
    forgetCheckpointKey(opened.parsed.record, IDENTITY, { policy: keyPolicy([other]), cache });
    expect(cache.size).toBe(2);
    forgetCheckpointKey(opened.parsed.record, IDENTITY, { policy, cache });
    expect(cache.size).toBe(1);
    opened.lease.release();
    expect([opened.lease.key.disposed, elsewhere.lease.key.disposed]).toEqual([true, false]);
    await openCheckpointRecord(record, IDENTITY, { policy, cache });
    expect(kms.calls.get('decrypt')).toBe(3);
  });

  test('failures leave no lease behind: the key is zeroed once the record is released', async () => {
    const kms = new LeakyKms();
    const cache = new KeyCache();
    const sealed = await seal(kms, patterned(5));
    const opened = await openRecord(sealed.record, { kms, cache });
    const bad = resigned(sealed, (record) => ({ ...record, sealedMetadata: patterned(80) }));
    expect(await codeOf(openRecord(bad, { kms, cache }))).toBe('INTEGRITY_FAILURE');
    expect(opened.lease.key.disposed).toBe(false);
    opened.lease.release();
    expect(opened.lease.key.disposed).toBe(true);
  });

  test('an abort ends the wait', async () => {
    const kms = new LeakyKms();
    const { record } = await seal(kms, patterned(5));
    const gate = new AbortController();
    kms.fault = async () => new Promise<void>(() => undefined);
    const waiting = openRecord(record, { kms, signal: gate.signal });
    gate.abort();
    expect(await codeOf(waiting)).toBe('ABORTED');
  });

  test('an opened record shows no key when inspected or turned into JSON', async () => {
    const kms = new LeakyKms();
    const { record, dekBytes } = await seal(kms, patterned(5));
    const opened = await openRecord(record, { kms });
    const shown = inspect(opened, { depth: 10, showHidden: true }) + JSON.stringify(opened);
    expect(shown).toContain('[SecretBytes]');
    expect(shown).not.toContain(Buffer.from(dekBytes).toString('hex'));
    expect(shown).not.toContain(Array.from(dekBytes.subarray(0, 6)).join(', '));
    expect(shown).not.toContain(Array.from(dekBytes.subarray(0, 6)).join(','));
  });
});
