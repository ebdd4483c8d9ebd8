import { describe, expect, it } from 'vitest';
import { kmsClientConformance } from '../src/index.ts';
import { ENDING } from './mutants/ending.ts';
import { FAULTS } from './mutants/faults.ts';
import { NAMING } from './mutants/naming.ts';
import { OWNERSHIP } from './mutants/ownership.ts';
import { VERSIONS } from './mutants/versions.ts';
import { WRAPPING } from './mutants/wrapping.ts';
import { failures } from './support/failures.ts';
import { memoryOptions } from './support/memory-options.ts';

const MUTANTS = [...WRAPPING, ...NAMING, ...VERSIONS, ...OWNERSHIP, ...ENDING, ...FAULTS];

describe('the suite of KmsClient finds a client that', () => {
  it.each(MUTANTS)('$does', async ({ options, fails }) => {
    expect(await failures(kmsClientConformance(options))).toEqual([...fails].sort());
  });
});

describe('the mutants', () => {
  it('make every case fail', () => {
    const { capabilities } = memoryOptions();
    const everyCase = [{ ...capabilities }, { ...capabilities, rotation: false, versions: false }]
      .flatMap((each) => kmsClientConformance({ ...memoryOptions(), capabilities: each }).cases)
      .map(({ id }) => id);
    const found = new Set(MUTANTS.flatMap(({ fails }) => fails));
    expect([...new Set(everyCase)].filter((id) => !found.has(id))).toEqual([]);
  });
});
