// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice RFC 6962 trees by their recursive definition (§2.1, §2.1.1, §2.1.2): slow, and independent of the code under test.
library MerkleTree {
    function root(bytes32[] memory leaves, uint256 from, uint256 to) internal pure returns (bytes32) {
        if (to - from == 1) return leaves[from];
        uint256 middle = from + split(to - from);
        return sha256(bytes.concat(hex"01", root(leaves, from, middle), root(leaves, middle, to)));
    }

    function path(
        bytes32[] memory leaves,
        uint256 index,
        uint256 from,
        uint256 to
    ) internal pure returns (bytes32[] memory) {
        if (to - from == 1) return new bytes32[](0);
        uint256 middle = from + split(to - from);
        return
            index < middle
                ? append(path(leaves, index, from, middle), root(leaves, middle, to))
                : append(path(leaves, index, middle, to), root(leaves, from, middle));
    }

    /// @dev The paths of all leaves at once, each node hashed once.
    function paths(bytes32[] memory leaves, uint256 size) internal pure returns (bytes32[][] memory proofs) {
        proofs = new bytes32[][](size);
        _addSiblings(leaves, proofs, 0, size);
    }

    /// @dev The consistency proofs of all older sizes at once; the proof of `m` leaves is at position `m`, from 1.
    function consistencyProofs(
        bytes32[] memory leaves,
        uint256 size
    ) internal pure returns (bytes32[][] memory proofs) {
        proofs = new bytes32[][](size + 1);
        _addSubproofs(leaves, proofs, 0, size);
    }

    /// @dev Largest power of two smaller than `size`.
    function split(uint256 size) internal pure returns (uint256 k) {
        k = 1;
        while (k * 2 < size) k *= 2;
    }

    function append(bytes32[] memory list, bytes32 last) internal pure returns (bytes32[] memory longer) {
        longer = new bytes32[](list.length + 1);
        for (uint256 i = 0; i < list.length; ++i) longer[i] = list[i];
        longer[list.length] = last;
    }

    /// @dev PATH(m, D[from:to]) for each m of the range; returns MTH(D[from:to]).
    function _addSiblings(
        bytes32[] memory leaves,
        bytes32[][] memory proofs,
        uint256 from,
        uint256 to
    ) private pure returns (bytes32) {
        if (to - from == 1) return leaves[from];
        uint256 middle = from + split(to - from);
        bytes32 left = _addSiblings(leaves, proofs, from, middle);
        bytes32 right = _addSiblings(leaves, proofs, middle, to);
        for (uint256 i = from; i < to; ++i) proofs[i] = append(proofs[i], i < middle ? right : left);
        return sha256(bytes.concat(hex"01", left, right));
    }

    /// @dev SUBPROOF(m, D[from:to], from == 0) for each m that ends in the range; returns MTH(D[from:to]).
    function _addSubproofs(
        bytes32[] memory leaves,
        bytes32[][] memory proofs,
        uint256 from,
        uint256 to
    ) private pure returns (bytes32 hash) {
        hash = leaves[from];
        if (to - from > 1) {
            uint256 middle = from + split(to - from);
            bytes32 left = _addSubproofs(leaves, proofs, from, middle);
            bytes32 right = _addSubproofs(leaves, proofs, middle, to);
            for (uint256 m = from + 1; m < to; ++m) proofs[m] = append(proofs[m], m <= middle ? right : left);
            hash = sha256(bytes.concat(hex"01", left, right));
        }
        proofs[to] = new bytes32[](0);
        if (from != 0) proofs[to] = append(proofs[to], hash);
    }
}
