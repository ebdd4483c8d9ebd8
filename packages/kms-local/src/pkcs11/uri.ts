import { KeyfoldError, decodeUtf8 } from '@keyfold/core/provider';

/** A PKCS#11 URI taken apart (RFC 7512). Absent attributes match everything. */
export interface Pkcs11Uri {
  readonly token?: string;
  readonly manufacturer?: string;
  readonly serial?: string;
  readonly model?: string;
  readonly libraryManufacturer?: string;
  readonly libraryDescription?: string;
  readonly libraryVersion?: { readonly major: number; readonly minor: number };
  /** CKA_LABEL. */
  readonly object?: string;
  readonly type?: ObjectType;
  /** CKA_ID. */
  readonly id?: Uint8Array;
  readonly slotManufacturer?: string;
  readonly slotDescription?: string;
  readonly slotId?: number;
  readonly pinSource?: string;
  /** Secret. */
  readonly pinValue?: string;
  readonly moduleName?: string;
  readonly modulePath?: string;
  /** Attributes of the path that are a vendor's, by name. */
  readonly vendorPath: ReadonlyMap<string, string>;
  /** The same of the query, where a name may occur several times. */
  readonly vendorQuery: ReadonlyMap<string, readonly string[]>;
}

const TYPES = ['public', 'private', 'cert', 'secret-key', 'data'] as const;
type ObjectType = (typeof TYPES)[number];
type Reader = (raw: string, name: string, plain: RegExp) => unknown;

/** pk11-pchar and pk11-qchar of RFC 7512, section 2.3, without pct-encoded. */
const PATH_CHARACTER = /^[A-Za-z0-9\-._~:[\]@!$'()*+,=&]$/;
const QUERY_CHARACTER = /^[A-Za-z0-9\-._~:[\]@!$'()*+,=/?|]$/;
/** RFC 7512 leaves every unknown name to vendors; a slip of the pen is told from one by these prefixes. */
const VENDOR_NAME = /^(?:x|vendor)[-_][A-Za-z0-9_-]+$/;
const MAX_LENGTH = 8_192;

const PATH: Readonly<Record<string, readonly [keyof Pkcs11Uri, Reader]>> = {
  token: ['token', text],
  manufacturer: ['manufacturer', text],
  serial: ['serial', text],
  model: ['model', text],
  'library-manufacturer': ['libraryManufacturer', text],
  'library-description': ['libraryDescription', text],
  'library-version': ['libraryVersion', version],
  object: ['object', text],
  type: ['type', objectType],
  id: ['id', octets],
  'slot-manufacturer': ['slotManufacturer', text],
  'slot-description': ['slotDescription', text],
  'slot-id': ['slotId', slotNumber],
};

const QUERY: Readonly<Record<string, readonly [keyof Pkcs11Uri, Reader]>> = {
  'pin-source': ['pinSource', text],
  'pin-value': ['pinValue', text],
  'module-name': ['moduleName', text],
  'module-path': ['modulePath', absolutePath],
};

/**
 * Reads a PKCS#11 URI by the grammar of RFC 7512, section 2.3. Attribute names
 * are taken as they are written there, in lower case. Messages name attributes
 * and never repeat the URI or a value: it may hold a PIN.
 * @throws KeyfoldError CONFIG_INVALID for anything else, also for an attribute that RFC 7512 does not define
 * unless its name begins with `x-` or `vendor-`, for one that occurs twice, and for both pin-source and pin-value
 */
export function parsePkcs11Uri(uri: string): Pkcs11Uri {
  if (typeof uri !== 'string' || !/^pkcs11:/i.test(uri) || uri.length > MAX_LENGTH) {
    throw invalid(`it does not begin with pkcs11: or is longer than ${MAX_LENGTH} characters`);
  }
  const rest = uri.slice('pkcs11:'.length);
  const mark = rest.indexOf('?');
  const [path, query] = mark < 0 ? [rest, ''] : [rest.slice(0, mark), rest.slice(mark + 1)];
  const found = new Map<string, unknown>();
  const vendorPath = new Map<string, string>();
  const vendorQuery = new Map<string, readonly string[]>();
  for (const [name, raw] of attributes(path, ';')) {
    if (read(PATH, name, raw, PATH_CHARACTER, found)) continue;
    if (vendorPath.has(name)) throw twice(name);
    vendorPath.set(vendorName(name), text(raw, name, PATH_CHARACTER));
  }
  for (const [name, raw] of attributes(query, '&')) {
    if (read(QUERY, name, raw, QUERY_CHARACTER, found)) continue;
    vendorQuery.set(vendorName(name), [...(vendorQuery.get(name) ?? []), text(raw, name, QUERY_CHARACTER)]);
  }
  if (found.has('pinSource') && found.has('pinValue')) throw invalid('it has both pin-source and pin-value');
  return { ...Object.fromEntries(found), vendorPath, vendorQuery };
}

/** The attributes of one part, in order. */
function attributes(part: string, separator: string): (readonly [string, string])[] {
  if (part === '') return [];
  return part.split(separator).map((attribute) => {
    const equals = attribute.indexOf('=');
    if (equals < 1) throw invalid('an attribute is not of the form name=value');
    return [attribute.slice(0, equals), attribute.slice(equals + 1)] as const;
  });
}

/** False when the name is none that RFC 7512 defines for this part. */
function read(table: typeof PATH, name: string, raw: string, plain: RegExp, found: Map<string, unknown>): boolean {
  if (!Object.hasOwn(table, name)) return false;
  const [field, reader] = table[name] ?? [];
  if (field === undefined || reader === undefined) return false;
  if (found.has(field)) throw twice(name);
  found.set(field, reader(raw, name, plain));
  return true;
}

function vendorName(name: string): string {
  if (VENDOR_NAME.test(name)) return name;
  throw invalid(
    /^[A-Za-z0-9_-]{1,32}$/.test(name)
      ? `RFC 7512 defines no attribute ${name} in this place; attributes of a vendor begin with x- or vendor-`
      : 'it has an attribute whose name is none',
  );
}

/** Percent-decoding to bytes; everything that must be encoded has to be. */
function octets(raw: string, name: string, plain: RegExp): Uint8Array {
  const bytes: number[] = [];
  for (let index = 0; index < raw.length; index++) {
    const character = raw.charAt(index);
    if (character === '%') {
      const hex = raw.slice(index + 1, index + 3);
      if (!/^[0-9A-Fa-f]{2}$/.test(hex)) throw invalid(`${name} has a % that two hexadecimal digits do not follow`);
      bytes.push(Number.parseInt(hex, 16));
      index += 2;
    } else {
      if (!plain.test(character)) throw invalid(`${name} has a character that must be percent-encoded`);
      bytes.push(character.charCodeAt(0));
    }
  }
  return Uint8Array.from(bytes);
}

function text(raw: string, name: string, plain: RegExp): string {
  const decoded = decodeUtf8(octets(raw, name, plain));
  if (decoded === undefined || decoded.includes('\0')) throw invalid(`${name} is not UTF-8 or has a zero byte`);
  return decoded;
}

function objectType(raw: string): ObjectType {
  const type = TYPES.find((candidate) => candidate === raw);
  if (type === undefined) throw invalid(`type is none of ${TYPES.join(', ')}`);
  return type;
}

function slotNumber(raw: string): number {
  const value = Number(raw);
  if (!/^\d+$/.test(raw) || !Number.isSafeInteger(value)) throw invalid('slot-id is no decimal number below 2^53');
  return value;
}

/** Both numbers are bytes; without the second one it is 0. */
function version(raw: string): { major: number; minor: number } {
  const [, major, minor = '0'] = /^(\d+)(?:\.(\d+))?$/.exec(raw) ?? [];
  if (major === undefined || Number(major) > 255 || Number(minor) > 255) {
    throw invalid('library-version is no number or two numbers, with a dot between them, of at most 255');
  }
  return { major: Number(major), minor: Number(minor) };
}

function absolutePath(raw: string, name: string, plain: RegExp): string {
  const path = text(raw, name, plain);
  if (!/^(?:[/\\]|[A-Za-z]:[/\\])/.test(path)) throw invalid('module-path is no absolute path');
  return path;
}

function twice(name: string): KeyfoldError {
  return invalid(`${name} occurs twice`);
}

function invalid(reason: string): KeyfoldError {
  return new KeyfoldError('CONFIG_INVALID', `This is no PKCS#11 URI that can be used: ${reason}. See RFC 7512.`);
}
