import { KeyfoldError, type KeyVersion, type KmsCallOptions, type WrappedKey } from '@keyfold/core/provider';
import { MemoryKms } from '@keyfold/core/testing';
import { describe, expect, it } from 'vitest';
import { kmsClientConformance } from '../src/index.ts';
import { MEMORY_FAULTS, memoryOptions } from './support/memory-options.ts';

const ALL_FAULTS = Object.keys(MEMORY_FAULTS).filter((name) => name !== 'hanging');

describe('MemoryKms', () => {
  const suite = kmsClientConformance(memoryOptions());
  it.each(suite.cases)('$title', async ({ run }) => run());
});

/** A service that knows no versions and does not rotate, as some are. */
class OneVersion extends MemoryKms {
  override readonly capabilities = { authenticatedWraps: false, contextBinding: 'aad', rotation: false, versions: false } as const;

  override async encrypt(plaintext: Uint8Array, options: KmsCallOptions): Promise<WrappedKey> {
    return { ...(await super.encrypt(plaintext, options)), keyVersion: '' };
  }

  override async generateDataKey(options: KmsCallOptions): ReturnType<MemoryKms['generateDataKey']> {
    const { plaintext, wrapped } = await super.generateDataKey(options);
    return { plaintext, wrapped: { ...wrapped, keyVersion: '' } };
  }

  override decrypt(wrapped: WrappedKey, options: KmsCallOptions): Promise<Uint8Array> {
    return super.decrypt({ ...wrapped, keyVersion: '1' }, options);
  }

  override async *listKeyVersions(options?: { signal?: AbortSignal | undefined }): AsyncIterable<KeyVersion> {
    for await (const version of super.listKeyVersions(options)) yield { ...version, id: '' };
  }

  override rotateKey(): Promise<KeyVersion> {
    return Promise.reject(new KeyfoldError('NOT_SUPPORTED', 'This memory KMS has one version. Make another key.'));
  }
}

describe('a client that declares little', () => {
  const setUp = () => ({ client: new OneVersion('one'), other: new OneVersion('two') });
  const { capabilities } = new OneVersion();
  const suite = kmsClientConformance({ setUp, capabilities, additionalCodes: ['STORAGE_FAILURE'] });

  it.each(suite.cases)('$title', ({ run }) => run());

  it('has fewer cases, and none for what it did not declare', () => {
    const ids = suite.cases.map(({ id }) => id);
    expect(ids).toContain('rotate.refused');
    expect(ids).toContain('version.none');
    expect(ids.filter((id) => /^fault|^health\.(?!well)|unsent|reopen|during|timeout|credentials|new-primary/.test(id))).toEqual([]);
  });

  it('is told what is not proven, and others what little is left', () => {
    const names = (lines: readonly string[]) => lines.map((line) => line.split(':')[0]);
    const everything = kmsClientConformance(memoryOptions()).notProven;
    expect(names(everything)).toEqual(['capabilities.authenticatedWraps']);
    expect(names(suite.notProven)).toEqual(['calls', 'reopen', 'credentials', 'rotate', 'capabilities.versions', 'faults.hanging', ...ALL_FAULTS.map((name) => `faults.${name}`)]);
  });
});
