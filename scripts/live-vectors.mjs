// What fixed vectors cannot show: that what the packages write today opens in the second decoder, and
// what the second encoder writes opens in the packages. Run `npm run build` first.
// Usage: node scripts/live-vectors.mjs write FOLDER   (then: vectors/decoder/run.py --live FOLDER)
//        node scripts/live-vectors.mjs read FOLDER    (after: vectors/decoder/run.py --encode FOLDER)
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { report } from './workspace.mjs';

const built = (path) => import(new URL(`../packages/${path}/dist/index.js`, import.meta.url).href);
const { KeyVault } = await built('core');
const { MemoryKeyRecordStore } = await import(new URL('../packages/core/dist/testing.js', import.meta.url).href);
const { LocalKms } = await built('kms-local');
const { EncryptedCheckpointStore, FileSystemObjectStore } = await built('store-checkpoint');

const ALGORITHMS = ['aes-256-gcm', 'cobblestone-256', 'aes-256-cbc-hmac-sha256'];
const TENANTS = ['acme', '\u65e5\u672c \u{1f511}'];
const IDS = ['run', 'Run', 'job-7/chk.42', 'e\u0301/\u00e9', '100% sure?', '.hidden/x.kfc'];
/** Sizes at which something begins, each also one less and one more. */
const EDGES = [0, 16_384, 32_768, 262_048, 1_048_464, 2_097_024];

const HIDDEN_IDS = ['run', 'Run', 'e\u0301/\u00e9', `${'n'.repeat(126)}`, 'n'.repeat(127), 'z'.repeat(1_024), '.hidden/x.kfh'];

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
  const hidden = await writeHidden(folder, ring, former);
  await ring.rotateKey();
  for (const { tenant, id } of checkpoints.filter((_, index) => index % 2 === 0)) {
    // From the former keyring to the first, and from its first version to the second.
    const store = await open(folder, tenant, 'aes-256-gcm', ring, { acceptedKms: [former] });
    await store.rewrap(id);
    await store.close();
  }
  await rewrapHidden(folder, hidden, ring, former);
  const vaults = [await writeVault(TENANTS[0], 'default', ring), await writeVault(TENANTS[1], 'a/\u00e9', former)];
  await ring.close();
  await former.close();
  const keyrings = [
    { file: 'keyrings/key', key: key.toString('hex') },
    { file: 'keyrings/password', password },
  ];
  const tenants = TENANTS.map((tenant, index) => ({ tenant, objects: `objects/${index}` }));
  writeFileSync(join(folder, 'expected.json'), JSON.stringify({ keyrings, tenants, checkpoints, hidden, vaults }), { mode: 0o600 });
  const values = vaults.reduce((sum, { fields, indexes }) => sum + fields.length + indexes.length, 0);
  console.log(`${checkpoints.length} checkpoints, ${hidden.length} with hidden names, ${values} fields and index values written`);
}

const openHidden = (folder, tenant, algorithm, kms, options) =>
  open(folder, tenant, algorithm, kms, { objects: new FileSystemObjectStore(join(folder, 'hidden')), hideNames: true, ...options });

/** One directory with the hidden names of every tenant: saved, replaced and deleted. */
async function writeHidden(folder, ring, former) {
  mkdirSync(join(folder, 'hidden'), { mode: 0o700 });
  const checkpoints = [];
  for (const [at, tenant] of TENANTS.entries()) {
    for (const [count, id] of HIDDEN_IDS.entries()) {
      const options = { inlineLimitBytes: count % 2 === 0 ? 0 : 262_144 };
      const store = await openHidden(folder, tenant, ALGORITHMS[count % 3], at === 0 ? ring : former, options);
      const metadata = { count };
      await store.save(id, randomBytes(100), { metadata });
      const plaintext = randomBytes(count === 0 ? 0 : randomInt(40_000));
      const receipt = await store.save(id, plaintext, { metadata, overwrite: true });
      await store.save(`${id.slice(0, 100)}-gone`, plaintext);
      await store.delete(`${id.slice(0, 100)}-gone`);
      await store.close();
      checkpoints.push({ tenant, id, metadata, bytes: plaintext.byteLength, sha256: sha256(plaintext), receipt });
    }
  }
  return checkpoints;
}

/** The name keys, and every other checkpoint, from the former keyring and version. */
async function rewrapHidden(folder, checkpoints, ring, former) {
  for (const tenant of TENANTS) {
    const store = await openHidden(folder, tenant, 'aes-256-gcm', ring, { acceptedKms: [former] });
    await store.rewrapNameKey();
    const ids = checkpoints.filter((each) => each.tenant === tenant).map(({ id }) => id);
    for (const id of ids.filter((_, index) => index % 2 === 0)) {
      await store.rewrap(id);
    }
    await store.close();
  }
}

/** Fields of every kind of column under two keys, and index values under two roots. */
async function writeVault(tenant, scope, kms) {
  const records = new MemoryKeyRecordStore();
  const vault = new KeyVault({ records, kms, tenant, scope });
  const fields = [];
  for (const part of [0, 1]) {
    await vault.prime();
    for (const bind of ['column', 'row']) {
      for (const encoding of ['text', 'binary']) {
        for (const padding of [false, true]) {
          const names = { table: `table ${part}`, column: `\u00e9 ${bind}` };
          const strings = vault.column({ ...names, bind, encoding, content: 'text', padding });
          const bytes = vault.column({ ...names, bind, encoding, content: 'bytes', padding });
          const row = bind === 'row' ? { row: `row ${randomInt(1_000)}` } : {};
          for (const size of [0, 1, 2, 31, 32, 33, randomInt(16_000), padding ? 16_351 : 16_383]) {
            const plaintext = randomBytes(size);
            fields.push({ ...names, ...row, strings: false, plaintext: plaintext.toString('hex'), ...storedAs(bytes.seal(plaintext, row)) });
          }
          const text = '\ufeff\u00e9e\u0301\u{1f511}\0';
          fields.push({ ...names, ...row, strings: true, plaintext: Buffer.from(text).toString('hex'), ...storedAs(strings.seal(text, row)) });
        }
      }
    }
    if (part === 0) {
      await vault.roll('field');
    }
  }
  const policy = { table: 'user', column: '\u00e9', index: 'i', encoding: 'text', version: 2 };
  const searches = ['none', 'nfc', 'nfc-lower'].map((normalisation) => vault.blindIndex({ ...policy, normalisation }));
  await vault.prime();
  await vault.roll('index-root');
  const indexes = searches.flatMap((search, at) =>
    ['', 'Ann', 'e\u0301\u0130', '\u039f\u0394\u039f\u03a3 \u03a3', randomBytes(9).toString('base64')].map((of) => ({
      ...{ table: policy.table, column: policy.column, index: policy.index, version: policy.version },
      normalisation: ['none', 'nfc', 'nfc-lower'][at],
      of,
      candidates: search.candidates(of),
    })),
  );
  const stored = {};
  for await (const name of records.list()) {
    stored[name] = Buffer.from((await records.get(name)).bytes).toString('hex');
  }
  await vault.close();
  return { tenant, scope, records: stored, fields, indexes };
}

const storedAs = (stored) => (typeof stored === 'string' ? { text: stored } : { binary: Buffer.from(stored).toString('hex') });

async function readVault({ tenant, scope, records: stored, fields, indexes }, kms) {
  const records = new MemoryKeyRecordStore();
  for (const [name, bytes] of Object.entries(stored)) {
    await records.create(name, Buffer.from(bytes, 'hex'));
  }
  // The keys are as old as the second encoder says; what it sealed opens whatever their age.
  const vault = new KeyVault({ records, kms, tenant, scope });
  const problems = [];
  for (const { text, row, plaintext } of fields) {
    const column = vault.column({ table: 'table', column: '\u00e9', bind: row === null ? 'column' : 'row', encoding: 'text', content: 'bytes' });
    const opened = await column.openAsync(text, row === null ? {} : { row }).then(({ value }) => Buffer.from(value).toString('hex'), (error) => error.message);
    if (opened !== plaintext) {
      problems.push(`a field of ${plaintext.length / 2} bytes: ${opened}`);
    }
  }
  const search = vault.blindIndex({ table: 'table', column: '\u00e9', index: 'i', encoding: 'text', normalisation: 'nfc-lower', version: 3 });
  await vault.prime();
  problems.push(...indexes.filter(({ of, value }) => search.of(of) !== value).map(({ of }) => `another index value of ${JSON.stringify(of)}`));
  await vault.close();
  return problems;
}

async function readHidden(folder, { tenant, checkpoints }, kms) {
  const store = await openHidden(folder, tenant, 'aes-256-gcm', kms, {});
  const problems = [];
  for (const { id, sha256: expected } of checkpoints) {
    const opened = await store.load(id).then(sha256, (error) => error.message);
    if (opened !== expected) {
      problems.push(`${id} under its hidden name: ${opened}`);
    }
  }
  const ids = [];
  for await (const id of store.list()) {
    ids.push(id);
  }
  if (JSON.stringify(ids.sort()) !== JSON.stringify(checkpoints.map(({ id }) => id).sort())) {
    problems.push(`other ids than were hidden: ${JSON.stringify(ids)}`);
  }
  await store.close();
  return problems;
}

async function read(folder) {
  const { keyring, checkpoints, hidden, vault } = JSON.parse(readFileSync(join(folder, 'expected.json'), 'utf8'));
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
  problems.push(...(await readHidden(folder, hidden, kms)), ...(await readVault(vault, kms)));
  await kms.close();
  report(problems, `${checkpoints.length + hidden.checkpoints.length} checkpoints, ${vault.fields.length} fields of the second encoder opened`);
}

const [action, folder] = process.argv.slice(2);
const actions = { write, read };
if (!Object.hasOwn(actions, action) || folder === undefined) {
  throw new Error('Usage: node scripts/live-vectors.mjs write|read FOLDER');
}
await actions[action](folder);
