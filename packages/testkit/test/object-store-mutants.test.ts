import { describe, expect, it } from 'vitest';
import { objectStoreConformance } from '../src/index.ts';
import { modelOptions } from './mutants/model-options.ts';
import { READING } from './mutants/object-reading.ts';
import { WRITING } from './mutants/object-writing.ts';
import { failures } from './support/failures.ts';

const OBJECT_STORES = [...WRITING, ...READING];

describe('a model that keeps the promises of an ObjectStore', () => {
  it.each(objectStoreConformance(modelOptions()).cases)('$title', ({ run }) => run());
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
