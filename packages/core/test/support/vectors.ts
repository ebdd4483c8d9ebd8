import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, test } from 'vitest';

const PROJECT = fileURLToPath(new URL('../../../../', import.meta.url));

/** Where the public test vectors are: KEYFOLD_VECTORS, relative to the project's root. */
function vectorsDirectory(): string {
  return resolve(PROJECT, process.env['KEYFOLD_VECTORS'] ?? '../shared/vectors');
}

/**
 * A group of tests over one file of public vectors. Where the file is absent,
 * CI fails; elsewhere the group is skipped and says so.
 */
export function describeVectors(title: string, file: string, define: (data: unknown) => void): void {
  const path = resolve(vectorsDirectory(), file);
  if (existsSync(path)) {
    describe(title, () => {
      define(JSON.parse(readFileSync(path, 'utf8')));
    });
    return;
  }
  const sentence = `"${title}" did not run: there is no ${path}. Set KEYFOLD_VECTORS to the directory of the public vectors.`;
  if ((process.env['CI'] ?? '') !== '') {
    test(title, () => {
      throw new Error(sentence);
    });
    return;
  }
  process.stderr.write(`${sentence}\n`);
  test.skip(sentence);
}

/** Bytes of a hex string, refusing anything that is none. */
export function hex(text: string): Uint8Array {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) throw new Error(`no hex: ${text.slice(0, 40)}`);
  return new Uint8Array(Buffer.from(text, 'hex'));
}
