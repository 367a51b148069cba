// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Governor} from "@openzeppelin/contracts/governance/Governor.sol";
import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {GovernorCountingSimple} from "@openzeppelin/contracts/governance/extensions/GovernorCountingSimple.sol";
import {GovernorPreventLateQuorum} from "@openzeppelin/contracts/governance/extensions/GovernorPreventLateQuorum.sol";
import {GovernorSettings} from "@openzeppelin/contracts/governance/extensions/GovernorSettings.sol";
import {GovernorTimelockControl} from "@openzeppelin/contracts/governance/extensions/GovernorTimelockControl.sol";
import {GovernorVotes} from "@openzeppelin/contracts/governance/extensions/GovernorVotes.sol";
import {GovernorVotesQuorumFraction} from "@openzeppelin/contracts/governance/extensions/GovernorVotesQuorumFraction.sol";
import {IVotes} from "@openzeppelin/contracts/governance/utils/IVotes.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {GovernorConfig, IAutoPayGovernor} from "../interfaces/IAutoPayGovernor.sol";
import {IAutoPayLLM} from "../interfaces/IAutoPayLLM.sol";

/// @title AutoPayGovernor
/// @notice See `IAutoPayGovernor`.
/// @dev `GovernorVotes` stands first, because the settings are checked against the token's supply at construction.
contract AutoPayGovernor is
    IAutoPayGovernor,
    GovernorVotes,
    GovernorVotesQuorumFraction,
    GovernorSettings,
    GovernorCountingSimple,
    GovernorPreventLateQuorum,
    GovernorTimelockControl
{
    /// @inheritdoc IAutoPayGovernor
    uint256 public constant MAX_COLLECTION_INTERVAL = 600;

    /// @inheritdoc IAutoPayGovernor
    uint48 public constant MAX_VOTING_DELAY = 7 days;

    /// @inheritdoc IAutoPayGovernor
    uint32 public constant MAX_VOTING_PERIOD = 14 days;

    /// @inheritdoc IAutoPayGovernor
    uint256 public constant MAX_QUORUM_PERCENT = 50;

    /// @inheritdoc IAutoPayGovernor
    uint256 public constant MIN_SUPPLY_PER_THRESHOLD = 100;

    /// @inheritdoc IAutoPayGovernor
    IAutoPayLLM public immutable autoPayLLM;

    /// @param config What it is built from
    constructor(
        GovernorConfig memory config
    )
        Governor("AutoPayGovernor")
        GovernorVotes(IVotes(address(config.autoPayLLM.agpt())))
        GovernorVotesQuorumFraction(config.quorumPercent)
        GovernorSettings(config.votingDelay, config.votingPeriod, config.proposalThreshold)
        GovernorPreventLateQuorum(config.lateQuorumExtension)
        GovernorTimelockControl(config.timelock)
    {
        autoPayLLM = config.autoPayLLM;
        _requireDelayAboveFloor(config.timelock);
    }

    /// @inheritdoc GovernorTimelockControl
    function updateTimelock(TimelockController newTimelock) public override {
        super.updateTimelock(newTimelock);
        _requireDelayAboveFloor(newTimelock);
    }

    /// @inheritdoc IAutoPayGovernor
    function timelockDelayFloor() public view returns (uint256) {
        return MAX_COLLECTION_INTERVAL + autoPayLLM.paymentChannels().CLOSE_GRACE_PERIOD() + autoPayLLM.disputeWindow();
    }

    /// @inheritdoc GovernorTimelockControl
    function state(uint256 proposalId) public view override(Governor, GovernorTimelockControl) returns (ProposalState) {
        return super.state(proposalId);
    }

    /// @inheritdoc GovernorTimelockControl
    function proposalNeedsQueuing(
        uint256 proposalId
    ) public view override(Governor, GovernorTimelockControl) returns (bool) {
        return super.proposalNeedsQueuing(proposalId);
    }

    /// @inheritdoc GovernorPreventLateQuorum
    function proposalDeadline(
        uint256 proposalId
    ) public view override(Governor, GovernorPreventLateQuorum) returns (uint256) {
        return super.proposalDeadline(proposalId);
    }

    /// @inheritdoc GovernorSettings
    function proposalThreshold() public view override(Governor, GovernorSettings) returns (uint256) {
        return super.proposalThreshold();
    }

    /// @dev Bounds the delay, at construction and for ever.
    function _setVotingDelay(uint48 newVotingDelay) internal override {
        require(
            newVotingDelay <= MAX_VOTING_DELAY,
            AutoPayGovernor_VotingDelayTooLong(newVotingDelay, MAX_VOTING_DELAY)
        );
        super._setVotingDelay(newVotingDelay);
    }

    /// @dev Bounds the period, at construction and for ever; OpenZeppelin refuses zero.
    function _setVotingPeriod(uint32 newVotingPeriod) internal override {
        require(
            newVotingPeriod <= MAX_VOTING_PERIOD,
            AutoPayGovernor_VotingPeriodTooLong(newVotingPeriod, MAX_VOTING_PERIOD)
        );
        super._setVotingPeriod(newVotingPeriod);
    }

    /// @dev Bounds the threshold, at construction and for ever.
    function _setProposalThreshold(uint256 newProposalThreshold) internal override {
        uint256 maximum = IERC20(address(token())).totalSupply() / MIN_SUPPLY_PER_THRESHOLD;
        require(
            newProposalThreshold != 0 && newProposalThreshold <= maximum,
            AutoPayGovernor_ThresholdOutOfRange(newProposalThreshold, maximum)
        );
        super._setProposalThreshold(newProposalThreshold);
    }

    /// @dev Bounds the quorum, at construction and for ever.
    function _updateQuorumNumerator(uint256 newQuorumNumerator) internal override {
        require(
            newQuorumNumerator != 0 && newQuorumNumerator <= MAX_QUORUM_PERCENT,
            AutoPayGovernor_QuorumOutOfRange(newQuorumNumerator, MAX_QUORUM_PERCENT)
        );
        super._updateQuorumNumerator(newQuorumNumerator);
    }

    /// @dev Puts the end of a vote off where the quorum is reached late.
    function _tallyUpdated(uint256 proposalId) internal override(Governor, GovernorPreventLateQuorum) {
        super._tallyUpdated(proposalId);
    }

    /// @dev Schedules in the timelock.
    function _queueOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint48) {
        return super._queueOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    /// @dev Executes through the timelock.
    function _executeOperations(
        uint256 proposalId,
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) {
        super._executeOperations(proposalId, targets, values, calldatas, descriptionHash);
    }

    /// @dev Cancels in the timelock, too.
    function _cancel(
        address[] memory targets,
        uint256[] memory values,
        bytes[] memory calldatas,
        bytes32 descriptionHash
    ) internal override(Governor, GovernorTimelockControl) returns (uint256) {
        return super._cancel(targets, values, calldatas, descriptionHash);
    }

    /// @dev The timelock is what acts.
    function _executor() internal view override(Governor, GovernorTimelockControl) returns (address) {
        return super._executor();
    }

    function _requireDelayAboveFloor(TimelockController timelock_) private view {
        uint256 delay = timelock_.getMinDelay();
        uint256 floor = timelockDelayFloor();
        require(delay > floor, AutoPayGovernor_TimelockDelayTooShort(delay, floor));
    }
}
