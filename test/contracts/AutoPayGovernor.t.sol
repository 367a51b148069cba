// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {GovernorPreventLateQuorum} from "@openzeppelin/contracts/governance/extensions/GovernorPreventLateQuorum.sol";
import {AGPT} from "../../contracts/governance/AGPT.sol";
import {AutoPayGovernor} from "../../contracts/governance/AutoPayGovernor.sol";
import {GovernorConfig, IAutoPayGovernor} from "../../contracts/interfaces/IAutoPayGovernor.sol";
import {IAutoPayLLM} from "../../contracts/interfaces/IAutoPayLLM.sol";
import {TestBase} from "./helpers/TestBase.sol";

/// @dev What the governor asks AutoPayLLM and its escrow; stands for both.
contract BusinessStub {
    address public immutable agpt;
    uint64 public immutable disputeWindow;
    uint64 public constant CLOSE_GRACE_PERIOD = 1 hours;

    constructor(address token, uint64 window) {
        agpt = token;
        disputeWindow = window;
    }

    function paymentChannels() external view returns (address) {
        return address(this);
    }
}

/// @dev Something that the timelock owns.
contract Governed {
    address public immutable owner;
    uint256 public value;

    error Governed_NotOwner(address caller);

    constructor(address initialOwner) {
        owner = initialOwner;
    }

    function setValue(uint256 newValue) external {
        require(msg.sender == owner, Governed_NotOwner(msg.sender));
        value = newValue;
    }
}

contract AutoPayGovernorTest is TestBase {
    uint48 private constant START = 1_800_000_000;
    uint48 private constant VOTING_DELAY = 1 days;
    uint32 private constant VOTING_PERIOD = 5 days;
    uint48 private constant EXTENSION = 1 days;
    uint256 private constant SUPPLY = 1_000_000e18;
    uint256 private constant THRESHOLD = SUPPLY / 1000;
    uint64 private constant WINDOW = 1 days;
    uint256 private constant FLOOR = 600 + 1 hours + WINDOW;
    uint256 private constant DELAY = 2 days;

    // One proposal's life, in unix seconds.
    uint48 private constant PROPOSED = START + 1;
    uint48 private constant SNAPSHOT = PROPOSED + VOTING_DELAY;
    uint48 private constant DEADLINE = SNAPSHOT + VOTING_PERIOD;
    uint48 private constant QUEUED = DEADLINE + 1;
    uint48 private constant READY = QUEUED + uint48(DELAY);

    uint8 private constant AGAINST = 0;
    uint8 private constant FOR = 1;

    AGPT private _agpt;
    TimelockController private _timelock;
    AutoPayGovernor private _governor;
    Governed private _governed;
    address private _whale;
    address private _minnow;
    address private _proposer;

    function setUp() external {
        vm.warp(START);
        _whale = wallet("whale");
        _minnow = wallet("minnow");
        _proposer = wallet("proposer");
        _agpt = AGPT(create("AGPT", abi.encode(_whale, SUPPLY)));
        _timelock = _newTimelock(DELAY);
        _governor = AutoPayGovernor(create("AutoPayGovernor", abi.encode(_config())));
        _timelock.grantRole(_timelock.PROPOSER_ROLE(), address(_governor));
        _timelock.grantRole(_timelock.CANCELLER_ROLE(), address(_governor));
        _timelock.renounceRole(_timelock.DEFAULT_ADMIN_ROLE(), address(this));
        _governed = new Governed(address(_timelock));

        // 4 % is the quorum: the minnow has just less, the whale the rest.
        _give(_proposer, THRESHOLD);
        _give(_minnow, (SUPPLY * 4) / 100 - 1);
        vm.prank(_whale);
        _agpt.delegate(_whale);
        vm.warp(PROPOSED);
    }

    // --- Construction ---

    function test_Constructor_KeepsItsSettings() external view {
        assertEq(address(_governor.token()), address(_agpt), "AutoPayLLM's AGPT votes");
        assertEq(_governor.timelock(), address(_timelock), "timelock");
        assertEq(_governor.votingDelay(), VOTING_DELAY, "voting delay");
        assertEq(_governor.votingPeriod(), VOTING_PERIOD, "voting period");
        assertEq(_governor.lateQuorumVoteExtension(), EXTENSION, "extension");
        assertEq(_governor.proposalThreshold(), THRESHOLD, "threshold");
        assertEq(_governor.quorum(START), (SUPPLY * 4) / 100, "quorum");
        assertEq(_governor.clock(), PROPOSED, "unix seconds");
        assertEq(keccak256(bytes(_governor.CLOCK_MODE())), keccak256("mode=timestamp"), "mode");
        assertEq(keccak256(bytes(_governor.name())), keccak256("AutoPayGovernor"), "name");
    }

    function test_TimelockDelayFloor_IsAllThatOneMayWaitFor() external view {
        assertEq(_governor.timelockDelayFloor(), FLOOR, "collection + close grace + dispute window");
    }

    function test_RevertWhen_TheTimelockIsTooQuick() external {
        GovernorConfig memory config = _config();
        config.timelock = _newTimelock(FLOOR);
        vm.expectRevert(
            abi.encodeWithSelector(IAutoPayGovernor.AutoPayGovernor_TimelockDelayTooShort.selector, FLOOR, FLOOR)
        );
        AutoPayGovernor(create("AutoPayGovernor", abi.encode(config)));
        config.timelock = _newTimelock(FLOOR + 1);
        AutoPayGovernor(create("AutoPayGovernor", abi.encode(config)));
    }

    function test_RevertWhen_TheThresholdIsOutOfRange() external {
        GovernorConfig memory config = _config();
        config.proposalThreshold = 0;
        vm.expectRevert(
            abi.encodeWithSelector(IAutoPayGovernor.AutoPayGovernor_ThresholdOutOfRange.selector, 0, SUPPLY / 100)
        );
        AutoPayGovernor(create("AutoPayGovernor", abi.encode(config)));
        config.proposalThreshold = SUPPLY / 100 + 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                IAutoPayGovernor.AutoPayGovernor_ThresholdOutOfRange.selector,
                SUPPLY / 100 + 1,
                SUPPLY / 100
            )
        );
        AutoPayGovernor(create("AutoPayGovernor", abi.encode(config)));
        config.proposalThreshold = SUPPLY / 100;
        assertEq(
            AutoPayGovernor(create("AutoPayGovernor", abi.encode(config))).proposalThreshold(),
            SUPPLY / 100,
            "the highest"
        );
        config.proposalThreshold = 1;
        assertEq(AutoPayGovernor(create("AutoPayGovernor", abi.encode(config))).proposalThreshold(), 1, "the lowest");
    }

    function test_RevertWhen_TheVotingDelayIsTooLong() external {
        GovernorConfig memory config = _config();
        config.votingDelay = 7 days + 1;
        vm.expectRevert(
            abi.encodeWithSelector(IAutoPayGovernor.AutoPayGovernor_VotingDelayTooLong.selector, 7 days + 1, 7 days)
        );
        AutoPayGovernor(create("AutoPayGovernor", abi.encode(config)));
        config.votingDelay = 7 days;
        assertEq(AutoPayGovernor(create("AutoPayGovernor", abi.encode(config))).votingDelay(), 7 days, "the longest");
    }

    function test_RevertWhen_TheVotingPeriodIsOutOfRange() external {
        GovernorConfig memory config = _config();
        config.votingPeriod = 14 days + 1;
        vm.expectRevert(
            abi.encodeWithSelector(IAutoPayGovernor.AutoPayGovernor_VotingPeriodTooLong.selector, 14 days + 1, 14 days)
        );
        AutoPayGovernor(create("AutoPayGovernor", abi.encode(config)));
        config.votingPeriod = 0;
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorInvalidVotingPeriod.selector, 0));
        AutoPayGovernor(create("AutoPayGovernor", abi.encode(config)));
        config.votingPeriod = 14 days;
        assertEq(AutoPayGovernor(create("AutoPayGovernor", abi.encode(config))).votingPeriod(), 14 days, "the longest");
    }

    function test_RevertWhen_TheQuorumIsOutOfRange() external {
        GovernorConfig memory config = _config();
        config.quorumPercent = 0;
        vm.expectRevert(abi.encodeWithSelector(IAutoPayGovernor.AutoPayGovernor_QuorumOutOfRange.selector, 0, 50));
        AutoPayGovernor(create("AutoPayGovernor", abi.encode(config)));
        config.quorumPercent = 51;
        vm.expectRevert(abi.encodeWithSelector(IAutoPayGovernor.AutoPayGovernor_QuorumOutOfRange.selector, 51, 50));
        AutoPayGovernor(create("AutoPayGovernor", abi.encode(config)));
        config.quorumPercent = 50;
        assertEq(AutoPayGovernor(create("AutoPayGovernor", abi.encode(config))).quorumNumerator(), 50, "the highest");
    }

    function test_RevertWhen_TheExtensionExceedsThePeriod() external {
        GovernorConfig memory config = _config();
        config.lateQuorumExtension = VOTING_PERIOD + 1;
        vm.expectRevert(
            abi.encodeWithSelector(
                GovernorPreventLateQuorum.GovernorPreventLateQuorumVoteExtensionTooLarge.selector,
                VOTING_PERIOD + 1,
                VOTING_PERIOD
            )
        );
        AutoPayGovernor(create("AutoPayGovernor", abi.encode(config)));
    }

    // --- The life of a proposal ---

    function test_Propose_ToExecute() external {
        uint256 proposalId = _propose(42);
        assertEq(_governor.proposalNeedsQueuing(proposalId), true, "needs queuing");
        _requireState(proposalId, IGovernor.ProposalState.Pending);
        vm.warp(SNAPSHOT + 1);
        _requireState(proposalId, IGovernor.ProposalState.Active);
        _vote(_whale, proposalId, FOR);
        vm.warp(DEADLINE);
        _requireState(proposalId, IGovernor.ProposalState.Active);
        vm.warp(QUEUED);
        _requireState(proposalId, IGovernor.ProposalState.Succeeded);
        _queue(42);
        _requireState(proposalId, IGovernor.ProposalState.Queued);
        assertEq(_governor.proposalEta(proposalId), READY, "ready after the delay");

        vm.warp(READY - 1);
        _expectNotReady();
        _execute(42);
        vm.warp(READY);
        vm.prank(wallet("anyone"));
        _execute(42);
        _requireState(proposalId, IGovernor.ProposalState.Executed);
        assertEq(_governed.value(), 42, "the timelock acted");
    }

    function test_RevertWhen_TheProposerHasTooFewVotes() external {
        address poor = wallet("poor");
        _give(poor, THRESHOLD - 1);
        vm.warp(PROPOSED + 1);
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _action(1);
        vm.expectRevert(
            abi.encodeWithSelector(IGovernor.GovernorInsufficientProposerVotes.selector, poor, THRESHOLD - 1, THRESHOLD)
        );
        vm.prank(poor);
        _governor.propose(targets, values, calls, "set the value");
    }

    function test_State_DefeatedBelowTheQuorum() external {
        uint256 proposalId = _propose(1);
        vm.warp(SNAPSHOT + 1);
        _vote(_minnow, proposalId, FOR);
        vm.warp(QUEUED);
        _requireState(proposalId, IGovernor.ProposalState.Defeated);
        _expectUnexpectedState(proposalId, IGovernor.ProposalState.Defeated, _only(IGovernor.ProposalState.Succeeded));
        _queue(1);
    }

    function test_State_DefeatedByTheMajority() external {
        uint256 proposalId = _propose(1);
        vm.warp(SNAPSHOT + 1);
        _vote(_minnow, proposalId, FOR);
        _vote(_whale, proposalId, AGAINST);
        vm.warp(QUEUED);
        _requireState(proposalId, IGovernor.ProposalState.Defeated);
    }

    function test_CastVote_CountsWhatWasHeldAtTheSnapshot() external {
        uint256 proposalId = _propose(1);
        vm.warp(SNAPSHOT + 1);
        // Tokens that move after the snapshot vote where they were.
        uint256 held = _agpt.balanceOf(_whale);
        vm.prank(_whale);
        assertTrue(_agpt.transfer(_minnow, held), "transfer");
        _vote(_minnow, proposalId, AGAINST);
        _vote(_whale, proposalId, FOR);
        (uint256 against, uint256 inFavour, ) = _governor.proposalVotes(proposalId);
        assertEq(against, (SUPPLY * 4) / 100 - 1, "minnow");
        assertEq(inFavour, held, "whale");
    }

    function test_RevertWhen_TheVoteIsEarlyLateOrTwice() external {
        uint256 proposalId = _propose(1);
        bytes32 active = _only(IGovernor.ProposalState.Active);
        vm.warp(SNAPSHOT);
        _expectUnexpectedState(proposalId, IGovernor.ProposalState.Pending, active);
        vm.prank(_whale);
        _governor.castVote(proposalId, FOR);
        vm.warp(DEADLINE);
        _vote(_minnow, proposalId, FOR);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorAlreadyCastVote.selector, _minnow));
        vm.prank(_minnow);
        _governor.castVote(proposalId, AGAINST);
        vm.warp(DEADLINE + 1);
        _expectUnexpectedState(proposalId, IGovernor.ProposalState.Defeated, active);
        vm.prank(_whale);
        _governor.castVote(proposalId, FOR);
    }

    function test_CastVote_ALateQuorumGivesMoreTime() external {
        uint256 proposalId = _propose(1);
        vm.warp(DEADLINE - 10);
        vm.expectEmit();
        emit GovernorPreventLateQuorum.ProposalExtended(proposalId, DEADLINE - 10 + EXTENSION);
        _vote(_whale, proposalId, FOR);
        assertEq(_governor.proposalDeadline(proposalId), DEADLINE - 10 + EXTENSION, "a day more");
        vm.warp(QUEUED);
        _requireState(proposalId, IGovernor.ProposalState.Active);
        _vote(_minnow, proposalId, AGAINST);
        vm.warp(DEADLINE - 10 + EXTENSION + 1);
        _requireState(proposalId, IGovernor.ProposalState.Succeeded);
    }

    function test_CastVote_AnEarlyQuorumGivesNone() external {
        uint256 proposalId = _propose(1);
        vm.warp(SNAPSHOT + 1);
        _vote(_whale, proposalId, FOR);
        assertEq(_governor.proposalDeadline(proposalId), DEADLINE, "as planned");
    }

    function test_Cancel_ByItsProposerBeforeTheVote() external {
        uint256 proposalId = _propose(1);
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _action(1);
        bytes32 description = keccak256("set the value");
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorUnableToCancel.selector, proposalId, _whale));
        vm.prank(_whale);
        _governor.cancel(targets, values, calls, description);

        vm.prank(_proposer);
        _governor.cancel(targets, values, calls, description);
        _requireState(proposalId, IGovernor.ProposalState.Canceled);
    }

    function test_RevertGiven_TheVoteHasBegun() external {
        uint256 proposalId = _propose(1);
        vm.warp(SNAPSHOT + 1);
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _action(1);
        vm.expectRevert(abi.encodeWithSelector(IGovernor.GovernorUnableToCancel.selector, proposalId, _proposer));
        vm.prank(_proposer);
        _governor.cancel(targets, values, calls, keccak256("set the value"));
    }

    // --- Its own settings ---

    function test_RevertWhen_SettingsAreNotChangedByVote() external {
        bytes memory denied = abi.encodeWithSelector(IGovernor.GovernorOnlyExecutor.selector, address(this));
        vm.expectRevert(denied);
        _governor.setVotingDelay(1);
        vm.expectRevert(denied);
        _governor.setVotingPeriod(1);
        vm.expectRevert(denied);
        _governor.setProposalThreshold(1);
        vm.expectRevert(denied);
        _governor.updateQuorumNumerator(1);
        vm.expectRevert(denied);
        _governor.setLateQuorumVoteExtension(1);
        vm.expectRevert(denied);
        _governor.updateTimelock(_timelock);
    }

    function test_Settings_ChangeByVoteWithinTheirBounds() external {
        _decide(abi.encodeCall(_governor.setVotingDelay, (2 days)), "");
        assertEq(_governor.votingDelay(), 2 days, "voting delay");
    }

    function test_RevertWhen_AVoteSetsAVotingDelayTooLong() external {
        _decide(
            abi.encodeCall(_governor.setVotingDelay, (7 days + 1)),
            abi.encodeWithSelector(IAutoPayGovernor.AutoPayGovernor_VotingDelayTooLong.selector, 7 days + 1, 7 days)
        );
    }

    function test_RevertWhen_AVoteSetsAVotingPeriodTooLong() external {
        _decide(
            abi.encodeCall(_governor.setVotingPeriod, (14 days + 1)),
            abi.encodeWithSelector(IAutoPayGovernor.AutoPayGovernor_VotingPeriodTooLong.selector, 14 days + 1, 14 days)
        );
    }

    function test_RevertWhen_AVoteDropsTheThreshold() external {
        _decide(
            abi.encodeCall(_governor.setProposalThreshold, (0)),
            abi.encodeWithSelector(IAutoPayGovernor.AutoPayGovernor_ThresholdOutOfRange.selector, 0, SUPPLY / 100)
        );
    }

    function test_RevertWhen_AVoteDropsTheQuorum() external {
        _decide(
            abi.encodeCall(_governor.updateQuorumNumerator, (0)),
            abi.encodeWithSelector(IAutoPayGovernor.AutoPayGovernor_QuorumOutOfRange.selector, 0, 50)
        );
    }

    function test_RevertWhen_AVoteMovesToAQuickTimelock() external {
        TimelockController quick = _newTimelock(FLOOR);
        _decide(
            abi.encodeCall(_governor.updateTimelock, (quick)),
            abi.encodeWithSelector(IAutoPayGovernor.AutoPayGovernor_TimelockDelayTooShort.selector, FLOOR, FLOOR)
        );
        assertEq(_governor.timelock(), address(_timelock), "unchanged");
    }

    function test_UpdateTimelock_ToOneThatIsSlowEnough() external {
        TimelockController slow = _newTimelock(FLOOR + 1);
        _decide(abi.encodeCall(_governor.updateTimelock, (slow)), "");
        assertEq(_governor.timelock(), address(slow), "moved");
    }

    // --- Whatever the numbers ---

    /// @dev Exactly what is within its bounds is taken.
    function testFuzz_Constructor_TakesWhatIsInRange(
        uint48 delay,
        uint32 period,
        uint256 threshold,
        uint8 quorum
    ) external {
        GovernorConfig memory config = _config();
        config.votingDelay = uint48(bound(delay, 0, 14 days));
        config.votingPeriod = uint32(bound(period, 0, 28 days));
        config.proposalThreshold = bound(threshold, 0, SUPPLY / 50);
        config.quorumPercent = bound(quorum, 0, 100);
        config.lateQuorumExtension = 0;
        bool isGood =
            config.votingDelay <= 7 days &&
                config.votingPeriod != 0 &&
                config.votingPeriod <= 14 days &&
                config.proposalThreshold != 0 &&
                config.proposalThreshold <= SUPPLY / 100 &&
                config.quorumPercent != 0 &&
                config.quorumPercent <= 50;
        try this.deploy(config) returns (AutoPayGovernor made) {
            assertTrue(isGood, "taken");
            assertEq(made.votingDelay(), config.votingDelay, "voting delay");
            assertEq(made.votingPeriod(), config.votingPeriod, "voting period");
            assertEq(made.proposalThreshold(), config.proposalThreshold, "threshold");
            assertEq(made.quorumNumerator(), config.quorumPercent, "quorum");
        } catch {
            assertTrue(!isGood, "refused");
        }
    }

    /// @dev More for than against, and for it at least the quorum: nothing else passes.
    function testFuzz_State_IsWhatTheVotesSay(uint256 inFavour, uint256 against) external {
        inFavour = bound(inFavour, 1, (SUPPLY * 8) / 100);
        against = bound(against, 1, (SUPPLY * 8) / 100);
        (address friend, address foe) = (wallet("friend"), wallet("foe"));
        _give(friend, inFavour);
        _give(foe, against);
        uint256 proposalId = _propose(1);
        vm.warp(SNAPSHOT + 1);
        _vote(friend, proposalId, FOR);
        _vote(foe, proposalId, AGAINST);
        vm.warp(_governor.proposalDeadline(proposalId) + 1);
        bool passes = inFavour > against && inFavour >= (SUPPLY * 4) / 100;
        _requireState(proposalId, passes ? IGovernor.ProposalState.Succeeded : IGovernor.ProposalState.Defeated);
    }

    /// @dev Nobody executes a second before the delay is over, and anybody from then on.
    function testFuzz_Execute_OnlyAfterTheDelay(uint32 waited, address caller) external {
        vm.assume(caller != address(0));
        uint256 proposalId = _propose(42);
        vm.warp(SNAPSHOT + 1);
        _vote(_whale, proposalId, FOR);
        vm.warp(QUEUED);
        _queue(42);
        uint256 at = QUEUED + bound(waited, 0, 2 * DELAY);
        vm.warp(at);
        if (at < READY) _expectNotReady();
        vm.prank(caller);
        _execute(42);
        assertEq(_governed.value(), at < READY ? 0 : 42, "value");
    }

    /// @dev By vote, too, the delay of the timelock stays above all that one may wait for.
    function testFuzz_UpdateTimelock_OnlyToOneAboveTheFloor(uint32 delay) external {
        uint256 chosen = bound(delay, 0, 2 * FLOOR);
        TimelockController other = _newTimelock(chosen);
        bytes memory refused = abi.encodeWithSelector(
            IAutoPayGovernor.AutoPayGovernor_TimelockDelayTooShort.selector,
            chosen,
            FLOOR
        );
        _decide(abi.encodeCall(_governor.updateTimelock, (other)), chosen > FLOOR ? bytes("") : refused);
        assertEq(_governor.timelock(), chosen > FLOOR ? address(other) : address(_timelock), "timelock");
    }

    // --- Helpers ---

    /// @dev Called from outside, so that a test can catch it.
    function deploy(GovernorConfig calldata config) external returns (AutoPayGovernor) {
        return AutoPayGovernor(create("AutoPayGovernor", abi.encode(config)));
    }
    function _config() private returns (GovernorConfig memory) {
        return
            GovernorConfig({
                autoPayLLM: IAutoPayLLM(address(new BusinessStub(address(_agpt), WINDOW))),
                timelock: _timelock,
                votingDelay: VOTING_DELAY,
                votingPeriod: VOTING_PERIOD,
                lateQuorumExtension: EXTENSION,
                proposalThreshold: THRESHOLD,
                quorumPercent: 4
            });
    }

    function _newTimelock(uint256 delay) private returns (TimelockController) {
        return
            TimelockController(
                create("TimelockController", abi.encode(delay, new address[](0), new address[](1), address(this)))
            );
    }

    /// @dev Gives votes that count: delegated.
    function _give(address to, uint256 amount) private {
        vm.prank(_whale);
        assertTrue(_agpt.transfer(to, amount), "transfer");
        vm.prank(to);
        _agpt.delegate(to);
        assertEq(_agpt.getVotes(to), amount, "votes");
    }

    function _action(
        uint256 value
    ) private view returns (address[] memory targets, uint256[] memory values, bytes[] memory calls) {
        return _call(address(_governed), abi.encodeCall(Governed.setValue, (value)));
    }

    function _call(
        address target,
        bytes memory call
    ) private pure returns (address[] memory targets, uint256[] memory values, bytes[] memory calls) {
        (targets, values, calls) = (new address[](1), new uint256[](1), new bytes[](1));
        targets[0] = target;
        calls[0] = call;
    }

    function _propose(uint256 value) private returns (uint256) {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _action(value);
        return _proposeCall(targets, values, calls);
    }

    function _proposeCall(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calls
    ) private returns (uint256 proposalId) {
        vm.prank(_proposer);
        proposalId = _governor.propose(targets, values, calls, "set the value");
        assertEq(_governor.proposalSnapshot(proposalId), SNAPSHOT, "snapshot");
        assertEq(_governor.proposalDeadline(proposalId), DEADLINE, "deadline");
    }

    function _vote(address voter, uint256 proposalId, uint8 support) private {
        vm.prank(voter);
        _governor.castVote(proposalId, support);
        assertTrue(_governor.hasVoted(proposalId, voter), "voted");
    }

    function _queue(uint256 value) private {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _action(value);
        _governor.queue(targets, values, calls, keccak256("set the value"));
    }

    function _execute(uint256 value) private {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _action(value);
        _governor.execute(targets, values, calls, keccak256("set the value"));
    }

    /// @dev Takes a call on the governor itself through a whole vote; its execution must revert with `failure`, if that is given.
    function _decide(bytes memory call, bytes memory failure) private {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _call(address(_governor), call);
        uint256 proposalId = _proposeCall(targets, values, calls);
        vm.warp(SNAPSHOT + 1);
        _vote(_whale, proposalId, FOR);
        vm.warp(QUEUED);
        bytes32 description = keccak256("set the value");
        _governor.queue(targets, values, calls, description);
        vm.warp(READY);
        if (failure.length != 0) vm.expectRevert(failure);
        _governor.execute(targets, values, calls, description);
        if (failure.length == 0) assertEq(uint8(_governor.state(proposalId)), 7, "executed");
    }

    function _requireState(uint256 proposalId, IGovernor.ProposalState expected) private view {
        assertEq(uint8(_governor.state(proposalId)), uint8(expected), "state");
    }

    /// @dev As OpenZeppelin writes a set of states: one bit each.
    function _only(IGovernor.ProposalState state) private pure returns (bytes32) {
        return bytes32(1 << uint8(state));
    }

    function _expectUnexpectedState(uint256 proposalId, IGovernor.ProposalState actual, bytes32 expected) private {
        vm.expectRevert(
            abi.encodeWithSelector(IGovernor.GovernorUnexpectedProposalState.selector, proposalId, actual, expected)
        );
    }

    function _expectNotReady() private {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = _action(42);
        bytes32 salt = bytes20(address(_governor)) ^ keccak256("set the value");
        bytes32 operation = _timelock.hashOperationBatch(targets, values, calls, 0, salt);
        vm.expectRevert(
            abi.encodeWithSelector(
                TimelockController.TimelockUnexpectedOperationState.selector,
                operation,
                bytes32(1 << uint8(TimelockController.OperationState.Ready))
            )
        );
    }
}
