// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {AggregatorV3Interface} from "./interfaces/AggregatorV3Interface.sol";
import {InitialFeed, IPriceOracle, Price} from "./interfaces/IPriceOracle.sol";

/// @title PriceOracle
/// @notice See `IPriceOracle`.
contract PriceOracle is IPriceOracle {
    using Checkpoints for Checkpoints.Trace208;

    /// @inheritdoc IPriceOracle
    uint32 public constant MAX_HEARTBEAT = 2 days;

    /// @inheritdoc IPriceOracle
    uint8 public constant MAX_DECIMALS = 36;

    /// @inheritdoc IPriceOracle
    uint64 public constant SEQUENCER_GRACE = 1 hours;

    /// @inheritdoc IPriceOracle
    uint64 public constant ROUND_TOLERANCE = 120;

    /// @dev Where the heartbeat stands in a stored feed; the address is below it.
    uint8 private constant HEARTBEAT_OFFSET = 160;

    /// @inheritdoc IPriceOracle
    address public immutable governance;

    /// @inheritdoc IPriceOracle
    AggregatorV3Interface public immutable sequencerFeed;

    /// @dev By the second from which it holds: heartbeat and address of a token's feed. Old ones stay, because a receipt
    /// names a round of the feed of its time.
    mapping(address token => Checkpoints.Trace208 feeds) private _feeds;

    /// @param initialGovernance The timelock
    /// @param l2SequencerFeed Uptime feed of the L2's sequencer; zero where the chain has none
    /// @param feeds Feeds of tokens, from the deployment on
    constructor(address initialGovernance, AggregatorV3Interface l2SequencerFeed, InitialFeed[] memory feeds) {
        require(initialGovernance != address(0), PriceOracle_ZeroAddress());
        governance = initialGovernance;
        sequencerFeed = l2SequencerFeed;
        for (uint256 i = 0; i < feeds.length; ++i) _setFeed(feeds[i].token, feeds[i].feed, feeds[i].heartbeatSeconds);
    }

    /// @inheritdoc IPriceOracle
    function setFeed(address token, AggregatorV3Interface feed, uint32 heartbeatSeconds) external {
        require(msg.sender == governance, PriceOracle_NotGovernance(msg.sender));
        _setFeed(token, feed, heartbeatSeconds);
    }

    /// @inheritdoc IPriceOracle
    function latestPrice(address token) external view returns (Price memory price) {
        (AggregatorV3Interface feed, uint32 heartbeatSeconds) = feedOf(token);
        require(address(feed) != address(0), PriceOracle_NoFeed(token));
        _requireSequencer();
        (uint80 roundId, int256 answer, , uint256 updatedAt, ) = feed.latestRoundData();
        require(answer > 0, PriceOracle_NotPositive(token, answer));
        require(updatedAt != 0 && updatedAt <= block.timestamp, PriceOracle_InvalidRound(token, updatedAt));
        require(block.timestamp - updatedAt <= heartbeatSeconds, PriceOracle_Stale(token, updatedAt, heartbeatSeconds));
        return Price(uint256(answer), feed.decimals(), roundId, updatedAt);
    }

    /// @inheritdoc IPriceOracle
    function priceAt(
        address token,
        uint80 roundId,
        uint64 at
    ) external view returns (Price memory price, bool wasCurrent) {
        uint208 feed = _feeds[token].upperLookupRecent(_clock(at));
        (price, wasCurrent) = _priceOf(feed, roundId, at);
        if (wasCurrent || at < ROUND_TOLERANCE) return (price, wasCurrent);
        // The same tolerance where the feed itself was just replaced or removed.
        uint208 feedBefore = _feeds[token].upperLookupRecent(_clock(at - ROUND_TOLERANCE));
        if (feedBefore == feed) return (price, false);
        (Price memory priceBefore, bool wasCurrentBefore) = _priceOf(feedBefore, roundId, at);
        if (wasCurrentBefore) return (priceBefore, true);
    }

    /// @inheritdoc IPriceOracle
    function feedOf(address token) public view returns (AggregatorV3Interface feed, uint32 heartbeatSeconds) {
        return _unpack(_feeds[token].latest());
    }

    function _setFeed(address token, AggregatorV3Interface feed, uint32 heartbeatSeconds) private {
        require(token != address(0), PriceOracle_ZeroAddress());
        if (address(feed) == address(0)) {
            heartbeatSeconds = 0;
        } else {
            uint8 decimals = feed.decimals();
            require(
                heartbeatSeconds != 0 && heartbeatSeconds <= MAX_HEARTBEAT && decimals <= MAX_DECIMALS,
                PriceOracle_InvalidFeed(address(feed), heartbeatSeconds, decimals)
            );
        }
        uint208 packed = (uint208(heartbeatSeconds) << HEARTBEAT_OFFSET) | uint160(address(feed));
        _feeds[token].push(uint48(block.timestamp), packed);
        emit FeedSet(token, address(feed), heartbeatSeconds);
    }

    /// @dev Requires that the L2's sequencer has been up for long enough that feeds and users caught up with it.
    function _requireSequencer() private view {
        if (address(sequencerFeed) == address(0)) return;
        (, int256 answer, uint256 startedAt, , ) = sequencerFeed.latestRoundData();
        require(answer == 0, PriceOracle_SequencerDown());
        require(
            startedAt != 0 && startedAt <= block.timestamp && block.timestamp - startedAt > SEQUENCER_GRACE,
            PriceOracle_SequencerGrace(startedAt)
        );
    }

    /// @dev The price in a round of a stored feed, and whether that round was the current one at a time.
    function _priceOf(uint208 packed, uint80 roundId, uint64 at) private view returns (Price memory, bool) {
        (AggregatorV3Interface feed, uint32 heartbeatSeconds) = _unpack(packed);
        Price memory none;
        if (address(feed) == address(0)) return (none, false);
        (int256 answer, uint256 updatedAt) = _roundOf(feed, roundId);
        if (answer <= 0 || updatedAt == 0) return (none, false);
        Price memory price = Price(uint256(answer), feed.decimals(), roundId, updatedAt);
        if (updatedAt > at || at - updatedAt > heartbeatSeconds) return (price, false);
        if (roundId == type(uint80).max) return (price, true);
        (, uint256 nextUpdatedAt) = _roundOf(feed, roundId + 1);
        return (price, nextUpdatedAt == 0 || at <= nextUpdatedAt || at - nextUpdatedAt <= ROUND_TOLERANCE);
    }

    /// @dev A round, or zeros where the feed does not know it: feeds revert or answer zeros then. A caller cannot make a known
    /// round unknown by sending too little gas: a feed needs some 30,000, and what the caller is left with is a 64th.
    function _roundOf(AggregatorV3Interface feed, uint80 roundId) private view returns (int256, uint256) {
        try feed.getRoundData(roundId) returns (uint80, int256 answer, uint256, uint256 updatedAt, uint80) {
            return (answer, updatedAt);
        } catch {
            return (0, 0);
        }
    }

    /// @dev A time as a checkpoint's key; what lies beyond is later than any.
    function _clock(uint64 at) private pure returns (uint48) {
        return uint48(Math.min(at, type(uint48).max));
    }

    function _unpack(uint208 packed) private pure returns (AggregatorV3Interface feed, uint32 heartbeatSeconds) {
        return (AggregatorV3Interface(address(uint160(packed))), uint32(packed >> HEARTBEAT_OFFSET));
    }
}
