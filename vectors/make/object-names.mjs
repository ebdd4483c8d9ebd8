import { invalid, names, valid } from './support.mjs';

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
];

export const objectNames = [
  ...IDS.map(([id, text]) => valid(`object-name/${id}`, `the name of ${JSON.stringify(text.slice(0, 40))}`, PAGE, 'object-name', { id: text }, { name: names.encodeId(text) })),
  ...REFUSED_IDS.map(([id, reason, text]) => invalid(`object-name/id/${id}`, `an id with ${reason}`, PAGE, 'object-name', { id: text }, 'INVALID_ARGUMENT')),
  ...REFUSED_NAMES.map(([id, reason, name]) => invalid(`object-name/name/${id}`, `a name with ${reason}`, PAGE, 'object-name-decode', { name }, 'INVALID_ARGUMENT')),
];
