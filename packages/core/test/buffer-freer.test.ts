import { describe, expect, test } from 'vitest';
import { BufferFreer } from '../src/crypto/buffer-freer.ts';

const LARGE = 65_536;

/** A buffer as Node 20 has them: without `transfer`. */
function withoutTransfer(length: number): Uint8Array {
  const buffer = new ArrayBuffer(length);
  Object.defineProperty(buffer, 'transfer', { value: undefined });
  return new Uint8Array(buffer);
}

describe('BufferFreer', () => {
  test('empties every view of a large buffer, again and again', () => {
    const freer = new BufferFreer();
    for (let i = 0; i < 100; i++) {
      const bytes = Buffer.allocUnsafeSlow(LARGE + i);
      const other = new Uint8Array(bytes.buffer, 8, 8);
      freer.free(bytes);
      expect([bytes.byteLength, other.byteLength]).toEqual([0, 0]);
    }
  });

  test('does so where buffers have no transfer()', () => {
    const freer = new BufferFreer();
    for (let i = 0; i < 100; i++) {
      const bytes = withoutTransfer(LARGE);
      freer.free(bytes);
      expect(bytes.byteLength).toBe(0);
    }
  });

  test('uses transfer() where buffers have it', () => {
    const lengths: number[] = [];
    const buffer = Object.assign(new ArrayBuffer(LARGE), {
      transfer: (length: number): ArrayBuffer => {
        lengths.push(length);
        return new ArrayBuffer(length);
      },
    });
    new BufferFreer().free(new Uint8Array(buffer));
    expect(lengths).toEqual([0]);
  });

  test('leaves alone what it frees a second time', () => {
    const freer = new BufferFreer();
    const bytes = new Uint8Array(LARGE);
    freer.free(bytes);
    expect(() => {
      freer.free(bytes);
    }).not.toThrow();
  });

  test.each([
    ['small', new Uint8Array(LARGE - 1).fill(7)],
    ['part of a buffer', new Uint8Array(new ArrayBuffer(2 * LARGE), 0, LARGE).fill(7)],
    ['shared memory', new Uint8Array(new SharedArrayBuffer(LARGE)).fill(7)],
  ])('leaves alone what is %s', (_what, bytes) => {
    const { byteLength } = bytes;
    new BufferFreer().free(bytes);
    expect(bytes.byteLength).toBe(byteLength);
    expect(bytes.every((byte) => byte === 7)).toBe(true);
  });
});
