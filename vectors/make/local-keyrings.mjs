import { kek, keyringOf, localWrap } from './checkpoint.mjs';
import { Bytes, CREATED, SecretBytes, core, fixedRandom, invalid, keyring, named, secret, valid } from './support.mjs';

const KEY = named('keyring/key');
const SALT = named('keyring/salt');
const PASSWORD = 'correct horse \u00c5';
const hex = (bytes) => Buffer.from(bytes).toString('hex');

const NONE = { name: 'none' };
const SCRYPT = { name: 'scrypt', n: 131_072, r: 8, p: 1, salt: SALT };
const PBKDF2 = { name: 'pbkdf2-hmac-sha-512', iterations: 600_000, salt: SALT };

const version = (id, state = 'enabled', createdAt = CREATED + id.length) => ({ id, state, createdAt, key: state === 'destroyed' ? undefined : SecretBytes.adopt(named(`keyring/version/${id}`)) });
const set = (...versions) => ({ primary: versions.at(-1).id, versions });
const headerOf = (kdf, { keyId = 'ring-1', generation = 1 } = {}) => Buffer.from(keyring.encodeHeader({ keyId, generation, kdf })).toString();

const ONE = set(version('1'));
const keys = new Map();

/** Deriving takes a while, and no header asks for another key than the last. */
async function keyFor(kdf, password) {
  const name = JSON.stringify([keyring.kdfIdentity(kdf), password]);
  if (!keys.has(name)) {
    keys.set(name, await keyring.unlockKey({ password }, kdf));
  }
  return keys.get(name);
}

/** Two lines of any content, the second sealed with the first as its context. */
function file(line1, list, { key = secret(KEY), context = line1, name = 'file' } = {}) {
  const message = core.sealMessage(key, Buffer.concat([core.label('keyfold/keyring/v1'), Buffer.from(context)]), Buffer.from(list), fixedRandom(`keyring/${name}`));
  return `${line1}\n${core.toBase64Url(message)}\n`;
}

const list = (keks) => Buffer.from(keyring.encodeKeks(keks)).toString();
const described = (keks) => keks.versions.map(({ id, state, createdAt, key }) => ({ id, state, created: createdAt, key: key === undefined ? null : key.expose(hex) }));

function opens(id, description, text, { keks = ONE, keyId = 'ring-1', generation = 1, secretOf = { key: hex(KEY) }, minimumGeneration } = {}, spec = 'local-keyring 5') {
  const input = { file: [{ text }], ...secretOf, ...(minimumGeneration === undefined ? {} : { minimumGeneration }) };
  return valid(`local-keyring/${id}`, description, spec, 'local-keyring', input, { keyId, generation, primary: keks.primary, versions: described(keks) });
}

function refuses(id, reason, text, { secretOf = { key: hex(KEY) }, minimumGeneration, refusal = 'INTEGRITY_FAILURE' } = {}, spec = 'local-keyring 3') {
  const input = { file: Buffer.isBuffer(text) ? hex(text) : [{ text }], ...secretOf, ...(minimumGeneration === undefined ? {} : { minimumGeneration }) };
  return invalid(`local-keyring/${id}`, reason, spec, 'local-keyring', input, refusal);
}

const PLAIN = headerOf(NONE);
const good = file(PLAIN, list(ONE));
const [, line2] = good.split('\n');
const wrongKey = { refusal: 'AUTHENTICATION_FAILED' };

async function opened() {
  const many = set(version('1', 'destroyed', 0), version('2', 'disabled'), version('9'), version('9007199254740991'));
  const other = { ...many, primary: '9' };
  const big = set(...Array.from({ length: 200 }, (_, i) => version(String(i + 1))));
  const primaryDisabled = set(version('1', 'disabled'));
  const scrypt = await keyFor(SCRYPT, PASSWORD);
  const pbkdf2 = await keyFor(PBKDF2, PASSWORD);
  const shortSalt = { ...PBKDF2, salt: SALT.subarray(0, 16) };
  return [
    opens('key', 'a keyring under a key', good),
    opens('states', 'versions in every state, and gaps between their ids', file(PLAIN, list(many)), { keks: many }),
    opens('primary', 'a primary version that is not the newest', file(PLAIN, list(other)), { keks: other }),
    opens('primary-disabled', 'a primary version that is disabled', file(PLAIN, list(primaryDisabled)), { keks: primaryDisabled }),
    opens('many', '200 versions, in two chunks', file(PLAIN, list(big)), { keks: big }),
    opens('key-id', 'a key id of 128 characters of every kind', file(headerOf(NONE, { keyId: `Z._-${'9'.repeat(124)}` }), list(ONE)), { keyId: `Z._-${'9'.repeat(124)}` }, 'local-keyring 3'),
    opens('generation', 'the largest generation', file(headerOf(NONE, { generation: 2 ** 53 - 1 }), list(ONE)), { generation: 2 ** 53 - 1 }, 'local-keyring 3'),
    opens('minimum', 'the generation that is demanded', file(headerOf(NONE, { generation: 4 }), list(ONE)), { generation: 4, minimumGeneration: 4 }, 'local-keyring 8'),
    opens('scrypt', 'a password, by scrypt', file(headerOf(SCRYPT), list(ONE), { key: scrypt }), { secretOf: { password: PASSWORD } }, 'local-keyring 4'),
    opens('scrypt-decomposed', 'the same password in another normal form', file(headerOf(SCRYPT), list(ONE), { key: scrypt }), { secretOf: { password: PASSWORD.normalize('NFD') } }, 'local-keyring 4'),
    opens('pbkdf2', 'a password, by PBKDF2', file(headerOf(PBKDF2), list(ONE), { key: pbkdf2 }), { secretOf: { password: PASSWORD } }, 'local-keyring 4'),
    opens('pbkdf2-bytes', 'the password as bytes in another normal form', file(headerOf(PBKDF2), list(ONE), { key: pbkdf2 }), { secretOf: { passwordBytes: hex(Buffer.from(PASSWORD.normalize('NFD'))) } }, 'local-keyring 4'),
    opens('pbkdf2-short-salt', 'a salt of 16 bytes', file(headerOf(shortSalt), list(ONE), { key: await keyFor(shortSalt, PASSWORD) }), { secretOf: { password: PASSWORD } }, 'local-keyring 3'),
  ];
}

function refusedFiles() {
  const salt = core.toBase64Url(SALT);
  const kdf = (text) => PLAIN.replace('{"name":"none"}', text);
  const password = { secretOf: { password: PASSWORD } };
  const headers = [
    ['space', 'white space in the header', PLAIN.replace(',', ', ')],
    ['order', 'members in another order', '{"version":1,"format":"keyfold-keyring","keyId":"ring-1","generation":1,"kdf":{"name":"none"}}'],
    ['member', 'another member', PLAIN.replace('"kdf"', '"x":1,"kdf"')],
    ['duplicate', 'a member twice', PLAIN.replace('"kdf"', '"generation":1,"kdf"')],
    ['missing', 'a missing member', PLAIN.replace('"generation":1,', '')],
    ['escape', 'an escape', PLAIN.replace('ring', '\\u0072ing')],
    ['version', 'another version', PLAIN.replace('"version":1', '"version":2')],
    ['version-text', 'a version that is a text', PLAIN.replace('"version":1', '"version":"1"')],
    ['format', 'another format', PLAIN.replace('keyfold-keyring', 'keyfold-keyrinG')],
    ['key-id-empty', 'an empty key id', PLAIN.replace('ring-1', '')],
    ['key-id-long', 'a key id of 129 characters', PLAIN.replace('ring-1', 'k'.repeat(129))],
    ['key-id-first', 'a key id that begins with a dash', PLAIN.replace('ring-1', '-ring')],
    ['key-id-slash', 'a key id with a slash', PLAIN.replace('ring-1', 'ring/1')],
    ['key-id-unicode', 'a key id with a letter outside ASCII', PLAIN.replace('ring-1', 'r\u00efng')],
    ['generation-0', 'generation 0', PLAIN.replace('"generation":1', '"generation":0')],
    ['generation-zero', 'a generation with a leading zero', PLAIN.replace('"generation":1', '"generation":01')],
    ['generation-fraction', 'a generation with a fraction', PLAIN.replace('"generation":1', '"generation":1.0')],
    ['generation-exponent', 'a generation with an exponent', PLAIN.replace('"generation":1', '"generation":1e0')],
    ['generation-negative', 'a negative generation', PLAIN.replace('"generation":1', '"generation":-1')],
    ['generation-2-53', 'a generation of 2^53', PLAIN.replace('"generation":1', '"generation":9007199254740992')],
    ['generation-text', 'a generation that is a text', PLAIN.replace('"generation":1', '"generation":"1"')],
    ['no-kdf', 'no KDF', kdf('null')],
    ['other-kdf', 'an unknown KDF', kdf(`{"name":"argon2id","salt":"${salt}"}`)],
    ['kdf-member', 'a KDF with another member', kdf('{"name":"none","n":1}')],
    ['scrypt-n-small', 'scrypt with N = 65,536', kdf(`{"name":"scrypt","n":65536,"r":8,"p":1,"salt":"${salt}"}`), password],
    ['scrypt-n-large', 'scrypt with N = 524,288', kdf(`{"name":"scrypt","n":524288,"r":8,"p":1,"salt":"${salt}"}`), password],
    ['scrypt-n-between', 'scrypt with an N that is no power of two', kdf(`{"name":"scrypt","n":131073,"r":8,"p":1,"salt":"${salt}"}`), password],
    ['scrypt-r', 'scrypt with r = 16', kdf(`{"name":"scrypt","n":131072,"r":16,"p":1,"salt":"${salt}"}`), password],
    ['scrypt-p-0', 'scrypt with p = 0', kdf(`{"name":"scrypt","n":131072,"r":8,"p":0,"salt":"${salt}"}`), password],
    ['scrypt-p-5', 'scrypt with p = 5', kdf(`{"name":"scrypt","n":131072,"r":8,"p":5,"salt":"${salt}"}`), password],
    ['pbkdf2-small', 'PBKDF2 with 599,999 iterations', kdf(`{"name":"pbkdf2-hmac-sha-512","iterations":599999,"salt":"${salt}"}`), password],
    ['pbkdf2-large', 'PBKDF2 with 10,000,001 iterations', kdf(`{"name":"pbkdf2-hmac-sha-512","iterations":10000001,"salt":"${salt}"}`), password],
    ['pbkdf2-hash', 'PBKDF2 with another hash', kdf(`{"name":"pbkdf2-hmac-sha-256","iterations":600000,"salt":"${salt}"}`), password],
    ['salt-short', 'a salt of 15 bytes', kdf(`{"name":"pbkdf2-hmac-sha-512","iterations":600000,"salt":"${core.toBase64Url(SALT.subarray(0, 15))}"}`), password],
    ['salt-long', 'a salt of 65 bytes', kdf(`{"name":"pbkdf2-hmac-sha-512","iterations":600000,"salt":"${core.toBase64Url(named('keyring/long', 65))}"}`), password],
    ['salt-padded', 'a salt with padding', kdf(`{"name":"pbkdf2-hmac-sha-512","iterations":600000,"salt":"${salt}="}`), password],
    ['salt-bits', 'a salt whose unused bits are not zero', kdf(`{"name":"pbkdf2-hmac-sha-512","iterations":600000,"salt":"${core.toBase64Url(Buffer.alloc(16)).slice(0, -1)}B"}`), password],
  ];
  return headers.map(([id, reason, line1, options]) => refuses(`header/${id}`, `${reason}`, file(line1, list(ONE)), options));
}

function refusedLines() {
  const text = [
    ['empty', 'an empty file', ''],
    ['one-line', 'one line', `${PLAIN}\n`],
    ['no-last-lf', 'no line feed at the end', good.slice(0, -1)],
    ['cr', 'a carriage return at the end of line 1', good.replace('\n', '\r\n')],
    ['three-lines', 'an empty third line', `${good}\n`],
    ['trailing', 'a byte behind the second line feed', `${good}x`],
    ['first-lf', 'an empty line before', `\n${good}`],
    ['bom', 'a byte order mark before', `\ufeff${good}`],
    ['padding', 'padding behind line 2', good.replace(/\n$/, '=\n')],
    ['blank', 'a space in line 2', good.replace(line2, `${line2.slice(0, 20)} ${line2.slice(20)}`)],
    ['alphabet', 'a plus sign in line 2', good.replace(line2, `${line2.slice(0, 20)}+${line2.slice(21)}`)],
    ['line-2-empty', 'an empty line 2', `${PLAIN}\n\n`],
    ['line-2-short', 'a line 2 of 71 bytes', `${PLAIN}\n${core.toBase64Url(Buffer.alloc(71))}\n`],
  ];
  const bits = file(PLAIN, '0'.repeat(list(ONE).length + 1));
  return [
    ...text.map(([id, reason, content]) => refuses(`lines/${id}`, reason, content, {}, 'local-keyring 2')),
    refuses('lines/line-2-bits', 'a line 2 whose unused bits are not zero', bits.replace(/.\n$/, (end) => `${nextCharacter(end[0])}\n`), {}, 'local-keyring 1'),
    refuses('lines/long-header', 'a line 1 of 4,097 bytes', file(PLAIN.padEnd(4_097, ' '), list(ONE)), {}, 'local-keyring 2'),
    refuses('lines/not-utf-8', 'a header that is no UTF-8', Bytes.of(Buffer.from(good)).with(50, 'ff').toBuffer(), {}, 'local-keyring 3'),
  ];
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
const nextCharacter = (character) => ALPHABET[ALPHABET.indexOf(character) + 1];

async function refusedKeys() {
  const pbkdf2 = file(headerOf(PBKDF2), list(ONE), { key: await keyFor(PBKDF2, PASSWORD) });
  const scrypt = file(headerOf(SCRYPT), list(ONE), { key: await keyFor(SCRYPT, PASSWORD) });
  return [
    refuses('wrong-key', 'another key', good, { secretOf: { key: hex(named('keyring/other')) }, ...wrongKey }, 'local-keyring 8'),
    refuses('wrong-password', 'another password', pbkdf2, { secretOf: { password: 'correct horse' }, ...wrongKey }, 'local-keyring 8'),
    refuses('password-space', 'the password and a space, by scrypt', scrypt, { secretOf: { password: `${PASSWORD} ` }, ...wrongKey }, 'local-keyring 8'),
    refuses('password-compatible', 'the password in a compatible form that is not normalised to it', pbkdf2, { secretOf: { password: PASSWORD.replace('c', '\uff43') }, ...wrongKey }, 'local-keyring 4'),
    refuses('password-empty', 'an empty password', pbkdf2, { secretOf: { password: '' }, refusal: 'INVALID_ARGUMENT' }, 'local-keyring 4'),
    refuses('password-long', 'a password of 4,097 bytes', pbkdf2, { secretOf: { password: 'p'.repeat(4_097) }, refusal: 'INVALID_ARGUMENT' }, 'local-keyring 4'),
    refuses('password-surrogate', 'a password with a lone surrogate', pbkdf2, { secretOf: { password: 'p\ud800' }, refusal: 'INVALID_ARGUMENT' }, 'local-keyring 4'),
    refuses('password-not-utf-8', 'a password of bytes that are no UTF-8', pbkdf2, { secretOf: { passwordBytes: 'ff' }, refusal: 'INVALID_ARGUMENT' }, 'local-keyring 4'),
    refuses('password-for-key', 'a password for a keyring under a key', good, { secretOf: { password: PASSWORD }, refusal: 'CONFIG_INVALID' }, 'local-keyring 4'),
    refuses('key-for-password', 'a key for a keyring under a password', pbkdf2, { refusal: 'CONFIG_INVALID' }, 'local-keyring 4'),
    refuses('altered-generation', 'another generation over the old line 2', good.replace('"generation":1', '"generation":2'), wrongKey, 'local-keyring 2'),
    refuses('altered-key-id', 'another key id over the old line 2', good.replace('ring-1', 'ring-2'), wrongKey, 'local-keyring 2'),
    refuses('altered-line-2', 'a changed line 2', good.replace(line2, `${line2.slice(0, 110)}${line2[110] === 'A' ? 'B' : 'A'}${line2.slice(111)}`), wrongKey, 'local-keyring 2'),
    refuses('line-2-of-other', 'line 2 of another keyring under the same key', `${PLAIN}\n${file(headerOf(NONE, { keyId: 'ring-2' }), list(ONE)).split('\n')[1]}\n`, wrongKey, 'local-keyring 2'),
    refuses('context-with-lf', 'line 1 with its line feed as context', file(PLAIN, list(ONE), { context: `${PLAIN}\n` }), wrongKey, 'local-keyring 2'),
    refuses('older', 'an older generation than is demanded', file(headerOf(NONE, { generation: 4 }), list(ONE)), { minimumGeneration: 5 }, 'local-keyring 8'),
  ];
}

function refusedLists() {
  const text = list(ONE);
  const key = core.toBase64Url(named('keyring/version/1'));
  const two = list(set(version('1'), version('2')));
  const lists = [
    ['empty', 'nothing', ''],
    ['object', 'an empty object', '{}'],
    ['no-versions', 'no versions', '{"primary":"1","versions":[]}'],
    ['space', 'white space', text.replace(',', ', ')],
    ['newline', 'a line feed at the end', `${text}\n`],
    ['trailing', 'a byte behind it', `${text} `],
    ['order-of-members', 'members in another order', '{"versions":[],"primary":"1"}'],
    ['primary-unknown', 'a primary version that is not there', text.replace('"primary":"1"', '"primary":"2"')],
    ['primary-destroyed', 'a primary version that is destroyed', '{"primary":"1","versions":[{"id":"1","state":"destroyed","created":1,"key":null}]}'],
    ['primary-number', 'a primary version that is a number', text.replace('"primary":"1"', '"primary":1')],
    ['id-number', 'an id that is a number', text.replace('"id":"1"', '"id":1')],
    ['id-0', 'version 0', text.replaceAll('"1"', '"0"')],
    ['id-zero', 'an id with a leading zero', text.replaceAll('"1"', '"01"')],
    ['id-2-53', 'an id of 2^53', text.replaceAll('"1"', '"9007199254740992"')],
    ['id-text', 'an id of letters', text.replaceAll('"1"', '"one"')],
    ['descending', 'ids in the wrong order', two.replace('"id":"1"', '"id":"3"')],
    ['same-id', 'an id twice', two.replace('"id":"2"', '"id":"1"').replace('"primary":"2"', '"primary":"1"')],
    ['state', 'another state', text.replace('enabled', 'active')],
    ['state-capital', 'a state with a capital', text.replace('enabled', 'Enabled')],
    ['created-negative', 'a negative time', text.replace(/"created":\d+/, '"created":-1')],
    ['created-fraction', 'a time with a fraction', text.replace(/"created":\d+/, '"created":1.5')],
    ['created-zero', 'a time with a leading zero', text.replace(/"created":\d+/, '"created":01')],
    ['created-2-53', 'a time of 2^53', text.replace(/"created":\d+/, '"created":9007199254740992')],
    ['created-text', 'a time that is a text', text.replace(/"created":(\d+)/, '"created":"$1"')],
    ['key-null', 'an enabled version without a key', text.replace(`"${key}"`, 'null')],
    ['destroyed-key', 'a destroyed version with a key', two.replace('"state":"enabled"', '"state":"destroyed"')],
    ['key-short', 'a key of 31 bytes', text.replace(key, core.toBase64Url(named('keyring/version/1').subarray(0, 31)))],
    ['key-long', 'a key of 33 bytes', text.replace(key, core.toBase64Url(named('x', 33)))],
    ['key-bits', 'a key whose unused bits are not zero', text.replace(key, key.slice(0, -1) + nextCharacter(key.at(-1)))],
    ['key-alphabet', 'a plus sign in a key', text.replace(key, `+${key.slice(1)}`)],
    ['key-hex', 'a key in hexadecimal digits', text.replace(key, hex(named('keyring/version/1')))],
    ['member', 'another member', text.replace('"state"', '"x":1,"state"')],
    ['comma', 'a comma too many', text.replace('}]', '},]')],
    ['no-comma', 'no comma between versions', two.replace('},{', '}{')],
    ['bom', 'a byte order mark', `\ufeff${text}`],
    ['4097', '4,097 versions', `{"primary":"4097","versions":[${Array.from({ length: 4_097 }, (_, i) => `{"id":"${i + 1}","state":"${i === 4_096 ? 'enabled' : 'destroyed'}","created":0,"key":${i === 4_096 ? `"${key}"` : 'null'}}`).join(',')}]}`],
  ];
  return lists.map(([id, what, content]) => refuses(`list/${id}`, `a list with ${what}`, file(PLAIN, content), {}, 'local-keyring 5'));
}

const K1 = kek('k1');
const CONTEXT = { purpose: 'wrap', use: 'checkpoint', tenant: 'acme', scope: 'run-1', dek: '000102030405060708090a0b0c0d0e0f' };

function wraps() {
  const encoded = core.encodeContext(CONTEXT);
  const wrap = ({ ciphertext, ...names }) => ({ ...names, wrapped: Bytes.of(ciphertext) });
  const inputOf = (made, changes = {}) => ({ keyring: keyringOf(K1, { ...kek('k1', '2'), state: 'disabled' }, { ...kek('k1', '3'), state: 'destroyed' }, kek('k1', '4')), context: Object.entries(changes.context ?? CONTEXT), wrap: { ...wrap(made), ...changes.wrap } });
  const made = localWrap(K1, named('wrapped'), encoded, 'local');
  const opensOf = (id, description, from, plaintext, changes) => valid(`local-wrap/${id}`, description, 'local-keyring 6', 'local-wrap', inputOf(from, changes), { key: hex(plaintext) });
  const refusesOf = (id, reason, changes, refusal = 'INVALID_CIPHERTEXT', from = made) => invalid(`local-wrap/${id}`, reason, 'local-keyring 6', 'local-wrap', inputOf(from, changes), refusal);
  const bytes = Bytes.of(made.ciphertext);
  const largest = Object.fromEntries([...Object.entries(CONTEXT), ['filler', 'x'.repeat(4_096 - encoded.length - 12)]]);
  return [
    opensOf('dek', 'a key of 32 bytes, 104 bytes when wrapped', made, named('wrapped')),
    opensOf('one-byte', 'a key of one byte', localWrap(K1, Buffer.from([7]), encoded, 'one'), Buffer.from([7])),
    opensOf('64-bytes', 'a key of 64 bytes', localWrap(K1, named('wrapped', 64), encoded, 'long'), named('wrapped', 64)),
    opensOf('newest', 'a wrap by the primary version', localWrap(kek('k1', '4'), named('wrapped'), encoded, 'newest'), named('wrapped')),
    opensOf('any-context', 'a context of other entries', localWrap(K1, named('wrapped'), core.encodeContext({ a: '' }), 'any'), named('wrapped'), { context: { a: '' } }),
    opensOf('largest-context', 'a context of 4,096 bytes', localWrap(K1, named('wrapped'), core.encodeContext(largest), 'largest'), named('wrapped'), { context: largest }),
    refusesOf('too-large-context', 'a context of 4,097 bytes', { context: { ...largest, filler: `${largest.filler}x` } }, 'INVALID_ARGUMENT'),
    ...['use', 'tenant', 'scope', 'dek'].map((key) => refusesOf(`other-${key}`, `another ${key} in the context`, { context: { ...CONTEXT, [key]: `${CONTEXT[key]}0` } })),
    refusesOf('missing-entry', 'a context with an entry less', { context: { purpose: 'wrap', use: 'checkpoint', tenant: 'acme', scope: 'run-1' } }),
    refusesOf('more-entries', 'a context with an entry more', { context: { ...CONTEXT, x: '' } }),
    refusesOf('salt', 'another salt', { wrap: { wrapped: bytes.flip(0) } }),
    refusesOf('commitment', 'another commitment', { wrap: { wrapped: bytes.flip(24) } }),
    refusesOf('ciphertext', 'a changed ciphertext', { wrap: { wrapped: bytes.flip(56) } }),
    refusesOf('tag', 'a changed tag', { wrap: { wrapped: bytes.flip(103) } }),
    refusesOf('cut', 'cut by one byte', { wrap: { wrapped: bytes.slice(0, 103) } }),
    refusesOf('extended', 'extended by one byte', { wrap: { wrapped: Bytes.of(bytes, '00') } }),
    refusesOf('empty-key', 'a wrap of no bytes', {}, 'INVALID_CIPHERTEXT', localWrap(K1, Buffer.alloc(0), encoded, 'empty')),
    refusesOf('65-bytes', 'a wrap of 65 bytes', {}, 'INVALID_CIPHERTEXT', localWrap(K1, named('wrapped', 65), encoded, '65')),
    refusesOf('version', 'the wrap of another version', { wrap: { keyVersion: '4' } }),
    refusesOf('algorithm', 'another algorithm', { wrap: { algorithm: 'keyfold-wrap-v2' } }),
    refusesOf('algorithm-case', 'the algorithm in another case', { wrap: { algorithm: 'Keyfold-wrap-v1' } }),
    refusesOf('unknown-version', 'a version that is not there', { wrap: { keyVersion: '5' } }, 'KEY_NOT_FOUND'),
    refusesOf('version-zero', 'the version with a leading zero', { wrap: { keyVersion: '01' } }, 'KEY_NOT_FOUND'),
    refusesOf('no-version', 'no version', { wrap: { keyVersion: '' } }, 'KEY_NOT_FOUND'),
    refusesOf('disabled', 'a disabled version', {}, 'KEY_DISABLED', localWrap(kek('k1', '2'), named('wrapped'), encoded, 'disabled')),
    refusesOf('destroyed', 'a destroyed version', {}, 'KEY_NOT_FOUND', localWrap(kek('k1', '3'), named('wrapped'), encoded, 'destroyed')),
    refusesOf('provider', 'another provider', { wrap: { provider: 'aws-kms' } }, 'KEY_NOT_FOUND'),
    refusesOf('key-id', 'another key id', { wrap: { keyId: 'k2' } }, 'KEY_NOT_FOUND'),
  ];
}

export async function localKeyrings() {
  return [...(await opened()), ...refusedFiles(), ...refusedLines(), ...(await refusedKeys()), ...refusedLists()];
}

export const localWraps = wraps();
