import type { KeyVersion } from '@keyfold/core';
import { ManualClock, MemoryKms } from '@keyfold/core/testing';
import { describe, expect, test } from 'vitest';
import { patterned } from '../support/bytes.ts';
import { expectCode } from '../support/expect-code.ts';
import { type Opened, kmsCalls, openStore } from '../support/open-store.ts';

const DAY = 86_400_000;
const HOUR = 3_600_000;

/** Versions as old as the test says. */
class AgeingKms extends MemoryKms {
  createdAt: number | undefined;
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    super();
    this.#clock = clock;
    this.createdAt = clock.now();
  }

  override async currentKeyVersion(options?: { signal?: AbortSignal | undefined }): Promise<KeyVersion> {
    return { ...(await super.currentKeyVersion(options)), createdAt: this.createdAt };
  }

  override async rotateKey(options?: { signal?: AbortSignal | undefined }): Promise<KeyVersion> {
    const version = await super.rotateKey(options);
    this.createdAt = this.#clock.now();
    return version;
  }
}

async function open(keyRotation: { intervalDays?: number; maxAgeDays?: number } = {}): Promise<Opened & { readonly kms: AgeingKms }> {
  const clock = new ManualClock();
  const kms = new AgeingKms(clock);
  const opened = await openStore({ kms, clock, encryption: { keyRotation: { autoRotate: false, ...keyRotation } } });
  return { ...opened, clock, kms };
}

describe('the age of the key', () => {
  test('is due after 30 days and expired after 90, unless said otherwise', async () => {
    const { store, clock } = await open();
    const at = async (days: number): Promise<[boolean, boolean]> => {
      const before = clock.now();
      clock.advance(days * DAY);
      const { rotationDue, expired } = await store.keyStatus();
      clock.advance(before - clock.now());
      return [rotationDue, expired];
    };
    expect(await at(0)).toEqual([false, false]);
    expect(await at(30 - 1e-6)).toEqual([false, false]);
    expect(await at(30)).toEqual([true, false]);
    expect(await at(90 - 1e-6)).toEqual([true, false]);
    expect(await at(90)).toEqual([true, true]);
    expect((await store.keyStatus()).version).toMatchObject({ id: '1', primary: true });
  });

  test('beyond the greatest one stops saves with KEY_EXPIRED, and nothing else', async () => {
    const { store, clock, kms, objects } = await open({ intervalDays: 1, maxAgeDays: 2 });
    await store.save('a', patterned(10), { metadata: { n: 1 } });
    clock.advance(2 * DAY);
    const calls = await kmsCalls(kms, () => expectCode(store.save('b', patterned(10)), 'KEY_EXPIRED', /Rotate it \(rotateKey\(\)\), then save again/));
    expect(calls).toEqual({ currentKeyVersion: 1 });
    expect(await objects.head('b.kfk')).toBeUndefined();
    expect(await store.load('a')).toEqual(patterned(10));
    expect(await store.readMetadata('a')).toEqual({ n: 1 });
    await kms.rotateKey();
    await store.save('b', patterned(10));
    await store.rewrap('a');
    await store.delete('a');
  });

  test('is asked for once an hour', async () => {
    const { store, clock, kms } = await open();
    const save = (): Promise<unknown> => store.save('a', patterned(10), { overwrite: true });
    expect(await kmsCalls(kms, save)).toEqual({ currentKeyVersion: 1, generateDataKey: 1 });
    clock.advance(HOUR - 1);
    expect(await kmsCalls(kms, save)).toEqual({ generateDataKey: 1 });
    clock.advance(1);
    expect(await kmsCalls(kms, save)).toEqual({ currentKeyVersion: 1, generateDataKey: 1 });
    clock.advance(-2 * HOUR);
    expect(await kmsCalls(kms, save)).toEqual({ currentKeyVersion: 1, generateDataKey: 1 });
  });

  test('is asked for at once when the version that is known has expired within the hour', async () => {
    const { store, clock, kms } = await open({ intervalDays: 1, maxAgeDays: 1 });
    clock.advance(DAY - 1);
    await store.save('a', patterned(10));
    clock.advance(1);
    await expectCode(store.save('b', patterned(10)), 'KEY_EXPIRED');
    await kms.rotateKey();
    await store.save('b', patterned(10));
  });

  test.each([undefined, Number.NaN, Number.POSITIVE_INFINITY])('that is not known (%s) counts as expired', async (createdAt) => {
    const { store, kms } = await open();
    kms.createdAt = createdAt;
    expect(await store.keyStatus()).toMatchObject({ rotationDue: true, expired: true });
    await expectCode(store.save('a', patterned(10)), 'KEY_EXPIRED');
  });

  test('is not known either when the KMS does not answer: the save fails with its code', async () => {
    const { store, kms, objects } = await open();
    kms.fault = (operation) => {
      if (operation === 'currentKeyVersion') throw new Error('down');
    };
    await expectCode(store.save('a', patterned(10)), 'KMS_UNAVAILABLE');
    await expectCode(store.keyStatus(), 'KMS_UNAVAILABLE');
    expect(await objects.head('a.kfk')).toBeUndefined();
  });

  test('is not looked at without the setting', async () => {
    const { store, kms } = await openStore();
    expect(await kmsCalls(kms, () => store.save('a', patterned(10)))).toEqual({ generateDataKey: 1 });
    await expectCode(store.keyStatus(), 'CONFIG_INVALID', /keyRotation/);
    await store.close();
    await expectCode(store.keyStatus(), 'CLOSED');
  });

  test('is asked for with the caller\'s signal', async () => {
    const { store } = await open();
    await expectCode(store.keyStatus({ signal: AbortSignal.abort() }), 'ABORTED');
  });
});
