// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

// The name by which everyone knows it.
// solhint-disable interface-starts-with-i
/// @title AggregatorV3Interface
/// @notice What a Chainlink price feed (its proxy) answers.
/// @dev Source: docs.chain.link, "Data Feeds API Reference"; written anew, because the package does not install everywhere.
interface AggregatorV3Interface {
    /// @notice Decimals of the answers.
    function decimals() external view returns (uint8);

    /// @notice What the feed is about.
    function description() external view returns (string memory);

    /// @notice Version of the feed's contract.
    function version() external view returns (uint256);

    /// @notice One round; reverts or answers zeros for a round that is not known.
    function getRoundData(
        uint80 roundId
    ) external view returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);

    /// @notice The newest round.
    function latestRoundData()
        external
        view
        returns (uint80 id, int256 answer, uint256 startedAt, uint256 updatedAt, uint80 answeredInRound);
}
