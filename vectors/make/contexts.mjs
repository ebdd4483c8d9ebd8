import { core, invalid, named, valid } from './support.mjs';

const PAGE = 'encryption-context';
const entry = (key, value) => Buffer.concat([core.lengthPrefixed(16, Buffer.from(key)), core.lengthPrefixed(32, Buffer.from(value))]);
const bytes = (count, ...entries) => Buffer.concat([Buffer.from([1, count]), ...entries]).toString('hex');

const ACCEPTED = [
  ['checkpoint', 'the checkpoint example of the page', { purpose: 'checkpoint', tenant: 'acme', checkpoint: 'run-1' }],
  ['wrap', 'the wrap example of the page', { purpose: 'wrap', use: 'index-root', tenant: '\u00e9', scope: 'default', dek: '000102030405060708090a0b0c0d0eff' }],
  ['one-empty-value', 'one entry whose value is empty', { a: '' }],
  ['prefix-first', 'a key that is the beginning of another stands before it', { ab: '1', a: '2', 'a-': '3', 'a.': '4', a_: '5', a0: '6' }],
  ['not-by-locale', 'order by bytes, which no locale gives', { z: '1', a_b: '2', 'a-b': '3', 'a.b': '4', 9: '5', 10: '6' }],
  ['longest-key', 'a key of 64 characters', { ['k'.repeat(64)]: 'v' }],
  ['most-entries', '32 entries', Object.fromEntries(Array.from({ length: 32 }, (_, i) => [`k${String(i).padStart(2, '0')}`, String(i)]))],
  ['byte-order-mark', 'a leading U+FEFF is a character', { a: '\ufeffx' }],
  ['not-normalised', 'two forms of one letter stay two', { composed: '\u00e9', decomposed: 'e\u0301' }],
  ['planes', 'characters of one to four bytes, U+0000 and U+10FFFF among them', { a: '\0\u007f\u0080\u07ff\u0800\uffff\u{10000}\u{10ffff}' }],
  ['like-object-members', 'keys that scripting languages treat specially', { constructor: '1', tostring: '2', valueof: '3' }],
];

const REFUSED_BYTES = [
  ['empty', 'no bytes at all', ''],
  ['no-entries', 'no entries', '0100'],
  ['version-0', 'unknown version', '000100016100000000'],
  ['version-2', 'unknown version', '020100016100000000'],
  ['order', 'keys in the wrong order', bytes(2, entry('b', ''), entry('a', ''))],
  ['duplicate', 'a key twice', bytes(2, entry('a', ''), entry('a', ''))],
  ['prefix-order', 'a key before the one that is its beginning', bytes(2, entry('ab', ''), entry('a', ''))],
  ['capital', 'a capital in a key', bytes(1, entry('A', ''))],
  ['first-dash', 'a key that begins with a dash', bytes(1, entry('-a', ''))],
  ['empty-key', 'an empty key', bytes(1, entry('', 'v'))],
  ['long-key', 'a key of 65 characters', bytes(1, entry('k'.repeat(65), ''))],
  ['newline-key', 'a key that ends in a line feed', bytes(1, entry('a\n', ''))],
  ['key-not-ascii', 'a key with a letter outside ASCII', bytes(1, entry('\u00e9', ''))],
  ['surrogate', 'a value that is a surrogate in UTF-8', '01010001610000' + '0003eda080'],
  ['surrogate-pair', 'a value that is a pair of surrogates in UTF-8', '01010001610000' + '0006eda080edb080'],
  ['overlong', 'a value in an overlong form', '01010001610000' + '0002c080'],
  ['beyond-unicode', 'a value above U+10FFFF', '01010001610000' + '0004f4908080'],
  ['cut-character', 'a value that ends inside a character', '01010001610000' + '0001c3'],
  ['trailing', 'a byte after the last entry', bytes(1, entry('a', '')) + '00'],
  ['count-small', 'fewer entries counted than there are', bytes(1, entry('a', ''), entry('b', ''))],
  ['count-large', 'more entries counted than there are', bytes(2, entry('a', ''))],
  ['33-entries', '33 entries', bytes(33, ...Array.from({ length: 33 }, (_, i) => entry(`k${String(i).padStart(2, '0')}`, '')))],
  ['long-value', 'a length above 65,536', '010100016100010001'],
  ['value-past-end', 'a length beyond the end', '01010001610000000261'],
  ['key-past-end', 'a key that ends early', '0101000361'],
];

const REFUSED_ENTRIES = [
  ['none', 'no entries', []],
  ['33', '33 entries', Array.from({ length: 33 }, (_, i) => [`k${i}`, ''])],
  ['high-surrogate', 'a value with a lone high surrogate', [['a', 'x\ud800']]],
  ['low-surrogate', 'a value with a lone low surrogate', [['a', '\udc00x']]],
  ['swapped-surrogates', 'a value with a pair of surrogates the wrong way round', [['a', '\udc00\ud800']]],
  ['capital', 'a capital in a key', [['Tenant', 'x']]],
  ['space', 'a space in a key', [['a b', 'x']]],
  ['long-key', 'a key of 65 characters', [['k'.repeat(65), '']]],
  ['number', 'a value that is a number', [['a', 1]]],
  ['null', 'a value that is null', [['a', null]]],
  ['list', 'a value that is a list', [['a', ['x']]]],
];

const DEK_ID = named('context/dek id', 16);
const hex = (bytes) => Buffer.from(bytes).toString('hex');

const WRAPS = [
  ...['checkpoint', 'field', 'index-root', 'audit'].map((use) => [use, `a DEK of the use ${use}`, use, 'acme', use === 'checkpoint' ? 'run-1' : 'default']),
  ['unicode', 'a tenant and a scope outside ASCII', 'field', '\u65e5\u672c \u{1f511}', '\ufeffe\u0301'],
  ['longest', 'a tenant and a scope of the greatest lengths', 'checkpoint', 't'.repeat(256), '\u00e9'.repeat(512)],
  ['name-key', 'the DEK of a name key', 'checkpoint', 'acme', '/keyfold/hidden-names/v1'],
];

const REFUSED_WRAPS = [
  ['no-tenant', 'no tenant', '', 'default'],
  ['long-tenant', 'a tenant of 257 bytes', 't'.repeat(257), 'default'],
  ['long-tenant-utf-8', 'a tenant of 258 bytes in 129 characters', '\u00e9'.repeat(129), 'default'],
  ['no-scope', 'no scope', 'acme', ''],
  ['long-scope', 'a scope of 1,025 bytes', 'acme', 's'.repeat(1_025)],
  ['surrogate', 'a lone surrogate in a scope', 'acme', 's\ud800'],
  ['short-dek-id', 'a DEK id of 15 bytes', 'acme', 'default', DEK_ID.subarray(1)],
  ['long-dek-id', 'a DEK id of 17 bytes', 'acme', 'default', Buffer.concat([DEK_ID, Buffer.alloc(1)])],
];

export const contexts = [
  ...ACCEPTED.map(([id, description, context]) => {
    const encoded = Buffer.from(core.encodeContext(context)).toString('hex');
    const entries = Object.entries(core.decodeContext(Buffer.from(encoded, 'hex')));
    entries.sort(([a], [b]) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
    return valid(`context/${id}`, description, `${PAGE} 3`, 'context', { bytes: encoded }, { entries });
  }),
  ...REFUSED_BYTES.map(([id, reason, encoded]) =>
    invalid(`context/bytes/${id}`, reason, `${PAGE} 3.2`, 'context', { bytes: encoded }, 'INVALID_ARGUMENT'),
  ),
  ...REFUSED_ENTRIES.map(([id, reason, entries]) =>
    invalid(`context/entries/${id}`, reason, `${PAGE} 3.1`, 'context-entries', { entries }, 'INVALID_ARGUMENT'),
  ),
  ...WRAPS.map(([id, description, use, tenant, scope]) => {
    const context = core.wrapContext(use, tenant, scope, DEK_ID);
    const output = { context: hex(core.encodeWrapContext(context)), aad: hex(core.kmsAad(context)) };
    return valid(`context/wrap/${id}`, description, `${PAGE} 6`, 'wrap-context', { use, tenant, scope, dekId: hex(DEK_ID) }, output);
  }),
  ...REFUSED_WRAPS.map(([id, reason, tenant, scope, dekId = DEK_ID]) =>
    invalid(`context/wrap/refused/${id}`, reason, `${PAGE} 4`, 'wrap-context', { use: 'field', tenant, scope, dekId: hex(dekId) }, 'INVALID_ARGUMENT'),
  ),
];
