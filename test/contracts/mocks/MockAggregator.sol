// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {AggregatorV3Interface} from "../../../contracts/interfaces/AggregatorV3Interface.sol";

/// @notice A Chainlink proxy whose rounds are set by hand. A round that was not set reverts or is all zero, as told.
contract MockAggregator is AggregatorV3Interface {
    error NoDataPresent();

    struct Round {
        int256 answer;
        uint256 startedAt;
        uint256 updatedAt;
        bool known;
    }

    uint8 public decimals;
    bool public answersZeros;
    uint80 public latestRound;
    mapping(uint80 roundId => Round round) private _rounds;

    constructor(uint8 decimals_) {
        decimals = decimals_;
    }

    function description() external pure returns (string memory) {
        return "TOKEN / USD";
    }

    function version() external pure returns (uint256) {
        return 4;
    }

    /// @dev Rounds that were not set: zeros instead of a revert.
    function answerZeros() external {
        answersZeros = true;
    }

    function setRound(uint80 roundId, int256 answer, uint256 updatedAt) external {
        _rounds[roundId] = Round(answer, updatedAt, updatedAt, true);
        latestRound = roundId;
    }

    /// @dev As an uptime feed: 0 up, 1 down, since when.
    function setStatus(int256 status, uint256 startedAt, uint256 updatedAt) external {
        _rounds[++latestRound] = Round(status, startedAt, updatedAt, true);
    }

    function latestRoundData() external view returns (uint80, int256, uint256, uint256, uint80) {
        return getRoundData(latestRound);
    }

    function getRoundData(uint80 roundId) public view returns (uint80, int256, uint256, uint256, uint80) {
        Round storage round = _rounds[roundId];
        require(round.known || answersZeros, NoDataPresent());
        return (roundId, round.answer, round.startedAt, round.updatedAt, roundId);
    }
}
