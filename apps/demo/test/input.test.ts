import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findInput } from '../src/input.ts';

describe('findInput', () => {
  let root: string;

  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'keyfold-input-'));
    mkdirSync(join(root, 'sub'));
    writeFileSync(join(root, 'b.txt'), 'bbbb');
    writeFileSync(join(root, 'a.md'), 'aaa');
    writeFileSync(join(root, 'sub', 'c.js'), 'cc');
    writeFileSync(join(root, 'empty.txt'), '');
    writeFileSync(join(root, 'image.png'), 'not text');
    symlinkSync(join(root, 'a.md'), join(root, 'link.md'));
    symlinkSync(root, join(root, 'sub', 'circle'));
  });

  afterEach(() => {
    rmSync(root, { recursive: true });
  });

  it('finds text files in a fixed order and skips links, empty files and other kinds', () => {
    const { files, bytes } = findInput(root, 1_000);
    expect(files.map(({ path }) => path.slice(root.length + 1))).toEqual(['a.md', 'b.txt', 'sub/c.js']);
    expect(bytes).toBe(9);
  });

  it('takes a single file, whatever it is called', () => {
    expect(findInput(join(root, 'image.png'), 1_000).files).toHaveLength(1);
  });

  it('finds nothing behind a link', () => {
    expect(findInput(join(root, 'link.md'), 1_000).files).toEqual([]);
  });

  it('leaves out what would exceed the limit', () => {
    expect(findInput(root, 5).files.map(({ size }) => size)).toEqual([3, 2]);
  });

  it('has another fingerprint when a file changes its size', () => {
    const before = findInput(root, 1_000).fingerprint;
    expect(findInput(root, 1_000).fingerprint).toBe(before);
    writeFileSync(join(root, 'a.md'), 'aaaa');
    expect(findInput(root, 1_000).fingerprint).not.toBe(before);
  });
});
