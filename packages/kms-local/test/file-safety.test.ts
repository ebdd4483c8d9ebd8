import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { LocalKms } from '../src/index.ts';
import { context, filesOf, place, refusal, runWorker } from './support/keyring.ts';

const NOBODY = 65_534;
const isRoot = process.geteuid?.() === 0;

async function created(): Promise<{ directory: string; path: string; key: Uint8Array }> {
  const where = place();
  await (await LocalKms.create(where.path, { key: where.key })).close();
  return where;
}

describe('a keyring is refused', () => {
  it.each([0o644, 0o640, 0o602, 0o610, 0o700])('when its mode is %o, and the message says which chmod helps', async (mode) => {
    const { path, key } = await created();
    chmodSync(path, mode);
    const error = await refusal('CONFIG_INVALID', LocalKms.open(path, { key }));
    expect(error.message).toContain(`chmod 600 '${path}'`);
    execFileSync('sh', ['-c', `chmod 600 '${path}'`]);
    await LocalKms.open(path, { key });
  });

  it.each([0o755, 0o750, 0o701, 0o770])('when the mode of its directory is %o', async (mode) => {
    const { directory, path, key } = await created();
    chmodSync(directory, mode);
    expect((await refusal('CONFIG_INVALID', LocalKms.open(path, { key }))).message).toContain(`chmod 700 '${directory}'`);
    await refusal('CONFIG_INVALID', LocalKms.create(join(directory, 'other'), { key }));
  });

  it('when it becomes readable for others while it is open', async () => {
    const { path, key } = await created();
    const client = await LocalKms.open(path, { key });
    chmodSync(path, 0o644);
    await refusal('CONFIG_INVALID', client.generateDataKey({ context }));
    expect(await client.testConnection()).toMatchObject({ reachable: true, permitted: false, problem: { code: 'CONFIG_INVALID' } });
  });

  it('when it is a symbolic link, even to a good keyring', async () => {
    const { directory, path, key } = await created();
    const alias = join(directory, 'alias');
    symlinkSync(path, alias);
    expect((await refusal('CONFIG_INVALID', LocalKms.open(alias, { key }))).message).toContain('symbolic link');
    await refusal('ALREADY_EXISTS', LocalKms.create(alias, { key }));
  });

  it('when it is a dangling symbolic link: creating does not write through it', async () => {
    const { directory, key } = place();
    const alias = join(directory, 'alias');
    symlinkSync(join(directory, 'target'), alias);
    await refusal('CONFIG_INVALID', LocalKms.open(alias, { key }));
    await refusal('ALREADY_EXISTS', LocalKms.create(alias, { key }));
    expect(() => filesOf(directory)['target']).toThrow();
  });

  it('when its directory is a symbolic link', async () => {
    const { directory, key } = await created();
    const alias = join(place().directory, 'alias');
    symlinkSync(directory, alias);
    await refusal('CONFIG_INVALID', LocalKms.open(join(alias, 'keyring.kf'), { key }));
  });

  it('when it is a directory or a FIFO, without waiting for a writer', async () => {
    const { directory, key } = place();
    mkdirSync(join(directory, 'd'), { mode: 0o600 });
    execFileSync('mkfifo', ['-m', '600', join(directory, 'f')]);
    await refusal('CONFIG_INVALID', LocalKms.open(join(directory, 'd'), { key }));
    await refusal('CONFIG_INVALID', LocalKms.open(join(directory, 'f'), { key }));
  });

  it('when its directory is a file', async () => {
    const { path, key } = await created();
    await refusal('CONFIG_INVALID', LocalKms.open(join(path, 'keyring.kf'), { key }));
    await refusal('CONFIG_INVALID', LocalKms.create(join(path, 'keyring.kf'), { key }));
  });

  it('when it or its directory is not there, with the way to make it', async () => {
    const { directory, path, key } = place();
    expect((await refusal('KEY_NOT_FOUND', LocalKms.open(path, { key }))).message).toContain('LocalKms.create');
    const missing = join(directory, 'it is', 'k');
    expect((await refusal('KEY_NOT_FOUND', LocalKms.create(missing, { key }))).message).toContain(`mkdir -m 700 '${dirname(missing)}'`);
  });

  it('when its name is longer than the file system permits', async () => {
    const { directory, key } = place();
    await refusal('CONFIG_INVALID', LocalKms.open(join(directory, 'x'.repeat(300)), { key }));
    await refusal('CONFIG_INVALID', LocalKms.create(join(directory, 'x'.repeat(300)), { key }));
  });

  it('on a system without POSIX users', async () => {
    const { path, key } = await created();
    vi.stubGlobal('process', Object.create(process, { geteuid: { value: undefined } }));
    onTestFinished(() => {
      vi.unstubAllGlobals();
    });
    await refusal('NOT_SUPPORTED', LocalKms.open(path, { key }));
  });

  it('when it, its directory or the key file belongs to another user, even by root', async () => {
    const { directory, path, key } = await created();
    // Root gives its own files away; anybody else finds files of root.
    const foreignFile = isRoot ? path : '/etc/hosts';
    const foreignDirectory = isRoot ? directory : '/etc';
    if (isRoot) chownSync(path, NOBODY, NOBODY);
    const other = place();
    const error = await refusal('CONFIG_INVALID', LocalKms.create(other.path, { keyFile: foreignFile }));
    expect(error.message).toContain(`chown ${process.geteuid?.() ?? ''} '${foreignFile}'`);
    if (isRoot) await refusal('CONFIG_INVALID', LocalKms.open(path, { key }));
    if (isRoot) chownSync(path, 0, 0);
    if (isRoot) chownSync(directory, NOBODY, NOBODY);
    expect((await refusal('CONFIG_INVALID', LocalKms.open(join(foreignDirectory, 'keyring.kf'), { key }))).message).toContain('chown');
  });
});

describe('creating', () => {
  it('makes the keyring and its claim with mode 0600 whatever the umask', async () => {
    const umask = process.umask(0o777);
    onTestFinished(() => {
      process.umask(umask);
    });
    const { directory, path, key } = await created();
    expect(execFileSync('ls', ['-l', directory], { encoding: 'utf8' }).match(/^-rw-------/gm)).toHaveLength(2);
    process.umask(umask);
    await LocalKms.open(path, { key });
  });

  it('refuses an existing keyring and leaves it as it is', async () => {
    const { directory, path, key } = await created();
    const before = filesOf(directory);
    await refusal('ALREADY_EXISTS', LocalKms.create(path, { key }));
    expect(filesOf(directory)).toEqual(before);
  });

  it('refuses the place of a keyring whose current file was removed', async () => {
    const { path, key } = await created();
    rmSync(path);
    await refusal('ALREADY_EXISTS', LocalKms.create(path, { key }));
  });
});

describe('a process without permission', () => {
  /** Root is permitted everything, so another user takes its place. */
  const user = isRoot ? { uid: NOBODY } : {};

  /** A keyring of that user with two versions. */
  async function owned(): Promise<{ directory: string; path: string; key: Uint8Array }> {
    const directory = mkdtempSync(join(tmpdir(), 'keyfold-user-'));
    onTestFinished(() => {
      chmodSync(directory, 0o700);
      rmSync(directory, { recursive: true });
    });
    if (isRoot) chownSync(directory, NOBODY, NOBODY);
    const path = join(directory, 'keyring.kf');
    const { key } = place();
    expect(await runWorker({ path, key, actions: ['create', 'rotate'], ...user })).not.toHaveProperty('error');
    return { directory, path, key };
  }

  it('to enter the directory gets STORAGE_DENIED', async () => {
    const { directory, path, key } = await owned();
    chmodSync(directory, 0o000);
    expect(await runWorker({ path, key, actions: ['open'], ...user })).toMatchObject({ error: 'STORAGE_DENIED' });
    expect(await runWorker({ path: `${path}2`, key, actions: ['create'], ...user })).toMatchObject({ error: 'STORAGE_DENIED' });
  });

  it('to read the file gets STORAGE_DENIED', async () => {
    const { path, key } = await owned();
    chmodSync(path, 0o000);
    expect(await runWorker({ path, key, actions: ['open'], ...user })).toMatchObject({ error: 'STORAGE_DENIED' });
  });

  it('to write the directory can wrap and unwrap, and gets STORAGE_DENIED when it rotates', async () => {
    const { directory, path, key } = await owned();
    chmodSync(directory, 0o500);
    const report = await runWorker({ path, key, actions: ['open', 'rotate'], ...user });
    expect(report).toMatchObject({ error: 'STORAGE_DENIED' });
    expect(report.promised).toHaveLength(1);
  });

  it('to write the directory opens the last published generation when another was killed before publishing', async () => {
    const { directory, path, key } = await owned();
    const actions = ['open', 'rotate'];
    const killed = await runWorker({ path, key, actions, ...user, killAt: 2 });
    expect(killed.signal).toBe('SIGKILL');
    chmodSync(directory, 0o500);
    const report = await runWorker({ path, key, actions: ['open'], ...user });
    expect(report.promised[0]?.wrapped.keyVersion).toBe('2');
    chmodSync(directory, 0o700);
    const after = await runWorker({ path, key, actions: ['open'], ...user });
    expect(after.promised[0]?.wrapped.keyVersion).toBe('3');
  });
});

it('a keyring that was moved with its numbered files opens at its new place', async () => {
  const { directory, path, key } = await created();
  renameSync(path, join(directory, 'moved'));
  renameSync(`${path}.1`, join(directory, 'moved.1'));
  writeFileSync(join(directory, 'moved.txt'), 'unrelated');
  const client = await LocalKms.open(join(directory, 'moved'), { key });
  await client.rotateKey();
  expect(filesOf(directory)).toHaveProperty(['moved.txt']);
});
