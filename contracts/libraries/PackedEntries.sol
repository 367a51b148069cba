// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title PackedEntries
/// @notice A byte string that grows entry by entry, up to a size reserved before: what the batch events carry.
/// @dev By hand, because two arrays in place of one packed string cost 400 gas more per channel.
library PackedEntries {
    /// @notice Reserves memory for entries; the string is empty at first.
    /// @param capacityBytes The most that it will hold
    /// @return entries The string
    function reserve(uint256 capacityBytes) internal pure returns (bytes memory entries) {
        assembly ("memory-safe") {
            entries := mload(0x40)
            mstore(entries, 0)
            // The length, then the capacity rounded up to whole words.
            mstore(0x40, add(entries, and(add(capacityBytes, 0x3f), not(0x1f))))
        }
    }

    /// @notice Appends one entry. The caller keeps within the capacity.
    /// @param entries The string
    /// @param head The entry's first 32 bytes
    /// @param tail The rest: the low `tailBytes` bytes of this word
    /// @param tailBytes Size of the rest, 1 … 32
    function append(bytes memory entries, bytes32 head, uint256 tail, uint256 tailBytes) internal pure {
        // The tail goes first, as the end of a word that ends where the entry ends; the head then covers the word's
        // beginning.
        assembly ("memory-safe") {
            let lengthBytes := mload(entries)
            let position := add(add(entries, 0x20), lengthBytes)
            mstore(add(position, tailBytes), tail)
            mstore(position, head)
            mstore(entries, add(lengthBytes, add(32, tailBytes)))
        }
    }
}
