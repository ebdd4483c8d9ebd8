import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';

/** Processes of ours whose command line names `text`. */
function processesNaming(text: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'utf8').includes(text) && readFileSync(`/proc/${pid}/cmdline`, 'utf8') !== '';
    } catch {
      return false;
    }
  });
}

it('a demo that is interrupted leaves no process and no directory', async () => {
  const scratch = mkdtempSync(join(tmpdir(), 'keyfold-interrupt-'));
  const input = join(scratch, 'input.txt');
  writeFileSync(input, 'some words to count '.repeat(400_000));
  const main = join(import.meta.dirname, '../dist/main.js');
  const child = spawn(process.execPath, [main, input], { env: { ...process.env, TMPDIR: scratch }, stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise<void>((resolve) => {
    child.stdout.on('data', (text: Buffer) => {
      if (text.includes('SIGKILL')) resolve();
    });
  });
  const ended = new Promise((resolve) => child.once('exit', (_, signal) => { resolve(signal); }));
  child.kill('SIGTERM');
  expect(await ended).toBe('SIGTERM');
  await expect.poll(() => processesNaming(scratch), { timeout: 10_000 }).toEqual([]);
  expect(readdirSync(scratch)).toEqual(['input.txt']);
  rmSync(scratch, { recursive: true });
  expect(existsSync(scratch)).toBe(false);
});
