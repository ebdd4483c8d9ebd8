"""A decoder of Keyfold's formats, written from docs/spec alone.

It exists to hold the specification against the code: whatever Keyfold writes must open here, and what
Keyfold refuses must be refused here. It keeps whole objects in memory and secrets in ordinary bytes, so
it is a tool for tests and emergencies and not a library for services.

Needs Python 3.9 and the package `cryptography` (38 or later). Nothing here reads files or the network.
"""

import base64
import hashlib
import hmac
import re
import unicodedata

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class Refused(Exception):
    """What does not open. The text is for whoever debugs the format; the code is what a caller learns."""

    def __init__(self, detail, code="INTEGRITY_FAILURE"):
        super().__init__(detail)
        self.code = code


def equal(a, b):
    return hmac.compare_digest(bytes(a), bytes(b))


class Reader:
    """Big-endian fields from front to back; lengths are compared before anything is taken."""

    def __init__(self, data):
        self.data = data
        self.offset = 0

    def take(self, length):
        if length > len(self.data) - self.offset:
            raise Refused("the input ends early")
        self.offset += length
        return self.data[self.offset - length : self.offset]

    def u(self, bits):
        return int.from_bytes(self.take(bits // 8), "big")

    def u64(self):
        value = self.u(64)
        if value >= 2**53:
            raise Refused("an integer of 2^53 or more")
        return value

    def lp(self, bits, least, most):
        length = self.u(bits)
        if not least <= length <= most:
            raise Refused("a length outside its limits")
        return self.take(length)

    def end(self):
        if self.offset != len(self.data):
            raise Refused("trailing bytes")


def utf8(data):
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused("no well-formed UTF-8") from None


def to_utf8(text):
    try:
        return text.encode("utf-8")
    except UnicodeEncodeError:
        raise Refused("a lone surrogate", "INVALID_ARGUMENT") from None


def u(bits, value):
    return value.to_bytes(bits // 8, "big")


def lp(bits, data):
    return u(bits, len(data)) + data


def from_base64url(text):
    """README, Conventions: RFC 4648 section 5, unpadded and canonical."""
    if re.fullmatch(rb"[A-Za-z0-9_-]*", text) is None:
        raise Refused("no base64url")
    try:
        data = base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))
    except ValueError:
        raise Refused("no base64url") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != text:
        raise Refused("base64url that is not canonical")
    return data


# --- encryption-context.md ---------------------------------------------------------------------------

CONTEXT_KEY = re.compile(rb"[a-z0-9][a-z0-9._-]{0,63}")


def encode_context(entries):
    """Section 3.1. `entries` is a list of pairs of text."""
    if not 1 <= len(entries) <= 32:
        raise Refused("number of entries", "INVALID_ARGUMENT")
    encoded = {}
    for key, value in entries:
        if not isinstance(key, str) or not isinstance(value, str):
            raise Refused("an entry that is not text", "INVALID_ARGUMENT")
        key, value = to_utf8(key), to_utf8(value)
        if CONTEXT_KEY.fullmatch(key) is None or key in encoded or len(value) > 65536:
            raise Refused("a key or value outside its limits", "INVALID_ARGUMENT")
        encoded[key] = value
    body = b"".join(lp(16, key) + lp(32, encoded[key]) for key in sorted(encoded))
    return b"\x01" + u(8, len(encoded)) + body


def decode_context(data):
    """Section 3.2: the entries, in their order."""
    reader = Reader(data)
    if reader.u(8) != 1:
        raise Refused("unknown version")
    count = reader.u(8)
    if not 1 <= count <= 32:
        raise Refused("number of entries")
    entries = []
    before = b""
    for _ in range(count):
        key = reader.lp(16, 1, 64)
        if CONTEXT_KEY.fullmatch(key) is None or key <= before:
            raise Refused("a key outside the grammar or its order")
        entries.append((key.decode("ascii"), utf8(reader.lp(32, 0, 65536))))
        before = key
    reader.end()
    return entries


def limited(name, text, least, most):
    if not isinstance(text, str) or not least <= len(to_utf8(text)) <= most:
        raise Refused(name + " outside its limits", "INVALID_ARGUMENT")
    return text


def checkpoint_context(tenant, checkpoint):
    """Section 4."""
    limited("tenant", tenant, 1, 256)
    limited("checkpoint", checkpoint, 1, 1024)
    return encode_context([("purpose", "checkpoint"), ("tenant", tenant), ("checkpoint", checkpoint)])


def wrap_context(use, tenant, scope, dek_id):
    """Section 4. `use` is one of the four words."""
    if len(dek_id) != 16:
        raise Refused("a DEK id that has not 16 bytes", "INVALID_ARGUMENT")
    if use not in ("checkpoint", "field", "index-root", "audit"):
        raise Refused("unknown use", "INVALID_ARGUMENT")
    limited("tenant", tenant, 1, 256)
    limited("scope", scope, 1, 1024)
    encoded = encode_context(
        [("purpose", "wrap"), ("use", use), ("tenant", tenant), ("scope", scope), ("dek", dek_id.hex())]
    )
    if len(encoded) > 4096:
        raise Refused("a wrap context above 4,096 bytes", "INVALID_ARGUMENT")
    return encoded


def kms_aad(context):
    """Section 6, of an encoded wrap context."""
    return b"keyfold/kms/v1\x00" + context


# --- chunked-encryption.md ---------------------------------------------------------------------------


def expand(key, info, length):
    """HKDF-Expand-SHA-512."""
    if len(key) != 32:
        raise Refused("a key that has not 32 bytes")
    output, block, counter = b"", b"", 1
    while len(output) < length:
        block = hmac.new(key, block + info + bytes([counter]), hashlib.sha512).digest()
        output += block
        counter += 1
    return output[:length]


class Gcm:
    """Suites 01 and 03: section 3 gives the parameters, section 5 the frames."""

    def __init__(self, label, full, lead, most):
        self.label, self.full, self.lead, self.most = label, full, lead, most

    def derive(self, key, salt, context):
        """The commitment, and what opens one frame."""
        okm = expand(key, self.label + b"\x00" + salt + context, 76)
        aes, base = AESGCM(okm[:32]), int.from_bytes(okm[32:44], "big")

        def open_frame(index, final, frame):
            try:
                return aes.decrypt(u(96, base ^ index), frame, None)
            except InvalidTag:
                raise Refused("frame %d does not authenticate" % index) from None

        return okm[44:76], open_frame

    def capacity(self, index):
        return self.full - 16 - (self.lead if index == 0 else 0)

    def allows_last(self, length):
        return length >= 16


class CbcHmac:
    """Suite 02: suite-02.md."""

    full, lead, most = 16448, 0, 2**38

    def derive(self, key, salt, context):
        okm = expand(key, b"keyfold/aes-256-cbc-hmac-sha256/v1\x00" + salt + context, 96)
        aes, mac_key, commitment = algorithms.AES(okm[:32]), okm[32:64], okm[64:96]

        def open_frame(index, final, frame):
            iv, body, tag = frame[:16], frame[16:-32], frame[-32:]
            associated = commitment + u(64, index) + (b"\x01" if final else b"\x00")
            mac = hmac.new(mac_key, associated + iv + body + u(64, 328), hashlib.sha256).digest()
            if not equal(mac, tag):
                raise Refused("chunk %d does not authenticate" % index)
            decryptor = Cipher(aes, modes.CBC(iv)).decryptor()
            padded = decryptor.update(body) + decryptor.finalize()
            padding = padded[-1]
            if not 1 <= padding <= 16 or padded[-padding:] != bytes([padding]) * padding:
                raise Refused("padding of chunk %d" % index)
            return padded[:-padding]

        return commitment, open_frame

    def capacity(self, index):
        return 16384

    def allows_last(self, length):
        return length >= 64 and length % 16 == 0


SUITES = {
    1: Gcm(b"c2sp.org/chunked-encryption@v1+AEAD_AES_256_GCM", 16400, 0, 2**38),
    2: CbcHmac(),
    3: Gcm(b"keyfold/aes-256-gcm-1m/v1", 1048576, 96, 2**32),
}


# What a reader accepts that was not told: suite-02.md, section 4.
ACCEPTED = (1, 3)


class Frames:
    """A message of any suite after steps 1 to 4 of section 6: derived, compared, and cut."""

    def __init__(self, suite, key, context, salt, commitment, body):
        self.suite, self.body = suite, body
        if len(key) != 32:
            raise Refused("a key that has not 32 bytes")
        derived, self.open_frame = suite.derive(key, salt, context)
        if not equal(derived, commitment):
            raise Refused("commitment")
        self.last = (len(body) + suite.lead) // suite.full
        if not suite.allows_last(len(self.cut(self.last))) or self.last + 1 > suite.most:
            raise Refused("the last frame has an impossible length")

    def cut(self, index):
        start = max(0, index * self.suite.full - self.suite.lead)
        return self.body[start : (index + 1) * self.suite.full - self.suite.lead]

    def frame(self, index):
        plaintext = self.open_frame(index, index == self.last, self.cut(index))
        capacity = self.suite.capacity(index)
        if len(plaintext) >= capacity if index == self.last else len(plaintext) != capacity:
            raise Refused("a frame holds another length than its place allows")
        return plaintext

    def whole(self):
        return b"".join(self.frame(index) for index in range(self.last + 1))

    def range(self, start, end):
        """range-reads.md, from step 3 of section 2 on. The last frame comes first, whatever is asked for."""
        final = self.frame(self.last)
        before = sum(self.suite.capacity(index) for index in range(self.last))
        if end > before + len(final):
            raise Refused("beyond the end", "RANGE_INVALID")
        result, position = b"", 0
        for index in range(self.last + 1):
            length = len(final) if index == self.last else self.suite.capacity(index)
            if start < position + length and end > position:
                plaintext = final if index == self.last else self.frame(index)
                result += plaintext[max(0, start - position) : end - position]
            position += length
        return result


def check_range(start, end):
    """range-reads.md: what is no range is refused before anything is read."""
    if not all(type(offset) is int and 0 <= offset < 2**53 for offset in (start, end)) or end < start:
        raise Refused("no range", "RANGE_INVALID")


def open_message(key, context, message):
    """A core message: section 6 with suite 01."""
    if len(message) < 72:
        raise Refused("shorter than an empty message")
    return Frames(SUITES[1], key, context, message[:24], message[24:56], message[56:]).whole()


# --- key-record.md -----------------------------------------------------------------------------------

RECORD_USES = {1: "checkpoint", 2: "field", 3: "index-root", 4: "audit"}
PRINTABLE = re.compile(rb"[\x20-\x7e]*")
PROVIDER = re.compile(rb"[a-z0-9-]*")


class Wrap:
    def __init__(self, reader):
        self.provider = self.name(reader.lp(8, 1, 32), PROVIDER)
        self.key_id = self.name(reader.lp(16, 1, 2048), PRINTABLE)
        self.key_version = self.name(reader.lp(16, 0, 256), PRINTABLE)
        self.algorithm = self.name(reader.lp(8, 1, 64), PRINTABLE)
        self.wrapped = reader.lp(16, 1, 8192)

    @staticmethod
    def name(data, pattern):
        if pattern.fullmatch(data) is None:
            raise Refused("a name with characters that it must not have")
        return data.decode("ascii")

    @property
    def kek(self):
        return (self.provider, self.key_id, self.key_version)


class Record:
    """Sections 2 and 4: parsed, and nothing in it believed."""

    def __init__(self, data):
        reader = Reader(data)
        if reader.take(5) != b"\x8fKFK\x01":
            raise Refused("another magic or version")
        self.suite, use, state = reader.u(8), reader.u(8), reader.u(8)
        if self.suite not in (1, 2, 3) or use not in RECORD_USES or state not in (1, 2):
            raise Refused("unknown suite, use or state")
        self.use, self.state = RECORD_USES[use], {1: "active", 2: "decrypt-only"}[state]
        self.object_id, self.dek_id = reader.take(16), reader.take(16)
        self.generation, self.created = reader.u64(), reader.u64()
        if self.generation < 1:
            raise Refused("generation 0")
        self.binding = reader.take(32)
        self.metadata = reader.lp(32, 0, 65536)
        count = reader.u(16)
        if not 1 <= count <= 16:
            raise Refused("number of wraps")
        self.wraps = [Wrap(reader) for _ in range(count)]
        if len({wrap.kek for wrap in self.wraps}) != count:
            raise Refused("two wraps by one version of one key")
        if self.use == "checkpoint":
            if self.state != "active" or not self.metadata:
                raise Refused("state or metadata of a checkpoint's record")
        elif self.suite != 1 or self.object_id != bytes(16) or self.metadata:
            raise Refused("suite, object id or metadata of a record that is no checkpoint's")
        self.authenticated = data[: reader.offset]
        self.mac = reader.take(32)
        self.rest = data[reader.offset :]


def record_mac(dek, authenticated):
    """Section 3."""
    key = expand(dek, b"keyfold/key-record-mac/v1\x00", 32)
    return hmac.new(key, authenticated, hashlib.sha256).digest()


JSON_TOKEN = re.compile(
    r'[ \t\n\r]*(?:([{}\[\],:])|("(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9A-Fa-f]{4}))*")'
    r"|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?|true|false|null))"
)


def require_json_object(data):
    """checkpoint.md, section 4. Python's own parser limits depth and digits, and knows NaN."""
    text = utf8(data)
    depth, position, expected = [], 0, "object"
    while expected != "end":
        token = JSON_TOKEN.match(text, position)
        if token is None:
            raise Refused("metadata that is no JSON")
        position = token.end()
        mark, string, other = token.groups()
        if mark and mark in "{[" and (expected in ("value", "first value") or (expected == "object" and mark == "{")):
            depth.append("}" if mark == "{" else "]")
            expected = "first key" if mark == "{" else "first value"
        elif string and expected in ("key", "first key"):
            expected = ":"
        elif mark == ":" and expected == ":":
            expected = "value"
        elif (string or other) and expected in ("value", "first value"):
            expected = "comma"
        elif mark == "," and expected == "comma":
            expected = "key" if depth[-1] == "}" else "value"
        elif depth[-1:] == [mark] and expected in ("comma", "first key", "first value"):
            depth.pop()
            expected = "comma" if depth else "end"
        else:
            raise Refused("metadata that is no JSON object")
    if text[position:].strip(" \t\n\r"):
        raise Refused("text behind the metadata")


def open_record_with_dek(record, dek, tenant, use, scope):
    """Section 5, steps 4 and 5: the metadata's JSON, or None for other uses than checkpoints."""
    if not equal(record_mac(dek, record.authenticated), record.mac):
        raise Refused("MAC of the record")
    if use == "checkpoint":
        context = b"keyfold/checkpoint-metadata/v1\x00" + record.object_id + record.dek_id
        metadata = open_message(dek, context + checkpoint_context(tenant, scope), record.metadata)
        require_json_object(metadata)
        return metadata
    if not equal(hashlib.sha256(wrap_context(use, tenant, scope, record.dek_id)).digest(), record.binding):
        raise Refused("binding")
    return None


class LocalKek:
    """A KEK that a reader accepts: section 5 with a local keyring in the place of a service."""

    provider = "local"

    def __init__(self, keyring):
        self.key_id, self.keyring = keyring.key_id, keyring

    def unwrap(self, wrap, context):
        return unwrap_local(self.keyring, *wrap.kek, wrap.algorithm, wrap.wrapped, context)


def open_record(record, keks, tenant, use, scope, accepted=ACCEPTED):
    """Section 5: (DEK, metadata). `keks` is in order of preference."""
    if record.use != use or (use == "checkpoint" and record.suite not in accepted):
        raise Refused("another use, or a suite that is not accepted")
    candidates = [
        (kek, wrap) for kek in keks for wrap in record.wraps if (wrap.provider, wrap.key_id) == (kek.provider, kek.key_id)
    ]
    if not candidates:
        raise Refused("no wrap by an accepted key", "KEY_NOT_ALLOWED")
    kek, wrap = candidates[0]
    try:
        dek = kek.unwrap(wrap, wrap_context(use, tenant, scope, record.dek_id))
    except Refused as refusal:
        # Section 5.1: a wrap or context that the service refuses is the same failure as the rest.
        code = "INTEGRITY_FAILURE" if refusal.code == "INVALID_CIPHERTEXT" else refusal.code
        raise Refused(str(refusal), code) from None
    if len(dek) != 32:
        raise Refused("a DEK that has not 32 bytes", "KMS_PROTOCOL_ERROR")
    return dek, open_record_with_dek(record, dek, tenant, use, scope)


# --- checkpoint.md -----------------------------------------------------------------------------------


class DataObject:
    """Sections 3 and 6: the header, and the frames under the context that the reader expects."""

    def __init__(self, data, dek, tenant, checkpoint, accepted=ACCEPTED):
        if len(data) < 112:
            raise Refused("shorter than an empty data object")
        if data[:5] != b"\x8fKFC\x01" or data[6:8] != b"\x00\x00":
            raise Refused("another magic or version, or reserved bytes")
        self.suite = data[5]
        if self.suite not in SUITES or self.suite not in accepted:
            raise Refused("a suite that is not accepted")
        self.object_id, self.dek_id, self.commitment = data[8:24], data[24:40], data[64:96]
        context = b"keyfold/checkpoint/v1\x00" + data[:40] + checkpoint_context(tenant, checkpoint)
        self.frames = Frames(SUITES[self.suite], dek, context, data[40:64], self.commitment, data[96:])


class Checkpoint:
    """Section 6. `stored` is what is named `.kfk`; `separate` what is named `.kfc`, if anything is."""

    def __init__(self, stored, separate, keks, tenant, checkpoint, accepted=ACCEPTED, receipt=None, minimum_generation=1):
        self.record = Record(stored)
        self.dek, self.metadata = open_record(self.record, keks, tenant, "checkpoint", checkpoint, accepted)
        if receipt is not None:
            self.compare(receipt)
        if self.record.generation < minimum_generation:
            raise Refused("an older generation than demanded")
        data = self.record.rest if self.record.rest else separate
        if data is None:
            raise Refused("the data object is missing")
        if len(data) < 112:
            raise Refused("shorter than an empty data object")
        record = self.record
        same = data[5] == record.suite and data[8:24] == record.object_id and data[24:40] == record.dek_id
        if not same or not equal(data[64:96], record.binding):
            raise Refused("record and data object belong to different checkpoints")
        self.data = DataObject(data, self.dek, tenant, checkpoint, accepted)

    def compare(self, receipt):
        """Section 7."""
        record = self.record
        same = receipt["objectId"] == record.object_id.hex() and receipt["commitment"] == record.binding.hex()
        if not same or record.generation < receipt["generation"]:
            raise Refused("another save than the receipt's")


def encode_object_id(checkpoint):
    """Section 5.1."""
    limited("checkpoint", checkpoint, 1, 1024)
    plain = b"abcdefghijklmnopqrstuvwxyz0123456789._-/"
    text = "".join(chr(byte) if byte in plain else "%%%02x" % byte for byte in to_utf8(checkpoint))
    segments = checkpoint.split("/")
    if "\0" in checkpoint or any(segment in ("", ".", "..") for segment in segments):
        raise Refused("an id that stores refuse", "INVALID_ARGUMENT")
    if any(segment.endswith((".kfk", ".kfc", ".kfp", ".kfg")) for segment in segments[:-1]) or len(text) > 3035:
        raise Refused("an id that stores refuse", "INVALID_ARGUMENT")
    return text


def decode_object_id(text):
    """The id whose encoding this is, or a refusal."""
    if re.fullmatch(r"(?:[a-z0-9._/-]|%[0-9a-f]{2})+", text) is None:
        raise Refused("no encoded id")
    parts = re.sub(r"%([0-9a-f]{2})", lambda match: chr(int(match.group(1), 16)), text)
    checkpoint = utf8(parts.encode("latin-1"))
    try:
        again = encode_object_id(checkpoint)
    except Refused:
        raise Refused("an id that stores refuse") from None
    if again != text:
        raise Refused("not the encoding of the id that it decodes to")
    return checkpoint


OBJECT_KINDS = {"kfk": "record", "kfc": "data", "kfg": "mark"}


def parse_object_name(name):
    """Section 5.1: (kind, id, object id in digits or None) of an object with a visible name."""
    match = re.fullmatch(r"(.*?)(?:\.([0-9a-f]{32})\.(kfc|kfg)|\.(kfk))", name, re.DOTALL)
    if match is None:
        raise Refused("a name that is no object's")
    encoded, object_id, suffix, record = match.groups()
    return OBJECT_KINDS[record or suffix], decode_object_id(encoded), object_id


# --- hidden-names.md ---------------------------------------------------------------------------------

NAME_KEY_ID = "/keyfold/hidden-names/v1"
LONGEST_FRONT = 1234
HIDDEN_NAME = re.compile(r"([0-9a-f]{64})\.(?:([0-9a-f]{32})\.(kfd|kfm)|(kfh))")
HIDDEN_KINDS = {"kfh": "record", "kfd": "data", "kfm": "mark"}


def hidden_root(tenant):
    """Section 3."""
    limited("tenant", tenant, 1, 256)
    return hashlib.sha256(b"keyfold/hidden-names-tenant/v1\x00" + lp(16, to_utf8(tenant))).hexdigest()[:32]


def name_key_object(tenant):
    return hidden_root(tenant) + "/names.kfn"


def parse_hidden_name(tenant, name):
    """Section 3: (kind, name, object id in digits) of an object of the tenant; what does not apply is None."""
    root, _, rest = name.partition("/")
    if root != hidden_root(tenant):
        raise Refused("another tenant's object, or nobody's")
    if rest == "names.kfn":
        return "name-key", None, None
    match = HIDDEN_NAME.fullmatch(rest)
    if match is None:
        raise Refused("a name that is no object's")
    hidden, object_id, suffix, record = match.groups()
    return HIDDEN_KINDS[record or suffix], hidden, object_id


class HiddenNames:
    """Section 2, from the DEK of a tenant's name key."""

    def __init__(self, dek, tenant):
        self.tenant, self.root = tenant, hidden_root(tenant)
        self.name_key = expand(dek, b"keyfold/hidden-names-mac-key/v1\x00", 32)
        self.id_key = expand(dek, b"keyfold/hidden-names-id-key/v1\x00", 32)

    @classmethod
    def open(cls, stored, keks, tenant):
        """Section 1. `stored` is what is named `names.kfn`."""
        opened = Checkpoint(stored, None, keks, tenant, NAME_KEY_ID, (1,))
        if opened.data.frames.whole():
            raise Refused("a name key with a payload")
        return cls(opened.dek, tenant)

    def name(self, checkpoint):
        context = checkpoint_context(self.tenant, checkpoint)
        return hmac.new(self.name_key, b"keyfold/hidden-name/v1\x00" + context, hashlib.sha256).digest()

    def record_object(self, checkpoint):
        encode_object_id(checkpoint)
        return "%s/%s.kfh" % (self.root, self.name(checkpoint).hex())

    def other_object(self, checkpoint, object_id, suffix):
        encode_object_id(checkpoint)
        return "%s/%s.%s.%s" % (self.root, self.name(checkpoint).hex(), object_id, suffix)

    def objects_of(self, checkpoint, record):
        """The names of what a checkpoint's opened record stands for."""
        names = [self.record_object(checkpoint)]
        return names if record.rest else names + [self.other_object(checkpoint, record.object_id.hex(), "kfd")]

    def listed(self, object_name, stored):
        """Section 5: the id that stands sealed in front of one record."""
        kind, hidden, _ = parse_hidden_name(self.tenant, object_name)
        if kind != "record":
            raise Refused("no record's name")
        sealed, _ = split_front(stored)
        context = b"keyfold/hidden-name-id/v1\x00" + bytes.fromhex(hidden)
        plaintext = open_message(self.id_key, context, sealed)
        reader = Reader(plaintext)
        checkpoint = utf8(reader.lp(16, 1, 1024))
        padding = plaintext[reader.offset :]
        if len(plaintext) % 128 != 0 or len(padding) >= 128 or padding.strip(b"\x00"):
            raise Refused("padding of an id")
        if not equal(self.name(checkpoint), bytes.fromhex(hidden)):
            raise Refused("the id of another name")
        return checkpoint


    def checkpoint(self, get, keks, checkpoint, accepted=ACCEPTED, receipt=None, minimum_generation=1):
        """Section 4: opens a checkpoint by its id. `get` gives the bytes of an object by its name, or None."""
        stored = get(self.record_object(checkpoint))
        if stored is None:
            raise Refused("no such checkpoint", "NOT_FOUND")
        _, record = split_front(stored)
        object_id = Record(record).object_id.hex()
        separate = get(self.other_object(checkpoint, object_id, "kfd"))
        return Checkpoint(record, separate, keks, self.tenant, checkpoint, accepted, receipt, minimum_generation)

    def listing(self, objects):
        """Section 5: (ids, whether anything was refused). `objects` are the beginnings of all objects by name."""
        ids, damaged = [], False
        for name, stored in objects.items():
            try:
                if parse_hidden_name(self.tenant, name)[0] != "record":
                    continue
            except Refused:
                continue
            try:
                ids.append(self.listed(name, stored))
            except Refused:
                damaged = True
        return ids, damaged


def split_front(stored):
    """Section 4: the sealed id, not believed, and the record with what is behind it."""
    reader = Reader(stored)
    if reader.take(8) != b"\x8fKFN\x01\x00\x00\x00":
        raise Refused("another magic or version, or reserved bytes")
    sealed = reader.lp(16, 72 + 128, 72 + 9 * 128)
    if (len(sealed) - 72) % 128 != 0:
        raise Refused("a sealed id of impossible length")
    return sealed, stored[reader.offset :]


# --- local-keyring.md --------------------------------------------------------------------------------


class Keyring:
    """One KEK: its id, its versions as {id: (state, created, key)}, and which one is primary."""

    def __init__(self, key_id, generation, primary, versions):
        self.key_id, self.generation, self.primary, self.versions = key_id, generation, primary, versions


DIGITS = r"(?:0|[1-9][0-9]{0,15})"
KEYRING_HEADER = re.compile(
    (
        r'\{"format":"keyfold-keyring","version":1,"keyId":"([A-Za-z0-9][A-Za-z0-9._-]{0,127})",'
        r'"generation":(%s),"kdf":(?:\{"name":"none"\}'
        r'|\{"name":"scrypt","n":(131072|262144),"r":8,"p":([1-4]),"salt":"([A-Za-z0-9_-]+)"\}'
        r'|\{"name":"pbkdf2-hmac-sha-512","iterations":(%s),"salt":"([A-Za-z0-9_-]+)"\})\}'
    )
    % (DIGITS, DIGITS)
)
KEYRING_ENTRY = (
    r'\{"id":"(%s)","state":"(?:(enabled|disabled)","created":(%s),"key":"([A-Za-z0-9_-]{43})"'
    r'|destroyed","created":(%s),"key":null)\}'
) % (DIGITS, DIGITS, DIGITS)
KEYRING_LIST = re.compile(r'\{"primary":"(%s)","versions":\[(.*)\]\}' % DIGITS)


def digits(text, least=0):
    value = int(text)
    if not least <= value < 2**53:
        raise Refused("a number outside its limits", "KEYRING_DAMAGED")
    return value


def keyring_key(match, secret):
    """Section 4. `secret` is {"key": bytes} or {"password": text or bytes}."""
    _, _, n, p, scrypt_salt, iterations, pbkdf2_salt = match.groups()
    if n is None and iterations is None:
        if "key" not in secret or len(secret["key"]) != 32:
            raise Refused("this keyring wants a key", "INVALID_ARGUMENT")
        return secret["key"]
    salt = from_base64url((scrypt_salt or pbkdf2_salt).encode("ascii"))
    if not 16 <= len(salt) <= 64 or (iterations is not None and not 600000 <= int(iterations) <= 10000000):
        raise Refused("parameters outside their limits", "KEYRING_DAMAGED")
    if "password" not in secret:
        raise Refused("this keyring wants a password", "INVALID_ARGUMENT")
    password = secret["password"]
    if isinstance(password, bytes):
        try:
            password = password.decode("utf-8")
        except UnicodeDecodeError:
            raise Refused("a password that is no UTF-8", "INVALID_ARGUMENT") from None
    password = to_utf8(unicodedata.normalize("NFC", password))
    if not 1 <= len(password) <= 4096:
        raise Refused("a password outside its limits", "INVALID_ARGUMENT")
    if n is not None:
        return hashlib.scrypt(password, salt=salt, n=int(n), r=8, p=int(p), maxmem=2**30, dklen=32)
    return hashlib.pbkdf2_hmac("sha512", password, salt, int(iterations), 32)


def keyring_header(data):
    """Sections 2 and 3: the match of line 1, line 1, and what line 2 encodes."""
    if len(data) > 1048576 or data.count(b"\n") != 2 or not data.endswith(b"\n"):
        raise Refused("limits or lines of the file")
    line1, line2, _ = data.split(b"\n")
    match = KEYRING_HEADER.fullmatch(line1.decode("latin-1")) if len(line1) <= 4096 else None
    if match is None:
        raise Refused("header")
    digits(match.group(2), 1)
    return match, line1, from_base64url(line2)


def open_keyring(data, secret, minimum_generation=1):
    """Sections 2 to 5. What the specification calls damaged, and what does not open, are both refusals."""
    try:
        match, line1, message = keyring_header(data)
        if len(message) < 72:
            raise Refused("shorter than an empty message")
        key = keyring_key(match, secret)
    except Refused as refusal:
        raise Refused(str(refusal), "INTEGRITY_FAILURE" if refusal.code == "KEYRING_DAMAGED" else refusal.code) from None
    plaintext = open_message(key, b"keyfold/keyring/v1\x00" + line1, message)
    generation = digits(match.group(2), 1)
    if generation < minimum_generation:
        raise Refused("an older generation than demanded")
    return Keyring(match.group(1), generation, *keyring_list(plaintext))


def keyring_list(data):
    """Section 5."""
    match = KEYRING_LIST.fullmatch(utf8(data))
    if match is None:
        raise Refused("list of versions")
    versions, rest, before = {}, match.group(2), 0
    while True:
        entry = re.match(KEYRING_ENTRY, rest)
        if entry is None:
            raise Refused("list of versions")
        name, state, created, key, gone = entry.groups()
        if digits(name, 1) <= before:
            raise Refused("order of versions")
        before = int(name)
        if state is None:
            versions[name] = ("destroyed", digits(gone), None)
        else:
            versions[name] = (state, digits(created), from_base64url(key.encode("ascii")))
        rest = rest[entry.end() :]
        if not rest:
            break
        if not rest.startswith(","):
            raise Refused("list of versions")
        rest = rest[1:]
    primary = match.group(1)
    if len(versions) > 4096 or primary not in versions or versions[primary][0] == "destroyed":
        raise Refused("number of versions, or the primary one")
    return primary, versions


def wrap_info(key_id, version, context):
    return b"keyfold/wrap/v1\x00" + lp(16, key_id.encode("ascii")) + lp(16, version.encode("ascii")) + context


def unwrap_local(keyring, provider, key_id, version, algorithm, wrapped, context):
    """Section 6."""
    if provider != "local" or key_id != keyring.key_id or algorithm != "keyfold-wrap-v1":
        raise Refused("another provider, key or algorithm", "INVALID_CIPHERTEXT")
    if not 73 <= len(wrapped) <= 136:
        raise Refused("a wrap of impossible length", "INVALID_CIPHERTEXT")
    state, _, key = keyring.versions.get(version, (None, None, None))
    if key is None:
        raise Refused("a version that is unknown or destroyed", "KEY_NOT_FOUND")
    if state == "disabled":
        raise Refused("a disabled version", "KEY_DISABLED")
    try:
        return open_message(key, wrap_info(key_id, version, context), wrapped)
    except Refused as refusal:
        raise Refused(str(refusal), "INVALID_CIPHERTEXT") from None


# --- sealed-field.md ---------------------------------------------------------------------------------


def field_context(tenant, table, column, row=None):
    """Section 2. `row` is None exactly where the column does not bind it."""
    entries = [("purpose", "field"), ("tenant", limited("tenant", tenant, 1, 256))]
    names = [("table", table), ("column", column)] + ([] if row is None else [("row", row)])
    return encode_context(entries + [(name, limited(name, value, 1, 65536)) for name, value in names])


def field_of_text(text):
    """Section 4."""
    if len(text) > 21975 or re.fullmatch("kf1:[A-Za-z0-9_-]+", text) is None:
        raise Refused("no text form of a field")
    return from_base64url(text[4:].encode("ascii"))


def open_field(field, deks, tenant, table, column, row=None, strings=False):
    """Section 6. `deks` are those of the tenant, by id."""
    if not 95 <= len(field) <= 16478 or field[:6] != b"\x8fKFF\x01\x01" or field[6] not in (0, 1):
        raise Refused("length or header of a field")
    dek = deks.get(field[7:23])
    if dek is None or len(dek) != 32:
        raise Refused("a DEK that the tenant does not have")
    context = b"keyfold/field/v1\x00" + field[:23] + field_context(tenant, table, column, row)
    content = open_message(dek, context, field[23:])
    if field[6] == 1:
        content = unpad(content)
    if strings:
        utf8(content)
    return content


def unpad(content):
    if not content or len(content) % 32 != 0:
        raise Refused("padded content of another length")
    stripped = content[-32:].rstrip(b"\x00")
    if not stripped.endswith(b"\x80"):
        raise Refused("padding")
    return content[: len(content) - 32 + len(stripped) - 1]


def read_field(value, migrating, deks, tenant, table, column, row=None, strings=False):
    """Section 7: (plaintext, whether it was sealed)."""
    sealed = value.startswith("kf1:") if isinstance(value, str) else value.startswith(b"\x8fKFF")
    if migrating and not sealed:
        plaintext = to_utf8(value) if isinstance(value, str) else value
        if strings:
            utf8(plaintext)
        return plaintext, False
    field = field_of_text(value) if isinstance(value, str) else value
    return open_field(field, deks, tenant, table, column, row, strings), True


# --- blind-index.md ----------------------------------------------------------------------------------


def normalised(value, normalisation):
    """Section 2."""
    if isinstance(value, bytes):
        if normalisation != "none":
            raise Refused("bytes are digested as they are", "INVALID_ARGUMENT")
        return value
    to_utf8(value)
    if normalisation == "nfc":
        value = unicodedata.normalize("NFC", value)
    elif normalisation == "nfc-lower":
        value = unicodedata.normalize("NFC", unicodedata.normalize("NFC", value).lower())
    return to_utf8(value)


def blind_index(root, tenant, table, column, index, normalisation, version, value):
    """Sections 1 and 3."""
    if normalisation not in ("none", "nfc", "nfc-lower") or type(version) is not int or not 1 <= version < 2**53:
        raise Refused("normalisation or version", "INVALID_ARGUMENT")
    entries = [("tenant", limited("tenant", tenant, 1, 256)), ("normalisation", normalisation), ("version", str(version))]
    names = [("table", table), ("column", column), ("index", index)]
    context = encode_context(entries + [(name, limited(name, text, 1, 65536)) for name, text in names])
    key = expand(root, b"keyfold/blind-index/v1\x00" + context, 32)
    return hmac.new(key, normalised(value, normalisation), hashlib.sha256).digest()[:16]


# --- key-vault.md ------------------------------------------------------------------------------------


def vault_record_name(use, tenant, dek_id):
    """Section 2."""
    limited("tenant", tenant, 1, 256)
    return "%s/%s/%s" % (use, hashlib.sha256(to_utf8(tenant)).hexdigest(), dek_id.hex())


def parse_vault_record_name(use, tenant, name):
    """Section 2: the DEK id of a record of this use and tenant."""
    dek_id = name[-32:]
    if re.fullmatch("[0-9a-f]{32}", dek_id) is None or name != vault_record_name(use, tenant, bytes.fromhex(dek_id)):
        raise Refused("no record of this use and tenant")
    return bytes.fromhex(dek_id)
