import { appendFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { demo } from '../src/demo.ts';
import { run } from '../src/run.ts';
import { runJob } from '../src/supervisor.ts';

describe('the demo', () => {
  let scratch: string;
  let input: string;
  let printed: string[];

  beforeEach(() => {
    scratch = mkdtempSync(join(tmpdir(), 'keyfold-demo-test-'));
    input = join(scratch, 'input');
    mkdirSync(input);
    for (let file = 0; file < 24; file++) {
      const words = Array.from({ length: 400 }, (_, i) => `identifier${file * 150 + i}`);
      writeFileSync(join(input, `${file}.txt`), words.join(' '));
    }
    printed = [];
    const keep = (...parts: unknown[]): void => void printed.push(stripVTControlCharacters(parts.join(' ')));
    vi.spyOn(console, 'log').mockImplementation(keep);
    vi.spyOn(console, 'error').mockImplementation(keep);
  });

  afterEach(() => {
    vi.restoreAllMocks();
    rmSync(scratch, { recursive: true });
  });

  it('survives three kills with the state of an uninterrupted run, and shows what it promises', async () => {
    expect(await run([input])).toBe(0);
    const report = printed.join('\n');
    expect(report.match(/SIGKILL/g)).toHaveLength(3);
    expect(report.match(/SIGKILL inside a save/g)).toHaveLength(1);
    expect(report).toContain('✓ the same');
    expect(report).toContain('✓ opaque');
    expect(report).toContain('✓ INTEGRITY_FAILURE');
    expect(report).toContain('✓ KEY_NOT_ALLOWED');
    expect(report).toContain('✓ AUTHENTICATION_FAILED');
    expect(report).toContain('✓ not a byte changed');
    expect(report).toContain('✓ everything readable');
    expect(report).not.toContain('✗');
  });

  it('is killed three times over a single small file as well, and prints one line of JSON when asked', async () => {
    expect(await run([join(input, '0.txt'), '--json', '--seed', '5'])).toBe(0);
    expect(printed).toHaveLength(1);
    expect(JSON.parse(printed.join(''))).toMatchObject({ ok: true, kills: 3, files: 1, raw: { found: 0 } });
  });

  it('leaves its working directory only when asked to', async () => {
    const before = readdirSync(tmpdir()).filter((name) => name.startsWith('keyfold-demo-'));
    await run([join(input, '0.txt'), '--json']);
    expect(readdirSync(tmpdir()).filter((name) => name.startsWith('keyfold-demo-'))).toEqual(before);
    await run([join(input, '0.txt'), '--keep']);
    const kept = (/working directory (\S+)/.exec(printed.join('\n')))?.[1] ?? '';
    expect(readdirSync(kept)).toContain('crashed');
    rmSync(kept, { recursive: true });
  });

  it('says what is wrong with its arguments, or with an input without text', async () => {
    expect(await run(['--seed', 'x'])).toBe(2);
    expect(await run(['--help'])).toBe(0);
    mkdirSync(join(scratch, 'empty'));
    expect(await run([join(scratch, 'empty')])).toBe(1);
    expect(await run([join(scratch, 'absent')])).toBe(1);
    expect(printed.join('\n')).toMatch(/takes a whole number[^]*npm run demo[^]*There are no text files[^]*ENOENT/);
  });

  it('fails when the job fails, here because the input changed between two checkpoints', async () => {
    const directory = join(scratch, 'work');
    const options = { input, seed: 1, maxBytes: 1e9, json: true, keep: true };
    expect(await demo(options, directory)).toBe(true);
    appendFileSync(join(input, '3.txt'), ' more');
    await expect(runJob({ directory: join(directory, 'crashed'), input, maxBytes: 1e9, checkpoints: 12 }, () => undefined)).rejects.toThrow('input files changed');
  });
});
