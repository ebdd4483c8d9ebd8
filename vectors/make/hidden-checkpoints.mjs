import { kek, keyringOf, localWrap, makeCheckpoint } from './checkpoint.mjs';
import { front, makeNameKey } from './hidden.mjs';
import { Bytes, core, invalid, named, secret, summary, valid } from './support.mjs';

const K1 = kek('k1');
const K2 = kek('k2');
const hex = (bytes) => Buffer.from(bytes).toString('hex');

// The name key.

const keyInput = (stored, changes = {}) => ({ keyrings: [keyringOf(K1)], tenant: 'acme', stored, id: 'run-1', ...changes });

const opensKey = (id, description, made, { stored = made.stored, ...changes } = {}) =>
  valid(`hidden-name-key/${id}`, description, 'hidden-names 1', 'hidden-name-key', keyInput(stored, changes), { record: made.names.record('run-1') });

const refusesKey = (id, reason, stored, { refusal = 'INTEGRITY_FAILURE', ...changes } = {}) =>
  invalid(`hidden-name-key/${id}`, reason, 'hidden-names 1', 'hidden-name-key', keyInput(stored, changes), refusal);

/** The record with other fields and the DEK's own MAC. */
function resigned(made, change) {
  const { record } = core.parseKeyRecord(made.record.toBuffer());
  return Bytes.of(core.signKeyRecord(secret(made.dek), { ...record, ...change(record) }));
}

async function nameKeys(made) {
  const [two, other, told, full, oneByte, foreign, noSlash, usersOwn, suite2, suite3] = await Promise.all([
    makeNameKey('key/two', { keks: [K1, K2] }),
    makeNameKey('key/other'),
    makeNameKey('key/told', { metadata: { a: 1 } }),
    makeNameKey('key/full', { length: 20 }),
    makeNameKey('key/byte', { length: 1 }),
    makeNameKey('key/foreign', { tenant: 'globex' }),
    makeNameKey('key/no-slash', { checkpoint: core.NAME_KEY_CHECKPOINT.slice(1) }),
    makeNameKey('key/run-1', { checkpoint: 'run-1' }),
    makeNameKey('key/suite-2', { suite: 2 }),
    makeNameKey('key/suite-3', { suite: 3 }),
  ]);
  const context = core.encodeContext(core.wrapContext('field', 'acme', core.NAME_KEY_CHECKPOINT, made.sealer.dekId));
  return [
    opensKey('new', 'a name key as it is first written', made),
    opensKey('second-key', 'after a wrap by a second key was added', two, { keyrings: [keyringOf(K2)] }),
    opensKey('generation', 'of a later generation', made, { stored: Bytes.of(resigned(made, () => ({ generation: 3 })), made.object) }),
    opensKey('metadata', 'metadata that say something, which is ignored', told),
    refusesKey('nothing', 'an object of no bytes', ''),
    refusesKey('payload', 'a payload', full.stored),
    refusesKey('payload-byte', 'a payload of one byte', oneByte.stored),
    refusesKey('suite-2', 'suite 02', suite2.stored),
    refusesKey('suite-3', 'suite 03', suite3.stored),
    refusesKey('no-data', 'a record with nothing behind it', made.record),
    refusesKey('data-alone', 'the data without the record', made.object),
    refusesKey('data-of-other', 'the data of another name key', Bytes.of(made.record, other.object)),
    refusesKey('data-cut', 'data without their last byte', made.stored.slice(0, made.stored.length - 1)),
    refusesKey('data-damaged', 'data with a changed tag', made.stored.flip(made.stored.length - 1)),
    refusesKey('trailing', 'a byte behind the data', Bytes.of(made.stored, '00')),
    refusesKey('mac', 'another MAC of the record', made.stored.flip(made.record.length - 1)),
    refusesKey('fronted', 'a sealed id in front, as records of checkpoints have it', Bytes.of(front(made.names, core.NAME_KEY_CHECKPOINT), made.stored)),
    refusesKey('tenant', "another tenant's name key", foreign.stored),
    refusesKey('no-slash', "a checkpoint whose id is the name key's without the slash", noSlash.stored),
    refusesKey('checkpoint', 'a checkpoint without data in its place', usersOwn.stored),
    refusesKey('wrap-of-field', 'the DEK wrapped for fields', Bytes.of(resigned(made, () => ({ wraps: [localWrap(K1, made.dek, context, 'hidden/field')] })), made.object)),
    refusesKey('wrong-key', 'no wrap by a key of the reader', made.stored, { keyrings: [keyringOf(K2)], refusal: 'KEY_NOT_ALLOWED' }),
  ];
}

// Checkpoints under hidden names.

/** What storage holds of a checkpoint. */
function objectsOf(nameKey, made, { inline = false, id = made.checkpoint, lead = front(nameKey.names, id), record = made.record, data = made.object } = {}) {
  const { names } = nameKey;
  if (inline) return { [names.record(id)]: Bytes.of(lead, record, data) };
  return { [names.record(id)]: Bytes.of(lead, record), [names.data(id, hex(made.sealer.objectId))]: data };
}

function loadsOf(nameKey, made) {
  const stored = { [nameKey.names.keyObject]: nameKey.stored };
  const inputOf = (objects, changes) => ({ keyrings: [keyringOf(K1)], tenant: 'acme', checkpoint: made.checkpoint, suites: [1, 2, 3], objects: { ...stored, ...objects }, ...changes });
  return {
    opens: (id, description, objects, { of = made, spec = 'hidden-names 4', ...changes } = {}) =>
      valid(`hidden-checkpoint/${id}`, description, spec, 'hidden-checkpoint', inputOf(objects, { checkpoint: of.checkpoint, ...changes }), {
        generation: 1,
        objectId: hex(of.sealer.objectId),
        commitment: hex(of.sealer.commitment),
        metadata: of.metadata,
        plaintext: summary(of.plaintext),
      }),
    refuses: (id, reason, objects, { spec = 'hidden-names 4', refusal = 'INTEGRITY_FAILURE', ...changes } = {}) =>
      invalid(`hidden-checkpoint/${id}`, reason, spec, 'hidden-checkpoint', inputOf(objects, changes), refusal),
  };
}

async function loads(nameKey) {
  const { names } = nameKey;
  const made = await makeCheckpoint('hidden/run', { metadata: { job: 'j-1' }, length: 100 });
  const again = await makeCheckpoint('hidden/again', { length: 100 });
  const second = await makeCheckpoint('hidden/second', { checkpoint: 'run-2', length: 100 });
  const unicode = await makeCheckpoint('hidden/unicode', { checkpoint: '\u00e9/e\u0301/\u{1f511}', length: 10 });
  const foreign = await makeCheckpoint('hidden/foreign', { tenant: 'globex', length: 100 });
  const large = await makeCheckpoint('hidden/suite-3', { length: 40_000 });
  const otherKey = await makeNameKey('key/other');
  const { opens, refuses } = loadsOf(nameKey, made);
  const good = front(names, 'run-1');
  const of = (options) => objectsOf(nameKey, made, options);
  const receipt = { objectId: hex(made.sealer.objectId), commitment: hex(made.sealer.commitment), generation: 1 };
  const objectId = hex(made.sealer.objectId);

  return [
    opens('two-objects', 'record and data, each an object', of()),
    opens('inline', 'the data behind the record', of({ inline: true })),
    opens('large', 'a larger checkpoint behind its record', objectsOf(nameKey, large, { inline: true }), { of: large }),
    opens('unicode', 'an id outside ASCII', objectsOf(nameKey, unicode), { of: unicode }),
    opens('beside-others', "another id's objects, a mark and a visible checkpoint of the same id beside it", { ...of(), ...objectsOf(nameKey, second), [names.mark('run-2', objectId)]: '', 'run-1.kfk': again.record }, { spec: 'hidden-names 3' }),
    opens('receipt', 'with the receipt of its save', of(), { receipt, spec: 'checkpoint 7' }),
    opens('front-of-other', 'the front of another id: a reader that is given the id does not open it', of({ lead: front(names, 'run-2') })),
    opens('front-damaged', 'a front that does not open, of the right length', of({ lead: good.flip(100) })),
    opens('front-longer', 'a front of nine blocks that does not open', of({ lead: Bytes.of(good.slice(0, 8), '04c8', named('hidden/rubbish', 1_224)) })),

    refuses('no-front', 'a record with nothing in front, as under visible names', of({ lead: '' })),
    refuses('front-twice', 'two fronts', of({ lead: Bytes.of(good, good) })),
    refuses('front-alone', 'a front and nothing else', of({ record: '' })),
    refuses('front-cut', 'a front without its last byte', of({ lead: good.slice(0, good.length - 1) })),
    refuses('front-byte-more', 'a byte between front and record', of({ lead: Bytes.of(good, '00') })),
    refuses('front-magic', 'another magic in front', of({ lead: good.flip(3) })),
    refuses('front-version', 'version 2 in front', of({ lead: good.with(4, '02') })),
    refuses('front-reserved', 'a reserved byte in front', of({ lead: good.with(7, '01') })),
    refuses('front-length-72', 'a message without content in front', of({ lead: Bytes.of(good.slice(0, 8), '0048', good.slice(10, 82)) })),
    refuses('front-length-201', 'a front of 201 bytes', of({ lead: Bytes.of(good.slice(0, 8), '00c9', good.slice(10), '00') })),
    refuses('front-length-1352', 'a front of ten blocks', of({ lead: Bytes.of(good.slice(0, 8), '0548', named('hidden/rubbish', 1_352)) })),
    refuses('record-of-other', 'the record and data of another id', objectsOf(nameKey, second, { id: 'run-1' })),
    refuses('record-of-other-tenant', 'the record and data of another tenant', objectsOf(nameKey, foreign, { id: 'run-1' })),
    refuses('record-damaged', 'a damaged record', of({ record: made.record.flip(made.record.length - 1) })),
    refuses('data-missing', 'data that are missing', { [names.record('run-1')]: Bytes.of(good, made.record) }, { spec: 'checkpoint 8.4' }),
    refuses('data-visible-suffix', 'data under the suffix of visible names', { [names.record('run-1')]: Bytes.of(good, made.record), [`${names.root}/${names.nameOf('run-1')}.${objectId}.kfc`]: made.object }, { spec: 'hidden-names 3' }),
    refuses('data-of-other-name', 'data under the name of another id', { [names.record('run-1')]: Bytes.of(good, made.record), [names.data('run-2', objectId)]: made.object }, { spec: 'hidden-names 3' }),
    refuses('data-of-other-save', 'the data of another save', of({ data: again.object })),
    refuses('data-damaged', 'damaged data', of({ data: made.object.flip(made.object.length - 1) })),
    refuses('inline-damaged', 'damaged data behind the record', of({ inline: true, data: made.object.flip(made.object.length - 1) })),
    refuses('receipt-of-other', 'a receipt of another save', of(), { receipt: { ...receipt, objectId: hex(again.sealer.objectId) }, spec: 'checkpoint 7' }),
    refuses('visible-suffix', 'the suffix of visible records', { [`${names.root}/${names.nameOf('run-1')}.kfk`]: Bytes.of(good, made.record, made.object) }, { refusal: 'NOT_FOUND', spec: 'hidden-names 3' }),
    refuses('visible-name', 'a visible name', { 'run-1.kfk': Bytes.of(made.record, made.object) }, { refusal: 'NOT_FOUND', spec: 'hidden-names 3' }),
    refuses('name-of-other-key', 'the name that another name key gives', { [otherKey.names.record('run-1')]: Bytes.of(good, made.record, made.object) }, { refusal: 'NOT_FOUND', spec: 'hidden-names 2' }),
    refuses('absent', 'an id that nobody saved', {}, { refusal: 'NOT_FOUND', spec: 'hidden-names 2' }),
    refuses('name-key-id', "the name key's own id", {}, { checkpoint: core.NAME_KEY_CHECKPOINT, refusal: 'INVALID_ARGUMENT', spec: 'hidden-names 1' }),
    refuses('no-name-key', 'a name key that is gone, and objects that it named', { [names.keyObject]: undefined, ...of() }, { spec: 'hidden-names 1' }),
  ];
}

// Listings.

function listings(nameKey) {
  const { names } = nameKey;
  const input = (objects) => ({ keyrings: [keyringOf(K1)], tenant: 'acme', objects: { [names.keyObject]: nameKey.stored, ...objects } });
  const gives = (id, description, objects, ids, damaged = false) =>
    valid(`hidden-list/${id}`, description, 'hidden-names 5', 'hidden-list', input(objects), { ids, damaged });
  const record = (id, rest = 'ff') => ({ [names.record(id)]: Bytes.of(front(names, id), rest) });
  const three = { ...record('b'), ...record('a/b'), ...record('\u00e9'.repeat(500)) };
  const ids = ['a/b', 'b', '\u00e9'.repeat(500)];
  const otherRoot = core.hiddenTenantName('globex');
  const damage = (id, reason, stored) => gives(`damaged-${id}`, `${reason} beside three ids`, { ...three, [names.record('run-1')]: stored }, ids, true);
  const good = front(names, 'run-1');
  return [
    gives('none', 'a name key alone', {}, []),
    gives('three', 'three ids', three, ids),
    gives('no-record', 'a front with nothing behind it: a listing does not look further', record('run-1', ''), ['run-1']),
    gives('others', "data, a mark, another tenant's record and objects of nobody beside one record", {
      ...record('run-1'),
      [names.data('x', hex(named('id', 16)))]: 'ff',
      [names.mark('x', hex(named('id', 16)))]: '',
      [`${otherRoot}/${names.nameOf('x')}.kfh`]: 'ff',
      [`${names.root}/${names.nameOf('x')}.kfk`]: 'ff',
      [`${names.root}/x.kfh`]: 'ff',
      'x.kfh': 'ff',
    }, ['run-1']),
    damage('empty', 'a record of no bytes', ''),
    damage('bare', 'a record without a front', '8f4b464b01'),
    damage('tag', 'a front with another tag', good.flip(good.length - 1)),
    damage('cut', 'a front that is cut', good.slice(0, 100)),
    gives('moved', 'the front of another id, whose own record is there: it is listed once', { ...three, [names.record('run-1')]: Bytes.of(front(names, 'b'), 'ff') }, ids, true),
    gives('all-damaged', 'damage alone', { [names.record('run-1')]: 'ff' }, [], true),
  ];
}

export async function hiddenCheckpoints() {
  const nameKey = await makeNameKey('key');
  return [...(await nameKeys(nameKey)), ...(await loads(nameKey)), ...listings(nameKey)];
}
