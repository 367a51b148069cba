// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice RFC 6962 trees by their recursive definition (§2.1, §2.1.1): slow, and independent of the code under test.
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
}
