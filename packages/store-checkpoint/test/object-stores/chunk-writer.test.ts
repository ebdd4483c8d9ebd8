import { closeSync, openSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { ChunkWriter } from '../../src/object-stores/file-system/chunk-writer.ts';
import { codeOf, pattern } from './conformance.ts';

const MIB = 1_048_576;

describe('ChunkWriter', () => {
  const open: number[] = [];
  function writerTo(device: string): ChunkWriter {
    const fd = openSync(device, 'w');
    open.push(fd);
    return new ChunkWriter(fd, 'write the test object', device);
  }
  afterEach(() => {
    for (const fd of open.splice(0)) closeSync(fd);
  });

  it('reports a device without space as such, for large and for small chunks', async () => {
    expect(await codeOf(writerTo('/dev/full').add(pattern(MIB)))).toBe('STORAGE_FULL');
    const small = writerTo('/dev/full');
    await small.add(pattern(10));
    expect(await codeOf(small.finish())).toBe('STORAGE_FULL');
  });

  it('remembers that an early sync failed, and never rejects where nobody listens', async () => {
    // /dev/null takes every write and refuses every sync.
    const writer = writerTo('/dev/null');
    for (let chunk = 0; chunk < 9; chunk += 1) await writer.add(pattern(MIB));
    await writer.idle();
    await expect(writer.finish()).rejects.toMatchObject({
      code: 'STORAGE_FAILURE',
      message: 'Could not write the test object (/dev/null): the file system answered EINVAL.',
    });
  });
});
