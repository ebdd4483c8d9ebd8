import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CONTEXT } from './support/constants.ts';
import { collect } from './support/collect.ts';
import { open, startServer } from './support/server.ts';

const SPEC = readFileSync(new URL('../../../docs/spec/aws-kms.md', import.meta.url), 'utf8');
const README = readFileSync(new URL('../README.md', import.meta.url), 'utf8');

/** What a table says that a call costs with a key, with an alias, and with an alias for the first time. */
function table(text: string): Record<string, number[]> {
  const rows = [...text.matchAll(/^\| `(open|generateDataKey|decrypt|encrypt|currentKeyVersion|listKeyVersions|testConnection|rotateKey)\(\)` \| (\d+)[^|]* \| (\d+)[^|]* \| (\d+)[^|]* \|$/gm)];
  return Object.fromEntries(rows.map(([, call = '', ...counts]) => [call, counts.map(Number)]));
}

test('every call costs the requests that the specification and the README say', async () => {
  const server = await startServer({ backgroundMs: 0 });
  const counted = async (run: () => Promise<unknown>): Promise<number> => {
    server.requests.clear();
    await run();
    return server.requests.count();
  };
  const measured: Record<string, number[]> = {};
  const { arn } = server.createKey();
  server.createKey({ alias: 'alias/app' });
  const onDemand = { rotation: { strategy: 'on-demand', pollMs: 1 } } as const;
  const { plaintext, wrapped: ofAlias } = await (await open(server, 'alias/app')).generateDataKey({ context: CONTEXT });
  const { wrapped: ofKey } = await (await open(server, arn)).generateDataKey({ context: CONTEXT });
  const calls = {
    generateDataKey: (kms) => kms.generateDataKey({ context: CONTEXT }),
    decrypt: (kms, wrapped) => kms.decrypt(wrapped, { context: CONTEXT }),
    encrypt: (kms) => kms.encrypt(plaintext, { context: CONTEXT }),
    currentKeyVersion: (kms) => kms.currentKeyVersion(),
    listKeyVersions: (kms) => collect(kms.listKeyVersions()),
    testConnection: (kms) => kms.testConnection(),
    rotateKey: (kms) => kms.rotateKey(),
  } satisfies Record<string, (kms: Awaited<ReturnType<typeof open>>, wrapped: typeof ofKey) => Promise<unknown>>;
  measured['open'] = [await counted(() => open(server, arn)), await counted(() => open(server, 'alias/app')), await counted(() => open(server, 'alias/app'))];
  for (const [name, call] of Object.entries(calls)) {
    const [key, alias] = [await open(server, arn, onDemand), await open(server, 'alias/app')];
    const first = await counted(() => call(alias, ofAlias));
    await call(key, ofKey);
    measured[name] = [await counted(() => call(key, ofKey)), await counted(() => call(alias, ofAlias)), first];
  }
  expect(table(SPEC)).toEqual(measured);
  expect(table(README)).toEqual(measured);
});
