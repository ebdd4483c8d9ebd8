import { readdir } from 'node:fs/promises';
import { constantTimeEqual } from '@keyfold/core/provider';
import { shellWord, typed } from './error-codes.ts';
import { MAX_KEYRING_BYTES, parseKeyring } from './keyring-format.ts';
import type { KeyringPaths } from './keyring-paths.ts';
import { readPrivateFile } from './private-file.ts';

/**
 * The sentence that tells how to go back to the newest usable backup, or an
 * empty one when there is none. Nothing is restored silently: the backup may
 * lack the newest key version, and only a person knows whether that matters.
 */
export async function restoreAdvice(paths: KeyringPaths, damaged: Uint8Array | undefined): Promise<string> {
  const claims = await claimedGenerations(paths);
  for (const generation of claims.toReversed()) {
    if (!(await isUsable(paths.claim(generation), generation, damaged))) continue;
    const remove = [paths.current, ...claims.filter((other) => other > generation).map((other) => paths.claim(other))];
    const backup = shellWord(paths.claim(generation));
    return (
      ` A backup of generation ${generation} is there. To go back to it (key versions made later are lost),` +
      ` stop every process that uses the keyring and run:` +
      ` rm -f ${remove.map(shellWord).join(' ')} && cp -p ${backup} ${shellWord(paths.current)}`
    );
  }
  return '';
}

/** Every generation that has a claim, ascending. */
async function claimedGenerations(paths: KeyringPaths): Promise<number[]> {
  const entries = await typed(`Listing ${paths.directory}`, () => readdir(paths.directory));
  return entries
    .flatMap((entry) => paths.classify(entry) ?? [])
    .filter(({ kind }) => kind === 'claim')
    .map(({ generation }) => generation)
    .sort((a, b) => a - b);
}

async function isUsable(path: string, generation: number, damaged: Uint8Array | undefined): Promise<boolean> {
  try {
    const file = await readPrivateFile(path, 'The backup', MAX_KEYRING_BYTES);
    if (file === undefined || (damaged !== undefined && constantTimeEqual(file.bytes, damaged))) return false;
    return parseKeyring(file.bytes).header.generation === generation;
  } catch {
    // Advice for an error that is being reported already: a backup that cannot be read is none.
    return false;
  }
}
