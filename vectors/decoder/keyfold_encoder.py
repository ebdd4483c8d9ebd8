"""The other direction: writes what docs/spec describes, so that Keyfold can be asked to open it.

For tests of agreement only. It takes salts and keys from its caller or from the operating system, and it
does not check what it is given.
"""

import base64
import hashlib
import hmac
import os

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keyfold_decoder import (
    NAME_KEY_ID,
    SUITES,
    checkpoint_context,
    encode_object_id,
    expand,
    field_context,
    lp,
    record_mac,
    u,
    wrap_context,
    wrap_info,
)


def parts(suite, plaintext):
    """chunked-encryption.md, section 5: the last part is shorter than its capacity."""
    index, rest = 0, plaintext
    while len(rest) >= SUITES[suite].capacity(index):
        capacity = SUITES[suite].capacity(index)
        yield index, False, rest[:capacity]
        index, rest = index + 1, rest[capacity:]
    yield index, True, rest


def seal_frames(suite, key, context, plaintext):
    """salt || commitment || frames."""
    salt = os.urandom(24)
    if suite == 2:
        okm = expand(key, b"keyfold/aes-256-cbc-hmac-sha256/v1\x00" + salt + context, 96)
        frames = [seal_chunk(okm, *part) for part in parts(suite, plaintext)]
        return salt + okm[64:96] + b"".join(frames)
    okm = expand(key, SUITES[suite].label + b"\x00" + salt + context, 76)
    base = int.from_bytes(okm[32:44], "big")
    frames = [AESGCM(okm[:32]).encrypt(u(96, base ^ index), part, None) for index, _, part in parts(suite, plaintext)]
    return salt + okm[44:76] + b"".join(frames)


def seal_chunk(okm, index, final, part):
    """suite-02.md, section 3."""
    iv, padding = os.urandom(16), 16 - len(part) % 16
    encryptor = Cipher(algorithms.AES(okm[:32]), modes.CBC(iv)).encryptor()
    body = encryptor.update(part + bytes([padding]) * padding) + encryptor.finalize()
    associated = okm[64:96] + u(64, index) + u(8, int(final))
    return iv + body + hmac.new(okm[32:64], associated + iv + body + u(64, 328), hashlib.sha256).digest()


def seal_message(key, context, plaintext):
    return seal_frames(1, key, context, plaintext)


def local_wrap(keyring, version, key, context):
    """(provider, key id, key version, algorithm, wrapped)."""
    wrapped = seal_message(keyring.versions[version][2], wrap_info(keyring.key_id, version, context), key)
    return b"local", keyring.key_id.encode(), version.encode(), b"keyfold-wrap-v1", wrapped


def seal_record(dek, suite, use, object_id, dek_id, created, binding, metadata, wraps):
    body = b"\x8fKFK" + bytes([1, suite, use, 1]) + object_id + dek_id + u(64, 1) + u(64, created) + binding
    body += lp(32, metadata) + u(16, len(wraps))
    for provider, key_id, version, algorithm, wrapped in wraps:
        body += lp(8, provider) + lp(16, key_id) + lp(16, version) + lp(8, algorithm) + lp(16, wrapped)
    return body + record_mac(dek, body)


def seal_checkpoint(keyring, version, suite, tenant, checkpoint, metadata, plaintext, created, dek=None):
    """checkpoint.md: (record, data object, object id)."""
    dek, dek_id, object_id = dek or os.urandom(32), os.urandom(16), os.urandom(16)
    header = b"\x8fKFC" + bytes([1, suite, 0, 0]) + object_id + dek_id
    names = checkpoint_context(tenant, checkpoint)
    data = header + seal_frames(suite, dek, b"keyfold/checkpoint/v1\x00" + header + names, plaintext)
    sealed = seal_message(dek, b"keyfold/checkpoint-metadata/v1\x00" + object_id + dek_id + names, metadata)
    wrap = local_wrap(keyring, version, dek, wrap_context("checkpoint", tenant, checkpoint, dek_id))
    return seal_record(dek, suite, 1, object_id, dek_id, created, data[64:96], sealed, [wrap]), data, object_id


def checkpoint_files(checkpoint, record, data, object_id, inline):
    """checkpoint.md, section 5: bytes by name."""
    name = encode_object_id(checkpoint)
    if inline:
        return {name + ".kfk": record + data}
    return {name + ".kfk": record, "%s.%s.kfc" % (name, object_id.hex()): data}


def seal_name_key(keyring, version, tenant, created):
    """hidden-names.md, section 1: (DEK, what is named `names.kfn`)."""
    dek = os.urandom(32)
    record, data, _ = seal_checkpoint(keyring, version, 1, tenant, NAME_KEY_ID, b"{}", b"", created, dek)
    return dek, record + data


def hidden_files(names, checkpoint, record, data, object_id, inline):
    """hidden-names.md, sections 3 and 4: bytes by name."""
    name = names.name(checkpoint)
    content = lp(16, checkpoint.encode())
    content += bytes(-len(content) % 128)
    sealed = seal_message(names.id_key, b"keyfold/hidden-name-id/v1\x00" + name, content)
    front = b"\x8fKFN\x01\x00\x00\x00" + lp(16, sealed)
    if inline:
        return {names.record_object(checkpoint): front + record + data}
    separate = names.other_object(checkpoint, object_id.hex(), "kfd")
    return {names.record_object(checkpoint): front + record, separate: data}


def base64url(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=")


def seal_keyring(keyring, key):
    """local-keyring.md, sections 2 to 5, under a key."""
    line1 = b'{"format":"keyfold-keyring","version":1,"keyId":"%s","generation":%d,"kdf":{"name":"none"}}' % (
        keyring.key_id.encode(),
        keyring.generation,
    )
    entries = b",".join(
        b'{"id":"%s","state":"%s","created":%d,"key":%s}'
        % (name.encode(), state.encode(), created, b"null" if each is None else b'"%s"' % base64url(each))
        for name, (state, created, each) in keyring.versions.items()
    )
    plaintext = b'{"primary":"%s","versions":[%s]}' % (keyring.primary.encode(), entries)
    return line1 + b"\n" + base64url(seal_message(key, b"keyfold/keyring/v1\x00" + line1, plaintext)) + b"\n"


def seal_field(dek, dek_id, plaintext, padded, tenant, table, column, row=None):
    """sealed-field.md."""
    header = b"\x8fKFF\x01\x01" + (b"\x01" if padded else b"\x00") + dek_id
    if padded:
        plaintext += b"\x80" + bytes(-(len(plaintext) + 1) % 32)
    context = b"keyfold/field/v1\x00" + header + field_context(tenant, table, column, row)
    return header + seal_message(dek, context, plaintext)


def field_text(field):
    return "kf1:" + base64url(field).decode()
