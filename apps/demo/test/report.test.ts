import { stripVTControlCharacters } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { refusal } from '../src/evidence.ts';
import { Report } from '../src/report.ts';

const RESULT = { type: 'finished', checkpoint: 'x', words: 1, sha256: 'aa', bytes: 1 } as const;

describe('Report', () => {
  let printed: string;

  beforeEach(() => {
    printed = '';
    vi.spyOn(console, 'log').mockImplementation((text: string) => {
      printed += `${stripVTControlCharacters(text)}\n`;
    });
  });

  afterEach(() => {
    vi.restoreAllMocks();
    vi.unstubAllGlobals();
  });

  it('says so when something does not hold', () => {
    const report = new Report(false);
    report.same(RESULT, { ...RESULT, sha256: 'bb' });
    report.rawBytes({ file: 'f', size: 1, rows: ['00'], bitsPerByte: 4, searched: 2, found: 1 }, 'f');
    report.refusals([{ what: 'an attack', code: 'NOT_REFUSED', message: 'no' }]);
    report.rotation({ from: '1', to: '2', rotateMs: 1, rewrapped: 2, dataFilesUntouched: false, readable: 1, sha256: 'cc' }, 'aa');
    report.end(false, 1, undefined);
    expect(printed).toMatch(/✗ DIFFERENT[^]*✗ READABLE[^]*✗ NOT REFUSED[^]*✗ CHANGED[^]*✗ LOST[^]*does not hold/);
  });

  it('says nothing when a machine is reading', () => {
    new Report(true).end(true, 1, undefined);
    expect(printed).toBe('');
  });

  it('shows a bar on a terminal while a process works', () => {
    const tty = Object.getOwnPropertyDescriptor(process.stdout, 'isTTY');
    Object.defineProperty(process.stdout, 'isTTY', { value: true, configurable: true });
    try {
      const report = new Report(false);
      report.begin('process 1', 100);
      report.advance(50);
      report.finish();
      report.advance(60);
    } finally {
      if (tty === undefined) Reflect.deleteProperty(process.stdout, 'isTTY');
      else Object.defineProperty(process.stdout, 'isTTY', tty);
    }
    expect(printed).toBe('');
  });
});

describe('refusal', () => {
  it('notices when an attack succeeds', async () => {
    expect(await refusal('an attack', () => Promise.resolve())).toMatchObject({ code: 'NOT_REFUSED' });
  });

  it('passes on what is no refusal of ours', async () => {
    await expect(refusal('an attack', () => Promise.reject(new Error('a bug')))).rejects.toThrow('a bug');
  });
});
