// What fixed vectors cannot show: that what the packages write today opens in the second decoder, and
// what the second encoder writes opens in the packages. Run `npm run build` first.
// Usage: node scripts/live-vectors.mjs write FOLDER   (then: vectors/decoder/run.py --live FOLDER)
//        node scripts/live-vectors.mjs read FOLDER    (after: vectors/decoder/run.py --encode FOLDER)
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { report } from './workspace.mjs';

const built = (path) => import(new URL(`../packages/${path}/dist/index.js`, import.meta.url).href);
const { LocalKms } = await built('kms-local');
const { EncryptedCheckpointStore, FileSystemObjectStore } = await built('store-checkpoint');

const ALGORITHMS = ['aes-256-gcm', 'cobblestone-256', 'aes-256-cbc-hmac-sha256'];
const TENANTS = ['acme', '\u65e5\u672c \u{1f511}'];
const IDS = ['run', 'Run', 'job-7/chk.42', 'e\u0301/\u00e9', '100% sure?', '.hidden/x.kfc'];
/** Sizes at which something begins, each also one less and one more. */
const EDGES = [0, 16_384, 32_768, 262_048, 1_048_464, 2_097_024];

const sha256 = (bytes) => createHash('sha256').update(bytes).digest('hex');

const open = (folder, tenant, algorithm, kms, options = {}) =>
  EncryptedCheckpointStore.open({
    objects: new FileSystemObjectStore(join(folder, 'objects', String(TENANTS.indexOf(tenant)))),
    kms,
    tenant,
    encryption: { algorithm, acceptedAlgorithms: ALGORITHMS },
    ...options,
  });

async function write(folder) {
  mkdirSync(join(folder, 'objects'), { mode: 0o700 });
  mkdirSync(join(folder, 'keyrings'), { mode: 0o700 });
  const key = randomBytes(32);
  const password = `p\u00c5ss ${randomBytes(6).toString('hex')}`;
  const ring = await LocalKms.create(join(folder, 'keyrings/key'), { key });
  const former = await LocalKms.create(join(folder, 'keyrings/password'), { password, kdf: { name: 'pbkdf2-hmac-sha-512' } });
  const checkpoints = [];
  let count = 0;
  for (const tenant of TENANTS) {
    for (const algorithm of ALGORITHMS) {
      for (const edge of EDGES) {
        const size = Math.max(0, edge + [-1, 0, 1, randomInt(20_000)][count % 4]);
        const id = `${IDS[count % IDS.length]}-${count}`;
        const kms = count % 5 === 0 ? former : ring;
        const store = await open(folder, tenant, algorithm, kms, { inlineLimitBytes: count % 3 === 0 ? 0 : 262_144 });
        const metadata = { count, text: '\u2028"\\\u00e9\u{1f511}', nested: [{ size }, null, -0.5e-7] };
        const plaintext = randomBytes(size);
        const receipt = await store.save(id, plaintext, { metadata });
        checkpoints.push({ tenant, id, metadata, bytes: size, sha256: sha256(plaintext), receipt });
        await store.close();
        count++;
      }
    }
  }
  await ring.rotateKey();
  for (const { tenant, id } of checkpoints.filter((_, index) => index % 2 === 0)) {
    // From the former keyring to the first, and from its first version to the second.
    const store = await open(folder, tenant, 'aes-256-gcm', ring, { acceptedKms: [former] });
    await store.rewrap(id);
    await store.close();
  }
  await ring.close();
  await former.close();
  const keyrings = [
    { file: 'keyrings/key', key: key.toString('hex') },
    { file: 'keyrings/password', password },
  ];
  const tenants = TENANTS.map((tenant, index) => ({ tenant, objects: `objects/${index}` }));
  writeFileSync(join(folder, 'expected.json'), JSON.stringify({ keyrings, tenants, checkpoints }), { mode: 0o600 });
  console.log(`${checkpoints.length} checkpoints written`);
}

async function read(folder) {
  const { keyring, checkpoints } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));
  const kms = await LocalKms.open(join(folder, keyring.file), { key: Buffer.from(keyring.key, 'hex') });
  const problems = [];
  for (const { tenant, id, metadata, sha256: expected } of checkpoints) {
    const store = await open(folder, tenant, 'aes-256-gcm', kms);
    const opened = await store.load(id).then(sha256, (error) => error.message);
    const said = await store.readMetadata(id).then(JSON.stringify, (error) => error.message);
    if (opened !== expected || said !== JSON.stringify(metadata)) {
      problems.push(`${id}: ${opened}, ${said}`);
    }
    await store.close();
  }
  await kms.close();
  report(problems, `${checkpoints.length} checkpoints of the second encoder opened`);
}

const [action, folder] = process.argv.slice(2);
const actions = { write, read };
if (!Object.hasOwn(actions, action) || folder === undefined) {
  throw new Error('Usage: node scripts/live-vectors.mjs write|read FOLDER');
}
await actions[action](folder);
