import { execFileSync } from 'node:child_process';
import { createSecretKey, randomBytes } from 'node:crypto';
import { copyFileSync, linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { SecretBytes, systemRandomSource } from '@keyfold/core/provider';
import { describe, expect, it } from 'vitest';
import { LocalKms } from '../src/index.ts';
import { withNewPrimary } from '../src/kek-set.ts';
import { KeyringFile, MAX_ATTEMPTS } from '../src/keyring-file.ts';
import { sealKeyring } from '../src/keyring-format.ts';
import { KeyringPaths } from '../src/keyring-paths.ts';
import { openKeyringFile } from '../src/local-kms.ts';
import { DEFAULT_INTERNALS } from '../src/options.ts';
import { context, filesOf, place, refusal } from './support/keyring.ts';

const keks = withNewPrimary(undefined, SecretBytes.random(32, systemRandomSource), 0);

/** A file of that generation which no process wrote. */
function content(generation: number): Uint8Array {
  return sealKeyring({ keyId: 'k', generation, kdf: { name: 'none' } }, keks, createSecretKey(randomBytes(32)));
}

/** A keyring after so many rotations. */
async function rotated(times: number): Promise<{ directory: string; path: string; key: Uint8Array; file: KeyringFile }> {
  const where = place();
  const client = await LocalKms.create(where.path, { key: where.key });
  for (let count = 0; count < times; count++) await client.rotateKey();
  await client.close();
  return { ...where, file: new KeyringFile(new KeyringPaths(where.path)) };
}

/** Runs the command that the message ends with. */
function obey(message: string): void {
  execFileSync('sh', ['-c', /run: (rm -f .*)$/.exec(message)?.[1] ?? expect.fail(`No command in: ${message}`)]);
}

describe('the files of a keyring', () => {
  it('are the current one, one backup, and an empty claim for every older generation', async () => {
    const { directory, path } = await rotated(3);
    const sizes = Object.entries(filesOf(directory)).map(([name, bytes]) => [name, bytes.byteLength > 0]);
    expect(sizes).toEqual([
      ['keyring.kf', true],
      ['keyring.kf.1', false],
      ['keyring.kf.2', false],
      ['keyring.kf.3', true],
      ['keyring.kf.4', true],
    ]);
    expect(readFileSync(path)).toEqual(readFileSync(`${path}.4`));
  });

  it('are swept of temporary files of generations that are over, and of no others', async () => {
    const { directory, path, key } = await rotated(1);
    const hex = 'a'.repeat(32);
    for (const name of [`~1-${hex}`, `~3-${hex}`, `~4-${hex}`, `~1-${hex}x`, '~x', 'txt']) writeFileSync(`${path}.${name}`, 'x', { mode: 0o600 });
    await (await LocalKms.open(path, { key })).rotateKey();
    const left = Object.keys(filesOf(directory)).filter((name) => !/\.\d+$/.test(name));
    expect(left).toEqual(['keyring.kf', 'keyring.kf.txt', `keyring.kf.~1-${hex}x`, `keyring.kf.~4-${hex}`, 'keyring.kf.~x'].sort());
  });
});

describe('a claim', () => {
  it('to a generation that was made is lost, however long ago that was', async () => {
    const { path, file } = await rotated(4);
    const before = readFileSync(path);
    for (let generation = 1; generation <= 5; generation++) expect(await file.commit(content(generation), generation)).toBe(false);
    expect(readFileSync(path)).toEqual(before);
  });

  it('that succeeds only because a numbered file was removed by hand is withdrawn', async () => {
    const { directory, path, file } = await rotated(4);
    const before = readFileSync(path);
    rmSync(`${path}.2`);
    expect(await file.commit(content(2), 2)).toBe(false);
    expect(readFileSync(path)).toEqual(before);
    expect(readFileSync(`${path}.2`)).toHaveLength(0);
    expect(Object.keys(filesOf(directory)).filter((name) => name.includes('~'))).toEqual([]);
  });

  it('that another process published in the meantime counts as made', async () => {
    const { path, key } = await rotated(0);
    const onStep = (step: string): void => {
      // What a helper does between claim and publication, with a further generation on top.
      if (step !== 'claim durable') return;
      const [temporary = ''] = Object.keys(filesOf(directoryOf(path))).filter((name) => name.includes('~2-'));
      renameSync(`${directoryOf(path)}/${temporary}`, path);
    };
    const client = await openKeyringFile(path, { key }, { ...DEFAULT_INTERNALS, onStep });
    expect(await client.rotateKey()).toMatchObject({ id: '2' });
  });

  it('whose temporary file is swept before it is linked is made anew', async () => {
    const { path, key } = await rotated(0);
    let swept = false;
    const onStep = (step: string): void => {
      if (swept || step !== 'temporary durable') return;
      swept = true;
      for (const name of Object.keys(filesOf(directoryOf(path)))) if (name.includes('~')) rmSync(`${directoryOf(path)}/${name}`);
    };
    const client = await openKeyringFile(path, { key }, { ...DEFAULT_INTERNALS, onStep });
    expect(await client.rotateKey()).toMatchObject({ id: '2' });
    expect(swept).toBe(true);
  });

  it('is emptied although another process sweeps the first marker', async () => {
    const { path, key } = await rotated(1);
    let markers = 0;
    const onStep = (step: string): void => {
      if (step !== 'marker created' || markers++ > 0) return;
      for (const name of Object.keys(filesOf(directoryOf(path)))) if (name.includes('~')) rmSync(`${directoryOf(path)}/${name}`);
    };
    const client = await openKeyringFile(path, { key }, { ...DEFAULT_INTERNALS, onStep });
    await client.rotateKey();
    expect(markers).toBe(2);
    expect(readFileSync(`${path}.1`)).toHaveLength(0);
  });

  it('that loses every race ends with CONFLICT', async () => {
    const { path, key } = await rotated(0);
    let attempts = 0;
    const onStep = (step: string): void => {
      if (step !== 'temporary durable') return;
      attempts++;
      for (const name of Object.keys(filesOf(directoryOf(path)))) if (name.includes('~')) rmSync(`${directoryOf(path)}/${name}`);
    };
    const client = await openKeyringFile(path, { key }, { ...DEFAULT_INTERNALS, onStep });
    await refusal('CONFLICT', client.rotateKey());
    expect(attempts).toBe(MAX_ATTEMPTS);
  });
});

describe('a failure while tidying', () => {
  it('does not undo a rotation', async () => {
    const { path, key } = await rotated(1);
    const client = await LocalKms.open(path, { key });
    blockClaim(`${path}.1`);
    expect(await client.rotateKey()).toMatchObject({ id: '3' });
  });

  it('fails a destruction, because the backup may still hold the key; calling it again succeeds', async () => {
    const { path, key } = await rotated(1);
    const client = await LocalKms.open(path, { key });
    blockClaim(`${path}.1`);
    await refusal('CONFIG_INVALID', client.destroyKeyVersion('1'));
    rmSync(`${path}.1`, { recursive: true });
    writeFileSync(`${path}.1`, '', { mode: 0o600 });
    expect(await client.destroyKeyVersion('1')).toMatchObject({ state: 'destroyed' });
  });
});

describe('a current file that is damaged or missing is not replaced silently', () => {
  it('when it is damaged: the message names the backup, and its command restores it', async () => {
    const { path, key } = await rotated(2);
    // The newest claim is the same file as the current one, so it is damaged with it.
    writeFileSync(path, 'damaged\n');
    const error = await refusal('INTEGRITY_FAILURE', LocalKms.open(path, { key }));
    expect(error.message).toContain('A backup of generation 2 is there');
    obey(error.message);
    const client = await LocalKms.open(path, { key });
    expect(client.generation).toBe(2);
    expect(await client.rotateKey()).toMatchObject({ id: '3' });
  });

  it('when it does not authenticate: the message names the backup, and its command restores it', async () => {
    const { path, key } = await rotated(2);
    const bytes = readFileSync(path);
    bytes[bytes.length - 9] = bytes[bytes.length - 9] === 0x41 ? 0x42 : 0x41;
    writeFileSync(path, bytes);
    const error = await refusal('AUTHENTICATION_FAILED', LocalKms.open(path, { key }));
    expect(error.message).toContain('If the password or key is right: A backup of generation 2 is there');
    obey(error.message);
    expect((await LocalKms.open(path, { key })).generation).toBe(2);
  });

  it('when it is missing: the newest claim is the backup and nothing is lost', async () => {
    const { path, key } = await rotated(2);
    rmSync(path);
    const error = await refusal('KEY_NOT_FOUND', LocalKms.open(path, { key }));
    expect(error.message).toContain('A backup of generation 3 is there');
    obey(error.message);
    const client = await LocalKms.open(path, { key });
    expect(client.generation).toBe(3);
    expect(await client.rotateKey()).toMatchObject({ id: '4' });
  });

  it('when it is missing and its first claim is no file of this format', async () => {
    const { path, key } = place();
    writeFileSync(`${path}.1`, 'x', { mode: 0o600 });
    await refusal('KEY_NOT_FOUND', LocalKms.open(path, { key }));
  });

  it('when it is damaged and there is no usable backup', async () => {
    const { path, key } = await rotated(1);
    writeFileSync(path, 'damaged\n');
    writeFileSync(`${path}.1`, 'damaged, too\n');
    const error = await refusal('INTEGRITY_FAILURE', LocalKms.open(path, { key }));
    expect(error.message).not.toContain('backup');
  });

  it('when a backup cannot be read, it is passed over', async () => {
    const { path, key } = await rotated(1);
    writeFileSync(path, 'damaged\n');
    rmSync(`${path}.1`);
    mkdirSync(`${path}.1`);
    await refusal('INTEGRITY_FAILURE', LocalKms.open(path, { key }));
  });
});

describe('an older file under the current name is noticed by its numbered files', () => {
  it('while the newer claim is whole, and the command goes forward to it', async () => {
    const { path, key } = await rotated(2);
    rmSync(path);
    copyFileSync(`${path}.2`, path);
    const error = await refusal('INTEGRITY_FAILURE', LocalKms.open(path, { key }));
    expect(error.message).toContain('an older copy was put back');
    obey(error.message);
    expect((await LocalKms.open(path, { key })).generation).toBe(3);
  });

  it('when the newer claim is an empty one', async () => {
    const { path, key } = await rotated(1);
    copyFileSync(path, `${path}-old`);
    const client = await LocalKms.open(path, { key });
    for (let count = 0; count < 3; count++) await client.rotateKey();
    rmSync(path);
    copyFileSync(`${path}-old`, path);
    const error = await refusal('INTEGRITY_FAILURE', client.generateDataKey({ context }));
    expect(error.message).toContain('generation 2');
    obey(error.message);
    expect(await client.currentKeyVersion()).toMatchObject({ id: '5' });
  });

  it('and is accepted once the newer claims are removed, as the message says', async () => {
    const { path, key } = await rotated(2);
    rmSync(path);
    linkSync(`${path}.2`, path);
    await refusal('INTEGRITY_FAILURE', LocalKms.open(path, { key }));
    rmSync(`${path}.3`);
    const client = await LocalKms.open(path, { key });
    expect(await client.rotateKey()).toMatchObject({ id: '3' });
    expect(client.generation).toBe(3);
  });
});

function directoryOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/'));
}

/** Puts something in place of a claim that no file can replace. */
function blockClaim(path: string): void {
  rmSync(path);
  mkdirSync(path);
  writeFileSync(`${path}/inside`, '');
}
