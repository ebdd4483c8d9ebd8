import type { IncomingMessage } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { crc32c } from '../src/crc32c.ts';
import { GcpKms } from '../src/index.ts';
import type { GcpKmsClient } from '../src/gcp-kms-client.ts';
import { collect } from './support/collect.ts';
import { CONTEXT, KEY } from './support/constants.ts';
import { failure } from './support/expect-code.ts';
import { serve } from './support/http.ts';

async function openRest(endpoint: string): Promise<GcpKmsClient> {
  const kms = await GcpKms.open({ keyId: KEY, endpoint, transport: 'rest' });
  onTestFinished(() => kms.close());
  return kms;
}

/** An error as Google's HTTP interface gives it. */
function google(code: number, status: string, message: string): string {
  return JSON.stringify({ error: { code, status, message } });
}

test.each([
  [400, google(400, 'INVALID_ARGUMENT', 'The field is wrong.'), 'CONFIG_INVALID'],
  [400, google(400, 'FAILED_PRECONDITION', 'V is not enabled, current state is: DISABLED.'), 'KEY_DISABLED'],
  [401, google(401, 'UNAUTHENTICATED', 'Request had invalid authentication credentials.'), 'AUTHENTICATION_FAILED'],
  [403, google(403, 'PERMISSION_DENIED', 'Permission denied.'), 'ACCESS_DENIED'],
  [404, google(404, 'NOT_FOUND', 'CryptoKey not found.'), 'KEY_NOT_FOUND'],
  [429, google(429, 'RESOURCE_EXHAUSTED', 'Quota exceeded.'), 'KMS_THROTTLED'],
  [503, google(503, 'UNAVAILABLE', 'The service is unavailable.'), 'KMS_UNAVAILABLE'],
  [403, '<html><body>Forbidden</body></html>', 'ACCESS_DENIED'],
  [503, '<html><body>Service Unavailable</body></html>', 'KMS_UNAVAILABLE'],
] as const)('trap: over REST %i %s is %3$s', async (status, body, code) => {
  const kms = await openRest(await serve((_, response) => response.writeHead(status, { 'content-type': body.startsWith('<') ? 'text/html' : 'application/json' }).end(body)));
  const error = await failure(code, () => kms.generateDataKey({ context: CONTEXT }));
  expect(JSON.stringify(error) + String(error.stack)).not.toContain('plaintext');
});

test('over REST a key goes out and comes back, with its checksums', async () => {
  const kms = await openRest(await serve((request, response) => {
    void bodyOf(request).then((body) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer(request.url ?? '', body)));
    });
  }));
  const { plaintext, wrapped } = await kms.generateDataKey({ context: CONTEXT });
  expect(wrapped.keyVersion).toBe('3');
  expect(await kms.decrypt(wrapped, { context: CONTEXT })).toEqual(plaintext);
  expect(await collect(kms.listKeyVersions())).toEqual([{ id: '3', createdAt: 1_700_000_000_000, state: 'enabled', primary: true }]);
});

/** What Cloud KMS would say if its cipher did nothing. */
function answer(path: string, body: Record<string, string>): object {
  const version = { name: `${KEY}/cryptoKeyVersions/3`, state: 1, createTime: '2023-11-14T22:13:20Z' };
  const { plaintext = '', ciphertext = '' } = body;
  if (path.includes(':encrypt')) {
    return { name: version.name, ciphertext: plaintext, ciphertextCrc32c: sum(plaintext), verifiedPlaintextCrc32c: body['plaintextCrc32c'] === sum(plaintext), verifiedAdditionalAuthenticatedDataCrc32c: true };
  }
  if (path.includes(':decrypt')) return { plaintext: ciphertext, plaintextCrc32c: sum(ciphertext) };
  return path.includes('/cryptoKeyVersions') ? { cryptoKeyVersions: [version] } : { name: KEY, purpose: 1, primary: version };
}

function sum(base64: string): string {
  return String(crc32c(Buffer.from(base64, 'base64')));
}

async function bodyOf(request: IncomingMessage): Promise<Record<string, string>> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString() || '{}') as Record<string, string>;
}
