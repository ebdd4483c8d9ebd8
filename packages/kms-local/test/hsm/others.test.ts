import { describe, expect, it } from 'vitest';
import { Pkcs11Kms } from '../../src/pkcs11/index.ts';
import { collect, context } from '../support/keyring.ts';
import { runThread, startProcess, unhex, until, type Line, type Other } from './support/others.ts';
import { PIN, useSoftHsm } from './support/softhsm.ts';

const hsm = useSoftHsm();

async function finished({ lines, over }: Other): Promise<readonly Line[]> {
  await over;
  return lines;
}

describe('other processes', () => {
  it('that rotate at the same moment make a version each, of ids of their own, and all agree on the primary', async () => {
    const options = hsm.options();
    const kms = await Pkcs11Kms.create(options);
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    const actions = ['barrier', 'rotate', 'wrap', 'rotate', 'wrap', 'rotate', 'wrap'];
    const others = [1, 2, 3].map(() => startProcess(options, actions, hsm.env));
    await until(() => others.every(({ lines }) => lines.length > 0));
    for (const { child } of others) child.stdin?.end('go\n');
    const lines = (await Promise.all(others.map(finished))).flat();
    expect(lines.filter(({ error }) => error !== undefined)).toEqual([]);

    // What this process makes of it, and what one makes of it that comes new.
    const versions = await collect(kms.listKeyVersions());
    expect(versions).toHaveLength(10);
    expect(new Set(versions.map(({ id }) => id)).size).toBe(10);
    const late = await Pkcs11Kms.open(options);
    expect(await collect(late.listKeyVersions())).toEqual(versions);
    expect(versions.map(({ id }) => id)).toEqual(expect.arrayContaining(lines.flatMap(({ rotated }) => rotated ?? [])));
    expect(await kms.currentKeyVersion()).toEqual(versions[0]);

    // No key that anybody wrapped meanwhile is lost.
    const wraps = lines.filter((line) => line.wrapped !== undefined);
    expect(wraps).toHaveLength(9);
    for (const line of wraps) expect(Buffer.from(await late.decrypt(unhex(line.wrapped), { context })).toString('hex')).toBe(line.plaintext);
    expect(await late.decrypt(wrapped, { context })).toEqual(plaintext);
  });

  it('that are killed while they rotate leave a key that opens, and no version without its attributes', async () => {
    const options = hsm.options();
    const kms = await Pkcs11Kms.create(options);
    for (const rotations of [1, 2, 5]) {
      const other = startProcess(options, ['wrap', 'forever'], hsm.env);
      await until(() => other.lines.length > rotations);
      other.child.kill('SIGKILL');
      expect(await other.over).toBe('SIGKILL');
      const [first] = other.lines;
      expect(Buffer.from(await kms.decrypt(unhex(first?.wrapped), { context })).toString('hex')).toBe(first?.plaintext);
      const { wrapped, plaintext } = await kms.generateDataKey({ context });
      const late = await Pkcs11Kms.open(options);
      expect(await late.decrypt(wrapped, { context })).toEqual(plaintext);
      const ids = (await collect(late.listKeyVersions())).map(({ id }) => id);
      expect(ids).toEqual(expect.arrayContaining(other.lines.flatMap(({ rotated }) => rotated ?? [])));
      await late.close();
    }
  });

  it('that are killed in the middle of a call take nothing with them', async () => {
    const options = hsm.options();
    const kms = await Pkcs11Kms.create(options);
    const other = startProcess(options, ['wrap', 'die'], hsm.env);
    expect(await other.over).toBe('SIGKILL');
    expect(Buffer.from(await kms.decrypt(unhex(other.lines[0]?.wrapped), { context })).toString('hex')).toBe(other.lines[0]?.plaintext);
  });

  it('with a wrong PIN get nothing, whatever this one is logged in to', async () => {
    const options = hsm.options();
    await Pkcs11Kms.create(options);
    const lines = await finished(startProcess({ ...options, pin: 'not-the-pin' }, ['wrap'], hsm.env));
    expect(lines).toEqual([{ error: 'AUTHENTICATION_FAILED', message: expect.stringContaining('PIN is wrong') as string }]);
    expect(JSON.stringify(lines)).not.toContain(PIN);
  });
});

describe('worker threads', () => {
  it('use the module that is initialised and logged in, each with sessions of its own', async () => {
    const options = hsm.options();
    const kms = await Pkcs11Kms.create(options);
    const before = hsm.calls('C_Login');
    const actions = ['wrap', 'rotate', 'wrap'];
    const lines = (await Promise.all([1, 2, 3].map(() => runThread(options, actions)))).flat();
    expect(lines.filter(({ error }) => error !== undefined)).toEqual([]);
    const wraps = lines.filter((line) => line.wrapped !== undefined);
    expect(wraps).toHaveLength(6);
    for (const line of wraps) expect(Buffer.from(await kms.decrypt(unhex(line.wrapped), { context })).toString('hex')).toBe(line.plaintext);
    expect(await collect(kms.listKeyVersions())).toHaveLength(4);
    expect(hsm.calls('C_Login')).toBe(before);
  });

  it('that end take neither the module nor the login from the others', async () => {
    const options = hsm.options();
    const kms = await Pkcs11Kms.create(options);
    const { plaintext, wrapped } = await kms.generateDataKey({ context });
    await runThread(options, ['wrap']);
    expect(await kms.decrypt(wrapped, { context })).toEqual(plaintext);
    await kms.close();
    const [line] = await runThread(options, ['wrap']);
    expect(line?.wrapped?.keyVersion).toBe(wrapped.keyVersion);
  });
});

it('the binding that is missing a file is no module', async () => {
  await expect(Pkcs11Kms.open({ ...hsm.options(), module: '/nowhere/token.so' })).rejects.toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('/nowhere/token.so') as string });
  await expect(Pkcs11Kms.open({ ...hsm.options(), module: process.execPath })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
});
