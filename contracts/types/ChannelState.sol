// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @notice What changes in a channel's life, packed in one word: deposit 96 bits (lowest), settled 96, closeRequestedAt
/// 63, finalized 1 (highest). Zero means that there is no channel: a deposit is never zero, and never falls.
/// @dev A value type, because a struct is read and written field by field (or copied through memory): 600 gas more for
/// each claim of a batch.
type ChannelState is uint256;

using ChannelStates for ChannelState global;

/// @title ChannelStates
/// @notice Reads a `ChannelState`, and makes the next one.
library ChannelStates {
    uint256 private constant SETTLED_OFFSET = 96;
    uint256 private constant CLOSE_OFFSET = 192;
    uint256 private constant FINALIZED = 1 << 255;
    uint256 private constant SETTLED_MASK = uint256(type(uint96).max) << SETTLED_OFFSET;
    uint256 private constant CLOSE_MASK = uint256(type(uint64).max >> 1) << CLOSE_OFFSET;

    /// @notice The state of a channel just opened.
    /// @param amount Deposit, atomic units, above zero
    function opened(uint96 amount) internal pure returns (ChannelState) {
        return ChannelState.wrap(amount);
    }

    /// @notice Whether the channel was ever opened.
    function exists(ChannelState state) internal pure returns (bool) {
        return ChannelState.unwrap(state) != 0;
    }

    /// @notice Everything ever deposited, atomic units.
    function deposit(ChannelState state) internal pure returns (uint96) {
        return uint96(ChannelState.unwrap(state));
    }

    /// @notice Everything ever paid to the payee, atomic units.
    function settled(ChannelState state) internal pure returns (uint96) {
        return uint96(ChannelState.unwrap(state) >> SETTLED_OFFSET);
    }

    /// @notice Unix seconds of the pending close request; 0 if there is none.
    function closeRequestedAt(ChannelState state) internal pure returns (uint64) {
        return uint64((ChannelState.unwrap(state) & CLOSE_MASK) >> CLOSE_OFFSET);
    }

    /// @notice Whether the channel is closed for good.
    function isFinalized(ChannelState state) internal pure returns (bool) {
        return ChannelState.unwrap(state) & FINALIZED != 0;
    }

    /// @notice The same with another deposit.
    function withDeposit(ChannelState state, uint96 amount) internal pure returns (ChannelState) {
        return ChannelState.wrap((ChannelState.unwrap(state) & ~uint256(type(uint96).max)) | amount);
    }

    /// @notice The same with another settled total.
    function withSettled(ChannelState state, uint96 amount) internal pure returns (ChannelState) {
        return ChannelState.wrap((ChannelState.unwrap(state) & ~SETTLED_MASK) | (uint256(amount) << SETTLED_OFFSET));
    }

    /// @notice The same with a close request pending since then; 0 for none.
    function withCloseRequestedAt(ChannelState state, uint256 timestamp) internal pure returns (ChannelState) {
        return
            ChannelState.wrap((ChannelState.unwrap(state) & ~CLOSE_MASK) | ((timestamp << CLOSE_OFFSET) & CLOSE_MASK));
    }

    /// @notice The same, closed for good; no close request pends any more.
    function asFinalized(ChannelState state) internal pure returns (ChannelState) {
        return ChannelState.wrap((ChannelState.unwrap(state) & ~CLOSE_MASK) | FINALIZED);
    }
}
