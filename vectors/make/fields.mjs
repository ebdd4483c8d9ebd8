import { Bytes, FieldBinding, core, fixedRandom, invalid, named, sealField, secret, summary, valid } from './support.mjs';

const PAGE = 'sealed-field';
const DEK = named('field/dek');
const DEK_ID = named('field/dek id', 16);
const OTHER_DEK = named('field/other dek');
const OTHER_ID = named('field/other dek id', 16);
const KEYS = [
  { id: DEK_ID.toString('hex'), dek: DEK.toString('hex') },
  { id: OTHER_ID.toString('hex'), dek: OTHER_DEK.toString('hex') },
];
const COLUMN = { tenant: 'acme', table: 'integration', column: 'api_key' };
const IN_ROW = { ...COLUMN, row: 'row-1' };

function seal(name, plaintext, { of = COLUMN, padded = false, dek = DEK, dekId = DEK_ID } = {}) {
  const { row, ...names } = of;
  const binding = new FieldBinding({ ...names, bind: row === undefined ? 'column' : 'row' });
  return Bytes.of(sealField({ dekId, dek: secret(dek) }, binding, Buffer.from(plaintext), { row, padded, random: fixedRandom(`field/${name}`) }));
}

/** By somebody who has the DEK: any header, content and context. */
function forge({ magic = '8f4b4646', version = 1, suite = 1, flags = 0, dekId = DEK_ID, dek = DEK, content = Buffer.from('forged'), label = 'keyfold/field/v1', context = contextOf(COLUMN), bound } = {}) {
  const header = Buffer.concat([Buffer.from(magic, 'hex'), Buffer.from([version, suite, flags]), dekId]);
  const whole = Buffer.concat([core.label(label), bound ?? header, context]);
  return Bytes.of(header, core.sealMessage(secret(dek), whole, content, fixedRandom('field/forged')));
}

const contextOf = (names) => Buffer.from(core.encodeContext({ purpose: 'field', ...names }));
const rawContext = (...entries) =>
  Buffer.concat([
    Buffer.from([1, entries.length]),
    ...entries.flatMap(([key, value]) => [core.lengthPrefixed(16, Buffer.from(key)), core.lengthPrefixed(32, Buffer.from(value))]),
  ]);

const text = (field) => `kf1:${core.toBase64Url(field.toBuffer())}`;

function inputOf(stored, { of = COLUMN, content = 'bytes', mode = 'strict', keys = KEYS } = {}) {
  return { keys, ...of, content, mode, ...(typeof stored === 'string' ? { text: stored } : { binary: stored }) };
}

const opens = (id, description, stored, plaintext, options = {}, section = 6) =>
  valid(`field/${id}`, description, `${PAGE} ${section}`, 'field', inputOf(stored, options), { plaintext: summary(Buffer.from(plaintext)), legacy: options.legacy ?? false });

const refuses = (id, reason, stored, options = {}, section = 6) =>
  invalid(`field/${id}`, reason, `${PAGE} ${section}`, 'field', inputOf(stored, options), options.refusal ?? 'INTEGRITY_FAILURE');

const filler = (length) => named('field/plaintext', length);
const padding = (bytes) => Buffer.concat([Buffer.from([0x80]), Buffer.alloc(bytes - 1)]);

function opened() {
  const strings = { content: 'text' };
  const scripts = { tenant: '\u65e5\u672c', table: 'caf\u00e9', column: 'e\u0301' };
  const small = seal('small', 'secret');
  return [
    opens('small', 'a few bytes', small, 'secret'),
    opens('small-text', 'the same in text', text(small), 'secret', {}, 4),
    opens('empty', 'no bytes', seal('empty', ''), ''),
    opens('empty-text', 'no bytes, in text', text(seal('empty', '')), '', {}, 4),
    ...[1, 2, 3, 31, 32, 33, 100].map((length) => opens(`length-${length}`, `${length} bytes, in text`, text(seal(`length-${length}`, filler(length))), filler(length), {}, 4)),
    opens('longest', '16,383 bytes', seal('longest', filler(16_383)), filler(16_383), {}, 1),
    opens('longest-text', '16,383 bytes in 21,975 characters', text(seal('longest', filler(16_383))), filler(16_383), {}, 4),
    ...[0, 1, 30, 31, 32, 33, 63, 64].map((length) => opens(`padded-${length}`, `${length} bytes, padded`, seal(`padded-${length}`, filler(length), { padded: true }), filler(length), {}, 3)),
    opens('padded-longest', '16,351 bytes, padded', seal('padded-longest', filler(16_351), { padded: true }), filler(16_351), {}, 3),
    opens('padded-like-padding', 'padded bytes that end like padding', seal('padded-like', padding(20), { padded: true }), padding(20), {}, 3),
    opens('padded-full-of-80', 'padded bytes that are all 80', seal('padded-80', Buffer.alloc(32, 0x80), { padded: true }), Buffer.alloc(32, 0x80), {}, 3),
    opens('not-padded-like-padding', 'bytes that end like padding and are not padded', seal('not-padded', padding(32)), padding(32), {}, 3),
    opens('row', 'bound to a row', seal('row', 'secret', { of: IN_ROW }), 'secret', { of: IN_ROW }, 2),
    opens('row-text-padded', 'bound to a row, padded, in text', text(seal('row-padded', 'secret', { of: IN_ROW, padded: true })), 'secret', { of: IN_ROW }, 2),
    opens('row-unicode', 'bound to a row of characters of several scripts', seal('row-unicode', 'secret', { of: { ...scripts, row: '\ufeff\u{1f511}' } }), 'secret', { of: { ...scripts, row: '\ufeff\u{1f511}' } }, 2),
    opens('row-longest', 'a row of 65,536 bytes', seal('row-longest', 'secret', { of: { ...COLUMN, row: '\u00e9'.repeat(32_768) } }), 'secret', { of: { ...COLUMN, row: '\u00e9'.repeat(32_768) } }, 2),
    opens('other-key', 'sealed under the other DEK of the tenant', seal('other-key', 'secret', { dek: OTHER_DEK, dekId: OTHER_ID }), 'secret'),
    opens('string', 'a string of characters of one to four bytes', text(seal('string', 'a\0\u00e9\u65e5\u{1f511}')), 'a\0\u00e9\u65e5\u{1f511}', strings, 3),
    opens('string-bom', 'a string that begins with U+FEFF', text(seal('string-bom', '\ufeffx')), '\ufeffx', strings, 3),
    opens('string-not-normalised', 'a string that is in no normal form', text(seal('string-nfd', 'e\u0301\u00e9')), 'e\u0301\u00e9', strings, 3),
    opens('string-like-field', 'a string that begins as a field does', text(seal('string-kf1', 'kf1:x')), 'kf1:x', strings, 7),
    opens('bytes-not-utf-8', 'bytes that are no UTF-8', seal('bytes', Buffer.from('ff00c3', 'hex')), Buffer.from('ff00c3', 'hex'), {}, 3),
    opens('forged-well', 'a field made by hand: what follows breaks one rule each', forge(), 'forged'),
    opens('forged-padded', 'a padded field made by hand', forge({ flags: 1, content: Buffer.concat([Buffer.from('forged'), padding(26)]) }), 'forged', {}, 3),
    opens('migrating-sealed', 'a sealed value in a column that is migrating', text(small), 'secret', { mode: 'migrating' }, 7),
    opens('migrating-plain', 'plaintext in a column that is migrating', 'hunter2', 'hunter2', { mode: 'migrating', legacy: true, ...strings }, 7),
    opens('migrating-empty', 'an empty string in a column that is migrating', '', '', { mode: 'migrating', legacy: true, ...strings }, 7),
    opens('migrating-like', 'plaintext that nearly begins as a field does', 'KF1:x', 'KF1:x', { mode: 'migrating', legacy: true, ...strings }, 7),
    opens('migrating-later', 'plaintext with the prefix behind its beginning', ' kf1:x', ' kf1:x', { mode: 'migrating', legacy: true, ...strings }, 7),
    opens('migrating-binary', 'bytes in a column that is migrating', Bytes.of('8f4b4643'), Buffer.from('8f4b4643', 'hex'), { mode: 'migrating', legacy: true }, 7),
    opens('migrating-short', 'three bytes of the four with which a field begins', Bytes.of('8f4b46'), Buffer.from('8f4b46', 'hex'), { mode: 'migrating', legacy: true }, 7),
  ];
}

function damaged() {
  const field = seal('small', 'secret');
  const empty = seal('empty', '');
  const twin = seal('twin', 'SECRET');
  const padded = seal('padded-30', filler(30), { padded: true });
  const cases = [
    ['nothing', 'no bytes', Bytes.of('')],
    ['magic-only', 'the magic alone', field.slice(0, 4)],
    ['header-only', 'the header alone', field.slice(0, 23)],
    ['no-frame', 'no frame', field.slice(0, 79)],
    ['94-bytes', 'one byte less than an empty field', empty.slice(0, 94)],
    ['cut-1', 'cut by one byte', field.slice(0, field.length - 1)],
    ['cut-tag', 'cut by its tag', field.slice(0, field.length - 16)],
    ['extended-1', 'extended by one byte', Bytes.of(field, '00')],
    ['extended-16', 'extended by 16 bytes', Bytes.of(field, Buffer.alloc(16))],
    ['shifted', 'a byte before', Bytes.of('00', field)],
    ...[['magic', 3, 5], ['version', 4, 3], ['suite', 5, 2], ['flag-padded', 6, 1], ['flag-2', 6, 2], ['flag-8', 6, 0x80], ['dek-id', 7, 1], ['dek-id-end', 22, 1], ['salt', 23, 1], ['salt-end', 46, 1], ['commitment', 47, 1], ['commitment-end', 78, 0x80], ['ciphertext', 79, 1], ['tag', field.length - 16, 1], ['tag-end', field.length - 1, 0x80]].map(([id, at, mask]) => [id, `a changed bit: ${id}`, field.flip(at, mask)]),
    ['flag-cleared', 'padded, without the flag', padded.with(6, '00')],
    ['other-header', 'the header of a field under another DEK', Bytes.of(field.slice(0, 7), OTHER_ID, field.slice(23))],
    ['other-salt', 'the salt of another field', Bytes.of(field.slice(0, 23), twin.slice(23, 47), field.slice(47))],
    ['other-frame', 'the frame of another field', Bytes.of(field.slice(0, 79), twin.slice(79))],
    ['as-data-object', 'the beginning of a data object', field.with(3, '43')],
    ['as-record', 'the beginning of a key record', field.with(3, '4b')],
  ];
  return cases.map(([id, reason, stored]) => refuses(`damaged/${id}`, reason, stored));
}

function foreign() {
  const field = seal('small', 'secret');
  const inRow = seal('row', 'secret', { of: IN_ROW });
  const shift = seal('shift', 'secret', { of: { tenant: 'ab', table: 'c', column: 'd' } });
  const accent = seal('accent', 'secret', { of: { ...COLUMN, column: '\u00e9' } });
  const zero = Buffer.concat([named('field/short', 31), Buffer.alloc(1)]);
  const strange = seal('strange', 'secret', { dek: zero });
  const without = (names, key) => Object.fromEntries(Object.entries(names).filter(([name]) => name !== key));
  return [
    refuses('tenant', 'another tenant', field, { of: { ...COLUMN, tenant: 'acmf' } }, 2),
    refuses('table', 'another table', field, { of: { ...COLUMN, table: 'integrations' } }, 2),
    refuses('column', 'another column', field, { of: { ...COLUMN, column: 'api_keys' } }, 2),
    refuses('column-case', 'the column in another case', field, { of: { ...COLUMN, column: 'API_KEY' } }, 2),
    refuses('row-other', 'another row', inRow, { of: { ...IN_ROW, row: 'row-2' } }, 2),
    refuses('row-space', 'the row and a space', inRow, { of: { ...IN_ROW, row: 'row-1 ' } }, 2),
    refuses('row-missing', 'bound to a row, in a column that does not bind it', inRow, {}, 2),
    refuses('row-added', 'not bound to a row, in a column that binds it', field, { of: IN_ROW }, 2),
    refuses('exchanged', 'table and column exchanged', field, { of: { tenant: 'acme', table: 'api_key', column: 'integration' } }, 2),
    refuses('shift', 'a letter moved from the tenant to the table', shift, { of: { tenant: 'a', table: 'bc', column: 'd' } }, 2),
    refuses('shift-column', 'a letter moved from the column to the table', shift, { of: { tenant: 'ab', table: 'cd', column: 'd' } }, 2),
    refuses('decomposed', 'the column in another normal form', accent, { of: { ...COLUMN, column: 'e\u0301' } }, 2),
    refuses('row-surrogate', 'a row with a lone surrogate', inRow, { of: { ...COLUMN, row: '\ud800' }, refusal: 'INVALID_ARGUMENT' }, 2),
    refuses('row-empty', 'an empty row', inRow, { of: { ...COLUMN, row: '' }, refusal: 'INVALID_ARGUMENT' }, 2),
    refuses('row-long', 'a row of 65,537 bytes', inRow, { of: { ...COLUMN, row: 'r'.repeat(65_537) }, refusal: 'INVALID_ARGUMENT' }, 2),
    refuses('table-empty', 'an empty table', field, { of: { ...COLUMN, table: '' }, refusal: 'INVALID_ARGUMENT' }, 2),
    refuses('column-empty', 'an empty column', field, { of: { ...COLUMN, column: '' }, refusal: 'INVALID_ARGUMENT' }, 2),
    refuses('tenant-empty', 'an empty tenant', field, { of: { ...COLUMN, tenant: '' }, refusal: 'INVALID_ARGUMENT' }, 2),
    refuses('tenant-long', 'a tenant of 257 bytes', field, { of: { ...COLUMN, tenant: 't'.repeat(257) }, refusal: 'INVALID_ARGUMENT' }, 2),
    refuses('column-surrogate', 'a column with a lone surrogate', field, { of: { ...COLUMN, column: 'a\udfff' }, refusal: 'INVALID_ARGUMENT' }, 2),
    refuses('unknown-dek', 'a DEK that the tenant does not have', field, { keys: KEYS.slice(1) }),
    refuses('wrong-dek', 'another DEK under the same id', field, { keys: [{ id: KEYS[0].id, dek: KEYS[1].dek }] }),
    opens('zero-ended-dek', 'a DEK that ends in a zero byte', strange, 'secret', { keys: [{ id: KEYS[0].id, dek: zero.toString('hex') }] }),
    refuses('dek-31', 'that DEK without its last byte, which HMAC cannot tell apart', strange, { keys: [{ id: KEYS[0].id, dek: zero.subarray(0, 31).toString('hex') }], refusal: 'KMS_PROTOCOL_ERROR' }),
    refuses('dek-33', 'a DEK and a zero byte', field, { keys: [{ id: KEYS[0].id, dek: `${KEYS[0].dek}00` }], refusal: 'KMS_PROTOCOL_ERROR' }),
    refuses('context-missing', 'sealed without the table', forge({ context: contextOf(without(COLUMN, 'table')) }), {}, 2),
    refuses('context-purpose', 'sealed without the purpose', forge({ context: Buffer.from(core.encodeContext(COLUMN)) }), {}, 2),
    refuses('context-more', 'sealed with an entry more', forge({ context: contextOf({ ...COLUMN, x: '' }) }), {}, 2),
    refuses('context-row-empty', 'sealed with an empty row', forge({ context: contextOf({ ...COLUMN, row: '' }) }), {}, 2),
    refuses('context-order', 'sealed with the context in another order', forge({ context: rawContext(['tenant', 'acme'], ['table', 'integration'], ['purpose', 'field'], ['column', 'api_key']) }), {}, 2),
    refuses('context-twice', 'sealed with the column twice', forge({ context: rawContext(['column', 'api_key'], ['column', 'api_key'], ['purpose', 'field'], ['table', 'integration'], ['tenant', 'acme']) }), {}, 2),
    refuses('label', "sealed under a checkpoint's label", forge({ label: 'keyfold/checkpoint/v1' }), {}, 1),
    refuses('not-bound-header', 'sealed without its header in the context', forge({ bound: Buffer.alloc(0) }), {}, 1),
  ];
}

function forged() {
  const pad = (content) => forge({ flags: 1, content });
  return [
    refuses('forged/version-0', 'sealed with version 00', forge({ version: 0 }), {}, 1),
    refuses('forged/version-2', 'sealed with version 02', forge({ version: 2 }), {}, 1),
    refuses('forged/suite-2', 'sealed with suite 02', forge({ suite: 2 }), {}, 1),
    refuses('forged/suite-3', 'sealed with suite 03', forge({ suite: 3 }), {}, 1),
    refuses('forged/suite-0', 'sealed with suite 00', forge({ suite: 0 }), {}, 1),
    ...[2, 3, 4, 0x80, 0xff].map((flags) => refuses(`forged/flags-${flags}`, `sealed with flags ${flags.toString(16)}`, forge({ flags }), {}, 1)),
    refuses('forged/magic', 'sealed with another magic', forge({ magic: '8f4b4643' }), {}, 1),
    refuses('forged/two-chunks', 'sealed content of 16,384 bytes, in two chunks', forge({ content: Buffer.alloc(16_384) }), {}, 1),
    refuses('forged/padding-empty', 'padded content of no bytes', pad(Buffer.alloc(0)), {}, 3),
    refuses('forged/padding-zeros', 'padded content of zeros', pad(Buffer.alloc(32)), {}, 3),
    refuses('forged/padding-31', 'padded content of 31 bytes', pad(padding(31)), {}, 3),
    refuses('forged/padding-33', 'padded content of 33 bytes', pad(Buffer.concat([Buffer.from([1]), padding(32)])), {}, 3),
    refuses('forged/padding-64', 'padding of 33 bytes', pad(Buffer.concat([filler(31), padding(33)])), {}, 3),
    refuses('forged/padding-64-zeros', 'padding of 64 bytes', pad(padding(64)), {}, 3),
    refuses('forged/padding-byte', 'a byte of padding that is not zero', pad(Buffer.concat([filler(20), Buffer.from([0x80, 1]), Buffer.alloc(10)])), {}, 3),
    refuses('forged/padding-81', 'padding that begins with 81', pad(Buffer.concat([filler(20), Buffer.from([0x81]), Buffer.alloc(11)])), {}, 3),
    refuses('forged/padding-none', 'a multiple of 32 bytes without padding', pad(Buffer.alloc(32, 0x61)), {}, 3),
    refuses('forged/string', 'content that is no UTF-8 in a column of strings', forge({ content: Buffer.from('ff', 'hex') }), { content: 'text' }, 3),
    refuses('forged/string-surrogate', 'a surrogate in UTF-8 in a column of strings', forge({ content: Buffer.from('eda080', 'hex') }), { content: 'text' }, 3),
    refuses('forged/string-overlong', 'an overlong form in a column of strings', forge({ content: Buffer.from('c080', 'hex') }), { content: 'text' }, 3),
    refuses('forged/string-cut', 'half a character in a column of strings', forge({ content: Buffer.from('61c3', 'hex') }), { content: 'text' }, 3),
  ];
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';

function texts() {
  const field = seal('length-100', filler(100));
  const good = text(field);
  const empty = text(seal('empty', ''));
  const two = text(seal('length-1', filler(1)));
  // 95 bytes leave two unused bits, 96 none, 97 four.
  const next = (value) => value.slice(0, -1) + ALPHABET[ALPHABET.indexOf(value.at(-1)) + 1];
  const long = text(seal('longest', filler(16_383)));
  const cases = [
    ['nothing', 'an empty string', ''],
    ['prefix', 'the prefix alone', 'kf1:'],
    ['no-prefix', 'no prefix', good.slice(4)],
    ['prefix-capital', 'the prefix in capitals', good.replace('kf1:', 'KF1:')],
    ['prefix-2', 'another version in the prefix', good.replace('kf1:', 'kf2:')],
    ['prefix-colon', 'no colon in the prefix', good.replace('kf1:', 'kf1')],
    ['prefix-twice', 'the prefix twice', `kf1:${good}`],
    ['padding', 'padding behind it', `${two}=`],
    ['padding-2', 'two characters of padding behind it', `${good}==`],
    ['newline', 'a line feed behind it', `${good}\n`],
    ['newline-inside', 'a line feed inside', `${good.slice(0, 80)}\n${good.slice(80)}`],
    ['space', 'a space before it', ` ${good}`],
    ['space-behind', 'a space behind it', `${good} `],
    ['space-inside', 'a space inside', `${good.slice(0, 80)} ${good.slice(80)}`],
    ['nul', 'a NUL behind it', `${good}\0`],
    ['bom', 'a byte order mark before it', `\ufeff${good}`],
    ['plus', 'a plus sign', `${good.slice(0, 80)}+${good.slice(81)}`],
    ['slash', 'a slash', `${good.slice(0, 80)}/${good.slice(81)}`],
    ['percent', 'a percent sign', `${good.slice(0, 80)}%${good.slice(81)}`],
    ['full-width', 'a letter of another script that looks like one of the alphabet', `${good.slice(0, 80)}\uff21${good.slice(81)}`],
    ['bits-2', 'unused bits that are not zero', next(empty)],
    ['bits-4', 'unused bits that are not zero, of four', next(text(seal('length-2', filler(2))))],
    ['case', 'a letter in the other case', good.slice(0, 60) + swapCase(good.slice(60))],
    ['one-more', 'one character more', `${text(seal('length-1', filler(1)))}A`],
    ['one-less', 'one character less', good.slice(0, -1)],
    ['too-long', '21,976 characters', `${long}A`],
    ['much-too-long', '30,000 characters', long.padEnd(30_000, 'A')],
    ['hex', 'hexadecimal digits', `kf1:${field.toBuffer().toString('hex')}`],
    ['plain', 'plaintext', 'hunter2'],
  ];
  return [
    ...cases.map(([id, reason, stored]) => refuses(`text/${id}`, reason, stored, {}, 4)),
    refuses('text/in-binary', 'the text form in a binary column', Bytes.of(Buffer.from(good)), {}, 4),
    refuses('plain-binary', 'plaintext in a binary column', Bytes.of(Buffer.from('hunter2')), {}, 7),
    refuses('migrating/garbage', 'the prefix and rubbish while migrating', 'kf1:rubbish', { mode: 'migrating', content: 'text' }, 7),
    refuses('migrating/prefix', 'the prefix alone while migrating', 'kf1:', { mode: 'migrating', content: 'text' }, 7),
    refuses('migrating/not-base64url', 'the prefix and other characters while migrating', 'kf1: not sealed', { mode: 'migrating', content: 'text' }, 7),
    refuses('migrating/damaged', 'a damaged field while migrating', text(field.flip(100)), { mode: 'migrating' }, 7),
    refuses('migrating/damaged-binary', 'a damaged binary field while migrating', field.flip(100), { mode: 'migrating' }, 7),
    refuses('migrating/magic', 'the magic alone while migrating', Bytes.of('8f4b4646'), { mode: 'migrating' }, 7),
    refuses('migrating/not-utf-8', 'bytes that are no UTF-8 in a column of strings, while migrating', Bytes.of('ff'), { mode: 'migrating', content: 'text' }, 7),
  ];
}

function swapCase(value) {
  const at = value.search(/[A-Za-z]/);
  const letter = value[at];
  return value.slice(0, at) + (letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase()) + value.slice(at + 1);
}

export function fields() {
  return [...opened(), ...damaged(), ...foreign(), ...forged(), ...texts()];
}
