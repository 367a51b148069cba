// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

/// @title IPriceBook
/// @notice Roots of published price tables, with the time for which each holds; receipts name theirs.
/// @dev A root is the RFC 6962 Merkle tree hash over the table's rows, each `abi.encode(PriceRow)`; see `PriceRows`.
/// Several tables may hold at the same time; a receipt names its own. What `isInForce` says of the past never changes.
/// @dev Warning: the rows are not on-chain. Who votes on a root should have seen its rows.
interface IPriceBook {
    /// @notice The life of a root.
    struct Period {
        /// @dev Unix seconds from which it holds; 0 if it was never published
        uint64 from;
        /// @dev Unix seconds from which it no longer holds; 0 if no end is set
        uint64 until;
    }

    /// @notice A price table was published.
    /// @param root Root over its rows
    /// @param from Unix seconds from which it holds
    event PriceRootPublished(bytes32 indexed root, uint64 from);

    /// @notice The end of a price table was set.
    /// @param root Root over its rows
    /// @param until Unix seconds from which it no longer holds
    event PriceRootRetired(bytes32 indexed root, uint64 until);

    /// @notice Only the governance may do this.
    error PriceBook_NotGovernance(address caller);
    /// @notice The zero address cannot govern.
    error PriceBook_ZeroAddress();
    /// @notice The root was published before.
    error PriceBook_AlreadyPublished(bytes32 root);
    /// @notice The root was never published.
    error PriceBook_Unknown(bytes32 root);
    /// @notice An empty root publishes nothing.
    error PriceBook_ZeroRoot();
    /// @notice What a table says of the past cannot be changed, and an end needs notice: the time must not lie before
    /// `earliest`.
    error PriceBook_TooEarly(uint64 time, uint256 earliest);
    /// @notice The time is more than `MAX_NOTICE` ahead, so it is likely in another unit.
    error PriceBook_TooFarAhead(uint64 time, uint256 latest);
    /// @notice The table's end is set already.
    error PriceBook_AlreadyRetired(bytes32 root, uint64 until);

    /// @notice Publishes a table. Governance only.
    /// @param root Root over its rows
    /// @param from Unix seconds from which it holds, not in the past, at most `MAX_NOTICE` ahead; 0 means now
    function publishPriceRoot(bytes32 root, uint64 from) external;

    /// @notice Sets a table's end, once. Governance only.
    /// @dev The notice is there because the relay learns of it a little later: calls that it admits meanwhile name
    /// this table, and must not count as priced by none.
    /// @param root Root over its rows
    /// @param until Unix seconds from which it no longer holds: at least `MIN_NOTICE` ahead and not before `from`, at
    /// most `MAX_NOTICE` ahead; 0 means as soon as possible
    function retirePriceRoot(bytes32 root, uint64 until) external;

    /// @notice Whether a table holds at a time.
    /// @param root Root over its rows
    /// @param at Unix seconds
    function isInForce(bytes32 root, uint64 at) external view returns (bool);

    /// @notice The life of a root; all zero if it was never published.
    function periodOf(bytes32 root) external view returns (Period memory);

    /// @notice Who publishes: the timelock.
    function governance() external view returns (address);

    /// @notice How far ahead a table's end is at least, seconds.
    function MIN_NOTICE() external view returns (uint64);

    /// @notice How far ahead a table's start or end can be set, seconds.
    function MAX_NOTICE() external view returns (uint64);
}
