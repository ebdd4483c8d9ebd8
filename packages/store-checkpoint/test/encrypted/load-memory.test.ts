import { BufferFreer } from '@keyfold/core/provider';
import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { ReadMemory } from '../../src/encrypted/read-memory.ts';
import { YoungMemory } from '../../src/encrypted/young-memory.ts';
import { FileSystemObjectStore } from '../../src/index.ts';
import { patterned } from '../support/bytes.ts';
import { CountingObjectStore } from '../support/counting-object-store.ts';
import { openStore } from '../support/open-store.ts';
import { temporaryDirectory } from '../support/temporary-directory.ts';

const MIB = 1_048_576;

function taken(memory: ReadMemory, bytes: number): Uint8Array {
  const chunk = memory.take(bytes);
  if (chunk === undefined) throw new Error('memory should be given');
  return chunk;
}

describe('memory that ciphertext is read into', () => {
  test('is given again when it came back, also for a shorter chunk, and never twice at once', () => {
    const memory = new ReadMemory(new BufferFreer());
    const first = taken(memory, MIB);
    const second = taken(memory, MIB);
    expect(second.buffer).not.toBe(first.buffer);
    memory.free(first);
    const third = taken(memory, MIB - 5);
    expect(third.buffer).toBe(first.buffer);
    expect(third.byteLength).toBe(MIB - 5);
    expect(taken(memory, MIB).buffer).not.toBe(second.buffer);
    memory.free(third);
    expect(taken(memory, MIB).buffer).toBe(first.buffer);
  });

  test('is not given for small chunks, nor longer than it is', () => {
    const memory = new ReadMemory(new BufferFreer());
    expect(memory.take(65_535)).toBeUndefined();
    memory.free(taken(memory, 65_536));
    expect(taken(memory, 65_537).byteLength).toBe(65_537);
  });

  test('goes when the load is over, what comes back later too, and what is another’s when it comes', () => {
    const memory = new ReadMemory(new BufferFreer());
    const late = taken(memory, MIB);
    const early = taken(memory, MIB);
    memory.free(early);
    const foreign = new Uint8Array(MIB);
    memory.free(foreign);
    expect(foreign.byteLength).toBe(0);
    const part = new Uint8Array(2 * MIB).subarray(MIB);
    memory.free(part);
    expect(part.byteLength).toBe(MIB);
    memory.close();
    expect(early.byteLength).toBe(0);
    memory.free(late);
    expect(late.byteLength).toBe(0);
    expect(memory.take(MIB)).toBeUndefined();
  });

  test('is the same few arrays for a whole load', async () => {
    const buffers = new Set<ArrayBufferLike>();
    class Watched extends CountingObjectStore {
      override open(...[name, options = {}]: Parameters<CountingObjectStore['open']>): ReturnType<CountingObjectStore['open']> {
        const memory = (bytes: number): Uint8Array | undefined => {
          const given = options.memory?.(bytes);
          if (given !== undefined) buffers.add(given.buffer);
          return given;
        };
        return super.open(name, { ...options, memory });
      }
    }
    const { store } = await openStore({ objects: new Watched(new FileSystemObjectStore(temporaryDirectory())) });
    const data = patterned(12 * MIB + 3);
    await store.save('a', data);
    const kept: Uint8Array[] = [];
    for await (const chunk of store.loadStream('a')) kept.push(chunk);
    expect(Buffer.concat(kept).equals(data)).toBe(true);
    expect(buffers.size).toBeGreaterThan(0);
    expect(buffers.size).toBeLessThanOrEqual(4);
    expect([...buffers].map((buffer) => buffer.byteLength)).toEqual(Array(buffers.size).fill(0));
  });
});

test('chunks that are handed out bring young collections, and what was freed meanwhile does not', async () => {
  const collections = async (chunk: Uint8Array): Promise<number> => {
    let count = 0;
    const observer = new PerformanceObserver((list) => {
      count += list.getEntries().length;
    });
    observer.observe({ entryTypes: ['gc'] });
    const young = new YoungMemory();
    // As much as twice the largest young generation, in eighths.
    for (let handedOut = 0; handedOut < 1_024; handedOut++) young.handedOut(chunk);
    await pause(20);
    observer.disconnect();
    return count;
  };
  const many = await collections(new Uint8Array(MIB));
  expect(many).toBeGreaterThan(1);
  expect(await collections(new Uint8Array(0))).toBeLessThan(many);
});
