import { createHmac } from 'node:crypto';
import { blindIndex, expand, invalid, named, valid } from './support.mjs';

const PAGE = 'blind-index';
const ROOT = named('index/root');
const NAME = { tenant: 'acme', table: 'user', column: 'email', index: 'email_eq', normalisation: 'none', version: 1 };

const inputOf = (name, value) => ({ root: ROOT.toString('hex'), ...name, ...(typeof value === 'string' ? { text: value } : { binary: value.toString('hex') }) });

function gives(id, description, value, changes = {}, section = 2) {
  const name = { ...NAME, ...changes };
  const key = expand(ROOT, Buffer.from(blindIndex.blindIndexInfo(name)), 32);
  const digest = createHmac('sha256', key).update(blindIndex.normalise(value, name.normalisation)).digest();
  return valid(`blind-index/${id}`, description, `${PAGE} ${section}`, 'blind-index', inputOf(name, value), { value: digest.subarray(0, 16).toString('hex') });
}

const refuses = (id, reason, value, changes = {}, section = 2) =>
  invalid(`blind-index/${id}`, reason, `${PAGE} ${section}`, 'blind-index', inputOf({ ...NAME, ...changes }, value), 'INVALID_ARGUMENT');

const NFC = { normalisation: 'nfc' };
const LOWER = { normalisation: 'nfc-lower' };

export const blindIndexes = [
  gives('none', 'a string as it is', 'Ann@Example.com'),
  gives('empty', 'an empty string', ''),
  gives('bytes', 'bytes as they are', Buffer.from('ff00', 'hex')),
  gives('bytes-of-string', 'the UTF-8 of a string, which has its value', Buffer.from('Ann@Example.com')),
  gives('bom', 'a string that begins with U+FEFF', '\ufeffa'),
  gives('none-composed', 'a composed letter, not normalised', '\u00e9'),
  gives('none-decomposed', 'a decomposed letter, not normalised', 'e\u0301'),
  gives('nfc-composed', 'a composed letter, normalised', '\u00e9', NFC),
  gives('nfc-decomposed', 'a decomposed letter, which has the value of the composed one', 'e\u0301', NFC),
  gives('nfc-case', 'a capital, which stays one', 'E\u0301', NFC),
  gives('nfc-compatible', 'a ligature, which stays one', '\ufb01', NFC),
  gives('nfc-singleton', 'the angstrom sign, which becomes a letter', '\u212b', NFC),
  gives('nfc-order', 'marks in another order', 'a\u0323\u0301a\u0301\u0323', NFC),
  gives('nfc-hangul', 'a syllable of its letters', '\u1112\u1161\u11ab', NFC),
  gives('lower', 'capitals', 'ANN@EXAMPLE.COM', LOWER),
  gives('lower-same', 'small letters, which have the same value', 'ann@example.com', LOWER),
  gives('lower-composing', 'J with caron, which composes only when small', 'J\u030c', LOWER),
  gives('lower-composed', 'the small one, which has the same value', '\u01f0', LOWER),
  gives('lower-sigma', 'a capital sigma at the end of a word', '\u039f\u0394\u039f\u03a3', LOWER),
  gives('lower-sigma-inside', 'a capital sigma that is not at the end', '\u03a3\u039f\u03a3\u0391 \u03a3', LOWER),
  gives('lower-dot', 'capital I with a dot, whatever the language', '\u0130I', LOWER),
  gives('lower-sharp-s', 'capital sharp s', 'STRA\u1e9eE stra\u00dfe strasse', LOWER),
  gives('lower-planes', 'capitals above U+FFFF', '\u{10400}\u{1e900}', LOWER),
  gives('lower-kelvin', 'the kelvin sign', '\u212a', LOWER),
  gives('lower-space', 'blanks, which count', ' a ', LOWER),
  gives('tenant', 'another tenant', 'Ann@Example.com', { tenant: 'acmf' }, 1),
  gives('table', 'another table', 'Ann@Example.com', { table: 'users' }, 1),
  gives('column', 'another column', 'Ann@Example.com', { column: 'mail' }, 1),
  gives('index', 'another index', 'Ann@Example.com', { index: 'email_2' }, 1),
  gives('version-2', 'another version', 'Ann@Example.com', { version: 2 }, 1),
  gives('version-largest', 'the largest version', 'Ann@Example.com', { version: 2 ** 53 - 1 }, 1),
  gives('names', 'names of several scripts', 'x', { tenant: '\u65e5', table: '\u00e9', column: 'e\u0301', index: '\u{1f511}' }, 1),
  refuses('surrogate', 'a lone surrogate', 'a\ud800'),
  refuses('surrogate-nfc', 'a lone surrogate, to be normalised', 'a\udc00b', NFC),
  refuses('surrogate-lower', 'a lone surrogate, to be lowered', '\ud800A', LOWER),
  refuses('bytes-nfc', 'bytes that were to be normalised', Buffer.from('61', 'hex'), NFC),
  refuses('bytes-lower', 'bytes that were to be lowered', Buffer.from('61', 'hex'), LOWER),
  refuses('normalisation', 'an unknown normalisation', 'a', { normalisation: 'nfkc' }, 1),
  refuses('normalisation-empty', 'no normalisation', 'a', { normalisation: '' }, 1),
  refuses('version-0', 'version 0', 'a', { version: 0 }, 1),
  refuses('version-negative', 'a negative version', 'a', { version: -1 }, 1),
  refuses('version-fraction', 'a version with a fraction', 'a', { version: 1.5 }, 1),
  refuses('version-2-53', 'a version of 2^53', 'a', { version: 2 ** 53 }, 1),
  refuses('version-text', 'a version that is a text', 'a', { version: '1' }, 1),
  refuses('no-table', 'an empty table', 'a', { table: '' }, 1),
  refuses('no-column', 'an empty column', 'a', { column: '' }, 1),
  refuses('no-index', 'an empty index name', 'a', { index: '' }, 1),
  refuses('index-surrogate', 'an index name with a lone surrogate', 'a', { index: '\ud800' }, 1),
  refuses('index-long', 'an index name of 65,537 bytes', 'a', { index: 'i'.repeat(65_537) }, 1),
];
