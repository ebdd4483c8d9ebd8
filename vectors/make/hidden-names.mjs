import { front, namesOf, padded, sealedId } from './hidden.mjs';
import { Bytes, core, invalid, named, valid } from './support.mjs';

const DEK = named('hidden/dek');
const NAMES = namesOf(DEK, 'acme');
const OTHER = namesOf(named('hidden/other dek'), 'acme');
const GLOBEX = namesOf(DEK, 'globex');
const OBJECT_ID = named('hidden/object id', 16).toString('hex');
const NAME = NAMES.nameOf('run-1');

const hex = (bytes) => Buffer.from(bytes).toString('hex');
const utf8 = (text) => Buffer.from(text);

// Names.

const NAMED = [
  ['plain', 'an id', 'run-1'],
  ['other-id', 'an id that begins with another one', 'run-10'],
  ['folders', 'an id with slashes, which do not show', 'job_7/2024.01/chk-42'],
  ['capital', 'a capital', 'Run-1'],
  ['composed', 'a letter as one code point', '\u00e9'],
  ['decomposed', 'the same letter as two code points, which has another name', 'e\u0301'],
  ['astral', 'a character outside the basic plane', '\u{1f511}'],
  ['byte-order-mark', 'an id that begins with U+FEFF', '\ufeffa'],
  ['longest', '1,024 bytes', 'a'.repeat(1_024)],
  ['like-a-name', 'an id that looks like a name', NAME],
];

const TENANTS = [
  ['tenant', 'another tenant with the same DEK', 'globex'],
  ['tenant-unicode', 'a tenant outside ASCII', '\u65e5\u672c \u{1f511}'],
  ['tenant-longest', 'a tenant of 256 bytes', 't'.repeat(256)],
];

const REFUSED_IDS = [
  ['empty', 'an empty id', ''],
  ['too-long', 'an id of 1,025 bytes', 'a'.repeat(1_025)],
  ['too-long-encoded', 'an id whose visible name would be too long', `${'A'.repeat(1_006)}${'a'.repeat(18)}`],
  ['surrogate', 'an id with a lone surrogate', 'a\ud800'],
  ['nul', 'an id with a NUL', 'a\0b'],
  ['dot-dot', 'an id with a segment of two dots', '../a'],
  ['name-key', "the name key's own id", core.NAME_KEY_CHECKPOINT],
  ['mark-folder', 'an id with a folder that would have the visible name of a mark', 'a.kfg/b'],
];

const REFUSED_TENANTS = [
  ['no-tenant', 'no tenant', ''],
  ['long-tenant', 'a tenant of 257 bytes', 't'.repeat(257)],
  ['surrogate-tenant', 'a tenant with a lone surrogate', 't\udc00'],
];

function derives(id, description, checkpoint, names = NAMES) {
  return valid(`hidden-name/${id}`, description, 'hidden-names 2', 'hidden-name', { dek: hex(names.dek), tenant: names.tenant, id: checkpoint, objectId: OBJECT_ID }, {
    nameKey: hex(names.nameKey),
    idKey: hex(names.idKey),
    nameKeyObject: names.keyObject,
    record: names.record(checkpoint),
    data: names.data(checkpoint, OBJECT_ID),
    mark: names.mark(checkpoint, OBJECT_ID),
  });
}

const refusesName = (id, reason, checkpoint, tenant = 'acme') =>
  invalid(`hidden-name/refused/${id}`, reason, 'hidden-names 3', 'hidden-name', { dek: hex(DEK), tenant, id: checkpoint, objectId: OBJECT_ID }, 'INVALID_ARGUMENT');

// What an object's name says that it is.

const KINDS = [
  ['name-key', 'a name key', NAMES.keyObject, { kind: 'name-key' }],
  ['record', 'a record', NAMES.record('run-1'), { kind: 'record', name: NAME }],
  ['data', 'a data object', NAMES.data('run-1', OBJECT_ID), { kind: 'data', name: NAME, objectId: OBJECT_ID }],
  ['mark', 'a mark', NAMES.mark('run-1', OBJECT_ID), { kind: 'mark', name: NAME, objectId: OBJECT_ID }],
];

const NOBODYS = [
  ['no-root', 'a record outside any root', `${NAME}.kfh`],
  ['root-alone', 'a root', NAMES.root],
  ['other-root', "another tenant's record", GLOBEX.record('run-1')],
  ['other-name-key', "another tenant's name key", GLOBEX.keyObject],
  ['capital-root', 'capitals in the root', `${NAMES.root.toUpperCase()}/${NAME}.kfh`],
  ['capital-name', 'capitals in the name', `${NAMES.root}/${NAME.toUpperCase()}.kfh`],
  ['capital-object-id', 'capitals in the object id', `${NAMES.root}/${NAME}.${OBJECT_ID.toUpperCase()}.kfd`],
  ['capital-suffix', 'capitals in the suffix', `${NAMES.root}/${NAME}.KFH`],
  ['short-name', 'a name of 63 digits', `${NAMES.root}/${NAME.slice(1)}.kfh`],
  ['long-name', 'a name of 65 digits', `${NAMES.root}/0${NAME}.kfh`],
  ['short-object-id', 'an object id of 31 digits', `${NAMES.root}/${NAME}.${OBJECT_ID.slice(1)}.kfd`],
  ['long-object-id', 'an object id of 33 digits', `${NAMES.root}/${NAME}.${OBJECT_ID}0.kfd`],
  ['no-hex', 'a letter that is no digit', `${NAMES.root}/g${NAME.slice(1)}.kfh`],
  ['visible-record', "the suffix of visible records", `${NAMES.root}/${NAME}.kfk`],
  ['visible-data', 'the suffix of visible data', `${NAMES.root}/${NAME}.${OBJECT_ID}.kfc`],
  ['visible-mark', 'the suffix of visible marks', `${NAMES.root}/${NAME}.${OBJECT_ID}.kfg`],
  ['record-with-object-id', 'a record with an object id', `${NAMES.root}/${NAME}.${OBJECT_ID}.kfh`],
  ['data-without-object-id', 'data without an object id', `${NAMES.root}/${NAME}.kfd`],
  ['mark-without-object-id', 'a mark without an object id', `${NAMES.root}/${NAME}.kfm`],
  ['no-suffix', 'no suffix', `${NAMES.root}/${NAME}`],
  ['suffix-twice', 'the suffix twice', `${NAMES.root}/${NAME}.kfh.kfh`],
  ['line-feed', 'a line feed behind it', `${NAMES.root}/${NAME}.kfh\n`],
  ['folder', 'a folder more', `${NAMES.root}/x/${NAME}.kfh`],
  ['other-names', 'a name key of another name', `${NAMES.root}/name.kfn`],
  ['names-in-folder', 'a name key in a folder', `${NAMES.root}/x/names.kfn`],
];

const isKind = ([id, description, name, output]) =>
  valid(`hidden-object/${id}`, description, 'hidden-names 3', 'hidden-object', { tenant: 'acme', name }, output);

const isNobodys = ([id, reason, name]) =>
  invalid(`hidden-object/refused/${id}`, reason, 'hidden-names 3', 'hidden-object', { tenant: 'acme', name }, 'INVALID_ARGUMENT');

// Ids in front of records.

const inputOf = (stored, { object = NAMES.record('run-1'), names = NAMES } = {}) => ({ dek: hex(names.dek), tenant: names.tenant, object, stored });

function lists(id, description, checkpoint, { names = NAMES, rest = '', ...changes } = {}) {
  const stored = Bytes.of(front(names, checkpoint, changes), rest);
  return valid(`hidden-id/${id}`, description, 'hidden-names 5', 'hidden-id', inputOf(stored, { object: names.record(checkpoint), names }), { id: checkpoint });
}

const refusesId = (id, reason, stored, changes) =>
  invalid(`hidden-id/refused/${id}`, reason, 'hidden-names 5', 'hidden-id', inputOf(stored, changes), 'INTEGRITY_FAILURE');

/** A front that is sealed well and says something else. */
const refusesText = (id, reason, plaintext) => refusesId(id, reason, front(NAMES, 'run-1', { plaintext }));

/** Sealed well, under a context of its own. */
const refusesContext = (id, reason, ...parts) => refusesId(id, reason, front(NAMES, 'run-1', { context: Buffer.concat(parts) }));

const good = front(NAMES, 'run-1');
const NAME_BYTES = Buffer.from(NAME, 'hex');
const label = (text) => Buffer.from(core.label(text));
const sealedOf = (plaintext) => sealedId(NAMES, 'run-1', { plaintext });
const withLength = (length, body) => Bytes.of(good.slice(0, 8), core.u16(length), body);
const globexInAcme = `${NAMES.root}/${GLOBEX.nameOf('run-1')}.kfh`;
const ofName = (name) => ({ object: `${NAMES.root}/${name}.kfh` });

const LISTED = [
  lists('alone', 'the front of a record, and nothing else', 'run-1'),
  lists('before-rubbish', 'what stands behind is not looked at', 'run-1', { rest: 'ff00ff' }),
  lists('one-byte', 'an id of one byte', 'a'),
  lists('one-block', 'an id of 126 bytes, which needs no padding', 'a'.repeat(126)),
  lists('two-blocks', 'an id of 127 bytes', 'a'.repeat(127)),
  lists('longest', 'an id of 1,024 bytes', 'z'.repeat(1_024)),
  lists('unicode', 'an id outside ASCII', '\ufeff\u00e9/e\u0301/\u{1f511}'),
  lists('zero-end', 'an id that ends in a zero byte, which is not its padding', 'a\0'),
  lists('not-accepted', 'an id that a store does not accept: only who has the name key can have sealed it', 'a//b'),
  lists('other-tenant', 'another tenant with the same DEK', 'run-1', { names: GLOBEX }),
];

const REFUSED_FRONTS = [
  ...[0, 4, 8, 9, 10, 11, 34, 66, 193, good.length - 1].map((length) => refusesId(`cut-to-${length}`, `cut to ${length} bytes`, good.slice(0, length))),
  refusesId('record', "a record's magic", good.with(0, '8f4b464b')),
  refusesId('version', 'version 2', good.with(4, '02')),
  ...[5, 6, 7].map((at) => refusesId(`reserved-${at}`, `reserved byte ${at} of 1`, good.with(at, '01'))),
  refusesId('salt', 'another salt', good.flip(10)),
  refusesId('commitment', 'another commitment', good.flip(34)),
  refusesId('ciphertext', 'changed ciphertext', good.flip(66)),
  refusesId('padding-changed', 'changed ciphertext of the padding', good.flip(193)),
  refusesId('tag', 'another tag', good.flip(good.length - 1)),
  refusesId('length-0', 'a length of 0', withLength(0, '')),
  refusesId('length-72', 'a message without content', withLength(72, sealedOf(Buffer.alloc(0)))),
  refusesId('length-199', 'a length of 199, one less than there are', withLength(199, good.slice(10))),
  refusesId('length-201', 'a length of 201, with a byte behind the message', withLength(201, Bytes.of(good.slice(10), '00'))),
  refusesId('length-172', 'a well-sealed message of 100 bytes', withLength(172, sealedOf(padded(utf8('run-1'), 100)))),
  refusesId('length-1352', 'a well-sealed message of ten blocks', withLength(1_352, sealedOf(padded(utf8('run-1'), 1_280)))),
  refusesId('length-beyond', 'a length of two blocks, of which one is there', withLength(328, good.slice(10))),
  refusesId('length-little-endian', 'a little-endian length', good.with(8, 'c800')),
  refusesText('other-id', 'the id of another name', padded(utf8('run-2'))),
  refusesText('needless-block', 'a block of padding more than needed', padded(utf8('run-1'), 256)),
  refusesText('padding-first', 'padding whose first byte is not zero', Bytes.of(padded(utf8('run-1'))).with(7, '01').toBuffer()),
  refusesText('padding-last', 'padding whose last byte is not zero', Bytes.of(padded(utf8('run-1'))).with(127, '80').toBuffer()),
  refusesText('no-length', 'an id without its length', Buffer.concat([utf8('run-1'), Buffer.alloc(123)])),
  refusesText('empty', 'an empty id', Buffer.alloc(128)),
  refusesText('beyond-end', 'a length beyond the end', Buffer.concat([core.u16(127), Buffer.alloc(126, 0x61)])),
  refusesText('too-long', 'an id of 1,025 bytes', padded(Buffer.alloc(1_025, 0x61))),
  refusesText('no-utf-8', 'no UTF-8', padded(Buffer.from([0x72, 0xff]))),
  refusesText('surrogate', 'a surrogate in UTF-8', padded(Buffer.from('eda080', 'hex'))),
  refusesText('overlong', 'UTF-8 that is longer than need be', padded(Buffer.from('c1a1', 'hex'))),
  refusesContext('label-of-name', 'the label of names', label('keyfold/hidden-name/v1'), NAME_BYTES),
  refusesContext('label-without-zero', 'a label without its zero byte', utf8('keyfold/hidden-name-id/v1'), NAME_BYTES),
  refusesContext('no-context', 'no context'),
  refusesContext('label-alone', 'a context without a name', label('keyfold/hidden-name-id/v1')),
  refusesContext('name-in-digits', 'the name as digits in the context', label('keyfold/hidden-name-id/v1'), utf8(NAME)),
  refusesContext('name-of-other', 'the name of another id in the context', label('keyfold/hidden-name-id/v1'), Buffer.from(NAMES.nameOf('run-2'), 'hex')),
  refusesId('name-key', 'sealed under the key of names', front(NAMES, 'run-1', { key: NAMES.nameKey })),
  refusesId('dek', 'sealed under the DEK itself', front(NAMES, 'run-1', { key: DEK })),
  refusesId('other-key', 'sealed with another name key, for this name', front(NAMES, 'run-1', { key: OTHER.idKey })),
  refusesId('other-dek', 'opened with another name key', good, { object: OTHER.record('run-1'), names: OTHER }),
  refusesId('moved', 'a whole front under the name of another id', good, ofName(NAMES.nameOf('run-2'))),
  refusesId('name-of-tenant', "sealed for the name that another tenant's id would have", front(NAMES, 'run-1', { name: GLOBEX.nameOf('run-1') }), { object: globexInAcme }),
  refusesId('name-of-composed', 'an id that is only canonically equivalent to the one of the name', front(NAMES, '\u00e9', { plaintext: padded(utf8('e\u0301')) }), ofName(NAMES.nameOf('\u00e9'))),
  refusesId('object-data', "a whole front under the suffix of data", good, { object: NAMES.data('run-1', OBJECT_ID) }),
  refusesId('object-capitals', 'capitals in the name of the object', good, ofName(NAME.toUpperCase())),
  refusesId('object-root', "the object of another tenant's root", good, { object: `${GLOBEX.root}/${NAME}.kfh` }),
];

export const hiddenNames = [
  ...NAMED.map((each) => derives(...each)),
  ...TENANTS.map(([id, description, tenant]) => derives(id, description, 'run-1', namesOf(DEK, tenant))),
  derives('other-dek', 'another DEK', 'run-1', OTHER),
  ...REFUSED_IDS.map((each) => refusesName(...each)),
  ...REFUSED_TENANTS.map(([id, reason, tenant]) => refusesName(id, reason, 'run-1', tenant)),
  ...KINDS.map(isKind),
  ...NOBODYS.map(isNobodys),
  ...LISTED,
  ...REFUSED_FRONTS,
];
