import { describe, expect, it } from 'vitest';
import { objectStoreConformance } from '../src/index.ts';
import { modelOptions } from './mutants/model-options.ts';
import { READING } from './mutants/object-reading.ts';
import { WRITING } from './mutants/object-writing.ts';
import { ModelStore } from './support/model-store.ts';
import { failures } from './support/failures.ts';

const OBJECT_STORES = [...WRITING, ...READING];

describe('a model that keeps the promises of an ObjectStore', () => {
  it.each(objectStoreConformance(modelOptions()).cases)('$title', ({ run }) => run());
});

describe('a model that declares little', () => {
  class Modest extends ModelStore {
    override readonly capabilities = { conditionalWrites: false };
  }
  const suite = objectStoreConformance({ setUp: () => ({ store: new Modest() }), capabilities: { conditionalWrites: false } });

  it.each(suite.cases)('$title', ({ run }) => run());

  it('has fewer cases, and is told what is not proven', () => {
    const ids = suite.cases.map(({ id }) => id);
    expect(ids.filter((id) => id.startsWith('race'))).toEqual(['race.reader', 'race.names']);
    expect(suite.notProven.map((line) => line.split(':')[0])).toEqual([
      ...['capabilities.conditionalWrites', 'identity', 'reopen', 'residue'],
      'that a put is durable when it resolves, and what full, denied and failing storage does',
    ]);
  });
});

describe('the suite of ObjectStore finds a store that', () => {
  it.each(OBJECT_STORES)('$does', async ({ options, fails }) => {
    expect(await failures(objectStoreConformance(options))).toEqual([...fails].sort());
  });
});

describe('the mutants', () => {
  it('make every case fail', () => {
    const found = new Set(OBJECT_STORES.flatMap(({ fails }) => fails));
    expect(objectStoreConformance(modelOptions()).cases.filter(({ id }) => !found.has(id)).map(({ id }) => id)).toEqual([]);
  });
});
