// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice One checkpoint of the audit log as stored on-chain.
struct Anchor {
    /// @dev Number of entries that the root covers
    uint64 size;
    /// @dev Size of the anchor before; 0 for the first
    uint64 previousSize;
    /// @dev Unix seconds of the block that stored it
    uint64 anchoredAt;
    /// @dev RFC 6962 root (SHA-256) over the first `size` entries
    bytes32 root;
    /// @dev SHA-256 digest of the newest batch block; the CID is 0x01711220 ‖ digest (CIDv1, dag-cbor, sha2-256)
    bytes32 cid;
}

/// @title IAuditLog
/// @notice Anchors of an append-only log whose entries are ABI-encoded `CallReceipt`s kept on IPFS.
/// @dev Only the hash of each anchor is stored; whoever uses one supplies it, from the event.
/// @dev Warning: the contract cannot see the entries. That one root extends the former is for readers to check, from the
/// published blocks, or with a consistency proof by `verifyConsistency`; an anchor that does not is public evidence.
interface IAuditLog {
    /// @notice A checkpoint was anchored.
    /// @param size Number of entries that the root covers
    /// @param previousSize Size of the anchor before; 0 for the first
    /// @param anchoredAt Unix seconds
    /// @param root RFC 6962 root over the first `size` entries
    /// @param cid SHA-256 digest of the newest batch block
    event Anchored(uint64 indexed size, uint64 previousSize, uint64 anchoredAt, bytes32 root, bytes32 cid);

    /// @notice A log only grows: the new size must exceed the latest.
    error AuditLog_SizeNotIncreasing(uint64 size, uint64 latestSize);
    /// @notice The anchor adds more than `MAX_GROWTH` entries; anchor in steps.
    error AuditLog_GrowthTooLarge(uint64 growth, uint64 maximum);
    /// @notice No such anchor was stored; take its fields from the `Anchored` event.
    error AuditLog_AnchorUnknown(uint64 size);

    /// @notice Anchors the log at a size. Needs `ANCHOR_ROLE`.
    /// @dev Growth is bounded, so that one anchor by a stolen key cannot use up all sizes.
    /// Errors: `AuditLog_SizeNotIncreasing`, `AuditLog_GrowthTooLarge`, OpenZeppelin's
    /// `AccessControlUnauthorizedAccount`.
    /// @param size Number of entries that the root covers; above `latestSize` by 1 … `MAX_GROWTH`
    /// @param root RFC 6962 root over the first `size` entries
    /// @param cid SHA-256 digest of the newest batch block (dag-cbor)
    function anchor(uint64 size, bytes32 root, bytes32 cid) external;

    /// @notice Whether this leaf is at this position of the log as anchored.
    /// @dev RFC 9162 §2.1.3.2. Errors: `AuditLog_AnchorUnknown`.
    /// @param anchored The anchor, as in its event
    /// @param index Position in the log, from 0
    /// @param leafHash `sha256(0x00 ‖ entry)`
    /// @param proof Sibling hashes from the leaf up
    /// @return True if the proof leads to the anchored root
    function verifyInclusion(
        Anchor calldata anchored,
        uint64 index,
        bytes32 leafHash,
        bytes32[] calldata proof
    ) external view returns (bool);

    /// @notice Whether this receipt is at this position of the log as anchored.
    /// @dev As `verifyInclusion`, with the leaf hash computed from the entry.
    /// @param anchored The anchor, as in its event
    /// @param index Position in the log, from 0
    /// @param entry The ABI-encoded `CallReceipt`
    /// @param proof Sibling hashes from the leaf up
    /// @return True if the proof leads to the anchored root
    function verifyReceipt(
        Anchor calldata anchored,
        uint64 index,
        bytes calldata entry,
        bytes32[] calldata proof
    ) external view returns (bool);

    /// @notice Whether a later anchor extends an earlier one: the first entries are the same.
    /// @dev RFC 9162 §2.1.4.2. Errors: `AuditLog_AnchorUnknown`.
    /// @param older The earlier anchor, as in its event
    /// @param newer The later anchor, as in its event
    /// @param proof The consistency proof's hashes; empty where both sizes are equal
    /// @return True if the proof leads to both roots
    function verifyConsistency(
        Anchor calldata older,
        Anchor calldata newer,
        bytes32[] calldata proof
    ) external view returns (bool);

    /// @notice Whether exactly this anchor was stored.
    /// @param anchored The anchor, as in its event
    /// @return True if it was
    function isAnchored(Anchor calldata anchored) external view returns (bool);

    /// @notice `keccak256(abi.encode(Anchor))` of the anchor with this size; zero if there is none.
    /// @param size Size of the anchor
    function anchorHash(uint64 size) external view returns (bytes32);

    /// @notice Size of the newest anchor; 0 before the first.
    function latestSize() external view returns (uint64);

    /// @notice Most entries that one anchor may add.
    function MAX_GROWTH() external view returns (uint64);

    /// @notice Role that may anchor.
    function ANCHOR_ROLE() external view returns (bytes32);
}
