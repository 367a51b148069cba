"""Reads and checks what AutoPayLLM's audit log says of a call, with nothing but Python's standard library (3.10 or newer).

The formats are those of docs/PROTOCOL.md: an entry is the ABI encoding of a CallReceipt, the log is an RFC 6962 tree over the
entries, and a commitment is a salted SHA-256. Signatures are not checked here: Python has neither Keccak-256 nor secp256k1.

    receipt = decode_receipt(entry)
    verify_inclusion(leaf_hash(entry), index, size, path, root)
    commitment("request", salt, body) == receipt["requestCommitment"]
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Sequence

WORD = 32

#: Fields of the tuple, in their order (contracts/types/CallReceipt.sol): name and type. Amounts are atomic units of `token`.
FIELDS = (
    ("version", "uint16"), ("callId", "bytes16"), ("admittedAtMs", "uint64"), ("chargedAtMs", "uint64"),
    ("payer", "address"), ("channelId", "bytes32"), ("sequence", "uint64"), ("runningTotal", "uint128"),
    ("token", "address"), ("amount", "uint128"), ("refundOwed", "uint128"), ("priceRoot", "bytes32"),
    ("oracleRound", "uint256"), ("usage.prompt", "uint64"), ("usage.cachedPrompt", "uint64"),
    ("usage.cacheWrite", "uint64"), ("usage.audioPrompt", "uint64"), ("usage.completion", "uint64"),
    ("usage.reasoning", "uint64"), ("usage.audioCompletion", "uint64"), ("requestCommitment", "bytes32"),
    ("responseCommitment", "bytes32"), ("attemptsDigest", "bytes32"), ("evidenceTier", "uint8"), ("usageKind", "uint8"),
    ("modelAsked", "string"), ("modelServed", "string"), ("provider", "string"), ("deployment", "string"),
)  # fmt: skip

EVIDENCE_TIERS = ("relay-signed", "provider-signed", "tee-attested", "commitment-checked", "proof-checked")
USAGE_KINDS = ("exact", "estimated")


class InvalidEntry(ValueError):
    """These bytes are not the one canonical encoding of a receipt."""


def decode_receipt(entry: bytes) -> dict:
    """The receipt that a log entry is: numbers as int, bytes and addresses as 0x-hex in lower case, `usage` as a dict of its own.

    Raises InvalidEntry for anything but the canonical encoding: two encodings of one receipt would be two entries.
    """
    try:
        receipt = _decode(entry)
        canonical = encode_receipt(receipt)
    except (IndexError, UnicodeError, OverflowError, ValueError) as error:
        raise InvalidEntry(str(error)) from error
    if canonical != bytes(entry):
        raise InvalidEntry("the encoding is not the canonical one")
    if receipt["version"] != 1:
        raise InvalidEntry("the receipt is not of version 1")
    if receipt["evidenceTier"] >= len(EVIDENCE_TIERS) or receipt["usageKind"] >= len(USAGE_KINDS):
        raise InvalidEntry("the receipt has an unknown tier or kind")
    if uuid.UUID(receipt["callId"]).version != 7:
        raise InvalidEntry("the call id is no UUID of version 7")
    return receipt


def encode_receipt(receipt: dict) -> bytes:
    """`abi.encode(CallReceipt)`, what `decode_receipt` reads."""
    head, tail = b"", b""
    for name, kind in FIELDS:
        value = _get(receipt, name)
        if kind == "string":
            head += _uint(len(FIELDS) * WORD + len(tail), 256)
            text = value.encode("utf-8")
            tail += _uint(len(text), 256) + text + bytes(-len(text) % WORD)
        elif kind.startswith("uint"):
            head += _uint(value, int(kind[4:]))
        elif kind == "address":
            head += bytes(12) + _fixed(value, 20)
        elif kind == "bytes16":
            head += uuid.UUID(value).bytes + bytes(16)
        else:
            head += _fixed(value, 32)
    return _uint(WORD, 256) + head + tail


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962 section 2.1: the hash of a leaf."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 section 2.1: the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def root_of_path(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """RFC 9162 section 2.1.3.2: the root that a path leads to; None if no tree of `size` leaves has such a path for `index`."""
    if not 0 <= index < size or len(leaf) != 32 or any(len(sibling) != 32 for sibling in path):
        return None
    node, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if node % 2 == 1 or node == last:
            root = node_hash(sibling, root)
            while node % 2 == 0 and node != 0:
                node, last = node >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        node, last = node >> 1, last >> 1
    return root if last == 0 else None


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether the path leads from the leaf to the root: that the entry stands at `index` among `size`."""
    return root_of_path(leaf, index, size, path) == bytes(root)


def commitment(subject: str, salt: bytes, content: bytes) -> str:
    """The salted commitment to the exact bytes of a "request" or a "response", as 0x-hex."""
    if subject not in ("request", "response") or len(salt) != 32:
        raise ValueError('a commitment is to a "request" or a "response", with a salt of 32 bytes')
    return "0x" + hashlib.sha256(b"autopay-" + subject.encode() + b"-v1" + salt + content).hexdigest()


def _decode(entry: bytes) -> dict:
    receipt: dict = {"usage": {}}
    tuple_bytes = entry[WORD:]
    for position, (name, kind) in enumerate(FIELDS):
        word = tuple_bytes[position * WORD : (position + 1) * WORD]
        if len(word) != WORD:
            raise ValueError("the entry is too short")
        number = int.from_bytes(word, "big")
        if kind == "string":
            length = int.from_bytes(tuple_bytes[number : number + WORD], "big")
            if length > len(tuple_bytes):
                raise ValueError("a text is longer than the entry")
            value: object = tuple_bytes[number + WORD : number + WORD + length].decode("utf-8")
        elif kind.startswith("uint"):
            value = number
        elif kind == "address":
            value = "0x" + word[12:].hex()
        elif kind == "bytes16":
            value = str(uuid.UUID(bytes=word[:16]))
        else:
            value = "0x" + word.hex()
        parent, _, child = name.rpartition(".")
        (receipt[parent] if parent else receipt)[child] = value
    return receipt


def _get(receipt: dict, name: str):
    parent, _, child = name.rpartition(".")
    return (receipt[parent] if parent else receipt)[child]


def _uint(value: int, bits: int) -> bytes:
    if not 0 <= value < 1 << bits:
        raise ValueError(f"{value} is no uint{bits}")
    return value.to_bytes(WORD, "big")


def _fixed(value: str, length: int) -> bytes:
    data = bytes.fromhex(value.removeprefix("0x"))
    if len(data) != length:
        raise ValueError(f"expected {length} bytes, got {len(data)}")
    return data
