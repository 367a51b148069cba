// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title IKeyRegistry
/// @notice The keys that sign the relay's receipts, and fingerprints of keys that leaked.
/// @dev Evidence is judged by the key of its time, so no entry is ever changed for the past.
/// @dev Warning: a fingerprint is `keccak256(domain ‖ keyId ‖ salt)`, never a hash of a key: that could be guessed.
interface IKeyRegistry {
    /// @notice The time for which a key signs.
    struct Period {
        /// @dev Unix seconds from which; 0 if it never did
        uint64 from;
        /// @dev Unix seconds from which no longer; 0 if no end is set
        uint64 until;
    }

    /// @notice A receipt-signing key was added.
    /// @param key Its address
    /// @param from Unix seconds from which it signs
    event KeyAdded(address indexed key, uint64 from);

    /// @notice A receipt-signing key signs no more.
    /// @param key Its address
    /// @param until Unix seconds from which
    event KeyRetired(address indexed key, uint64 until);

    /// @notice A key is said to have leaked.
    /// @param fingerprint `keccak256(domain ‖ keyId ‖ salt)`
    /// @param at Unix seconds
    event FingerprintRevoked(bytes32 indexed fingerprint, uint64 at);

    /// @notice The key was added before; a retired key does not come back.
    error KeyRegistry_AlreadyAdded(address key);
    /// @notice The key is not one that signs now.
    error KeyRegistry_NotActive(address key);
    /// @notice The zero address signs nothing.
    error KeyRegistry_ZeroKey();
    /// @notice The fingerprint was revoked before.
    error KeyRegistry_AlreadyRevoked(bytes32 fingerprint);

    /// @notice Adds a key, from now on. Needs `KEYS_ROLE`.
    /// @dev Errors of all three: OpenZeppelin's `AccessControlUnauthorizedAccount`.
    function addKey(address key) external;

    /// @notice Ends a key, `RETIREMENT_OVERLAP` from now. Needs `KEYS_ROLE`.
    /// @dev What the key signed before stays evidence; so does what it dated a little ahead, which an end at once would
    /// wipe out.
    /// @dev Warning: who holds a leaked key signs evidence until then, dated up to then.
    function retireKey(address key) external;

    /// @notice Says that a key leaked. Needs `KEYS_ROLE`.
    function revokeFingerprint(bytes32 fingerprint) external;

    /// @notice Whether a key signed receipts at a time: `from ≤ at`, and `at < until` where it has an end.
    /// @param key Its address
    /// @param at Unix seconds
    function isValidAt(address key, uint64 at) external view returns (bool);

    /// @notice A key's time; all zero if it was never added.
    function periodOf(address key) external view returns (Period memory);

    /// @notice Unix seconds at which a fingerprint was revoked; 0 if it was not.
    function revokedAt(bytes32 fingerprint) external view returns (uint64);

    /// @notice How long a key still signs after it was retired, seconds.
    function RETIREMENT_OVERLAP() external view returns (uint64);

    /// @notice Role that keeps the keys.
    function KEYS_ROLE() external view returns (bytes32);
}
