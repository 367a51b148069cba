// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title Rfc6962
/// @notice Inclusion and consistency proofs of the Merkle trees of RFC 6962 (Certificate Transparency), over SHA-256.
/// @dev Leaves and nodes are hashed with different prefixes, so neither can pass for the other; positions matter, pairs
/// are not sorted. Sources: RFC 6962 §2.1 (hashes), RFC 9162 §2.1.3.2 and §2.1.4.2 (verification).
library Rfc6962 {
    /// @notice Hash of a leaf: `sha256(0x00 ‖ entry)`.
    /// @param entry The entry's bytes
    function hashLeaf(bytes memory entry) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x00), entry));
    }

    /// @notice Hash of an inner node: `sha256(0x01 ‖ left ‖ right)`.
    /// @param left Hash of the left subtree
    /// @param right Hash of the right subtree
    function hashNode(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return sha256(abi.encodePacked(bytes1(0x01), left, right));
    }

    /// @notice Whether the proof leads from the leaf at `index` to the root of a tree of `size` leaves.
    /// @dev Never reverts on a wrong proof. A tree of 2^64 − 1 leaves needs 64 hashes; a longer proof is wrong.
    /// @param root Root of the tree
    /// @param size Number of leaves
    /// @param index Position of the leaf, from 0
    /// @param leafHash Hash of the leaf
    /// @param proof Sibling hashes from the leaf up
    function verifyInclusion(
        bytes32 root,
        uint64 size,
        uint64 index,
        bytes32 leafHash,
        bytes32[] calldata proof
    ) internal pure returns (bool) {
        if (index >= size) return false;
        uint64 node = index;
        uint64 last = size - 1;
        bytes32 computed = leafHash;
        for (uint256 i = 0; i < proof.length; ++i) {
            if (last == 0) return false;
            if (node & 1 == 1 || node == last) {
                computed = hashNode(proof[i], computed);
                // A right edge that has no sibling on a level moves up until it has one.
                while (node & 1 == 0 && node != 0) {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                computed = hashNode(computed, proof[i]);
            }
            node >>= 1;
            last >>= 1;
        }
        return last == 0 && computed == root;
    }

    /// @notice Whether the proof shows that the newer tree begins with the older one's leaves.
    /// @dev Never reverts on a wrong proof. Trees of up to 2^64 − 1 leaves need 65 hashes; a longer proof is wrong. Nothing is
    /// proven from an empty tree.
    /// @param olderRoot Root of the older tree
    /// @param olderSize Number of its leaves
    /// @param newerRoot Root of the newer tree
    /// @param newerSize Number of its leaves
    /// @param proof The hashes, in the order of RFC 9162 §2.1.4.1; none where both sizes are equal
    function verifyConsistency(
        bytes32 olderRoot,
        uint64 olderSize,
        bytes32 newerRoot,
        uint64 newerSize,
        bytes32[] calldata proof
    ) internal pure returns (bool) {
        if (olderSize == 0 || olderSize > newerSize) return false;
        if (olderSize == newerSize) return proof.length == 0 && olderRoot == newerRoot;
        uint64 node = olderSize - 1;
        uint64 last = newerSize - 1;
        // Up to the largest perfect subtree that ends the older tree: its root is what both roots are computed from.
        while (node & 1 == 1) {
            node >>= 1;
            last >>= 1;
        }
        uint256 next = 0;
        bytes32 older = olderRoot;
        // If that subtree is not the whole older tree, its root comes first in the proof.
        if (node != 0) {
            if (proof.length == 0) return false;
            older = proof[next++];
        }
        bytes32 newer = older;
        for (; next < proof.length; ++next) {
            if (last == 0) return false;
            bytes32 sibling = proof[next];
            if (node & 1 == 1 || node == last) {
                older = hashNode(sibling, older);
                newer = hashNode(sibling, newer);
                // A right edge that has no sibling on a level moves up until it has one.
                while (node & 1 == 0 && node != 0) {
                    node >>= 1;
                    last >>= 1;
                }
            } else {
                newer = hashNode(newer, sibling);
            }
            node >>= 1;
            last >>= 1;
        }
        return last == 0 && older == olderRoot && newer == newerRoot;
    }
}
