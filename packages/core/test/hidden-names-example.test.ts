import { createSecretKey } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { toHex } from '../src/bytes.ts';
import { hkdfExpandSha512 } from '../src/crypto/hkdf.ts';
import { sealMessage } from '../src/crypto/message.ts';
import { label } from '../src/format/context.ts';
import { encodeHiddenId, encodeHiddenPrefix, hiddenIdBinding } from '../src/format/hidden-name.ts';
import { HiddenNames, hiddenTenantName } from '../src/sealing/hidden-names.ts';
import { hex } from './support/vectors.ts';

const TEXT = readFileSync(new URL('../../../docs/spec/hidden-names.md', import.meta.url), 'utf8');
const [, VALUES = '', , PREFIX = ''] = TEXT.slice(TEXT.indexOf('## 7. Example')).split('```');
const DEK = createSecretKey(Uint8Array.from({ length: 32 }, (_, index) => index));

/** A value of the example by its name. */
function value(name: string): string {
  return new RegExp(`^${name} +([0-9a-f]+)$`, 'm').exec(VALUES)?.[1] ?? '';
}

/** The bytes of the example; what stands behind two spaces is a comment. */
const prefix = hex(PREFIX.split('\n').map((line) => line.split('  ')[0]?.replaceAll(' ', '')).join(''));

describe('the example of the specification of hidden names', () => {
  test('has the names and keys that follow from its DEK', () => {
    expect(value('root')).toBe(hiddenTenantName('acme'));
    expect(value('nameKey')).toBe(toHex(hkdfExpandSha512(DEK, label('keyfold/hidden-names-mac-key/v1'), 32)));
    expect(value('idKey')).toBe(toHex(hkdfExpandSha512(DEK, label('keyfold/hidden-names-id-key/v1'), 32)));
    expect(value('name')).toBe(new HiddenNames(DEK, 'acme').nameOf('run-1'));
  });

  test('opens to its id, and is what sealing gives under its salt', () => {
    expect(prefix.byteLength).toBe(210);
    expect(new HiddenNames(DEK, 'acme').idOf(value('name'), prefix)).toBe('run-1');
    const salt = Uint8Array.from({ length: 24 }, (_, index) => 0x60 + index);
    const sealed = sealMessage(createSecretKey(hex(value('idKey'))), hiddenIdBinding(hex(value('name'))), encodeHiddenId('run-1'), { bytes: () => salt });
    expect(encodeHiddenPrefix(sealed)).toEqual(prefix);
  });
});
