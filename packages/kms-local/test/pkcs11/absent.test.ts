import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { tempDirectory } from '../support/keyring.ts';

const OPEN = `
import { Pkcs11Kms } from '@keyfold/kms-local/pkcs11';
const options = { module: '/nowhere/token.so', token: 'a', keyLabel: 'b', pin: '1234' };
await Pkcs11Kms.open(options).catch(({ code, message }) => console.log(JSON.stringify({ code, message })));
`;

/** The package as it is installed, beside what `binding` puts there. */
function openFrom(binding?: (modules: string) => void): { code: string; message: string } {
  const directory = tempDirectory();
  const modules = join(directory, 'node_modules');
  const target = join(modules, '@keyfold', 'kms-local');
  const here = fileURLToPath(new URL('../..', import.meta.url));
  mkdirSync(target, { recursive: true });
  for (const name of ['dist', 'package.json']) cpSync(join(here, name), join(target, name), { recursive: true });
  symlinkSync(join(here, '..', 'core'), join(modules, '@keyfold', 'core'));
  binding?.(modules);
  const program = join(directory, 'open.mjs');
  writeFileSync(program, OPEN);
  return JSON.parse(execFileSync(process.execPath, [program], { encoding: 'utf8', cwd: directory })) as { code: string; message: string };
}

it('without pkcs11js, opening a token says how to install it', () => {
  expect(openFrom()).toEqual({ code: 'NOT_SUPPORTED', message: expect.stringContaining('npm install pkcs11js') as string });
});

it('with a pkcs11js whose native part was not compiled, opening a token says how to compile it', () => {
  const { code, message } = openFrom((modules) => {
    mkdirSync(join(modules, 'pkcs11js'));
    writeFileSync(join(modules, 'pkcs11js', 'package.json'), '{"name": "pkcs11js", "version": "2.1.7", "main": "index.js"}');
    writeFileSync(join(modules, 'pkcs11js', 'index.js'), "require('./build/Release/pkcs11.node');");
  });
  expect({ code, message }).toEqual({ code: 'NOT_SUPPORTED', message: expect.stringContaining('npm rebuild pkcs11js') as string });
});
