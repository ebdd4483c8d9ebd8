import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { describe, expect, onTestFinished, test } from 'vitest';
import { KeyfoldError, isKeyfoldError } from '../src/errors.ts';
import { type OpenKmsOptions, openKms } from '../src/kms/url.ts';
import { MemoryKms } from '../src/testing/memory-kms.ts';
import { rejection } from './support/checkpoints.ts';

const URLS = [
  ['local:///var/keys/keyring.kf?keyFile=/etc/key', '@keyfold/kms-local'],
  ['aws-kms:///alias/app?region=eu-west-1', '@keyfold/kms-aws'],
  ['aws-kms:///arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab', '@keyfold/kms-aws'],
  ['azure-keyvault://vault.example/keys/app', '@keyfold/kms-azure'],
  ['gcp-kms://projects/P/locations/L/keyRings/R/cryptoKeys/K', '@keyfold/kms-gcp'],
  ['pkcs11:token=app;object=kek?pin-source=/etc/pin', '@keyfold/kms-local/pkcs11'],
  ['LOCAL:///var/keys/keyring.kf', '@keyfold/kms-local'],
] as const;

/** A loader of a provider that notes what it was asked. */
function provider(): { readonly load: OpenKmsOptions['load']; readonly asked: unknown[]; readonly kms: MemoryKms } {
  const [asked, kms]: [unknown[], MemoryKms] = [[], new MemoryKms()];
  const openKmsUrl = (...args: unknown[]): Promise<MemoryKms> => {
    asked.push(args);
    return Promise.resolve(kms);
  };
  const load = (name: string): Promise<unknown> => {
    asked.push(name);
    return Promise.resolve({ openKmsUrl });
  };
  return { load, asked, kms };
}

/** The refusal of a URL, which shows nothing that could be secret. */
async function refusal(url: unknown, message: RegExp): Promise<KeyfoldError> {
  const { load, asked } = provider();
  const error = await rejection(openKms(url as string, { load }));
  expect(isKeyfoldError(error, 'CONFIG_INVALID')).toBe(true);
  expect(String(error)).toMatch(message);
  expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('hunter2');
  expect(asked).toEqual([]);
  return error as KeyfoldError;
}

describe('a URL of a key', () => {
  test.each(URLS)('%s is read by %s', async (url, name) => {
    const { load, asked, kms } = provider();
    const options = { password: 'hunter2' };
    expect(await openKms(url, { load, options })).toBe(kms);
    expect(asked).toEqual([name, [url, options]]);
  });

  test('needs no options', async () => {
    const { load, asked } = provider();
    await openKms('local:///a', { load });
    expect(asked[1]).toEqual(['local:///a', {}]);
  });

  test.each<[string, unknown]>([
    ['a path', '/var/keys/hunter2.kf'],
    ['a name', 'hunter2'],
    ['nothing', ''],
    ['no text', undefined],
    ['a number', 5],
    ['a user without a host', 'aws-kms://AKIA:hunter2@/alias/app'],
    ['a broken host', 'azure-keyvault://[hunter2/keys/k'],
    ['a space in front', ' local:///hunter2'],
    ['a line break in it', 'local:///hunter2\n'],
    ['a tab in its scheme', 'lo\tcal:///hunter2'],
    ['a character beyond ASCII', 'local:///hunter2/é'],
    ['more than 8,192 characters', `local:///hunter2${'a'.repeat(8_192)}`],
  ])('that is %s is refused with what it should be', async (_, url) => {
    await refusal(url, /no URL of a key.*local:\/\/\/path\/keyring\.kf.*aws-kms:\/\/\/alias/);
  });

  test.each(['https://hunter2.example/key', 'aws:///alias/hunter2', 'awskms:///alias/hunter2', 'file:///hunter2', 'constructor:///hunter2'])('%s has no known scheme', async (url) => {
    await refusal(url, /no key service for the scheme.*Known are: local:.*pkcs11:/);
  });

  test.each([
    'aws-kms://AKIA:hunter2@host/alias/app',
    'azure-keyvault://hunter2@vault.example/keys/app',
    'local://:hunter2@host/keyring.kf',
  ])('with a user or password is refused', async (url) => {
    await refusal(url, /user or password.*"options"/);
  });

  test.each(['password', 'PASSWORD', 'pass%77ord', 'pin-value', 'secretAccessKey', 'secret_access_key', 'accessKeyId', 'session-token', 'key', 'clientSecret', 'sig'])('with %s in its query is refused', async (member) => {
    await refusal(`aws-kms:///alias/app?region=eu-west-1&${member}=hunter2`, /secret in its query.*"options"/);
  });
});

describe('a provider', () => {
  test('is only loaded by what the caller passes', async () => {
    expect(await rejection(openKms('local:///a', {} as OpenKmsOptions))).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('load: (name) => import(name)') as string });
  });

  test.each([undefined, null, 'text', {}, { openKmsUrl: 'text' }])('that is %s is refused', async (module) => {
    const error = await rejection(openKms('local:///a', { load: () => Promise.resolve(module) }));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', message: expect.stringContaining('no openKmsUrl()') as string });
  });

  test.each([
    ['an error', new TypeError('inside')],
    ['an error that says the same and is another', Object.assign(new Error("Cannot find package '@keyfold/kms-local'"), { code: 'EACCES' })],
    ['an error of no words', Object.assign(new Error(), { code: 'ERR_MODULE_NOT_FOUND', message: undefined })],
  ])('that fails while it is loaded is not hidden: %s', async (_, error) => {
    expect(await rejection(openKms('local:///a', { load: () => Promise.reject(error) }))).toBe(error);
  });

  test('has its refusals passed on', async () => {
    const error = new KeyfoldError('KEY_NOT_FOUND', 'Injected.');
    const load = (): Promise<unknown> => Promise.resolve({ openKmsUrl: () => Promise.reject(error) });
    expect(await rejection(openKms('local:///a', { load }))).toBe(error);
  });
});

describe('a package that Node does not find', () => {
  const BROKEN: readonly (readonly [string, string])[] = [
    ['one of its files', "import './missing.js';"],
    ['what it depends on', "import '@aws-sdk/client-kms';"],
    ['another provider', "import '@keyfold/kms-gcp';"],
    ['a package whose name begins the same', "import '@keyfold/kms-awsome';"],
  ];

  /** A folder of programs, with a package of that source when one is given. */
  function folder(source?: string): string {
    const path = mkdtempSync(join(tmpdir(), 'keyfold-url-'));
    onTestFinished(() => {
      rmSync(path, { recursive: true, force: true });
    });
    if (source === undefined) return path;
    const installed = join(path, 'node_modules/@keyfold/kms-aws');
    mkdirSync(installed, { recursive: true });
    writeFileSync(join(installed, 'package.json'), JSON.stringify({ name: '@keyfold/kms-aws', type: 'module', exports: './index.js' }));
    writeFileSync(join(installed, 'index.js'), source);
    return path;
  }

  /** What a program in that folder gets for a package, as an error of this process. */
  function programIn(path: string, type: string, program: (name: string) => string): OpenKmsOptions['load'] {
    return (name) => {
      // An empty environment, or require() would also look where it says.
      const output = execFileSync(process.execPath, [`--input-type=${type}`, '--eval', program(JSON.stringify(name))], { cwd: path, env: {}, encoding: 'utf8' });
      const { code, message } = JSON.parse(output) as { code: string; message: string };
      return Promise.reject(Object.assign(new Error(message), { code }));
    };
  }

  function importIn(path: string): OpenKmsOptions['load'] {
    return programIn(path, 'module', (name) => `await import(${name}).catch(({ code, message }) => console.log(JSON.stringify({ code, message })))`);
  }

  test.each([
    ['aws-kms:///alias/app', '@keyfold/kms-aws'],
    ['pkcs11:token=prod;object=app', '@keyfold/kms-local'],
  ])('for %s is named with the command that installs it', async (url, name) => {
    const error = await rejection(openKms(url, { load: importIn(folder()) }));
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', cause: { code: 'ERR_MODULE_NOT_FOUND' } });
    expect((error as Error).message.endsWith(`not installed: npm install ${name}`)).toBe(true);

    const load = programIn(folder(), 'commonjs', (entry) => `try { require(${entry}) } catch ({ code, message }) { console.log(JSON.stringify({ code, message })) }`);
    expect(((await rejection(openKms(url, { load }))) as Error).message.endsWith(`npm install ${name}`)).toBe(true);
  });

  test.each(BROKEN)('is not said to be missing when %s is', async (_, source) => {
    const error = await rejection(openKms('aws-kms:///alias/app', { load: importIn(folder(source)) }));
    expect(isKeyfoldError(error)).toBe(false);
    expect(error).toMatchObject({ code: 'ERR_MODULE_NOT_FOUND' });
  });
});
