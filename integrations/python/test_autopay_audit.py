"""The shared vectors, which Solidity, server, client and fsck run too: python3 integrations/python/test_autopay_audit.py"""

import json
import pathlib
import unittest

import autopay_audit as audit

VECTORS = json.loads((pathlib.Path(__file__).parents[2] / "protocol" / "vectors" / "vectors.json").read_text("utf-8"))


def unhex(text: str) -> bytes:
    return bytes.fromhex(text.removeprefix("0x"))


def numbers(fields: dict) -> dict:
    """Amounts are decimal strings in the vectors."""
    amounts = {name: int(fields[name]) for name in ("runningTotal", "amount", "refundOwed", "oracleRound")}
    return {**{name: value.lower() if str(value).startswith("0x") else value for name, value in fields.items()}, **amounts}


class Receipts(unittest.TestCase):
    def test_each_is_read_and_written_as_the_vectors_have_it(self):
        self.assertGreater(len(VECTORS["receipts"]), 0)
        for vector in VECTORS["receipts"]:
            entry = unhex(vector["entry"])
            self.assertEqual(audit.decode_receipt(entry), numbers(vector["fields"]))
            self.assertEqual(audit.encode_receipt(numbers(vector["fields"])), entry)
            self.assertEqual(audit.leaf_hash(entry), unhex(vector["leafHash"]))

    def test_what_is_cut_stretched_or_changed_is_another_receipt_or_none(self):
        entry = unhex(VECTORS["receipts"][1]["entry"])
        original = audit.decode_receipt(entry)
        for broken in (b"", entry[:-1], entry[:-32], entry + bytes(32), bytes(32) + entry[32:]):
            with self.assertRaises(audit.InvalidEntry):
                audit.decode_receipt(broken)
        for place in range(0, len(entry)):
            changed = bytearray(entry)
            changed[place] ^= 0x80
            try:
                self.assertNotEqual(audit.decode_receipt(bytes(changed)), original)
            except audit.InvalidEntry:
                pass
            self.assertNotEqual(audit.leaf_hash(bytes(changed)), audit.leaf_hash(entry))


class Trees(unittest.TestCase):
    def test_each_path_leads_to_the_root_and_no_other_does(self):
        for tree in VECTORS["trees"]:
            leaves = [unhex(leaf) for leaf in tree["leafHashes"]]
            size, root = tree["size"], unhex(tree["root"])
            for index, path in enumerate([unhex(step) for step in steps] for steps in tree["paths"]):
                self.assertTrue(audit.verify_inclusion(leaves[index], index, size, path, root))
                self.assertFalse(audit.verify_inclusion(leaves[index], index, size, path + [bytes(32)], root))
                self.assertFalse(audit.verify_inclusion(leaves[index], index + 1, size, path, root))
                self.assertFalse(audit.verify_inclusion(leaves[index], size, size, path, root))
                self.assertFalse(audit.verify_inclusion(bytes(32), index, size, path, root))

    def test_batches_of_receipts_are_such_trees(self):
        for batch in VECTORS["receiptBatches"]:
            leaves = [audit.leaf_hash(unhex(receipt["entry"])) for receipt in VECTORS["receipts"][: batch["size"]]]
            for index, steps in enumerate(batch["paths"]):
                path = [unhex(step) for step in steps]
                self.assertTrue(audit.verify_inclusion(leaves[index], index, batch["size"], path, unhex(batch["root"])))


class Commitments(unittest.TestCase):
    def test_each_is_that_of_the_vectors_and_of_nothing_else(self):
        for vector in VECTORS["commitments"]:
            subject, salt, content = vector["subject"], unhex(vector["salt"]), unhex(vector["bytes"])
            self.assertEqual(audit.commitment(subject, salt, content), vector["commitment"])
            self.assertNotEqual(audit.commitment(subject, bytes(32), content), vector["commitment"])
            self.assertNotEqual(audit.commitment(subject, salt, content + b" "), vector["commitment"])
        with self.assertRaises(ValueError):
            audit.commitment("prompt", bytes(32), b"")


if __name__ == "__main__":
    unittest.main()
