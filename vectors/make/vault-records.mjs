import { core, invalid, named, valid } from './support.mjs';

const PAGE = 'key-vault 2';
const DEK_ID = named('vault record/dek id', 16);
const DIGITS = DEK_ID.toString('hex');

const nameOf = (use, tenant) => core.vaultRecordKey({ use, tenant, dekId: DEK_ID });
const good = nameOf('field', 'acme');
const digest = good.split('/')[1];

const FOUND = [
  ['field', 'a key of fields', 'field', 'acme'],
  ['index-root', 'a root of blind indexes', 'index-root', 'acme'],
  ['unicode', 'a tenant outside ASCII', 'field', '\u65e5\u672c \u{1f511}'],
  ['composed', 'a letter as one code point', 'field', '\u00e9'],
  ['decomposed', 'the same letter as two, which is another tenant', 'field', 'e\u0301'],
  ['longest', 'a tenant of 256 bytes', 'field', 't'.repeat(256)],
];

const IGNORED = [
  ['other-tenant', "another tenant's", nameOf('field', 'globex')],
  ['other-use', 'of another use', nameOf('index-root', 'acme')],
  ['capital-id', 'a DEK id with capitals', `field/${digest}/${DIGITS.toUpperCase()}`],
  ['capital-tenant', "a tenant's digest with capitals", `field/${digest.toUpperCase()}/${DIGITS}`],
  ['short-id', 'a DEK id of 31 digits', good.slice(0, -1)],
  ['long-id', 'a DEK id of 33 digits', `${good}0`],
  ['no-hex', 'a letter that is no digit', `${good.slice(0, -1)}g`],
  ['line-feed', 'a line feed behind it', `${good}\n`],
  ['folder', 'a folder more', `field/${digest}/x/${DIGITS}`],
  ['no-use', 'no use', `${digest}/${DIGITS}`],
  ['prefix', 'no DEK id', `field/${digest}/`],
  ['suffix', 'a suffix', `${good}.kfk`],
];

export const vaultRecords = [
  ...FOUND.map(([id, description, use, tenant]) =>
    valid(`vault-record/${id}`, description, PAGE, 'vault-record', { use, tenant, name: nameOf(use, tenant) }, { dekId: DIGITS }),
  ),
  ...IGNORED.map(([id, reason, name]) => invalid(`vault-record/${id}`, reason, PAGE, 'vault-record', { use: 'field', tenant: 'acme', name }, 'INVALID_ARGUMENT')),
];
