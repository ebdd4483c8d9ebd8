import { MemoryKms } from '@keyfold/core/testing';
import type { KmsConformanceOptions } from '../../src/index.ts';
import { memoryOptions, type MemorySubject } from '../support/memory-options.ts';

/** An implementation that is broken in one way, and the cases that have to find out. */
export interface Mutant {
  /** What it does wrong. */
  readonly does: string;
  readonly options: KmsConformanceOptions<MemorySubject>;
  readonly fails: readonly string[];
}

/** A MemoryKms whose methods are replaced. */
export function broken(does: string, Kms: typeof MemoryKms, fails: readonly string[]): Mutant {
  return { does, options: memoryOptions(Kms), fails };
}

/** A MemoryKms that was declared wrongly, or has a service that misbehaves. */
export function declared(does: string, options: Partial<KmsConformanceOptions<MemorySubject>>, fails: readonly string[], Kms = MemoryKms): Mutant {
  return { does, options: { ...memoryOptions(Kms), ...options }, fails };
}

/** Every case that looks at errors fails when a call that must be refused is not. */
export const ERROR_CASES = ['error.credentials', 'error.secrets', 'error.typed'] as const;
