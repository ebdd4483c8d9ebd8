import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';

/** Names every module that a process loads, ES modules and CommonJS alike. */
const WATCH = `
import { createRequire, register } from 'node:module';
const Module = createRequire(import.meta.url)('node:module');
const load = Module._load;
Module._load = function (name, ...rest) { console.log('loads ' + name); return load.call(this, name, ...rest); };
register('data:text/javascript,' + encodeURIComponent(
  "import { writeSync } from 'node:fs'; export async function resolve(name, context, next) { const found = await next(name, context); writeSync(1, 'loads ' + found.url + String.fromCharCode(10)); return found; }"));
`;

async function loadedBy(program: string): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', `${WATCH}\n${program}`], { cwd: import.meta.dirname });
  return stdout;
}

test('importing the package loads nothing of the SDK; opening a key does', async () => {
  const imported = await loadedBy(`await import('@keyfold/kms-aws');`);
  expect(imported).toMatch(/kms-aws\/dist\/index\.js/);
  expect(imported).not.toMatch(/aws-sdk|smithy/);
  const opened = await loadedBy(`const { AwsKms } = await import('@keyfold/kms-aws'); await AwsKms.open({ keyId: 'arn:aws:kms:eu-west-1:111122223333:key/1' });`);
  expect(opened).toMatch(/aws-sdk/);
});

test('the package depends on core and AWS\'s SDK, and on no other cloud', () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { dependencies: object };
  expect(Object.keys(manifest.dependencies)).toEqual(['@aws-sdk/client-kms', '@keyfold/core']);
});
