import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { KEY } from './support/constants.ts';

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

test('importing the package loads nothing of the SDK; using a key does', async () => {
  const imported = await loadedBy(`await import('@keyfold/kms-gcp');`);
  expect(imported).toMatch(/kms-gcp\/dist\/index\.js/);
  expect(imported).not.toMatch(/google-cloud|google-gax|grpc|protobuf|crc-32/);
  const opened = await loadedBy(`const { GcpKms } = await import('@keyfold/kms-gcp'); await GcpKms.open({ keyId: '${KEY}' });`);
  expect(opened).not.toMatch(/google-cloud|google-gax|grpc|protobuf/);
  const used = await loadedBy(`const { GcpKms } = await import('@keyfold/kms-gcp');
    const kms = await GcpKms.open({ keyId: '${KEY}', endpoint: 'http://127.0.0.1:1' });
    await kms.currentKeyVersion().catch((error) => console.log(error.code));`);
  expect(used).toMatch(/google-cloud/);
  expect(used).toMatch(/^KMS_UNAVAILABLE$/m);
});

test('the package depends on core and Google\'s SDK, and on no other cloud', () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { dependencies: object };
  expect(Object.keys(manifest.dependencies)).toEqual(['@google-cloud/kms', '@keyfold/core', 'crc-32']);
});
