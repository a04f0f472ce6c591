"""The hash chain, computed here again from its description and from nothing of the product's."""

import hashlib
import json
import struct


def canonical(value):
    """Canonical JSON of values without fractions: sorted members, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def genesis(user, epoch_hex):
    epoch = struct.pack("<Q", int(epoch_hex, 16))
    return hashlib.sha256(b"dyad-log-1" + user.encode() + epoch).hexdigest()


def content_hash(salt_hex, data):
    return hashlib.sha256(bytes.fromhex(salt_hex) + canonical(data)).hexdigest()


def event_hash(prev_hex, epoch_hex, event, content_hex):
    fields = struct.pack("<QQq", int(epoch_hex, 16), event["offset"], event["timestamp"])
    for name in ("kind", "scope", "sourceInstanceId", "operationId"):
        text = event[name].encode()
        fields += struct.pack("<Q", len(text)) + text
    return hashlib.sha256(bytes.fromhex(prev_hex) + fields + bytes.fromhex(content_hex)).hexdigest()


def problem(proof, event, user):
    """What is wrong with the proof of one event; None where it holds."""
    if content_hash(proof["salt"], event["data"]) != proof["contentHash"]:
        return "the content is not what was hashed"
    if event["offset"] == 1 and proof["prevHash"] != genesis(user, proof["epoch"]):
        return "the log does not begin with its genesis hash"
    if event_hash(proof["prevHash"], proof["epoch"], event, proof["contentHash"]) != proof["hash"]:
        return "the event's hash does not follow from its fields"
    if not proof["hash"].startswith(event["hash"]):
        return "the short hash is not the beginning of the hash"
    return None
