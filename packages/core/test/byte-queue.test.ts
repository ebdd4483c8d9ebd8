import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteQueue } from '../src/byte-queue.ts';
import { thrownBy } from './support/bytes.ts';

describe('ByteQueue', () => {
  test('whatever the chunks and the takes, what leaves is the concatenation of what came', () => {
    const step = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((chunk) => ({ chunk, take: 0 })),
      fc.nat({ max: 60 }).map((take) => ({ chunk: new Uint8Array(0), take })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new ByteQueue();
        const came: number[] = [];
        const left: number[] = [];
        for (const { chunk, take } of steps) {
          queue.push(chunk);
          came.push(...chunk);
          left.push(...queue.take(Math.min(take, queue.byteLength)));
          expect(queue.byteLength).toBe(came.length - left.length);
        }
        left.push(...queue.take(queue.byteLength));
        expect(left).toEqual(came);
      }),
    );
  });

  test('a piece that lies within one chunk is a view of it', () => {
    const queue = new ByteQueue();
    const chunk = Uint8Array.of(1, 2, 3, 4);
    queue.push(chunk);
    expect(queue.take(3).buffer).toBe(chunk.buffer);
  });

  test('taking nothing gives nothing, from an empty queue too', () => {
    const queue = new ByteQueue();
    expect(queue.take(0)).toEqual(new Uint8Array(0));
    queue.push(Uint8Array.of(7));
    expect(queue.take(0)).toEqual(new Uint8Array(0));
    expect(queue.take(1)).toEqual(Uint8Array.of(7));
  });

  test.each([4, -1, Number.NaN, Number.POSITIVE_INFINITY])('taking %s of three bytes is refused and takes nothing', (length) => {
    const queue = new ByteQueue();
    queue.push(Uint8Array.of(1, 2, 3));
    expect(thrownBy(() => queue.take(length))).toBeInstanceOf(RangeError);
    expect(queue.byteLength).toBe(3);
    expect(queue.take(3)).toEqual(Uint8Array.of(1, 2, 3));
  });

  test('a frame that comes byte by byte costs as much as its bytes, not their square', () => {
    const queue = new ByteQueue();
    for (let i = 0; i < 1_500_000; i++) queue.push(Uint8Array.of(i));
    const whole = queue.take(1_500_000);
    expect(whole[1_499_999]).toBe(1_499_999 & 0xff);
    expect(queue.byteLength).toBe(0);
  });
});
