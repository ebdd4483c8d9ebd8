import { describe, it } from 'vitest';
import { kmsClientConformance } from '../src/index.ts';
import { memoryOptions } from './support/memory-options.ts';

describe('MemoryKms', () => {
  const suite = kmsClientConformance(memoryOptions());
  it.each(suite.cases)('$title', async ({ run }) => run());
});
