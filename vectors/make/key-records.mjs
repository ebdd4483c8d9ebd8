import { createHash, createHmac } from 'node:crypto';
import { Bytes, CREATED, core, expand, fixedRandom, invalid, named, secret, signedRecord, summary, valid } from './support.mjs';

const KEK = { provider: 'local', keyId: 'k1' };
const WRAP = { ...KEK, keyVersion: '1', algorithm: 'example', ciphertext: Uint8Array.of(0xf0, 0xf1) };
const USE_BYTES = { checkpoint: 1, field: 2, 'index-root': 3, audit: 4 };
const DEK = named('record/dek');
const DEK_ID = named('record/dek id', 16);
const OBJECT_ID = named('record/object id', 16);

const encodeWrap = (wrap) =>
  Buffer.concat([
    core.lengthPrefixed(8, Buffer.from(wrap.provider)),
    core.lengthPrefixed(16, Buffer.from(wrap.keyId, 'latin1')),
    core.lengthPrefixed(16, Buffer.from(wrap.keyVersion, 'latin1')),
    core.lengthPrefixed(8, Buffer.from(wrap.algorithm, 'latin1')),
    core.lengthPrefixed(16, wrap.ciphertext),
  ]);

const metadataContext = (tenant, checkpoint, objectId = OBJECT_ID) =>
  Buffer.from(core.metadataBinding({ objectId, dekId: DEK_ID }, core.checkpointContext(tenant, checkpoint)));

const sealed = (json, context = metadataContext('acme', 'run-1')) =>
  core.sealMessage(secret(DEK), context, Buffer.isBuffer(json) ? json : Buffer.from(json), fixedRandom('record/metadata'));

const CHECKPOINT = {
  magic: '8f4b464b',
  version: 1,
  suite: 3,
  use: 1,
  state: 1,
  objectId: OBJECT_ID,
  dekId: DEK_ID,
  generation: 1n,
  created: BigInt(CREATED),
  binding: named('record/binding'),
  metadata: sealed('{"job":"j"}'),
  count: undefined,
  wraps: [WRAP],
};

const bindingOf = (use, tenant = 'acme', scope = 'default') =>
  createHash('sha256').update(core.encodeContext(core.wrapContext(use, tenant, scope, DEK_ID))).digest();

const vault = (use) => ({
  ...CHECKPOINT,
  suite: 1,
  use: USE_BYTES[use],
  objectId: Buffer.alloc(16),
  binding: bindingOf(use),
  metadata: Buffer.alloc(0),
});

/** A record of any fields, whether or not a writer may write it. */
function body(fields) {
  const wraps = fields.wraps.map((wrap) => (Buffer.isBuffer(wrap) ? wrap : encodeWrap(wrap)));
  return Buffer.concat([
    Buffer.from(fields.magic, 'hex'),
    Buffer.from([fields.version, fields.suite, fields.use, fields.state]),
    fields.objectId,
    fields.dekId,
    u64(fields.generation),
    u64(fields.created),
    fields.binding,
    core.u32(fields.metadataLength ?? fields.metadata.length),
    fields.metadata,
    core.u16(fields.count ?? wraps.length),
    ...wraps,
  ]);
}

function u64(value) {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(value);
  return bytes;
}

const inputOf = (use, record, changes = {}) => ({
  dek: DEK.toString('hex'),
  kek: KEK,
  use,
  tenant: 'acme',
  scope: use === 'checkpoint' ? 'run-1' : 'default',
  suites: [1, 2, 3],
  record,
  ...changes,
});

const USES = ['checkpoint', 'field', 'index-root', 'audit'];
const STATES = { 1: 'active', 2: 'decrypt-only' };

function opens(id, description, fields, { json, rest, ...changes } = {}, spec = 'key-record 2') {
  const use = USES[fields.use - 1];
  const record = Bytes.of(signedRecord(DEK, body(fields)), rest ?? '');
  return valid(`key-record/${id}`, description, spec, 'key-record', inputOf(use, record, changes), {
    suite: fields.suite,
    use,
    state: STATES[fields.state],
    objectId: fields.objectId.toString('hex'),
    dekId: fields.dekId.toString('hex'),
    generation: Number(fields.generation),
    created: Number(fields.created),
    binding: fields.binding.toString('hex'),
    wraps: fields.wraps.map(({ ciphertext, ...wrap }) => ({ ...wrap, wrapped: summary(ciphertext) })),
    ...(use === 'checkpoint' ? { metadata: summary(Buffer.from(json ?? '{"job":"j"}')), rest: rest ?? '' } : {}),
  });
}

function refuses(id, reason, fields, { use = USES[fields.use - 1] ?? 'checkpoint', record, refusal = 'INTEGRITY_FAILURE', ...changes } = {}, spec = 'key-record 4') {
  return invalid(`key-record/${id}`, reason, spec, 'key-record', inputOf(use, record ?? signedRecord(DEK, body(fields)), changes), refusal);
}

const refusesField = (id, reason, changes, options) => refuses(id, reason, { ...CHECKPOINT, ...changes }, options);

const wrapsOf = (count) => Array.from({ length: count }, (_, i) => ({ ...WRAP, keyVersion: String(i + 1) }));

const NESTED = '['.repeat(1_500) + ']'.repeat(1_500);
const DIGITS = '7'.repeat(5_000);

const OPENED = [
  opens('checkpoint', "a checkpoint's record", CHECKPOINT),
  opens('suite-1', 'a record for data of suite 01', { ...CHECKPOINT, suite: 1 }),
  opens('suite-2', 'a record for data of suite 02', { ...CHECKPOINT, suite: 2 }),
  opens('generation', 'the largest generation and creation time', { ...CHECKPOINT, generation: 2n ** 53n - 1n, created: 2n ** 53n - 1n }),
  opens('created-0', 'a creation time of 0', { ...CHECKPOINT, created: 0n }),
  opens('16-wraps', '16 wraps', { ...CHECKPOINT, wraps: wrapsOf(16) }),
  opens('longest-names', 'names and a wrap of the greatest lengths', {
    ...CHECKPOINT,
    wraps: [WRAP, { provider: 'p'.repeat(32), keyId: '~'.repeat(2_048), keyVersion: ' '.repeat(256), algorithm: '!'.repeat(64), ciphertext: named('record/long', 8_192) }],
  }),
  opens('no-version', 'a wrap without a version, beside one with', { ...CHECKPOINT, wraps: [{ ...WRAP, keyVersion: '' }, WRAP] }),
  opens('two-keys', 'wraps by another key and another provider', { ...CHECKPOINT, wraps: [{ ...WRAP, keyId: 'k2' }, { ...WRAP, provider: 'other' }, WRAP] }),
  opens('empty-metadata', 'metadata of an empty object', { ...CHECKPOINT, metadata: sealed('{}') }, { json: '{}' }),
  opens('metadata-of-all-kinds', 'metadata of every kind of value, with white space', { ...CHECKPOINT, metadata: sealed(' {"a":[null,true,1e400,-0,{"b":"\\u00e9\\ud83d\\udd11"}],"c":"\u65e5"}\n') }, { json: ' {"a":[null,true,1e400,-0,{"b":"\\u00e9\\ud83d\\udd11"}],"c":"\u65e5"}\n' }, 'checkpoint 4'),
  opens('longest-metadata', 'metadata of 65,416 bytes', { ...CHECKPOINT, metadata: sealed(`{"a":"${'x'.repeat(65_408)}"}`) }, { json: `{"a":"${'x'.repeat(65_408)}"}` }, 'checkpoint 4'),
  opens('nested-metadata', 'metadata nested 1,500 deep', { ...CHECKPOINT, metadata: sealed(`{"a":${NESTED}}`) }, { json: `{"a":${NESTED}}` }, 'checkpoint 4'),
  opens('many-digits', 'a number of 5,000 digits in the metadata', { ...CHECKPOINT, metadata: sealed(`{"a":${DIGITS}}`) }, { json: `{"a":${DIGITS}}` }, 'checkpoint 4'),
  opens('same-members', 'metadata with a member twice', { ...CHECKPOINT, metadata: sealed('{"a":1,"a":2}') }, { json: '{"a":1,"a":2}' }, 'checkpoint 4'),
  opens('escaped-surrogate', 'an escape of a lone surrogate in the metadata', { ...CHECKPOINT, metadata: sealed('{"a":"\\ud800"}') }, { json: '{"a":"\\ud800"}' }, 'checkpoint 4'),
  opens('inline', 'bytes behind the record, which are for the data object', CHECKPOINT, { rest: 'abcd' }, 'key-record 2.3'),
];

/** Records of the vault. */
const VAULT_OPENED = [
  ...['field', 'index-root', 'audit'].map((use) => opens(use, `a record of the use ${use}`, vault(use))),
  opens('field-suites', "a field key's record, whatever suites the reader accepts for checkpoints", vault('field'), { suites: [3] }, 'key-record 5'),
  opens('field-decrypt-only', "a field key's record that opens and no longer seals", { ...vault('field'), state: 2 }),
  opens('field-scope', 'a vault of another scope', { ...vault('field'), binding: bindingOf('field', 'acme', '\u00e9') }, { scope: '\u00e9' }),
];

const good = signedRecord(DEK, body(CHECKPOINT));
const long = signedRecord(DEK, body({ ...CHECKPOINT, wraps: wrapsOf(3) }));
const wrapStart = long.length - 32 - 3 * encodeWrap(WRAP).length;
const otherDek = named('record/other');

const REFUSED = [
  ...[0, 3, 5, 40, 91, 92, 100, good.length - 33, good.length - 1].map((length) => refuses(`cut-to-${length}`, `cut to ${length} bytes`, CHECKPOINT, { record: good.slice(0, length) })),
  refusesField('magic', 'another magic', { magic: '8f4b4643' }, {}),
  refusesField('version', 'version 2', { version: 2 }),
  refusesField('suite-0', 'suite 00', { suite: 0 }),
  refusesField('suite-4', 'suite 04', { suite: 4 }),
  refusesField('use-0', 'use 00', { use: 0 }),
  refusesField('use-5', 'use 05', { use: 5 }),
  refusesField('state-0', 'state 00', { state: 0 }),
  refusesField('state-3', 'state 03', { state: 3 }),
  refusesField('state-2', 'a checkpoint that is decrypt only', { state: 2 }),
  refusesField('generation-0', 'generation 0', { generation: 0n }),
  refusesField('generation-2-53', 'a generation of 2^53', { generation: 2n ** 53n }),
  refusesField('generation-largest', 'a generation of 2^64 - 1', { generation: 2n ** 64n - 1n }),
  refusesField('created-2-53', 'a creation time of 2^53', { created: 2n ** 53n }),
  refusesField('no-metadata', 'a checkpoint without metadata', { metadata: Buffer.alloc(0) }),
  refusesField('metadata-too-long', 'metadata of 65,537 bytes', { metadata: Buffer.from(sealed(`{"a":"${'x'.repeat(65_409)}"}`)) }),
  refusesField('metadata-huge', 'a length of metadata of 2^32 - 1', { metadataLength: 2 ** 32 - 1 }),
  refusesField('metadata-past-end', 'a length of metadata beyond the end', { metadataLength: 5_000 }),
  refusesField('no-wraps', 'no wraps', { wraps: [] }),
  refusesField('17-wraps', '17 wraps', { wraps: wrapsOf(17) }),
  refusesField('count-small', 'fewer wraps counted than there are', { wraps: wrapsOf(2), count: 1 }),
  refusesField('count-large', 'more wraps counted than there are', { wraps: wrapsOf(2), count: 3 }),
  refusesField('same-wraps', 'two wraps by one version of one key', { wraps: [WRAP, { ...WRAP, ciphertext: Uint8Array.of(1) }] }),
  refusesField('same-wraps-apart', 'two wraps by one version of one key, apart', { wraps: [WRAP, { ...WRAP, keyId: 'k2' }, { ...WRAP, algorithm: 'another' }] }),
  refusesField('same-wraps-no-version', 'two wraps by one key without versions', { wraps: [{ ...WRAP, keyVersion: '' }, { ...WRAP, keyVersion: '' }] }),
  refusesField('no-provider', 'a wrap without a provider', { wraps: [WRAP, { ...WRAP, provider: '' }] }),
  refusesField('long-provider', 'a provider of 33 characters', { wraps: [WRAP, { ...WRAP, provider: 'p'.repeat(33) }] }),
  refusesField('capital-provider', 'a capital in a provider', { wraps: [WRAP, { ...WRAP, provider: 'Local' }] }),
  refusesField('underscore-provider', 'an underscore in a provider', { wraps: [WRAP, { ...WRAP, provider: 'a_b' }] }),
  refusesField('newline-provider', 'a provider that ends in a line feed', { wraps: [WRAP, { ...WRAP, provider: 'other\n' }] }),
  refusesField('no-key-id', 'a wrap without a key id', { wraps: [WRAP, { ...WRAP, keyId: '' }] }),
  refusesField('long-key-id', 'a key id of 2,049 characters', { wraps: [WRAP, { ...WRAP, keyId: 'k'.repeat(2_049) }] }),
  refusesField('control-key-id', 'a control character in a key id', { wraps: [WRAP, { ...WRAP, keyId: 'k\u001f' }] }),
  refusesField('newline-key-id', 'a key id that ends in a line feed', { wraps: [WRAP, { ...WRAP, keyId: 'k\n' }] }),
  refusesField('delete-key-id', 'the byte 7f in a key id', { wraps: [WRAP, { ...WRAP, keyId: 'k\u007f' }] }),
  refusesField('not-ascii-key-id', 'UTF-8 in a key id', { wraps: [WRAP, { ...WRAP, keyId: '\u00c3\u00a9' }] }),
  refusesField('long-key-version', 'a key version of 257 characters', { wraps: [WRAP, { ...WRAP, keyVersion: '1'.repeat(257) }] }),
  refusesField('tab-key-version', 'a tab in a key version', { wraps: [WRAP, { ...WRAP, keyVersion: '\t' }] }),
  refusesField('no-algorithm', 'a wrap without an algorithm', { wraps: [WRAP, { ...WRAP, keyId: 'k2', algorithm: '' }] }),
  refusesField('long-algorithm', 'an algorithm of 65 characters', { wraps: [WRAP, { ...WRAP, keyId: 'k2', algorithm: 'a'.repeat(65) }] }),
  refusesField('nul-algorithm', 'a zero byte in an algorithm', { wraps: [WRAP, { ...WRAP, keyId: 'k2', algorithm: 'a\0' }] }),
  refusesField('no-ciphertext', 'an empty wrapped DEK', { wraps: [WRAP, { ...WRAP, keyId: 'k2', ciphertext: new Uint8Array(0) }] }),
  refusesField('long-ciphertext', 'a wrapped DEK of 8,193 bytes', { wraps: [WRAP, { ...WRAP, keyId: 'k2', ciphertext: named('record/long', 8_193) }] }),
  refuses('no-mac', 'no MAC', CHECKPOINT, { record: good.slice(0, good.length - 32) }),
  refuses('mac', 'a changed MAC', CHECKPOINT, { record: good.flip(good.length - 1) }, 'key-record 3'),
  refuses('mac-zero', 'a MAC of zeros', CHECKPOINT, { record: good.with(good.length - 32, Buffer.alloc(32)) }, 'key-record 3'),
  refuses('other-dek', 'another DEK', CHECKPOINT, { dek: otherDek.toString('hex') }, 'key-record 3'),
  refuses('mac-of-other-dek', 'a MAC by another DEK', CHECKPOINT, { record: signedRecord(otherDek, body(CHECKPOINT)) }, 'key-record 3'),
  refuses('mac-of-other-label', "a MAC by the DEK under another label's key", CHECKPOINT, { record: Bytes.of(body(CHECKPOINT), createHmac('sha256', expand(DEK, Buffer.from('keyfold/kms/v1\0'), 32)).update(body(CHECKPOINT)).digest()) }, 'key-record 3'),
  refuses('mac-without-label', 'a MAC by the DEK itself', CHECKPOINT, { record: Bytes.of(body(CHECKPOINT), createHmac('sha256', DEK).update(body(CHECKPOINT)).digest()) }, 'key-record 3'),
  refuses('mac-of-sha512', 'the first half of an HMAC-SHA-512', CHECKPOINT, { record: Bytes.of(body(CHECKPOINT), createHmac('sha512', expand(DEK, Buffer.from('keyfold/key-record-mac/v1\0'), 32)).update(body(CHECKPOINT)).digest().subarray(0, 32)) }, 'key-record 3'),
  ...[['object-id', 8], ['dek-id', 24], ['generation', 47], ['created', 55], ['binding', 56], ['metadata', 93]].map(([field, at]) => refuses(`changed-${field}`, `another ${field} under the old MAC`, CHECKPOINT, { record: good.flip(at, 2) }, 'key-record 3')),
  refuses('wraps-exchanged', 'wraps in another order under the old MAC', CHECKPOINT, { record: long.with(wrapStart, Buffer.concat([encodeWrap(wrapsOf(2)[1]), encodeWrap(WRAP)])) }, 'key-record 3'),
  refuses('wrap-removed', 'a wrap removed under the old MAC', CHECKPOINT, { record: long.with(wrapStart - 2, '0002').without(long.length - 32 - encodeWrap(WRAP).length, long.length - 32) }, 'key-record 3'),
  refuses('suite-not-accepted', 'a suite that the reader does not accept', CHECKPOINT, { suites: [1] }, 'key-record 5'),
  refuses('suite-2-not-accepted', 'suite 02, which this reader does not accept', { ...CHECKPOINT, suite: 2 }, { suites: [1, 3] }, 'key-record 5'),
  refuses('key-not-allowed', 'no wrap by an accepted key', CHECKPOINT, { kek: { provider: 'local', keyId: 'k2' }, refusal: 'KEY_NOT_ALLOWED' }, 'key-record 5'),
  refuses('provider-not-allowed', 'a key of that name at another provider', CHECKPOINT, { kek: { provider: 'other', keyId: 'k1' }, refusal: 'KEY_NOT_ALLOWED' }, 'key-record 5'),
  refuses('key-in-another-case', 'a key whose name differs in case', CHECKPOINT, { kek: { provider: 'local', keyId: 'K1' }, refusal: 'KEY_NOT_ALLOWED' }, 'key-record 5'),
  refuses('other-tenant', 'another tenant', CHECKPOINT, { tenant: 'acmf' }, 'key-record 5'),
  refuses('other-checkpoint', 'another checkpoint', CHECKPOINT, { scope: 'run-2' }, 'key-record 5'),
  refuses('metadata-of-other-checkpoint', 'metadata of another checkpoint', { ...CHECKPOINT, metadata: sealed('{}', metadataContext('acme', 'run-2')) }, {}, 'checkpoint 4'),
  refuses('metadata-of-other-object', 'metadata of another save', { ...CHECKPOINT, metadata: sealed('{}', metadataContext('acme', 'run-1', named('record/another', 16))) }, {}, 'checkpoint 4'),
  refuses('metadata-label', "metadata sealed under the data's label", { ...CHECKPOINT, metadata: sealed('{}', Buffer.concat([core.label('keyfold/checkpoint/v1'), metadataContext('acme', 'run-1').subarray(31)])) }, {}, 'checkpoint 4'),
  refuses('metadata-short', 'metadata shorter than a message', { ...CHECKPOINT, metadata: Buffer.alloc(71) }, {}, 'checkpoint 4'),
  ...[
    ['empty', 'nothing', ''],
    ['list', 'a list', '[]'],
    ['text', 'a text', '"a"'],
    ['null', 'null', 'null'],
    ['not-json', 'no JSON', '{'],
    ['trailing', 'an object with text behind it', '{} x'],
    ['two', 'two objects', '{}{}'],
    ['comma', 'a comma too many', '{"a":1,}'],
    ['quotes', 'single quotes', "{'a':1}"],
    ['nan', 'NaN', '{"a":NaN}'],
    ['infinity', 'Infinity', '{"a":-Infinity}'],
    ['zero', 'a number with a leading zero', '{"a":01}'],
    ['control', 'a control character in a text', '{"a":"\u0001"}'],
    ['comment', 'a comment', '{}//'],
    ['bom', 'a byte order mark', '\ufeff{}'],
    ['utf-8', 'no UTF-8', Buffer.from('7b2261223a22ff227d', 'hex')],
    ['utf-16', 'UTF-16', Buffer.from('{}', 'utf16le')],
    ['mismatch', 'brackets that do not match', '{"a":[}]'],
    ['unclosed', 'an object that is not closed', '{"a":{}'],
    ['no-value', 'a member without a value', '{"a"}'],
    ['number-key', 'a member whose name is no text', '{1:1}'],
    ['escape', 'an escape that JSON does not have', '{"a":"\\x41"}'],
    ['plus', 'a number with a plus sign', '{"a":+1}'],
    ['point', 'a number that ends in a point', '{"a":1.}'],
    ['nbsp', 'white space that JSON does not have', '\u00a0{}'],
  ].map(([id, what, json]) => refuses(`metadata-is-${id}`, `metadata that is ${what}`, { ...CHECKPOINT, metadata: sealed(json) }, {}, 'checkpoint 4')),
];

const field = signedRecord(DEK, body(vault('field')));
const zero = Buffer.concat([named('record/short', 31), Buffer.alloc(1)]);

const VAULT_REFUSED = [
  refuses('field-suite', 'a field key of suite 03', { ...vault('field'), suite: 3 }),
  refuses('field-object-id', 'a field key with an object id', { ...vault('field'), objectId: OBJECT_ID }),
  refuses('field-metadata', 'a field key with metadata', { ...vault('field'), metadata: sealed('{}') }),
  refuses('field-trailing', 'a byte behind the record of a field key', vault('field'), { record: Bytes.of(field, '00') }, 'key-record 2.3'),
  refuses('field-other-tenant', 'a field key of another tenant', vault('field'), { tenant: 'acmf' }, 'key-record 5'),
  refuses('field-other-scope', 'a field key of another scope', vault('field'), { scope: 'other' }, 'key-record 5'),
  refuses('field-binding', 'a field key with another binding', { ...vault('field'), binding: named('record/binding') }, {}, 'key-record 5'),
  refuses('field-as-index', 'a field key in the place of an index root', vault('field'), { use: 'index-root' }, 'key-record 5'),
  refuses('index-as-field', 'an index root in the place of a field key', vault('index-root'), { use: 'field' }, 'key-record 5'),
  refuses('index-relabelled', 'an index root that says it is a field key', { ...vault('index-root'), use: 2 }, {}, 'key-record 5'),
  refuses('checkpoint-as-field', "a checkpoint's record in the place of a field key's", CHECKPOINT, { use: 'field' }, 'key-record 5'),
  refuses('field-as-checkpoint', "a field key's record in the place of a checkpoint's", vault('field'), { use: 'checkpoint', scope: 'default' }, 'key-record 5'),
  refuses('field-dek-31', 'a DEK without the zero byte that it ends in, which HMAC cannot tell apart', vault('field'), { dek: zero.subarray(0, 31).toString('hex'), record: signedRecord(zero, body(vault('field'))) }, 'key-record 3'),
];

export function keyRecords() {
  return [...OPENED, ...VAULT_OPENED, ...REFUSED, ...VAULT_REFUSED];
}

