import { invalid, named, names, valid } from './support.mjs';

const PAGE = 'checkpoint 5.1';

const IDS = [
  ['plain', 'run-1'],
  ['folders', 'job_7/2024.01/chk-42'],
  ['capitals', 'Run'],
  ['percent', '100%25'],
  ['space', 'a b'],
  ['colon', 'C:\\x'],
  ['unicode', '\u00e9/e\u0301/\u{1f511}'],
  ['byte-order-mark', '\ufeffa'],
  ['controls', 'a\n\u007f'],
  ['dots', '...'],
  ['hidden', '.a/..b'],
  ['suffix-last', 'a.kfk'],
  ['suffix-like', 'a.kfx/a.KFK/b'],
  ['longest', 'a'.repeat(1_024)],
  ['longest-encoded', `${'A'.repeat(1_005)}${'a'.repeat(19)}`],
];

const REFUSED_IDS = [
  ['empty', 'nothing', ''],
  ['slash', 'a slash alone', '/'],
  ['first-slash', 'a slash at the beginning', '/a'],
  ['last-slash', 'a slash at the end', 'a/'],
  ['two-slashes', 'an empty segment', 'a//b'],
  ['dot', 'a segment of one dot', 'a/./b'],
  ['dot-dot', 'a segment of two dots', '../a'],
  ['last-dot-dot', 'a last segment of two dots', 'a/..'],
  ['nul', 'a NUL', 'a\0b'],
  ['surrogate', 'a lone surrogate', 'a\ud800'],
  ['record-folder', 'a folder with the name of a record', 'a.kfk/b'],
  ['data-folder', 'a folder with the name of a data object', 'a.kfc/b'],
  ['plain-folder', 'a folder with the name of a plain checkpoint', 'a/b.kfp/c'],
  ['mark-folder', 'a folder with the name of a mark', 'a.kfg/b'],
  ['too-long', '1,025 bytes', 'a'.repeat(1_025)],
  ['too-long-utf-8', '1,026 bytes in 513 characters', '\u00e9'.repeat(513)],
  ['too-long-encoded', '3,036 characters once encoded', `${'A'.repeat(1_006)}${'a'.repeat(18)}`],
];

const REFUSED_NAMES = [
  ['empty', 'nothing', ''],
  ['capital', 'a capital', 'Run'],
  ['capital-digit', 'a capital hexadecimal digit', 'a%2F%C3%A9'],
  ['needless', 'a byte that is encoded and need not be', '%61'],
  ['slash', 'a slash that is encoded', 'a%2fb'],
  ['cut', 'a percent sign with one digit', 'a%2'],
  ['percent', 'a percent sign alone', 'a%'],
  ['no-digits', 'a percent sign with letters', 'a%zz'],
  ['sign', 'a percent sign with a sign and a digit', 'a%+1'],
  ['utf-8', 'no UTF-8', 'a%ff'],
  ['surrogate', 'a surrogate in UTF-8', '%ed%a0%80'],
  ['nul', 'an encoded NUL', 'a%00'],
  ['raw', 'a letter outside ASCII', '\u00e9'],
  ['dot-dot', 'a segment of two dots', '../a'],
  ['folder', 'a folder with the name of a record', 'a.kfk/b'],
  ['mark-folder', 'a folder with the name of a mark', 'a.kfg/b'],
];

const OBJECT_ID = named('object name/object id', 16).toString('hex');

const OBJECTS = [
  ['record', 'a record', 'run-1.kfk', { kind: 'record', id: 'run-1' }],
  ['data', 'a data object', `run-1.${OBJECT_ID}.kfc`, { kind: 'data', id: 'run-1', objectId: OBJECT_ID }],
  ['mark', 'a mark', `run-1.${OBJECT_ID}.kfg`, { kind: 'mark', id: 'run-1', objectId: OBJECT_ID }],
  ['encoded', 'a record of an id that is encoded', '%c3%a9/b%20c.kfk', { kind: 'record', id: '\u00e9/b c' }],
  ['record-like-data', 'a record whose id ends in an object id', `run-1.${OBJECT_ID}.kfk`, { kind: 'record', id: `run-1.${OBJECT_ID}` }],
  ['record-of-record', 'a record whose id ends in the suffix of one', 'run-1.kfk.kfk', { kind: 'record', id: 'run-1.kfk' }],
  ['data-twice', 'a data object whose id ends in an object id', `a.${OBJECT_ID}.${OBJECT_ID}.kfc`, { kind: 'data', id: `a.${OBJECT_ID}`, objectId: OBJECT_ID }],
];

const NOBODYS = [
  ['no-suffix', 'no suffix', 'run-1'],
  ['suffix-alone', 'a suffix alone', '.kfk'],
  ['other-suffix', 'another suffix', 'run-1.kfx'],
  ['hidden-record', 'the suffix of hidden records', 'run-1.kfh'],
  ['hidden-data', 'the suffix of hidden data', `run-1.${OBJECT_ID}.kfd`],
  ['name-key', 'the suffix of a name key', 'names.kfn'],
  ['capital-suffix', 'capitals in the suffix', 'run-1.KFK'],
  ['capital-id', 'capitals in the id', 'Run-1.kfk'],
  ['capital-object-id', 'capitals in the object id', `run-1.${OBJECT_ID.toUpperCase()}.kfc`],
  ['short-object-id', 'an object id of 31 digits', `run-1.${OBJECT_ID.slice(1)}.kfc`],
  ['long-object-id', 'an object id of 33 digits', `run-1.${OBJECT_ID}0.kfc`],
  ['data-without-object-id', 'data without an object id', 'run-1.kfc'],
  ['mark-without-object-id', 'a mark without an object id', 'run-1.kfg'],
  ['object-id-alone', 'data without an id', `.${OBJECT_ID}.kfc`],
  ['line-feed', 'a line feed behind it', 'run-1.kfk\n'],
  ['folder', 'a folder with the name of a mark', 'a.kfg/b.kfk'],
  ['dot-dot', 'a segment of two dots', '../run-1.kfk'],
];

export const objectNames = [
  ...IDS.map(([id, text]) => valid(`object-name/${id}`, `the name of ${JSON.stringify(text.slice(0, 40))}`, PAGE, 'object-name', { id: text }, { name: names.encodeId(text) })),
  ...REFUSED_IDS.map(([id, reason, text]) => invalid(`object-name/id/${id}`, `an id with ${reason}`, PAGE, 'object-name', { id: text }, 'INVALID_ARGUMENT')),
  ...REFUSED_NAMES.map(([id, reason, name]) => invalid(`object-name/name/${id}`, `a name with ${reason}`, PAGE, 'object-name-decode', { name }, 'INVALID_ARGUMENT')),
  ...OBJECTS.map(([id, description, name, output]) => valid(`object-name/object/${id}`, description, PAGE, 'object-kind', { name }, output)),
  ...NOBODYS.map(([id, reason, name]) => invalid(`object-name/object/refused/${id}`, reason, PAGE, 'object-kind', { name }, 'INVALID_ARGUMENT')),
];
