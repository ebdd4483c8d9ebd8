import { spawnSync } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { startAwsServer } from '../aws-server.mjs';
import { MIB, randomData } from '../data.mjs';
import { interleave, interleaveCalls } from '../interleave.mjs';
import { loadProviders } from '../keyfold.mjs';

export const title = 'Key services';

const CHILD = join(import.meta.dirname, '../kms-cold-child.mjs');
const TIMEOUT_MS = 10_000;

export async function run(context) {
  const server = await startAwsServer(context.keyfold.root);
  try {
    const providers = await loadProviders(context.keyfold.root);
    const services = [await openLocal(context, providers), await openAws(server, providers)];
    const cases = [];
    for (const service of services) cases.push(await callsPerOperation(context, service));
    for (const service of services) cases.push(...(await singleCalls(context, service)));
    cases.push(await coldStart(context, services, providers));
    for (const { kms } of services) await kms.close();
    return cases;
  } finally {
    await server.close();
  }
}

async function openLocal({ temporary }, { local }) {
  const directory = join(temporary, 'keys');
  await mkdir(directory, { mode: 0o700 });
  const [path, keyFile] = [join(directory, 'keyring.kf'), join(directory, 'keyring.key')];
  await local.createLocalKeyFile(keyFile);
  const kms = await local.LocalKms.create(path, { keyFile });
  return { name: 'local keyring', kms, cold: { how: 'local', module: 'packages/kms-local/dist/index.js', options: { path, keyFile } } };
}

async function openAws(server, { aws, sdk, sdkModule }) {
  const { region, endpoint, credentials } = server.client;
  const kms = await aws.AwsKms.open({ keyId: server.keyId, region, endpoint, clientOptions: { credentials } });
  const bare = new sdkModule.KMS({ ...server.client, maxAttempts: 1 });
  return {
    name: 'AWS KMS',
    kms,
    requests: server.requests,
    bare: bareCalls(bare, server.keyArn),
    cold: { how: 'aws', module: 'packages/kms-aws/dist/index.js', options: { client: server.client, keyId: server.keyId } },
    coldBare: { how: 'sdk', module: sdk, options: { client: server.client, keyId: server.keyId } },
  };
}

/** The same calls as a program makes that uses the SDK by itself. */
function bareCalls(kms, KeyId) {
  return {
    encrypt: (Plaintext, EncryptionContext) => kms.encrypt({ KeyId, Plaintext, EncryptionContext }),
    decrypt: (CiphertextBlob, EncryptionContext) => kms.decrypt({ KeyId, CiphertextBlob, EncryptionContext }),
    generateDataKey: (EncryptionContext) => kms.generateDataKey({ KeyId, KeySpec: 'AES_256', EncryptionContext }),
  };
}

/** A client that counts what it is asked. */
function counting(kms) {
  const counted = { calls: 0 };
  const client = new Proxy(kms, {
    get: (target, name) => {
      const member = target[name];
      if (typeof member !== 'function') return member;
      return (...args) => {
        counted.calls++;
        return member.apply(target, args);
      };
    },
  });
  return { client, counted };
}

/** Calls to the client, and requests to its service, that every operation makes. */
async function callsPerOperation({ keyfold, temporary, progress }, { name, kms, requests }) {
  progress(`calls per operation, ${name}`);
  const { client, counted } = counting(kms);
  const { EncryptedCheckpointStore, FileSystemObjectStore } = keyfold.store;
  const objects = new FileSystemObjectStore(join(temporary, `calls-${name.replaceAll(' ', '-')}`));
  const open = () => EncryptedCheckpointStore.open({ objects, kms: client, tenant: 'bench' });
  const limits = [];
  const count = async (what, work) => {
    const [calls, sent] = [counted.calls, await requests?.()];
    const result = await work();
    limits.push({ what: `calls: ${what}`, value: counted.calls - calls });
    if (requests !== undefined) limits.push({ what: `requests: ${what}`, value: (await requests()) - sent });
    return result;
  };
  const store = await count('open a store', open);
  await count('save 1 KiB', () => store.save('small', randomData(1_024)));
  await count('save 2 MiB', () => store.save('large', randomData(2 * MIB)));
  await count('load what was just saved', () => store.load('large'));
  await count('load again, its key in the cache', () => store.load('large'));
  await count('metadata, its key in the cache', () => store.readMetadata('large'));
  const another = await open();
  await count('load in another process', () => another.load('large'));
  await count('rotate', () => client.rotateKey());
  await count('rewrap', () => another.rewrap('large'));
  await count('delete', () => another.delete('large'));
  await count('prime a vault', () => new keyfold.core.KeyVault({ records: new keyfold.testing.MemoryKeyRecordStore(), kms: client, tenant: 'bench' }).prime());
  return { name: `calls per operation, ${name}`, limits };
}

/** Every call alone, through the provider and through the guard as well, against the SDK's. */
async function singleCalls({ keyfold, quick, progress }, { name, kms, bare }) {
  const { GuardedKmsClient, Meter, systemClock } = keyfold.core;
  const guarded = new GuardedKmsClient(kms, { clock: systemClock, meter: new Meter(undefined), timeoutMs: TIMEOUT_MS });
  const context = keyfold.provider.wrapContext('checkpoint', 'bench', 'calls', new Uint8Array(16));
  const key = randomData(32);
  const wrapped = await kms.encrypt(key, { context });
  const blob = bare && (await bare.encrypt(key, context)).CiphertextBlob;
  const calls = {
    generateDataKey: [(client) => client.generateDataKey({ context }), () => bare.generateDataKey(context)],
    encrypt: [(client) => client.encrypt(key, { context }), () => bare.encrypt(key, context)],
    decrypt: [(client) => client.decrypt(wrapped, { context }), () => bare.decrypt(blob, context)],
  };
  const cases = [];
  for (const [operation, [ours, theirs]] of Object.entries(calls)) {
    progress(`${operation}, ${name}`);
    const basis = bare === undefined ? 'provider' : 'bare SDK';
    const results = await interleaveCalls(
      [
        { name: 'provider, guarded', run: () => ours(guarded) },
        { name: 'provider', run: () => ours(kms) },
        ...(bare === undefined ? [] : [{ name: 'bare SDK', run: theirs }]),
      ],
      { rounds: quick ? 200 : 2_000 },
    );
    const added = (which) => Number((results['provider, guarded'][which] - results[basis][which]).toFixed(3));
    cases.push({
      name: `${operation}, ${name}`,
      results,
      ratios: [{ of: 'provider, guarded', against: basis, noCpu: true }],
      limits: [
        { what: `milliseconds added to ${basis}, median`, value: added('medianMs') },
        { what: `milliseconds added to ${basis}, 99th percentile`, value: added('p99Ms') },
      ],
    });
  }
  return cases;
}

/** A fresh process: import, open, the first wrapped key. */
async function coldStart({ keyfold, quick, progress }, services) {
  progress('cold start');
  const start = ({ how, module, options }) => {
    const path = join(keyfold.root, module);
    const argument = JSON.stringify({ ...options, module: module.startsWith('/') ? module : path });
    return () => {
      const { status, stderr } = spawnSync(process.execPath, ['--no-warnings', CHILD, how, argument], { encoding: 'utf8' });
      if (status !== 0) throw new Error(`the ${how} process failed: ${stderr}`);
    };
  };
  const contestants = services.flatMap(({ name, cold, coldBare }) => [
    { name, run: start(cold) },
    ...(coldBare === undefined ? [] : [{ name: 'bare SDK', run: start(coldBare) }]),
  ]);
  const results = await interleave([{ name: 'node alone', run: start({ how: 'none', module: '', options: {} }) }, ...contestants], { rounds: quick ? 5 : 30, warmups: 1 });
  const over = (who, basis) => Number((results[who].medianMs - results[basis].medianMs).toFixed(1));
  return {
    name: 'cold start: import, open, first wrapped key',
    results: Object.fromEntries(Object.entries(results).map(([who, { medianMs, quietMs, samples }]) => [who, { medianMs, quietMs, samples }])),
    limits: [
      ...services.map(({ name }) => ({ what: `${name}: milliseconds over node alone, medians`, value: over(name, 'node alone') })),
      { what: 'AWS KMS: milliseconds over the bare SDK, medians', value: over('AWS KMS', 'bare SDK') },
    ],
  };
}
