"""Runs the vectors through the decoder beside this file.

    run.py [FOLDER]           every case of vectors/v1, or of another folder with such files
    run.py --live FOLDER      what `scripts/live-vectors.mjs write` left there
    run.py --encode FOLDER    writes messages and objects for `scripts/live-vectors.mjs read`
    run.py --self-test        whether this program notices a case that does not do what it says

Ends with a summary, and with exit code 1 if anything was not as it should be.
"""

import copy
import glob
import hashlib
import json
import os
import re
import sys

import keyfold_decoder as keyfold
import keyfold_encoder as encoder
from keyfold_decoder import Refused

VECTORS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "v1")

# Codes that a caller can act upon. All others are one refusal in several words, which are the
# business of an interface and not of the formats.
DISTINCT = ("RANGE_INVALID", "KEY_NOT_ALLOWED", "NOT_FOUND")


def stream(name, start, end):
    """Bytes of the stream that a name stands for; vectors/README.md."""
    return hashlib.shake_256(name.encode("ascii")).digest(end)[start:]


def data(recipe):
    """The bytes of a recipe."""
    if isinstance(recipe, str):
        if re.fullmatch("(?:[0-9a-f]{2})*", recipe) is None:
            raise ValueError("no recipe of bytes")
        return bytes.fromhex(recipe)
    return b"".join(map(piece, recipe))


def piece(part):
    if isinstance(part, str):
        return data(part)
    if "text" in part:
        return part["text"].encode("utf-8")
    return stream(part["stream"], part["from"], part["to"])


def summary(value):
    if len(value) <= 128:
        return value.hex()
    return {"bytes": len(value), "sha256": hashlib.sha256(value).hexdigest()}


class FixedKek:
    """A service that has one DEK and gives it for whatever wrap is by its key."""

    def __init__(self, provider, key_id, dek):
        self.provider, self.key_id, self.dek = provider, key_id, dek

    def unwrap(self, wrap, context):
        return self.dek


def keyring_of(described):
    versions = {
        version["id"]: (version["state"], 0, data(version["key"]) if version["key"] is not None else None)
        for version in described["versions"]
    }
    return keyfold.Keyring(described["keyId"], 1, described["primary"], versions)


def context(case):
    entries = keyfold.decode_context(data(case["bytes"]))
    if keyfold.encode_context(entries) != data(case["bytes"]) or keyfold.encode_context(entries[::-1]) != data(case["bytes"]):
        raise AssertionError("what was decoded encodes otherwise")
    return {"entries": [list(entry) for entry in entries]}


def context_entries(case):
    return {"bytes": keyfold.encode_context([tuple(entry) for entry in case["entries"]]).hex()}


def core_message(case):
    plaintext = keyfold.open_message(data(case["key"]), data(case["context"]), data(case["message"]))
    return {"plaintext": summary(plaintext)}


def data_object(case):
    opened = keyfold.DataObject(
        data(case["object"]), data(case["dek"]), case["tenant"], case["checkpoint"], case["suites"]
    )
    return {
        "suite": opened.suite,
        "objectId": opened.object_id.hex(),
        "dekId": opened.dek_id.hex(),
        "plaintext": summary(opened.frames.whole()),
    }


def data_range(case):
    keyfold.check_range(case["start"], case["end"])
    opened = keyfold.DataObject(
        data(case["object"]), data(case["dek"]), case["tenant"], case["checkpoint"], case["suites"]
    )
    return {"plaintext": summary(opened.frames.range(case["start"], case["end"]))}


def record_fields(record):
    return {
        "suite": record.suite,
        "use": record.use,
        "state": record.state,
        "objectId": record.object_id.hex(),
        "dekId": record.dek_id.hex(),
        "generation": record.generation,
        "created": record.created,
        "binding": record.binding.hex(),
        "wraps": [
            {"provider": w.provider, "keyId": w.key_id, "keyVersion": w.key_version, "algorithm": w.algorithm, "wrapped": summary(w.wrapped)}
            for w in record.wraps
        ],
    }


def key_record(case):
    kek = FixedKek(case["kek"]["provider"], case["kek"]["keyId"], data(case["dek"]))
    record = keyfold.Record(data(case["record"]))
    _, metadata = keyfold.open_record(record, [kek], case["tenant"], case["use"], case["scope"], case["suites"])
    if record.rest and case["use"] != "checkpoint":
        raise Refused("bytes behind the record")
    fields = record_fields(record)
    if metadata is not None:
        fields["metadata"] = summary(metadata)
        fields["rest"] = summary(record.rest)
    return fields


def checkpoint(case):
    separate = case.get("data")
    opened = keyfold.Checkpoint(
        data(case["record"]),
        None if separate is None else data(separate),
        [keyfold.LocalKek(keyring_of(each)) for each in case["keyrings"]],
        case["tenant"],
        case["checkpoint"],
        case["suites"],
        case.get("receipt"),
        case.get("minimumGeneration", 1),
    )
    return checkpoint_output(opened)


def checkpoint_output(opened):
    return {
        "generation": opened.record.generation,
        "objectId": opened.record.object_id.hex(),
        "commitment": opened.record.binding.hex(),
        "metadata": json.loads(opened.metadata),
        "plaintext": summary(opened.data.frames.whole()),
    }


def object_name(case):
    name = keyfold.encode_object_id(case["id"])
    if keyfold.decode_object_id(name) != case["id"]:
        raise AssertionError("the name decodes to another id")
    return {"name": name}


def object_name_decode(case):
    return {"id": keyfold.decode_object_id(case["name"])}


def object_kind(case):
    kind, checkpoint, object_id = keyfold.parse_object_name(case["name"])
    return given(kind=kind, id=checkpoint, objectId=object_id)


def given(**members):
    return {name: value for name, value in members.items() if value is not None}


def wrap_context(case):
    context = keyfold.wrap_context(case["use"], case["tenant"], case["scope"], data(case["dekId"]))
    return {"context": context.hex(), "aad": keyfold.kms_aad(context).hex()}


def vault_record(case):
    dek_id = keyfold.parse_vault_record_name(case["use"], case["tenant"], case["name"])
    if keyfold.vault_record_name(case["use"], case["tenant"], dek_id) != case["name"]:
        raise AssertionError("the id has another name")
    return {"dekId": dek_id.hex()}


def hidden_name(case):
    names = keyfold.HiddenNames(data(case["dek"]), case["tenant"])
    return {
        "nameKey": names.name_key.hex(),
        "idKey": names.id_key.hex(),
        "nameKeyObject": keyfold.name_key_object(case["tenant"]),
        "record": names.record_object(case["id"]),
        "data": names.other_object(case["id"], case["objectId"], "kfd"),
        "mark": names.other_object(case["id"], case["objectId"], "kfm"),
    }


def hidden_object(case):
    kind, name, object_id = keyfold.parse_hidden_name(case["tenant"], case["name"])
    return given(kind=kind, name=name, objectId=object_id)


def hidden_id(case):
    names = keyfold.HiddenNames(data(case["dek"]), case["tenant"])
    return {"id": names.listed(case["object"], data(case["stored"])[: keyfold.LONGEST_FRONT])}


def hidden_name_key(case):
    keks = [keyfold.LocalKek(keyring_of(each)) for each in case["keyrings"]]
    return {"record": keyfold.HiddenNames.open(data(case["stored"]), keks, case["tenant"]).record_object(case["id"])}


def hidden_store(case):
    """The names of a tenant, and the objects of a case by name."""
    keks = [keyfold.LocalKek(keyring_of(each)) for each in case["keyrings"]]
    objects = {name: data(recipe) for name, recipe in case["objects"].items()}
    stored = objects.get(keyfold.name_key_object(case["tenant"]))
    if stored is None:
        raise Refused("no name key")
    return keyfold.HiddenNames.open(stored, keks, case["tenant"]), keks, objects


def hidden_checkpoint(case):
    names, keks, objects = hidden_store(case)
    opened = names.checkpoint(objects.get, keks, case["checkpoint"], case["suites"], case.get("receipt"))
    return checkpoint_output(opened)


def hidden_list(case):
    names, _, objects = hidden_store(case)
    ids, damaged = names.listing({name: stored[: keyfold.LONGEST_FRONT] for name, stored in objects.items()})
    return {"ids": sorted(ids), "damaged": damaged}


def local_keyring(case):
    secret = {}
    for name in ("key", "passwordBytes"):
        if name in case:
            secret["key" if name == "key" else "password"] = data(case[name])
    if "password" in case:
        secret["password"] = case["password"]
    opened = keyfold.open_keyring(data(case["file"]), secret, case.get("minimumGeneration", 1))
    return {
        "keyId": opened.key_id,
        "generation": opened.generation,
        "primary": opened.primary,
        "versions": [
            {"id": name, "state": state, "created": created, "key": None if key is None else key.hex()}
            for name, (state, created, key) in opened.versions.items()
        ],
    }


def local_wrap(case):
    wrap = case["wrap"]
    encoded = keyfold.encode_context([tuple(entry) for entry in case["context"]])
    key = keyfold.unwrap_local(
        keyring_of(case["keyring"]), wrap["provider"], wrap["keyId"], wrap["keyVersion"], wrap["algorithm"],
        data(wrap["wrapped"]), encoded,
    )
    return {"key": key.hex()}


def field(case):
    deks = {data(key["id"]): data(key["dek"]) for key in case["keys"]}
    stored = case["text"] if "text" in case else data(case["binary"])
    plaintext, sealed = keyfold.read_field(
        stored, case["mode"] == "migrating", deks, case["tenant"], case["table"], case["column"], case.get("row"),
        case["content"] == "text",
    )
    return {"plaintext": summary(plaintext), "legacy": not sealed}


def blind_index(case):
    value = case["text"] if "text" in case else data(case["binary"])
    digest = keyfold.blind_index(
        data(case["root"]), case["tenant"], case["table"], case["column"], case["index"], case["normalisation"],
        case["version"], value,
    )
    return {"value": digest.hex()}


KINDS = {
    "field": field,
    "blind-index": blind_index,
    "context": context,
    "context-entries": context_entries,
    "core-message": core_message,
    "data-object": data_object,
    "range": data_range,
    "key-record": key_record,
    "checkpoint": checkpoint,
    "object-name": object_name,
    "object-name-decode": object_name_decode,
    "object-kind": object_kind,
    "wrap-context": wrap_context,
    "vault-record": vault_record,
    "hidden-name": hidden_name,
    "hidden-object": hidden_object,
    "hidden-id": hidden_id,
    "hidden-name-key": hidden_name_key,
    "hidden-checkpoint": hidden_checkpoint,
    "hidden-list": hidden_list,
    "local-keyring": local_keyring,
    "local-wrap": local_wrap,
}


def failure_of(case):
    """What is wrong with how a case came out, or None."""
    try:
        output = KINDS[case["what"]](case["input"])
    except Refused as refusal:
        if case["expect"] != "invalid":
            return "was refused: %s" % refusal
        if case["refusal"] not in ("ANY", refusal.code) and (refusal.code in DISTINCT or case["refusal"] in DISTINCT):
            return "was refused with %s instead of %s: %s" % (refusal.code, case["refusal"], refusal)
        return None
    except Exception as error:  # A decoder that stumbles has not refused.
        return "stumbled: %s: %s" % (type(error).__name__, error)
    if case["expect"] != "valid":
        return "was opened: %s" % case["reason"]
    if output != case["output"]:
        return "opened to %s" % json.dumps(output)
    return None


def read_cases(folder):
    cases = []
    for path in sorted(glob.glob(os.path.join(folder, "*.json"))):
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
        if content["format"] != "keyfold-vectors" or content["version"] != 1:
            raise SystemExit("%s holds no vectors of version 1" % path)
        cases += content["cases"]
    if not cases:
        raise SystemExit("there are no vectors in %s" % folder)
    return cases


# What authenticates every bit: the member of the input that is damaged, by the kind of case.
AUTHENTIC = {
    "core-message": "message",
    "data-object": "object",
    "key-record": "record",
    "field": "binary",
    "local-wrap": "wrap",
    "hidden-id": "stored",
    "hidden-name-key": "stored",
}
SWEPT_BYTES = 450


def damaged_copies(case):
    """A small valid case with each bit changed, and cut at each length."""
    member = AUTHENTIC.get(case["what"])
    if case["expect"] != "valid" or case["input"].get(member) is None or case["input"].get("mode") == "migrating":
        return
    whole = data(case["input"][member]["wrapped"] if member == "wrap" else case["input"][member])
    if len(whole) > SWEPT_BYTES:
        return
    # What stands behind a record is the data object's business, and behind a sealed id the record's.
    end = len(whole) - len(data(case["output"]["rest"])) if case["output"].get("rest") else len(whole)
    if case["what"] == "hidden-id":
        end = len(whole) - len(keyfold.split_front(whole)[1])
    flipped = (whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :] for at in range(end) for bit in range(8))
    cut = (whole[:length] for length in range(end))
    for copied in (copies for both in (flipped, cut) for copies in both):
        changed = dict(case["input"])
        changed[member] = dict(changed["wrap"], wrapped=copied.hex()) if member == "wrap" else copied.hex()
        yield dict(case, input=changed, expect="invalid", refusal="ANY", reason="a changed bit, or a cut")


def run_vectors(folder):
    problems, opened, refused, damaged = [], 0, 0, 0
    for case in read_cases(folder):
        failure = failure_of(case)
        if failure is not None:
            problems.append("%s %s" % (case["id"], failure))
        elif case["expect"] == "valid":
            opened += 1
        else:
            refused += 1
        for copied in damaged_copies(case):
            failure = failure_of(copied)
            problems += [] if failure is None else ["%s, damaged, %s" % (case["id"], failure)]
            damaged += failure is None
    return problems, "%d valid opened, %d invalid refused, %d damaged copies refused" % (opened, refused, damaged)


def run_live(folder):
    """Everything that the packages wrote, by the names of its files; nothing may be left over."""
    with open(os.path.join(folder, "expected.json"), encoding="utf-8") as file:
        expected = json.load(file)
    keks = []
    for described in expected["keyrings"]:
        secret = {"key": data(described["key"])} if "key" in described else {"password": described["password"]}
        keyring = keyfold.open_keyring(content_of(folder, described["file"]), secret)
        keks.append(keyfold.LocalKek(keyring))
    problems, opened = [], 0
    wanted = {(each["tenant"], each["id"]): each for each in expected["checkpoints"]}
    for described in expected["tenants"]:
        root = os.path.join(folder, described["objects"])
        names = {os.path.relpath(os.path.join(at, name), root) for at, _, files in os.walk(root) for name in files}
        for name in sorted(name for name in names if name.endswith(".kfk")):
            problem, used = live_checkpoint(root, name, described["tenant"], keks, wanted)
            names -= used
            problems += [] if problem is None else ["%s: %s" % (name, problem)]
            opened += problem is None
        problems += ["%s belongs to no checkpoint" % name for name in sorted(names)]
    problems += ["%s of %s is not there" % (key[1], key[0]) for key in wanted]
    hidden = 0
    for problem in live_hidden(os.path.join(folder, "hidden"), expected["hidden"], keks):
        problems += [] if problem is None else [problem]
        hidden += problem is None
    values = 0
    for described in expected["vaults"]:
        for problem in live_values(described, keks):
            problems += [] if problem is None else [problem]
            values += problem is None
    return problems, "%d live checkpoints, %d with hidden names, %d live fields and index values opened" % (opened, hidden, values)


def live_hidden(root, wanted, keks):
    """For each checkpoint with a hidden name what is wrong with it, or None; no object may be left over."""
    objects = {}
    for at, _, files in os.walk(root):
        for name in files:
            objects[os.path.relpath(os.path.join(at, name), root)] = content_of(at, name)
    for tenant in sorted({each["tenant"] for each in wanted}):
        names = keyfold.HiddenNames.open(objects.pop(keyfold.name_key_object(tenant)), keks, tenant)
        ids, damaged = names.listing({name: stored[: keyfold.LONGEST_FRONT] for name, stored in objects.items()})
        if damaged or sorted(ids) != sorted(each["id"] for each in wanted if each["tenant"] == tenant):
            yield "the hidden names of %s list as %r" % (tenant, ids)
        for each in (each for each in wanted if each["tenant"] == tenant):
            try:
                opened = names.checkpoint(objects.get, keks, each["id"], (1, 2, 3), each["receipt"])
                for name in names.objects_of(each["id"], opened.record):
                    objects.pop(name, None)
                plaintext = opened.data.frames.whole()
                same = hashlib.sha256(plaintext).hexdigest() == each["sha256"] and json.loads(opened.metadata) == each["metadata"]
                yield None if same else "%s opened to something else under its hidden name" % each["id"]
            except Refused as refusal:
                yield "%s under its hidden name: %s" % (each["id"], refusal)
    for name in sorted(objects):
        yield "%s belongs to no checkpoint with a hidden name" % name


def live_values(described, keks):
    """For each value of a vault what is wrong with it, or None."""
    tenant, scope = described["tenant"], described["scope"]
    deks = {"field": {}, "index-root": {}}
    for name, stored in described["records"].items():
        use = name.split("/")[0]
        record = keyfold.Record(data(stored))
        if record.rest or name != keyfold.vault_record_name(use, tenant, record.dek_id):
            yield "%s: bytes behind the record, or another name" % name
        deks[use][record.dek_id], _ = keyfold.open_record(record, keks, tenant, use, scope)
    for each in described["fields"]:
        stored = each["text"] if "text" in each else data(each["binary"])
        try:
            plaintext, _ = keyfold.read_field(
                stored, False, deks["field"], tenant, each["table"], each["column"], each.get("row"), each["strings"]
            )
            yield None if plaintext.hex() == each["plaintext"] else "a field opened to something else"
        except Refused as refusal:
            yield "a field of %d bytes was refused: %s" % (len(each["plaintext"]) // 2, refusal)
    for each in described["indexes"]:
        names = [tenant, each["table"], each["column"], each["index"], each["normalisation"], each["version"]]
        values = {keyfold.blind_index(root, *names, each["of"]).hex() for root in deks["index-root"].values()}
        yield None if values == set(each["candidates"]) else "another index value of %r" % each["of"]


def live_checkpoint(root, name, tenant, keks, wanted):
    """What is wrong with the checkpoint of a record's name, and the names that it uses."""
    try:
        checkpoint = keyfold.decode_object_id(name[: -len(".kfk")])
        each = wanted.pop((tenant, checkpoint))
        stored = content_of(root, name)
        record = keyfold.Record(stored)
        used = {name} if record.rest else {name, "%s.%s.kfc" % (name[: -len(".kfk")], record.object_id.hex())}
        separate = None if record.rest else content_of(root, max(used, key=len))
        opened = keyfold.Checkpoint(stored, separate, keks, tenant, checkpoint, (1, 2, 3), each["receipt"])
        plaintext = opened.data.frames.whole()
        same = len(plaintext) == each["bytes"] and hashlib.sha256(plaintext).hexdigest() == each["sha256"]
        if not same or json.loads(opened.metadata) != each["metadata"]:
            return "opened to something else", used
        return None, used
    except (Refused, KeyError, OSError) as error:
        return "%s: %s" % (type(error).__name__, error), {name}


def content_of(folder, name):
    with open(os.path.join(folder, name), "rb") as file:
        return file.read()


def run_encode(folder):
    """A keyring and checkpoints for the packages to open."""
    os.umask(0o077)
    key, created = os.urandom(32), 1700000000000
    versions = {
        "1": ("enabled", created, os.urandom(32)),
        "3": ("disabled", created, os.urandom(32)),
        "4": ("destroyed", created, None),
        "7": ("enabled", created, os.urandom(32)),
    }
    keyring = keyfold.Keyring("second-encoder", 12, "7", versions)
    os.mkdir(os.path.join(folder, "keyrings"))
    write(folder, "keyrings/key", encoder.seal_keyring(keyring, key))
    checkpoints = []
    tenants = ["acme", "\u65e5\u672c \U0001f511"]
    for number, length in enumerate((0, 1, 16383, 16384, 16385, 40000, 1048463, 1048464, 1048465, 2097024, 2200000)):
        for suite in (1, 2, 3):
            tenant, checkpoint = tenants[number % 2], "Encoded/%d %d" % (suite, length)
            metadata = {"suite": suite, "text": "\u2028\"\\ \u00e9", "deep": [[length], None, True]}
            plaintext = os.urandom(length)
            text = json.dumps(metadata, indent=number % 3 or None).encode()
            sealed = encoder.seal_checkpoint(keyring, "17"[number % 2], suite, tenant, checkpoint, text, plaintext, created)
            files = encoder.checkpoint_files(checkpoint, *sealed, inline=length < 100000 and number % 3 > 0)
            for name, content in files.items():
                write(folder, "objects/%d/%s" % (number % 2, name), content)
            digest = hashlib.sha256(plaintext).hexdigest()
            checkpoints.append({"tenant": tenant, "id": checkpoint, "metadata": metadata, "sha256": digest})
    hidden = encoded_hidden(folder, keyring, tenants[1], created)
    vault = encoded_vault(keyring, tenants[1], created)
    opener = {"file": "keyrings/key", "key": key.hex()}
    expected = {"keyring": opener, "checkpoints": checkpoints, "hidden": hidden, "vault": vault}
    write(folder, "expected.json", json.dumps(expected).encode())
    return [], "%d checkpoints, %d with hidden names, and %d fields written" % (
        len(checkpoints),
        len(hidden["checkpoints"]),
        len(vault["fields"]),
    )


def encoded_hidden(folder, keyring, tenant, created):
    """A directory in which one tenant's names are hidden."""
    dek, stored = encoder.seal_name_key(keyring, "7", tenant, created)
    names = keyfold.HiddenNames(dek, tenant)
    write(folder, "hidden/" + keyfold.name_key_object(tenant), stored)
    checkpoints = []
    for number, checkpoint in enumerate(("a", "Encoded/\u00e9 e\u0301", "n" * 126, "n" * 127, "z" * 1024)):
        plaintext = os.urandom(1000 * number)
        sealed = encoder.seal_checkpoint(keyring, "17"[number % 2], 1 + number % 3, tenant, checkpoint, b"{}", plaintext, created)
        for name, content in encoder.hidden_files(names, checkpoint, *sealed, inline=number % 2 == 0).items():
            write(folder, "hidden/" + name, content)
        checkpoints.append({"id": checkpoint, "sha256": hashlib.sha256(plaintext).hexdigest()})
    return {"tenant": tenant, "checkpoints": checkpoints}


def encoded_vault(keyring, tenant, created):
    """Records, fields and index values of one tenant."""
    scope, records, deks = "second", {}, {}
    for number, use in ((2, "field"), (3, "index-root")):
        dek_id, dek = os.urandom(16), os.urandom(32)
        context = keyfold.wrap_context(use, tenant, scope, dek_id)
        wraps = [encoder.local_wrap(keyring, "7", dek, context)]
        binding = hashlib.sha256(context).digest()
        record = encoder.seal_record(dek, 1, number, bytes(16), dek_id, created, binding, b"", wraps)
        records[keyfold.vault_record_name(use, tenant, dek_id)] = record.hex()
        deks[use] = dek_id, dek
    dek_id, dek = deks["field"]
    fields = []
    for length in (0, 1, 2, 3, 31, 32, 33, 1000, 16351):
        for padded in (False, True):
            for row in (None, "row %d" % length):
                plaintext = os.urandom(length)
                sealed = encoder.seal_field(dek, dek_id, plaintext, padded, tenant, "table", "\u00e9", row)
                fields.append({"text": encoder.field_text(sealed), "row": row, "plaintext": plaintext.hex()})
    indexes = []
    for value in ("", "Ann", "J\u030c \u039f\u03a3", "\u212b"):
        digest = keyfold.blind_index(deks["index-root"][1], tenant, "table", "\u00e9", "i", "nfc-lower", 3, value)
        indexes.append({"of": value, "value": digest.hex()})
    return {"tenant": tenant, "scope": scope, "records": records, "fields": fields, "indexes": indexes}


def write(folder, name, content):
    path = os.path.join(folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)


def self_test():
    """Every case once more with the opposite expectation, or another output: each must be noticed."""
    problems, noticed = [], 0
    for case in read_cases(VECTORS):
        changed = copy.deepcopy(case)
        if case["expect"] == "valid":
            changed.update(expect="invalid", refusal="INTEGRITY_FAILURE", reason="")
            altered = copy.deepcopy(case)
            altered["output"] = {"plaintext": "00"}
            unnoticed = [each for each in (changed, altered) if failure_of(each) is None]
        else:
            changed.update(expect="valid", output={})
            unnoticed = [each for each in (changed,) if failure_of(each) is None]
        if unnoticed:
            problems.append("%s: a wrong expectation went unnoticed" % case["id"])
        noticed += 1
    return problems, "%d wrong expectations noticed" % noticed


def main(arguments):
    if arguments == ["--self-test"]:
        problems, text = self_test()
    elif len(arguments) == 2 and arguments[0] in ("--live", "--encode"):
        problems, text = {"--live": run_live, "--encode": run_encode}[arguments[0]](arguments[1])
    elif len(arguments) <= 1 and not (arguments and arguments[0].startswith("--")):
        problems, text = run_vectors(arguments[0] if arguments else VECTORS)
    else:
        raise SystemExit(__doc__)
    for problem in problems:
        print(problem, file=sys.stderr)
    print(text + (", %d failed" % len(problems) if problems else ""))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
