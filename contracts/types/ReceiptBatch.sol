// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice What the relay signs for the receipts that became durable in one commit.
struct ReceiptBatch {
    /// @dev RFC 6962 root of the receipts' leaf hashes, in their order; of a single receipt: its leaf hash
    bytes32 root;
    /// @dev Number of receipts
    uint64 size;
    /// @dev Time of signing, unix milliseconds
    uint64 signedAtMs;
}

/// @title ReceiptBatches
/// @notice EIP-712 struct hash of a `ReceiptBatch`.
/// @dev Domain: name "AutoPayLLM", version "1", chain, verifyingContract = the AutoPayLLM contract.
library ReceiptBatches {
    /// @dev EIP-712 type hash of a receipt batch
    bytes32 internal constant RECEIPT_BATCH_TYPEHASH = keccak256(
        "ReceiptBatch(bytes32 root,uint64 size,uint64 signedAtMs)"
    );

    /// @notice The EIP-712 struct hash.
    /// @param batch The batch
    /// @return The hash, to be combined with the domain separator
    function hash(ReceiptBatch memory batch) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECEIPT_BATCH_TYPEHASH, batch.root, batch.size, batch.signedAtMs));
    }
}
