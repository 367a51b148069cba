// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";
import {IAutoPayLLM} from "./IAutoPayLLM.sol";

/// @notice What the governor is built from.
struct GovernorConfig {
    /// @dev Whose AGPT votes, and whose waiting times the timelock must exceed
    IAutoPayLLM autoPayLLM;
    /// @dev What executes, and owns what is governed; this governor is its only proposer
    TimelockController timelock;
    /// @dev From a proposal to its vote, seconds; at most `MAX_VOTING_DELAY`
    uint48 votingDelay;
    /// @dev Of a vote, seconds; 1 … `MAX_VOTING_PERIOD`
    uint32 votingPeriod;
    /// @dev What is left to vote, at least, once the quorum is reached, seconds; at most `votingPeriod`
    uint48 lateQuorumExtension;
    /// @dev Votes that a proposer needs, AGPT wei; 1 … a hundredth of the supply
    uint256 proposalThreshold;
    /// @dev Part of the supply that must vote for or abstain, percent; 1 … `MAX_QUORUM_PERCENT`
    uint256 quorumPercent;
}

/// @title IAutoPayGovernor
/// @notice The vote of the AGPT holders over budgets, rates, price roots, providers, rulings and roles: OpenZeppelin's Governor
/// with a timelock, a quorum of the supply, and more time to vote where the quorum is reached late.
/// @dev The life of a proposal: propose → (`votingDelay`) → vote (`votingPeriod`) → queue → (the timelock's delay) → execute.
/// @dev Time is unix seconds. The proposal's maker may cancel it until its vote begins; nobody else can.
/// @dev Warning: who holds the votes holds the governance. Votes count only once they are delegated (to oneself, too).
/// @dev Warning: the governance can change the timelock's delay; such a change waits for the old one like any other.
interface IAutoPayGovernor {
    /// @notice Whoever disagrees with a decision must be able to be paid what is owed before it holds: the timelock's delay must
    /// exceed collection, close grace and dispute window together (seconds).
    error AutoPayGovernor_TimelockDelayTooShort(uint256 delay, uint256 mustExceed);
    /// @notice The voting delay is beyond `MAX_VOTING_DELAY` (seconds).
    error AutoPayGovernor_VotingDelayTooLong(uint256 delay, uint256 maximum);
    /// @notice The voting period is beyond `MAX_VOTING_PERIOD` (seconds).
    error AutoPayGovernor_VotingPeriodTooLong(uint256 period, uint256 maximum);
    /// @notice The proposal threshold is zero (anyone could propose anything), or above a hundredth of the supply (AGPT wei).
    error AutoPayGovernor_ThresholdOutOfRange(uint256 threshold, uint256 maximum);
    /// @notice The quorum is zero, or above `MAX_QUORUM_PERCENT`.
    error AutoPayGovernor_QuorumOutOfRange(uint256 percent, uint256 maximum);

    /// @notice The relay's business that is governed.
    function autoPayLLM() external view returns (IAutoPayLLM);

    /// @notice What the timelock's delay must exceed: `MAX_COLLECTION_INTERVAL`, the escrow's close grace and the dispute window
    /// together, seconds.
    function timelockDelayFloor() external view returns (uint256);

    /// @notice Longest time in which a relay collects what it is owed, seconds.
    function MAX_COLLECTION_INTERVAL() external view returns (uint256);

    /// @notice Longest voting delay, seconds.
    function MAX_VOTING_DELAY() external view returns (uint48);

    /// @notice Longest voting period, seconds.
    function MAX_VOTING_PERIOD() external view returns (uint32);

    /// @notice Highest quorum, percent of the supply.
    function MAX_QUORUM_PERCENT() external view returns (uint256);

    /// @notice The highest threshold is the supply divided by this.
    function MIN_SUPPLY_PER_THRESHOLD() external view returns (uint256);
}
