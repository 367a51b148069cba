// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {PriceOracle} from "../../contracts/PriceOracle.sol";
import {AggregatorV3Interface} from "../../contracts/interfaces/AggregatorV3Interface.sol";
import {InitialFeed, IPriceOracle, Price} from "../../contracts/interfaces/IPriceOracle.sol";
import {TestBase} from "./helpers/TestBase.sol";
import {MockAggregator} from "./mocks/MockAggregator.sol";

contract PriceOracleTest is TestBase {
    uint64 private constant START = 1_760_000_000;
    uint32 private constant HEARTBEAT = 3600;
    uint80 private constant ROUND = (uint80(7) << 64) | 41;
    int256 private constant DOLLAR = 1e8;

    PriceOracle private _oracle;
    MockAggregator private _feed;
    MockAggregator private _uptime;
    address private _governance;
    address private _token;

    function setUp() external {
        vm.warp(START);
        _governance = wallet("governance");
        _token = wallet("token");
        _feed = new MockAggregator(8);
        _feed.setRound(ROUND, DOLLAR, START);
        _uptime = new MockAggregator(0);
        _uptime.setStatus(0, START - 30 days, START - 30 days);
        _oracle = PriceOracle(
            create("PriceOracle", abi.encode(_governance, _uptime, _feeds(_token, _feed, HEARTBEAT)))
        );
    }

    // The deployment, and setting feeds.

    function test_Constructor_FeedsHoldAtOnce() external {
        InitialFeed[] memory feeds = _feeds(_token, _feed, HEARTBEAT);
        vm.expectEmit();
        emit IPriceOracle.FeedSet(_token, address(_feed), HEARTBEAT);
        PriceOracle oracle = PriceOracle(create("PriceOracle", abi.encode(_governance, _uptime, feeds)));
        assertEq(oracle.governance(), _governance, "governance");
        assertEq(address(oracle.sequencerFeed()), address(_uptime), "sequencerFeed");
        (AggregatorV3Interface feed, uint32 heartbeatSeconds) = oracle.feedOf(_token);
        assertEq(address(feed), address(_feed), "feed");
        assertEq(heartbeatSeconds, HEARTBEAT, "heartbeat");
        assertEq(oracle.latestPrice(_token).answer, uint256(DOLLAR), "answers");
    }

    function test_Limits_AreThePublishedOnes() external view {
        assertEq(_oracle.MAX_HEARTBEAT(), 2 days, "longest heartbeat");
        assertEq(_oracle.MAX_DECIMALS(), 36, "most decimals");
        assertEq(_oracle.SEQUENCER_GRACE(), 1 hours, "grace after the sequencer's return");
        assertEq(_oracle.ROUND_TOLERANCE(), 120, "seconds for the next round to be noticed");
    }

    function test_RevertWhen_GovernanceIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_ZeroAddress.selector));
        PriceOracle(create("PriceOracle", abi.encode(address(0), _uptime, new InitialFeed[](0))));
    }

    function test_RevertWhen_InitialFeedIsInvalid() external {
        InitialFeed[] memory feeds = _feeds(_token, _feed, 0);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_InvalidFeed.selector, _feed, 0, 8));
        PriceOracle(create("PriceOracle", abi.encode(_governance, _uptime, feeds)));
    }

    function test_SetFeed_UpToTheBounds() external {
        MockAggregator fine = new MockAggregator(_oracle.MAX_DECIMALS());
        _setFeed(START, fine, _oracle.MAX_HEARTBEAT());
        _setFeed(START, fine, 1);
    }

    function test_SetFeed_ZeroRemovesIt() external {
        vm.expectEmit(address(_oracle));
        emit IPriceOracle.FeedSet(_token, address(0), 0);
        vm.prank(_governance);
        _oracle.setFeed(_token, AggregatorV3Interface(address(0)), HEARTBEAT);
        (AggregatorV3Interface feed, uint32 heartbeatSeconds) = _oracle.feedOf(_token);
        assertEq(address(feed), address(0), "feed");
        assertEq(heartbeatSeconds, 0, "heartbeat");
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_NoFeed.selector, _token));
        _oracle.latestPrice(_token);
    }

    function test_RevertWhen_FeedIsNotSetByGovernance() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_NotGovernance.selector, address(this)));
        _oracle.setFeed(_token, _feed, HEARTBEAT);
    }

    function test_RevertWhen_TokenIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_ZeroAddress.selector));
        vm.prank(_governance);
        _oracle.setFeed(address(0), _feed, HEARTBEAT);
    }

    function test_RevertWhen_HeartbeatIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_InvalidFeed.selector, _feed, 0, 8));
        vm.prank(_governance);
        _oracle.setFeed(_token, _feed, 0);
    }

    function test_RevertWhen_HeartbeatIsTooLong() external {
        uint32 longest = _oracle.MAX_HEARTBEAT();
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_InvalidFeed.selector, _feed, longest + 1, 8));
        vm.prank(_governance);
        _oracle.setFeed(_token, _feed, longest + 1);
    }

    function test_RevertWhen_FeedHasTooManyDecimals() external {
        MockAggregator feed = new MockAggregator(37);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_InvalidFeed.selector, feed, HEARTBEAT, 37));
        vm.prank(_governance);
        _oracle.setFeed(_token, feed, HEARTBEAT);
    }

    // The price now.

    function test_LatestPrice_OfFeedsWith8And18Decimals() external {
        Price memory price = _oracle.latestPrice(_token);
        assertEq(price.answer, 1e8, "answer");
        assertEq(price.decimals, 8, "decimals");
        assertEq(price.roundId, ROUND, "roundId");
        assertEq(price.updatedAt, START, "updatedAt");

        MockAggregator fine = new MockAggregator(18);
        fine.setRound(3, 1.5e18, START);
        _setFeed(START, fine, HEARTBEAT);
        price = _oracle.latestPrice(_token);
        assertEq(price.answer, 1.5e18, "answer of 18 decimals");
        assertEq(price.decimals, 18, "decimals");
        assertEq(price.roundId, 3, "round of the new feed");
    }

    function test_LatestPrice_UpToTheHeartbeat() external {
        vm.warp(START + HEARTBEAT);
        assertEq(_oracle.latestPrice(_token).answer, 1e8, "as old as it may be");
        vm.warp(START + HEARTBEAT + 1);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_Stale.selector, _token, START, HEARTBEAT));
        _oracle.latestPrice(_token);
    }

    function test_RevertGiven_NoFeed() external {
        address unknown = wallet("unknown");
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_NoFeed.selector, unknown));
        _oracle.latestPrice(unknown);
    }

    function test_LatestPrice_OfTheSmallestAnswer() external {
        _feed.setRound(ROUND + 1, 1, START);
        assertEq(_oracle.latestPrice(_token).answer, 1, "answer");
        _assertPriceAt(ROUND + 1, START, 1, true);
    }

    function test_RevertGiven_AnswerIsZero() external {
        _feed.setRound(ROUND + 1, 0, START);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_NotPositive.selector, _token, int256(0)));
        _oracle.latestPrice(_token);
    }

    function test_RevertGiven_AnswerIsNegative() external {
        _feed.setRound(ROUND + 1, -1, START);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_NotPositive.selector, _token, int256(-1)));
        _oracle.latestPrice(_token);
    }

    function test_RevertGiven_RoundIsFromTheFuture() external {
        _feed.setRound(ROUND + 1, DOLLAR, START + 1);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_InvalidRound.selector, _token, START + 1));
        _oracle.latestPrice(_token);
    }

    function test_RevertGiven_RoundIsIncomplete() external {
        _feed.setRound(ROUND + 1, DOLLAR, 0);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_InvalidRound.selector, _token, uint256(0)));
        _oracle.latestPrice(_token);
    }

    function test_RevertGiven_FeedReverts() external {
        MockAggregator empty = new MockAggregator(8);
        _setFeed(START, empty, HEARTBEAT);
        vm.expectRevert(abi.encodeWithSelector(MockAggregator.NoDataPresent.selector));
        _oracle.latestPrice(_token);
    }

    // The sequencer.

    function test_LatestPrice_WhereTheChainHasNoSequencer() external {
        AggregatorV3Interface none = AggregatorV3Interface(address(0));
        PriceOracle oracle = PriceOracle(
            create("PriceOracle", abi.encode(_governance, none, _feeds(_token, _feed, HEARTBEAT)))
        );
        assertEq(oracle.latestPrice(_token).answer, 1e8, "answers");
    }

    function test_RevertGiven_SequencerIsDown() external {
        _uptime.setStatus(1, START - 2 days, START - 2 days);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_SequencerDown.selector));
        _oracle.latestPrice(_token);
    }

    function test_RevertGiven_SequencerJustCameBack() external {
        uint64 grace = _oracle.SEQUENCER_GRACE();
        _uptime.setStatus(0, START - grace, START - grace);
        vm.expectRevert(
            abi.encodeWithSelector(IPriceOracle.PriceOracle_SequencerGrace.selector, uint256(START - grace))
        );
        _oracle.latestPrice(_token);
        vm.warp(START + 1);
        assertEq(_oracle.latestPrice(_token).answer, 1e8, "a second later");
    }

    function test_RevertGiven_SequencerFeedHasNoRound() external {
        _uptime.setStatus(0, 0, START);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_SequencerGrace.selector, uint256(0)));
        _oracle.latestPrice(_token);
    }

    function test_RevertGiven_SequencerFeedIsFromTheFuture() external {
        _uptime.setStatus(0, START + 1, START);
        vm.expectRevert(abi.encodeWithSelector(IPriceOracle.PriceOracle_SequencerGrace.selector, uint256(START + 1)));
        _oracle.latestPrice(_token);
    }

    // The price of a round.

    function test_PriceAt_FromItsRoundUntilAfterTheNext() external {
        uint64 tolerance = _oracle.ROUND_TOLERANCE();
        _feed.setRound(ROUND, DOLLAR, START + 10);
        _feed.setRound(ROUND + 1, 2 * DOLLAR, START + 600);
        _assertPriceAt(ROUND, START + 9, 1e8, false);
        _assertPriceAt(ROUND, START + 10, 1e8, true);
        _assertPriceAt(ROUND, START + 600, 1e8, true);
        _assertPriceAt(ROUND, START + 600 + tolerance, 1e8, true);
        _assertPriceAt(ROUND, START + 600 + tolerance + 1, 1e8, false);
        _assertPriceAt(ROUND + 1, START + 599, 2e8, false);
        _assertPriceAt(ROUND + 1, START + 600, 2e8, true);
    }

    function test_PriceAt_TheNewestForTheHeartbeat() external {
        _assertPriceAt(ROUND, START + HEARTBEAT, 1e8, true);
        _assertPriceAt(ROUND, START + HEARTBEAT + 1, 1e8, false);
        _feed.answerZeros();
        _assertPriceAt(ROUND, START + HEARTBEAT, 1e8, true);
        _assertPriceAt(ROUND, START + HEARTBEAT + 1, 1e8, false);
    }

    function test_PriceAt_NotBeyondTheHeartbeatWhateverComesNext() external {
        _feed.setRound(ROUND + 1, DOLLAR, START + 2 * HEARTBEAT);
        _assertPriceAt(ROUND, START + HEARTBEAT, 1e8, true);
        _assertPriceAt(ROUND, START + HEARTBEAT + 1, 1e8, false);
    }

    function test_PriceAt_TheLastRoundOfAPhaseForTheHeartbeat() external {
        uint80 firstOfNextPhase = (uint80(8) << 64) | 1;
        _feed.setRound(firstOfNextPhase, 2 * DOLLAR, START - 60);
        _assertPriceAt(ROUND, START + HEARTBEAT, 1e8, true);
        _assertPriceAt(ROUND, START + HEARTBEAT + 1, 1e8, false);
        _assertPriceAt(firstOfNextPhase, START, 2e8, true);
    }

    function test_PriceAt_RoundsThatTheFeedDoesNotKnow() external {
        _assertNoPriceAt(ROUND + 1, START);
        _assertNoPriceAt(0, START);
        _assertNoPriceAt(type(uint80).max, START);
        _feed.answerZeros();
        _assertNoPriceAt(ROUND + 1, START);
    }

    function test_PriceAt_RoundsWithoutAUsableAnswer() external {
        _feed.setRound(ROUND + 1, 0, START);
        _feed.setRound(ROUND + 2, -1, START);
        _feed.setRound(ROUND + 3, DOLLAR, 0);
        for (uint80 i = 1; i <= 3; ++i) _assertNoPriceAt(ROUND + i, START);
        // A next round that never ended is none.
        _feed.setRound(ROUND + 4, DOLLAR, START);
        _feed.setRound(ROUND + 5, DOLLAR, 0);
        _assertPriceAt(ROUND + 4, START + HEARTBEAT, 1e8, true);
    }

    function test_PriceAt_TheGreatestRoundHasNoNext() external {
        _feed.setRound(type(uint80).max, DOLLAR, START);
        _assertPriceAt(type(uint80).max, START + HEARTBEAT, 1e8, true);
    }

    function test_PriceAt_ByTheFeedOfThatTime() external {
        uint64 tolerance = _oracle.ROUND_TOLERANCE();
        MockAggregator other = new MockAggregator(18);
        other.setRound(ROUND, 3e18, START + 500);
        other.setRound(9, 3e18, START + 500);
        _setFeed(START + 1000, other, 2 * HEARTBEAT);
        _assertPriceAt(ROUND, START + 999, 1e8, true);
        _assertPriceAt(9, START + 1000, 3e18, true);
        _assertPriceAt(9, START + 500 + 2 * HEARTBEAT, 3e18, true);
        // Nobody can know the second of the change: the feed before counts for a little longer, but not the one after earlier.
        _feed.setRound(ROUND - 1, DOLLAR, START + 500);
        _feed.setRound(ROUND, DOLLAR, START + 900);
        _assertPriceAt(ROUND - 1, START + 999, 1e8, true);
        _assertPriceAt(ROUND - 1, START + 1000, 1e8, true);
        _assertPriceAt(ROUND - 1, START + 900 + tolerance, 1e8, true);
        _assertNoPriceAt(ROUND - 1, START + 900 + tolerance + 1);
        _feed.setRound(5, DOLLAR, START + 900);
        _assertPriceAt(5, START + 1000 + tolerance - 1, 1e8, true);
        _assertNoPriceAt(5, START + 1000 + tolerance);
        _assertNoPriceAt(9, START + 999);
    }

    function test_PriceAt_WithoutAFeed() external {
        uint64 tolerance = _oracle.ROUND_TOLERANCE();
        (Price memory price, bool wasCurrent) = _oracle.priceAt(wallet("unknown"), ROUND, START);
        assertEq(price.answer, 0, "no answer");
        assertEq(wasCurrent, false, "unknown token");
        _assertNoPriceAt(ROUND, START - 1);
        _assertNoPriceAt(ROUND, 0);
        vm.warp(START + 10);
        vm.prank(_governance);
        _oracle.setFeed(_token, AggregatorV3Interface(address(0)), 0);
        _assertPriceAt(ROUND, START + 9, 1e8, true);
        _assertPriceAt(ROUND, START + 10 + tolerance - 1, 1e8, true);
        _assertNoPriceAt(ROUND, START + 10 + tolerance);
    }

    function test_PriceAt_TheEndOfTime() external view {
        _assertPriceAt(ROUND, type(uint64).max, 1e8, false);
    }

    function testFuzz_PriceAt_NeverReverts(uint80 roundId, uint64 at) external view {
        (, bool wasCurrent) = _oracle.priceAt(_token, roundId, at);
        assertEq(wasCurrent, roundId == ROUND && at >= START && at <= START + HEARTBEAT, "only the one round");
    }

    function _feeds(
        address token,
        AggregatorV3Interface feed,
        uint32 heartbeatSeconds
    ) private pure returns (InitialFeed[] memory feeds) {
        feeds = new InitialFeed[](1);
        feeds[0] = InitialFeed(token, feed, heartbeatSeconds);
    }

    /// @dev Takes the time as an argument, because the optimizer reads `block.timestamp` out of order.
    function _setFeed(uint64 at, MockAggregator feed, uint32 heartbeatSeconds) private {
        vm.warp(at);
        vm.expectEmit(address(_oracle));
        emit IPriceOracle.FeedSet(_token, address(feed), heartbeatSeconds);
        vm.prank(_governance);
        _oracle.setFeed(_token, feed, heartbeatSeconds);
        (AggregatorV3Interface actual, uint32 actualHeartbeat) = _oracle.feedOf(_token);
        assertEq(address(actual), address(feed), "feed");
        assertEq(actualHeartbeat, heartbeatSeconds, "heartbeat");
    }

    function _assertPriceAt(uint80 roundId, uint64 at, uint256 answer, bool expected) private view {
        (Price memory price, bool wasCurrent) = _oracle.priceAt(_token, roundId, at);
        assertEq(price.answer, answer, "answer");
        assertEq(price.roundId, roundId, "roundId");
        assertEq(price.decimals, answer > 1e17 ? 18 : 8, "decimals");
        assertTrue(price.updatedAt != 0, "updatedAt");
        assertEq(wasCurrent, expected, string.concat("was current at ", vm.toString(at)));
    }

    function _assertNoPriceAt(uint80 roundId, uint64 at) private view {
        (Price memory price, bool wasCurrent) = _oracle.priceAt(_token, roundId, at);
        assertEq(price.answer + price.decimals + price.roundId + price.updatedAt, 0, "all zero");
        assertEq(wasCurrent, false, "was not current");
    }
}
