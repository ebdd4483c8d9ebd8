import { kek, keyringOf, localWrap, makeCheckpoint } from './checkpoint.mjs';
import { Bytes, core, invalid, named, secret, summary, valid } from './support.mjs';

const K1 = kek('k1');
const K2 = kek('k2');
const hex = (bytes) => Buffer.from(bytes).toString('hex');

const inputOf = (made, changes = {}) => ({
  keyrings: [keyringOf(K1)],
  tenant: made.tenant,
  checkpoint: made.checkpoint,
  suites: [1, 2, 3],
  record: made.record,
  data: made.object,
  ...changes,
});

const inline = (made, data = made.object) => ({ record: Bytes.of(made.record, data), data: null });

const receiptOf = (made, generation = 1) => ({
  objectId: hex(made.sealer.objectId),
  commitment: hex(made.sealer.commitment),
  generation,
});

function opens(id, description, made, changes, { spec = 'checkpoint 6', generation = 1 } = {}) {
  return valid(`checkpoint/${id}`, description, spec, 'checkpoint', inputOf(made, changes), {
    generation,
    objectId: hex(made.sealer.objectId),
    commitment: hex(made.sealer.commitment),
    metadata: made.metadata,
    plaintext: summary(made.plaintext),
  });
}

const refuses = (id, reason, made, changes, { spec = 'checkpoint 6', refusal = 'INTEGRITY_FAILURE' } = {}) =>
  invalid(`checkpoint/${id}`, reason, spec, 'checkpoint', inputOf(made, changes), refusal);

/** The record with other wraps, and fields, by somebody who has the DEK. */
function resigned(made, change) {
  const { record } = core.parseKeyRecord(made.record.toBuffer());
  return Bytes.of(core.signKeyRecord(secret(made.dek), { ...record, ...change(record) }));
}

function wrapFor(made, key, { tenant = made.tenant, checkpoint = made.checkpoint, use = 'checkpoint', dekId = made.sealer.dekId, dek = made.dek } = {}) {
  return localWrap(key, dek, core.encodeContext(core.wrapContext(use, tenant, checkpoint, dekId)), 'again');
}

export async function checkpoints() {
  const metadata = { job: 'j-1', at: 1_700_000_000_000, tags: ['a', '\u00e9'], nested: { none: null } };
  const made = await makeCheckpoint('whole', { metadata, length: 100 });
  const other = await makeCheckpoint('whole/other', { metadata, length: 100 });
  const elsewhere = await makeCheckpoint('whole/elsewhere', { checkpoint: 'run-2', length: 100 });
  const foreign = await makeCheckpoint('whole/foreign', { tenant: 'globex', length: 100 });
  const twin = await makeCheckpoint('whole/twin', { dek: made.dek, length: 100 });
  const empty = await makeCheckpoint('whole/empty', { length: 0 });
  const rotated = { ...K1, version: '2', key: kek('k1', '2').key };
  const disabled = { ...K1, state: 'disabled' };
  const destroyed = { ...K1, state: 'destroyed' };
  const two = await makeCheckpoint('whole/two', { keks: [K1, K2] });
  const versions = await makeCheckpoint('whole/versions', { keks: [rotated, K1] });
  const ofSuite = await Promise.all([1, 2, 3].map((suite) => makeCheckpoint(`whole/suite/${suite}`, { suite, length: 40_000 })));
  const later = { record: resigned(made, () => ({ generation: 7 })) };
  const broken = (wrap) => ({ ...wrap, ciphertext: Bytes.of(wrap.ciphertext).flip(60).toBuffer() });
  const withWraps = (from, ...wraps) => ({ record: resigned(from, () => ({ wraps })) });

  return [
    opens('two-objects', 'record and data, each an object', made),
    opens('inline', 'the data behind the record', made, inline(made), { spec: 'checkpoint 5.2' }),
    opens('empty-inline', 'no data, behind the record', empty, inline(empty), { spec: 'checkpoint 5.2' }),
    opens('inline-and-separate', 'the data behind the record, and rubbish under the name of a data object', made, { ...inline(made), data: 'ff' }, { spec: 'checkpoint 5.2' }),
    ...ofSuite.map((each) => opens(`suite-${each.suite}`, `suite 0${each.suite}`, each, inline(each))),
    opens('second-key', 'two wraps, and a reader of the second key', two, { keyrings: [keyringOf(K2)] }, { spec: 'key-record 5' }),
    opens('both-keys', 'two wraps, and a reader of both keys who prefers the second', two, { keyrings: [keyringOf(K2), keyringOf(K1)] }, { spec: 'key-record 5' }),
    opens('preferred-key', 'a damaged wrap by a key that the reader prefers less', made, { keyrings: [keyringOf(K1), keyringOf(K2)], ...withWraps(made, broken(wrapFor(made, K2)), wrapFor(made, K1)) }, { spec: 'key-record 5' }),
    opens('unknown-wrap', 'a wrap by a key that the reader does not accept, before its own', made, withWraps(made, { ...wrapFor(made, K1), provider: 'aws-kms', keyId: 'arn:aws:kms:x' }, wrapFor(made, K1)), { spec: 'key-record 5' }),
    opens('old-version', 'a wrap by a version that is no longer the primary one', made, { keyrings: [keyringOf(K1, rotated)] }, { spec: 'local-keyring 6' }),
    opens('two-versions', 'wraps by two versions of a key, of which the first opens', versions, { keyrings: [keyringOf(K1, rotated)] }, { spec: 'key-record 5' }),
    opens('receipt', 'with the receipt of its save', made, { receipt: receiptOf(made) }, { spec: 'checkpoint 7' }),
    opens('later-generation', 'with the receipt of its save, after rewraps', made, { ...later, receipt: receiptOf(made) }, { spec: 'checkpoint 7', generation: 7 }),
    opens('same-generation', 'with a receipt of the same later generation', made, { ...later, receipt: receiptOf(made, 7) }, { spec: 'checkpoint 7', generation: 7 }),
    opens('minimum-generation', 'with a minimum generation that it has', made, { ...later, minimumGeneration: 7 }, { spec: 'checkpoint 7', generation: 7 }),
    opens('minimum-generation-1', 'with a minimum generation of 1', made, { minimumGeneration: 1 }, { spec: 'checkpoint 7' }),
    opens('receipt-and-minimum', 'with the receipt of its save and a later minimum generation', made, { ...later, receipt: receiptOf(made), minimumGeneration: 7 }, { spec: 'checkpoint 7', generation: 7 }),
    opens('minimum-of-other-save', 'another save with the minimum generation of the first, which does not tell them apart', twin, { minimumGeneration: 1 }, { spec: 'checkpoint 7' }),

    refuses('data-of-other', 'the record of one save and the data of another', made, { data: other.object }),
    refuses('data-of-other-checkpoint', 'the record of one checkpoint and the data of another', made, { data: elsewhere.object }),
    refuses('data-of-other-tenant', "the record of one tenant and another's data", made, { data: foreign.object }),
    refuses('data-of-twin', 'the data of another save under the same DEK', made, { data: twin.object }),
    refuses('inline-of-twin', 'the data of another save under the same DEK, behind the record', made, inline(made, twin.object)),
    refuses('inline-damaged', 'damaged data behind the record, and whole ones under the name', made, { record: Bytes.of(made.record, made.object.flip(100)) }),
    refuses('inline-rubbish', 'a byte behind the record, and whole data under the name', made, { record: Bytes.of(made.record, '00') }),
    refuses('inline-trailing', 'a byte behind the data behind the record', made, inline(made, Bytes.of(made.object, '00'))),
    refuses('inline-twice', 'the data twice behind the record', made, inline(made, Bytes.of(made.object, made.object))),
    refuses('record-twice', 'the record twice', made, { record: Bytes.of(made.record, made.record), data: null }),
    refuses('no-data', 'data that are missing', made, { data: null }, { spec: 'checkpoint 8.4' }),
    refuses('empty-data', 'data of no bytes', made, { data: '' }),
    refuses('data-lead', 'data that end before their frames', made, { data: made.object.slice(0, 96) }),
    refuses('binding', 'a record whose binding is not the commitment of the data', made, { record: resigned(made, () => ({ binding: named('binding') })) }),
    refuses('object-id-of-data', 'a record that agrees with data under another object id', made, { data: made.object.with(8, named('id', 16)), record: resigned(made, () => ({ objectId: named('id', 16) })) }),
    refuses('suite-of-record', 'a record of suite 01 for data of suite 03', made, { record: resigned(made, () => ({ suite: 1 })) }),
    refuses('commitment-agreed', 'data with another commitment, and a record that agrees', made, { data: made.object.flip(64), record: resigned(made, ({ binding }) => ({ binding: Bytes.of(binding).flip(0).toBuffer() })) }),
    refuses('binding-of-twin', 'the data of another save under the same DEK, and a record that agrees in the commitment alone', made, { data: twin.object, record: resigned(made, () => ({ binding: twin.sealer.commitment })) }),
    refuses('tenant', 'another tenant', made, { tenant: 'globex' }),
    refuses('id', 'another id', made, { checkpoint: 'run-2' }),
    refuses('id-prefix', 'an id that begins with the right one', made, { checkpoint: 'run-1/x' }),
    refuses('not-accepted', 'a suite that the reader does not accept', ofSuite[0], { suites: [3] }),
    refuses('suite-2-not-accepted', 'suite 02, which this reader does not accept', ofSuite[1], { suites: [1, 3] }, { spec: 'suite-02 4' }),
    refuses('key-not-allowed', 'no wrap by a key of the reader', made, { keyrings: [keyringOf(K2)] }, { spec: 'key-record 5', refusal: 'KEY_NOT_ALLOWED' }),
    refuses('provider', 'a wrap by a key of the right name at another provider', made, withWraps(made, { ...wrapFor(made, K1), provider: 'aws-kms' }), { spec: 'key-record 5', refusal: 'KEY_NOT_ALLOWED' }),
    refuses('first-wrap-damaged', 'a damaged wrap by the preferred key, and a whole one by the next', made, { keyrings: [keyringOf(K1), keyringOf(K2)], ...withWraps(made, broken(wrapFor(made, K1)), wrapFor(made, K2)) }, { spec: 'key-record 5' }),
    refuses('first-version-damaged', 'a damaged wrap by one version, and a whole one by the next', made, { keyrings: [keyringOf(K1, rotated)], ...withWraps(made, broken(wrapFor(made, K1)), wrapFor(made, rotated)) }, { spec: 'key-record 5' }),
    refuses('wrap-damaged', 'a damaged wrap', made, withWraps(made, broken(wrapFor(made, K1))), { spec: 'key-record 5' }),
    refuses('wrap-of-other-checkpoint', 'the DEK wrapped for another checkpoint', made, withWraps(made, wrapFor(made, K1, { checkpoint: 'run-2' })), { spec: 'key-record 5' }),
    refuses('wrap-of-other-tenant', 'the DEK wrapped for another tenant', made, withWraps(made, wrapFor(made, K1, { tenant: 'globex' })), { spec: 'key-record 5' }),
    refuses('wrap-of-other-use', 'the DEK wrapped for fields', made, withWraps(made, wrapFor(made, K1, { use: 'field' })), { spec: 'key-record 5' }),
    refuses('wrap-of-other-dek-id', 'the DEK wrapped under another DEK id', made, withWraps(made, wrapFor(made, K1, { dekId: other.sealer.dekId })), { spec: 'key-record 5' }),
    refuses('wrap-of-other-dek', "another DEK's wrap", made, withWraps(made, wrapFor(made, K1, { dek: other.dek })), { spec: 'key-record 5' }),
    refuses('wrap-of-other-algorithm', 'a wrap of another algorithm', made, withWraps(made, { ...wrapFor(made, K1), algorithm: 'keyfold-wrap-v2' }), { spec: 'local-keyring 6' }),
    refuses('wrap-of-31-bytes', 'a wrap of the DEK without its last byte', made, withWraps(made, wrapFor(made, K1, { dek: made.dek.subarray(0, 31) })), { spec: 'key-record 5.1', refusal: 'KMS_PROTOCOL_ERROR' }),
    refuses('unknown-version', 'a wrap by a version that the keyring does not have', made, withWraps(made, wrapFor(made, rotated)), { spec: 'local-keyring 6', refusal: 'KEY_NOT_FOUND' }),
    refuses('disabled-version', 'a wrap by a disabled version', made, { keyrings: [keyringOf(disabled, rotated)] }, { spec: 'local-keyring 6', refusal: 'KEY_DISABLED' }),
    refuses('destroyed-version', 'a wrap by a destroyed version', made, { keyrings: [keyringOf(destroyed, rotated)] }, { spec: 'local-keyring 6', refusal: 'KEY_NOT_FOUND' }),
    refuses('receipt-object-id', 'a receipt of another save', made, { receipt: receiptOf(other) }, { spec: 'checkpoint 7' }),
    refuses('receipt-commitment', 'a receipt with another commitment', made, { receipt: { ...receiptOf(made), commitment: hex(other.sealer.commitment) } }, { spec: 'checkpoint 7' }),
    refuses('receipt-generation', 'a receipt of a later generation', made, { receipt: receiptOf(made, 2) }, { spec: 'checkpoint 7' }),
    refuses('minimum-generation-2', 'a minimum generation that is one more', made, { minimumGeneration: 2 }, { spec: 'checkpoint 7' }),
    refuses('minimum-generation-8', 'a minimum generation that is one more than after rewraps', made, { ...later, minimumGeneration: 8 }, { spec: 'checkpoint 7' }),
    refuses('receipt-below-minimum', 'a receipt that fits, and a minimum generation that does not', made, { receipt: receiptOf(made), minimumGeneration: 2 }, { spec: 'checkpoint 7' }),
    refuses('twin-with-receipt', 'another save under the same names, with the receipt of the first', twin, { receipt: receiptOf(made) }, { spec: 'checkpoint 7' }),
  ];
}
