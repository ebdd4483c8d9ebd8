import { describe, expect, it } from 'vitest';
import { type Batch, Batcher, IO_BYTES } from '../../src/object-stores/file-system/write-batch.ts';
import { pattern } from './conformance.ts';

function joined(batches: readonly Batch[]): Buffer {
  return Buffer.concat(batches.flatMap((batch) => batch.pieces));
}

function allOf(batcher: Batcher, chunks: readonly Uint8Array[], release?: (chunk: Uint8Array) => void): Batch[] {
  const batches = chunks.flatMap((chunk) => [...batcher.add(chunk, release)]);
  const rest = batcher.rest();
  return rest === undefined ? batches : [...batches, rest];
}

describe('Batcher', () => {
  it.each([
    ['one byte', [1]],
    ['nothing', [0, 0]],
    ['exactly one batch', [IO_BYTES]],
    ['frames with tags', [96, IO_BYTES - 112, 16, IO_BYTES - 16, 16, 7, 16]],
    ['chunks larger than batches', [5, 3 * IO_BYTES, 2 * IO_BYTES - 5]],
    ['many small ones', Array.from({ length: 3_000 }, (_, index) => index)],
    ['a mixture', [70_000, 3, 900_000, 65_535, 65_536, 1, IO_BYTES + 1]],
  ])('makes aligned batches of %s, lent or not', (_title, sizes) => {
    const content = pattern(sizes.reduce((sum, size) => sum + size, 0));
    let start = 0;
    const chunks = sizes.map((size) => content.subarray(start, (start += size)));
    for (const release of [undefined, (): void => undefined]) {
      const batches = allOf(new Batcher(), chunks, release);
      expect(joined(batches).equals(content)).toBe(true);
      expect(batches.map((batch) => batch.position)).toEqual(batches.map((_, index) => index * IO_BYTES));
      for (const batch of batches.slice(0, -1)) expect(joined([batch])).toHaveLength(IO_BYTES);
      expect(batches.every((batch) => batch.pieces.length < 40)).toBe(true);
    }
  });

  it('gives a lent chunk back when the last batch with a part of it is done, whichever that is', () => {
    const batcher = new Batcher();
    const released: Uint8Array[] = [];
    const chunk = pattern(2 * IO_BYTES + 100);
    const [first, second, third] = allOf(batcher, [chunk], (one) => released.push(one));
    third?.done();
    first?.done();
    expect(released).toHaveLength(0);
    second?.done();
    expect(released).toHaveLength(1);
    expect(released[0]).toBe(chunk);
  });

  it('does not give a chunk back while its end is in no batch yet', () => {
    const released: Uint8Array[] = [];
    const batches = new Batcher().add(pattern(IO_BYTES + 100_000), (one) => released.push(one));
    batches.next().value?.done();
    expect(released).toHaveLength(0);
  });

  it('gives small chunks back at once, for it has copied them', () => {
    const batcher = new Batcher();
    const chunk = pattern(65_535);
    const content = Buffer.from(chunk);
    expect([...batcher.add(chunk, (one) => one.fill(0))]).toEqual([]);
    expect(joined([batcher.rest()].filter((batch) => batch !== undefined)).equals(content)).toBe(true);
  });

  it('copies the end of a large chunk that is not lent, and borrows what fills a batch', () => {
    const batcher = new Batcher();
    const chunk = pattern(IO_BYTES + 200_000);
    const [full] = [...batcher.add(chunk, undefined)];
    expect(full?.pieces[0]?.buffer).toBe(chunk.buffer);
    const expected = Buffer.from(chunk.subarray(IO_BYTES));
    chunk.fill(0);
    expect(joined([batcher.rest()].filter((batch) => batch !== undefined)).equals(expected)).toBe(true);
  });

  it('uses memory for copies again only after its batch is done', () => {
    const batcher = new Batcher();
    const small = (value: number): Uint8Array[] => Array.from({ length: 32 }, () => new Uint8Array(32_768).fill(value));
    const [first] = small(1).flatMap((chunk) => [...batcher.add(chunk, undefined)]);
    const [second] = small(2).flatMap((chunk) => [...batcher.add(chunk, undefined)]);
    expect(second?.pieces[0]?.buffer).not.toBe(first?.pieces[0]?.buffer);
    first?.done();
    const [third] = small(3).flatMap((chunk) => [...batcher.add(chunk, undefined)]);
    expect(third?.pieces[0]?.buffer).toBe(first?.pieces[0]?.buffer);
    expect(second?.pieces[0]?.every((byte) => byte === 2)).toBe(true);
  });
});
