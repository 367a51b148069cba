// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AggregatorV3Interface} from "./AggregatorV3Interface.sol";

/// @notice An answer of a price feed that may be used.
struct Price {
    /// @dev US dollars per whole token, times 10^decimals; above zero
    uint256 answer;
    /// @dev Decimals of the answer
    uint8 decimals;
    /// @dev Round of the feed's proxy
    uint80 roundId;
    /// @dev Unix seconds of the round
    uint256 updatedAt;
}

/// @notice The feed of a token from the deployment on.
struct InitialFeed {
    /// @dev ERC-20 token
    address token;
    /// @dev The feed's proxy, answering US dollars per whole token
    AggregatorV3Interface feed;
    /// @dev Oldest answer that is used, seconds
    uint32 heartbeatSeconds;
}

/// @title IPriceOracle
/// @notice Prices of tokens in US dollars, from Chainlink feeds; fails closed.
/// @dev For quotes and for judging conversions, never for custody: nothing that moves money out of escrow asks it.
/// @dev Warning: feeds are trusted, as governance set them: their answers, and that their decimals do not change.
interface IPriceOracle {
    /// @notice A token's feed was set.
    /// @param token ERC-20 token
    /// @param feed The feed's proxy; zero if the token has none any more
    /// @param heartbeatSeconds Longest time between two rounds of a healthy feed, margin included
    event FeedSet(address indexed token, address indexed feed, uint32 heartbeatSeconds);

    /// @notice Only the governance may do this.
    error PriceOracle_NotGovernance(address caller);
    /// @notice The zero address cannot hold this place.
    error PriceOracle_ZeroAddress();
    /// @notice The token has no feed.
    error PriceOracle_NoFeed(address token);
    /// @notice The answer is zero or negative.
    error PriceOracle_NotPositive(address token, int256 answer);
    /// @notice The answer is older than the heartbeat.
    error PriceOracle_Stale(address token, uint256 updatedAt, uint256 heartbeatSeconds);
    /// @notice The answer claims to be from the future, or the round never ended (time zero).
    error PriceOracle_InvalidRound(address token, uint256 updatedAt);
    /// @notice The L2's sequencer is down.
    error PriceOracle_SequencerDown();
    /// @notice The L2's sequencer came back not longer than `SEQUENCER_GRACE` ago, or its feed has no round (time zero).
    error PriceOracle_SequencerGrace(uint256 startedAt);
    /// @notice The heartbeat is zero or above `MAX_HEARTBEAT`, or the feed has more than `MAX_DECIMALS`.
    error PriceOracle_InvalidFeed(address feed, uint256 heartbeatSeconds, uint256 decimals);

    /// @notice Sets a token's feed, from now on. Governance only.
    /// @dev Earlier feeds are remembered: `priceAt` asks the one of its time.
    /// @param token ERC-20 token
    /// @param feed The feed's proxy, answering US dollars per whole token; zero removes it
    /// @param heartbeatSeconds Oldest answer that is used, seconds; 1 … `MAX_HEARTBEAT`
    function setFeed(address token, AggregatorV3Interface feed, uint32 heartbeatSeconds) external;

    /// @notice The token's price now.
    /// @dev Errors: `PriceOracle_NoFeed`, `_SequencerDown`, `_SequencerGrace`, `_NotPositive`, `_InvalidRound`, `_Stale`. Where
    /// a feed itself reverts, its error passes.
    function latestPrice(address token) external view returns (Price memory);

    /// @notice A token's price in a round, and whether that round was the current one at a time.
    /// @dev Never reverts for a round that the feed does not know, nor for a token without a feed: then all is zero and
    /// `wasCurrent` false. A round counts as current from its time until `ROUND_TOLERANCE` after the next one's (block times
    /// differ, and relays ask every few seconds), and at most for the heartbeat. The feed is the one that was set at that time,
    /// or `ROUND_TOLERANCE` earlier. Whether the sequencer was up then is not asked.
    /// @dev Warning: the next round is `roundId + 1`. Chainlink's proxies count anew, under higher bits, when they change to
    /// another aggregator, so the last round of such a phase has no next one and counts as current for the whole heartbeat; and
    /// a round that the new aggregator made before the change counts as well. When the change happened is not on-chain. So no
    /// relay that took the proxy's latest round is ever in the wrong, and one that did not chooses, once per change, among
    /// answers of the same feed that are not older than the heartbeat.
    /// @param token ERC-20 token
    /// @param roundId Round of the feed's proxy
    /// @param at Unix seconds
    function priceAt(address token, uint80 roundId, uint64 at) external view returns (Price memory, bool wasCurrent);

    /// @notice A token's feed and its heartbeat, seconds.
    function feedOf(address token) external view returns (AggregatorV3Interface feed, uint32 heartbeatSeconds);

    /// @notice Chainlink's uptime feed of the L2's sequencer; zero where the chain has none.
    function sequencerFeed() external view returns (AggregatorV3Interface);

    /// @notice Who sets feeds: the timelock.
    function governance() external view returns (address);

    /// @notice Longest heartbeat, seconds.
    function MAX_HEARTBEAT() external view returns (uint32);

    /// @notice Most decimals of a feed.
    function MAX_DECIMALS() external view returns (uint8);

    /// @notice How long the sequencer must have been up, seconds.
    function SEQUENCER_GRACE() external view returns (uint64);

    /// @notice How long a round counts as current after the next one, seconds.
    function ROUND_TOLERANCE() external view returns (uint64);
}
