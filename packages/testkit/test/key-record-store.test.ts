import { KeyfoldError, throwIfAborted, type KeyRecordCallOptions, type StoredKeyRecord } from '@keyfold/core/provider';
import { MemoryKeyRecordStore } from '@keyfold/core/testing';
import { describe, expect, it } from 'vitest';
import { keyRecordStoreConformance, type KeyRecordStoreConformanceOptions } from '../src/index.ts';
import { failures, turn } from './support/failures.ts';

interface Subject {
  readonly records: MemoryKeyRecordStore;
}

function optionsOf(Store: typeof MemoryKeyRecordStore): KeyRecordStoreConformanceOptions<Subject> {
  // A second handle on the same records is the same object: what is in memory has no other.
  return { setUp: () => ({ records: new Store() }), reopen: ({ records }) => records };
}

function refuse(code: 'CONFLICT' | 'ALREADY_EXISTS' | 'STORAGE_FAILURE', message = 'The mutant refuses. Look at the test.'): never {
  throw new KeyfoldError(code, message);
}

class CutsRecords extends MemoryKeyRecordStore {
  override create(key: string, bytes: Uint8Array, options?: KeyRecordCallOptions): Promise<void> {
    return super.create(key, bytes.subarray(0, 65_535), options);
  }
}

class RefusesAbsent extends MemoryKeyRecordStore {
  override async get(key: string, options?: KeyRecordCallOptions): Promise<StoredKeyRecord | undefined> {
    return (await super.get(key, options)) ?? refuse('STORAGE_FAILURE');
  }
}

class CreatesOver extends MemoryKeyRecordStore {
  override async create(key: string, bytes: Uint8Array, options?: KeyRecordCallOptions): Promise<void> {
    const there = await super.get(key, options);
    await (there === undefined ? super.create(key, bytes, options) : super.compareAndSwap(key, there.version, bytes, options));
  }
}

/** Swaps whatever stands there. */
class SwapsAnything extends MemoryKeyRecordStore {
  override async compareAndSwap(key: string, version: string, bytes: Uint8Array, options?: KeyRecordCallOptions): Promise<void> {
    const there = await super.get(key, options);
    await super.compareAndSwap(key, there?.version ?? version, bytes, options);
  }
}

class CreatesBySwapping extends MemoryKeyRecordStore {
  override async compareAndSwap(key: string, version: string, bytes: Uint8Array, options?: KeyRecordCallOptions): Promise<void> {
    if ((await super.get(key, options)) === undefined) await super.create(key, bytes, options);
    else await super.compareAndSwap(key, version, bytes, options);
  }
}

class DeletesAnything extends MemoryKeyRecordStore {
  override async delete(key: string, version: string, options?: KeyRecordCallOptions): Promise<void> {
    const there = await super.get(key, options);
    await super.delete(key, there?.version ?? version, options);
  }
}

class DeletesNothingGladly extends MemoryKeyRecordStore {
  override async delete(key: string, version: string, options?: KeyRecordCallOptions): Promise<void> {
    if ((await super.get(key, options)) !== undefined) await super.delete(key, version, options);
  }
}

/** Counts versions of every record from one, so that a new record has the version of an old one. */
class CountsFromOne extends MemoryKeyRecordStore {
  readonly #versions = new Map<string, string>();

  override async create(key: string, bytes: Uint8Array, options?: KeyRecordCallOptions): Promise<void> {
    await super.create(key, bytes, options);
    this.#versions.set(key, (await super.get(key))?.version ?? '');
  }

  #named(key: string, version: string): string {
    return version === '1' ? (this.#versions.get(key) ?? version) : version;
  }

  override async get(key: string, options?: KeyRecordCallOptions): Promise<StoredKeyRecord | undefined> {
    const there = await super.get(key, options);
    return there && { bytes: there.bytes, version: there.version === this.#versions.get(key) ? '1' : there.version };
  }

  override compareAndSwap(key: string, version: string, bytes: Uint8Array, options?: KeyRecordCallOptions): Promise<void> {
    return super.compareAndSwap(key, this.#named(key, version), bytes, options);
  }

  override delete(key: string, version: string, options?: KeyRecordCallOptions): Promise<void> {
    return super.delete(key, this.#named(key, version), options);
  }
}

/** Gives every reader the same array. */
class SharesArrays extends MemoryKeyRecordStore {
  readonly #read = new Map<string, StoredKeyRecord>();

  override async get(key: string, options?: KeyRecordCallOptions): Promise<StoredKeyRecord | undefined> {
    const there = await super.get(key, options);
    if (there === undefined) return undefined;
    const shared = this.#read.get(there.version) ?? there;
    this.#read.set(there.version, shared);
    return shared;
  }
}

/** Reads what it stores when it gets round to it. */
class StoresLate extends MemoryKeyRecordStore {
  readonly #given = new Map<string, Uint8Array>();

  override async create(key: string, bytes: Uint8Array, options?: KeyRecordCallOptions): Promise<void> {
    await super.create(key, bytes, options);
    this.#given.set(key, bytes);
  }

  override async get(key: string, options?: KeyRecordCallOptions): Promise<StoredKeyRecord | undefined> {
    const there = await super.get(key, options);
    const given = this.#given.get(key);
    return there && { bytes: given?.byteLength === there.bytes.byteLength ? Uint8Array.from(given) : there.bytes, version: there.version };
  }

  override async compareAndSwap(...[key, version, bytes, options]: Parameters<MemoryKeyRecordStore['compareAndSwap']>): Promise<void> {
    await super.compareAndSwap(key, version, bytes, options);
    this.#given.set(key, bytes);
  }
}

class ListsFolders extends MemoryKeyRecordStore {
  override async *list(options: { readonly prefix?: string } & KeyRecordCallOptions = {}): AsyncIterable<string> {
    for await (const key of super.list(options)) {
      const { prefix = '' } = options;
      if (prefix === '' || prefix.endsWith('/') || key === prefix) yield key;
    }
  }
}

class IgnoresAborts extends MemoryKeyRecordStore {
  override delete(key: string, version: string): Promise<void> {
    return super.delete(key, version);
  }
}

class SaysNothing extends MemoryKeyRecordStore {
  override async delete(key: string, version: string, options?: KeyRecordCallOptions): Promise<void> {
    if ((await super.get(key, options))?.version !== version) refuse('CONFLICT', 'no');
    await super.delete(key, version, options);
  }
}

/** Looks first and writes afterwards; others may come between. */
class LooksThenWrites extends MemoryKeyRecordStore {
  override async create(key: string, bytes: Uint8Array, options?: KeyRecordCallOptions): Promise<void> {
    const copy = Uint8Array.from(bytes);
    if ((await super.get(key, options)) !== undefined) refuse('ALREADY_EXISTS');
    await turn();
    await super.create(key, copy, options).catch(async () => super.compareAndSwap(key, (await super.get(key))?.version ?? '', copy));
  }

  override async compareAndSwap(...[key, version, bytes, options]: Parameters<MemoryKeyRecordStore['compareAndSwap']>): Promise<void> {
    const copy = Uint8Array.from(bytes);
    if ((await super.get(key, options))?.version !== version) refuse('CONFLICT');
    await turn();
    const there = await super.get(key);
    await (there === undefined ? super.create(key, copy) : super.compareAndSwap(key, there.version, copy));
  }

  override async delete(key: string, version: string, options?: KeyRecordCallOptions): Promise<void> {
    throwIfAborted(options?.signal);
    const there = await super.get(key, options);
    if (there?.version !== version) refuse('CONFLICT');
    await turn();
    await super.delete(key, (await super.get(key))?.version ?? '', options);
  }
}

const MUTANTS: readonly { does: string; Store: typeof MemoryKeyRecordStore; fails: readonly string[]; reopen?: () => MemoryKeyRecordStore }[] = [
  { does: 'cuts large records', Store: CutsRecords, fails: ['record.bytes'] },
  { does: 'refuses to say that there is nothing', Store: RefusesAbsent, fails: ['record.absent', 'record.delete', 'record.final'] },
  { does: 'creates over what is there', Store: CreatesOver, fails: ['error.typed', 'record.create'] },
  { does: 'swaps whatever stands there', Store: SwapsAnything, fails: ['error.typed', 'record.final', 'record.swap'] },
  { does: 'creates by swapping', Store: CreatesBySwapping, fails: ['record.final', 'record.never-creates'] },
  { does: 'deletes whatever stands there', Store: DeletesAnything, fails: ['error.typed', 'race.delete', 'record.delete', 'record.final'] },
  { does: 'finds nothing wrong with deleting nothing', Store: DeletesNothingGladly, fails: ['record.delete', 'record.final'] },
  { does: 'gives a new record the version of an old one', Store: CountsFromOne, fails: ['record.final'] },
  { does: 'gives one array to all readers', Store: SharesArrays, fails: ['record.own'] },
  { does: 'keeps the caller’s array', Store: StoresLate, fails: ['record.own'] },
  { does: 'lists whole folders alone', Store: ListsFolders, fails: ['record.list'] },
  { does: 'deletes for callers who have aborted', Store: IgnoresAborts, fails: ['record.aborted'] },
  { does: 'says nothing', Store: SaysNothing, fails: ['error.typed'] },
  { does: 'looks first and writes afterwards', Store: LooksThenWrites, fails: ['race.create', 'race.delete', 'race.swap'] },
  { does: 'keeps records for itself', Store: MemoryKeyRecordStore, fails: ['race.create', 'record.reopened'], reopen: () => new MemoryKeyRecordStore() },
];

describe('MemoryKeyRecordStore keeps the promises of a KeyRecordStore', () => {
  it.each(keyRecordStoreConformance(optionsOf(MemoryKeyRecordStore)).cases)('$title', ({ run }) => run());
});

describe('the suite of KeyRecordStore finds a store that', () => {
  it.each(MUTANTS)('$does', async ({ Store, fails, reopen }) => {
    const options = { ...optionsOf(Store), ...(reopen === undefined ? {} : { reopen }) };
    expect(await failures(keyRecordStoreConformance(options))).toEqual([...fails].sort());
  });
});

describe('a store that declares little', () => {
  const suite = keyRecordStoreConformance({ setUp: () => ({ records: new MemoryKeyRecordStore() }) });

  it.each(suite.cases)('$title', ({ run }) => run());

  it('is told what is not proven', () => {
    expect(suite.notProven).toHaveLength(2);
    expect(suite.cases.map(({ id }) => id)).not.toContain('record.reopened');
  });
});

describe('the mutants', () => {
  it('make every case fail', () => {
    const found = new Set(MUTANTS.flatMap(({ fails }) => fails));
    const { cases } = keyRecordStoreConformance(optionsOf(MemoryKeyRecordStore));
    expect(cases.filter(({ id }) => !found.has(id)).map(({ id }) => id)).toEqual([]);
  });
});
