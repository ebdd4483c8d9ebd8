import assert from 'node:assert/strict';
import { KEY_RECORD_LIMITS } from '@keyfold/core';
import { randomBytes } from 'node:crypto';
import type { ErrorCode, KeyRecordStore, StoredKeyRecord } from '@keyfold/core/provider';
import { collect, present, refusal, rejection, requireCode, sameBytes } from '../expect.ts';
import { outcome } from '../object-store/objects.ts';
import type { PlannedCase } from '../suite.ts';
import type { KeyRecordStoreConformanceOptions, KeyRecordStoreSubject } from './options.ts';

const CODES: readonly ErrorCode[] = ['ALREADY_EXISTS', 'CONFLICT', 'LIMIT_EXCEEDED', 'STORAGE_FULL', 'STORAGE_DENIED', 'STORAGE_FAILURE', 'ABORTED', 'INVALID_ARGUMENT'];
const SIZES = [1, 2, 255, 256, 4_096, 65_537, KEY_RECORD_LIMITS.recordBytes] as const;
const KEYS = ['jobs/7/step-1', 'jobs/7/step-10', 'jobs/7/step-2', 'jobs/70', 'models', 'other'] as const;
const PREFIXES = ['', 'jobs/', 'jobs/7', 'jobs/7/', 'jobs/7/step-1', 'models', 'none'] as const;
const WRITERS = 50;
const ROUNDS = 10;

/** One record at a time. */
export function recordCases(): PlannedCase<KeyRecordStoreSubject>[] {
  return [
    {
      id: 'record.bytes',
      title: 'keeps every byte of a record, up to the largest that the format permits',
      run: async ({ records }) => {
        for (const size of SIZES) {
          const bytes = recordOf(size);
          await records.create(`size-${size}`, bytes);
          sameBytes((await stored(records, `size-${size}`)).bytes, bytes, `a record of ${size} bytes`);
          const replacement = recordOf(size);
          await records.compareAndSwap(`size-${size}`, (await stored(records, `size-${size}`)).version, replacement);
          sameBytes((await stored(records, `size-${size}`)).bytes, replacement, `a replacement of ${size} bytes`);
        }
      },
    },
    {
      id: 'record.absent',
      title: 'gives undefined for what is absent, and lists nothing where nothing is',
      run: async ({ records }) => {
        assert.equal(await records.get('absent'), undefined, 'get() of what is absent');
        assert.deepEqual(await collect(records.list()), [], 'an empty store lists nothing');
      },
    },
    {
      id: 'record.create',
      title: 'creates only where nothing stands',
      run: async ({ records }) => {
        const first = recordOf(100);
        await records.create('a', first);
        await refusal('ALREADY_EXISTS', records.create('a', recordOf(100)), 'a second create');
        sameBytes((await stored(records, 'a')).bytes, first, 'the record after a second create');
      },
    },
    {
      id: 'record.swap',
      title: 'replaces only the version that is named, and changes the version',
      run: async ({ records }) => {
        await records.create('a', recordOf(100));
        const versions = [(await stored(records, 'a')).version];
        for (let round = 0; round < 3; round += 1) {
          const next = recordOf(101 + round);
          await records.compareAndSwap('a', present(versions.at(-1), 'a version'), next);
          for (const version of versions) await refusal('CONFLICT', records.compareAndSwap('a', version, recordOf(9)), 'a swap of a former version');
          sameBytes((await stored(records, 'a')).bytes, next, 'the record after swaps of former versions');
          versions.push((await stored(records, 'a')).version);
        }
        assert.equal((await stored(records, 'a')).version, versions.at(-1), 'the version changed and the record did not');
        assert.equal(new Set(versions).size, versions.length, 'a replacement kept the version');
      },
    },
    {
      id: 'record.never-creates',
      title: 'never creates by replacing',
      run: async ({ records }) => {
        await records.create('b', recordOf(10));
        const { version } = await stored(records, 'b');
        for (const named of [version, '0', 'none']) await refusal('CONFLICT', records.compareAndSwap('a', named, recordOf(10)), 'a swap of nothing');
        assert.deepEqual(await collect(records.list()), ['b'], 'the records after swaps of nothing');
      },
    },
    {
      id: 'record.delete',
      title: 'deletes only the version that is named',
      run: async ({ records }) => {
        for (const key of ['a', 'b']) await records.create(key, recordOf(10));
        const { version } = await stored(records, 'a');
        await records.compareAndSwap('a', version, recordOf(11));
        await refusal('CONFLICT', records.delete('a', version), 'a delete of a former version');
        assert.equal((await stored(records, 'a')).bytes.byteLength, 11, 'the record after a delete of a former version');
        await records.delete('a', (await stored(records, 'a')).version);
        assert.equal(await records.get('a'), undefined, 'the record after its delete');
        assert.deepEqual(await collect(records.list()), ['b'], 'the records after a delete');
        await refusal('CONFLICT', records.delete('none', version), 'a delete of nothing');
      },
    },
    {
      id: 'record.final',
      title: 'lets no slow writer bring back or remove what was deleted and made anew',
      run: async ({ records }) => {
        const old: string[] = [];
        for (const size of [10, 11, 12]) {
          await records.create('a', recordOf(size));
          for (const version of old) {
            await refusal('CONFLICT', records.compareAndSwap('a', version, recordOf(9)), 'a swap of a version from before');
            await refusal('CONFLICT', records.delete('a', version), 'a delete of a version from before');
          }
          const { version, bytes } = await stored(records, 'a');
          assert.equal(bytes.byteLength, size, 'the record that was made anew');
          await records.delete('a', version);
          await refusal('CONFLICT', records.compareAndSwap('a', version, recordOf(9)), 'a swap of what was deleted');
          await refusal('CONFLICT', records.delete('a', version), 'a second delete');
          assert.equal(await records.get('a'), undefined, 'what was deleted came back');
          old.push(version);
        }
      },
    },
    {
      id: 'record.own',
      title: 'shares no array with its callers',
      run: async ({ records }) => {
        const bytes = recordOf(100);
        const original = Uint8Array.from(bytes);
        await records.create('a', bytes);
        sameBytes(bytes, original, 'what was given to create()');
        bytes.fill(0);
        sameBytes((await stored(records, 'a')).bytes, original, 'a record after the caller changed its array');
        (await stored(records, 'a')).bytes.fill(0);
        sameBytes((await stored(records, 'a')).bytes, original, 'a record after a reader changed its array');
        const next = recordOf(100);
        const kept = Uint8Array.from(next);
        await records.compareAndSwap('a', (await stored(records, 'a')).version, next);
        next.fill(0);
        sameBytes((await stored(records, 'a')).bytes, kept, 'a replacement after the caller changed its array');
      },
    },
    {
      id: 'record.list',
      title: 'lists the keys that begin with a prefix, each once',
      run: async ({ records }) => {
        for (const key of KEYS) await records.create(key, recordOf(10));
        for (const prefix of PREFIXES) {
          const expected = KEYS.filter((key) => key.startsWith(prefix));
          assert.deepEqual((await collect(records.list({ prefix }))).sort(), [...expected].sort(), `the keys that begin with "${prefix}"`);
        }
        assert.equal((await collect(records.list())).length, KEYS.length, 'all keys');
      },
    },
    {
      id: 'record.aborted',
      title: 'does nothing for a caller who has aborted',
      run: async ({ records }) => {
        await records.create('a', recordOf(10));
        const { version } = await stored(records, 'a');
        const options = { signal: AbortSignal.abort() };
        await refusal('ABORTED', records.get('a', options), 'get() after an abort');
        await refusal('ABORTED', async () => collect(records.list(options)), 'list() after an abort');
        await refusal('ABORTED', records.create('b', recordOf(10), options), 'create() after an abort');
        await refusal('ABORTED', records.compareAndSwap('a', version, recordOf(11), options), 'compareAndSwap() after an abort');
        await refusal('ABORTED', records.delete('a', version, options), 'delete() after an abort');
        assert.equal((await stored(records, 'a')).version, version, 'the record after aborts');
        assert.deepEqual(await collect(records.list()), ['a'], 'the records after aborts');
      },
    },
    {
      id: 'error.typed',
      title: 'fails with nothing but typed errors that say what is wrong',
      run: async ({ records }) => {
        await records.create('a', recordOf(10));
        for (const work of [() => records.create('a', recordOf(10)), () => records.compareAndSwap('a', 'none', recordOf(10)), () => records.delete('a', 'none')]) {
          const { message } = requireCode(await rejection(work, 'a refusal'), CODES, 'A call that fails');
          assert.match(message, /^\S.* .*\S$/s, `"${message}" is no sentence`);
          assert.doesNotMatch(message, /undefined|\[object |NaN/, `"${message}" was put together without looking`);
        }
      },
    },
  ];
}

/** Many at a time. */
export function recordRaces<Subject extends KeyRecordStoreSubject>(options: KeyRecordStoreConformanceOptions<Subject>): PlannedCase<Subject>[] {
  const both = async (subject: Subject): Promise<KeyRecordStore[]> => [subject.records, (await options.reopen?.(subject)) ?? subject.records];
  return [
    {
      id: 'race.create',
      title: `lets one of ${WRITERS} creates win, and its record stand`,
      run: async (subject) => {
        await requireOneWinner(await both(subject), (records, bytes) => records.create('a', bytes), 'ALREADY_EXISTS');
      },
    },
    {
      id: 'race.swap',
      title: `lets one of ${WRITERS} swaps of a version win, and its record stand`,
      run: async (subject) => {
        await subject.records.create('a', recordOf(10));
        const { version } = await stored(subject.records, 'a');
        await requireOneWinner(await both(subject), (records, bytes) => records.compareAndSwap('a', version, bytes), 'CONFLICT');
      },
    },
    {
      id: 'race.delete',
      title: 'lets a swap or a delete of a version win, not both',
      run: async (subject) => {
        const { records } = subject;
        const [, second = records] = await both(subject);
        for (let round = 0; round < ROUNDS; round += 1) {
          await records.create('a', recordOf(10));
          const { version } = await stored(records, 'a');
          const swapping = outcome(records.compareAndSwap('a', version, recordOf(11)));
          const [swapped, deleted] = await Promise.all([swapping, outcome(second.delete('a', version))]);
          assert.deepEqual([swapped, deleted].sort(), ['CONFLICT', 'OK'], 'one wins and the other one is told');
          const left = await records.get('a');
          assert.equal(left?.bytes.byteLength, swapped === 'OK' ? 11 : undefined, 'what the winner left');
          if (left !== undefined) await records.delete('a', left.version);
        }
      },
    },
    ...(options.reopen === undefined ? [] : [reopened(both)]),
  ];
}

function reopened<Subject extends KeyRecordStoreSubject>(both: (subject: Subject) => Promise<KeyRecordStore[]>): PlannedCase<Subject> {
  return {
    id: 'record.reopened',
    title: 'keeps records for another store over the same storage, versions included',
    run: async (subject) => {
      const { records } = subject;
      const [, again = records] = await both(subject);
      const bytes = recordOf(1_000);
      await records.create('a', bytes);
      const { version } = await stored(records, 'a');
      const seen = await stored(again, 'a');
      sameBytes(seen.bytes, bytes, 'what another store created');
      assert.equal(seen.version, version, 'the version has two names');
      await again.compareAndSwap('a', version, recordOf(9));
      assert.equal((await stored(records, 'a')).bytes.byteLength, 9, 'what another store replaced');
    },
  };
}

async function requireOneWinner(
  stores: readonly KeyRecordStore[],
  write: (records: KeyRecordStore, bytes: Uint8Array) => Promise<void>,
  refusedWith: ErrorCode,
): Promise<void> {
  const attempts = stores.flatMap((records) => Array.from({ length: WRITERS / stores.length }, () => ({ records, bytes: recordOf(100) })));
  const outcomes = await Promise.all(attempts.map(({ records, bytes }) => outcome(write(records, bytes))));
  assert.equal(outcomes.filter((each) => each === 'OK').length, 1, 'the winners');
  assert.equal(outcomes.filter((each) => each === refusedWith).length, attempts.length - 1, `the others are told ${refusedWith}`);
  const winner = present(attempts[outcomes.indexOf('OK')], 'a winner');
  sameBytes((await stored(winner.records, 'a')).bytes, winner.bytes, 'what stands is what the winner wrote');
}

function recordOf(size: number): Uint8Array {
  return Uint8Array.from(randomBytes(size));
}

/** The record that has to be there. */
async function stored(records: KeyRecordStore, key: string): Promise<StoredKeyRecord> {
  return present(await records.get(key), `the record "${key}" should be there, and is not`);
}
