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

  it('reports a write that failed while nobody waited for it, and gives every chunk back once at most', async () => {
    const writer = writerTo('/dev/full');
    const given: Uint8Array[] = [];
    const released: Uint8Array[] = [];
    const adding = (async () => {
      for (;;) {
        const chunk = pattern(MIB);
        given.push(chunk);
        await writer.add(chunk, (one) => released.push(one));
      }
    })();
    expect(await codeOf(adding)).toBe('STORAGE_FULL');
    await writer.idle();
    expect(await codeOf(writer.finish())).toBe('STORAGE_FULL');
    expect(given.length).toBeLessThan(6);
    expect(new Set(released).size).toBe(released.length);
    expect(released.every((chunk) => given.includes(chunk))).toBe(true);
  });

  it('gives back what was never written when it is told to stop', async () => {
    const writer = writerTo('/dev/null');
    const released: number[] = [];
    await writer.add(pattern(100_000), (chunk) => released.push(chunk.byteLength));
    expect(released).toEqual([]);
    await writer.idle();
    expect(released).toEqual([100_000]);
  });

  it('takes a release that throws for a failure of the write', async () => {
    const writer = writerTo('/dev/null');
    await writer.add(pattern(MIB), () => {
      throw new Error('cannot be freed');
    });
    await writer.idle();
    await expect(writer.finish()).rejects.toMatchObject({ code: 'STORAGE_FAILURE' });
  });

  it('remembers that an early sync failed, and never rejects where nobody listens', async () => {
    // /dev/null takes every write and refuses every sync.
    const writer = writerTo('/dev/null');
    for (let chunk = 0; chunk < 2; chunk += 1) await writer.add(pattern(MIB));
    await writer.idle();
    await expect(writer.finish()).rejects.toMatchObject({
      code: 'STORAGE_FAILURE',
      message: 'Could not write the test object (/dev/null): the file system answered EINVAL.',
    });
  });
});
