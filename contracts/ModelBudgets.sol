// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {IModelBudgets, InitialRate} from "./interfaces/IModelBudgets.sol";

/// @title ModelBudgets
/// @notice See `IModelBudgets`.
contract ModelBudgets is IModelBudgets {
    using Checkpoints for Checkpoints.Trace208;

    /// @inheritdoc IModelBudgets
    uint256 public constant MAX_LIMIT = type(uint128).max;

    /// @inheritdoc IModelBudgets
    uint256 public constant MAX_RATE = type(uint128).max;

    /// @inheritdoc IModelBudgets
    uint256 public constant MAX_NAME_BYTES = 128;

    /// @dev What rates are multiplied by.
    uint256 private constant RATE_UNIT = 1e18;

    /// @inheritdoc IModelBudgets
    address public immutable governance;

    /// @inheritdoc IModelBudgets
    address public immutable agpt;

    address private immutable _deployer;

    /// @inheritdoc IModelBudgets
    address public consumer;

    /// @inheritdoc IModelBudgets
    mapping(bytes32 model => mapping(uint32 day => uint256 amount)) public spentOf;

    /// @dev By the day from which it holds: a model's own limit plus one; zero where it has none.
    mapping(bytes32 model => Checkpoints.Trace208 limits) private _ownLimits;
    Checkpoints.Trace208 private _defaultLimits;
    mapping(address token => Checkpoints.Trace208 rates) private _rates;

    /// @param initialGovernance The timelock
    /// @param agptToken The token that budgets are counted in
    /// @param defaultDailyLimit Limit of models that nobody named, AGPT wei per day, from the deployment on
    /// @param rates Accounting rates of tokens, from the deployment on
    constructor(address initialGovernance, address agptToken, uint256 defaultDailyLimit, InitialRate[] memory rates) {
        require(initialGovernance != address(0) && agptToken != address(0), ModelBudgets_ZeroAddress());
        governance = initialGovernance;
        agpt = agptToken;
        _deployer = msg.sender;
        emit AccountingRateSet(agptToken, RATE_UNIT, 0);
        // Day 0, not today: what was spent before the deployment does not exist, so no day needs to be without a limit.
        _setDefaultBudget(defaultDailyLimit, 0);
        for (uint256 i = 0; i < rates.length; ++i) _setRate(rates[i].token, rates[i].rate, agptToken, 0);
    }

    /// @dev Requires that the caller is the governance.
    modifier onlyGovernance() {
        require(msg.sender == governance, ModelBudgets_NotGovernance(msg.sender));
        _;
    }

    /// @inheritdoc IModelBudgets
    function setModelBudget(string calldata model, uint256 dailyLimit) external onlyGovernance {
        require(dailyLimit <= MAX_LIMIT, ModelBudgets_TooLarge(dailyLimit, MAX_LIMIT));
        bytes32 id = _idOf(model);
        uint32 fromDay = _today() + 1;
        _ownLimits[id].push(fromDay, uint208(dailyLimit + 1));
        emit ModelBudgetSet(id, model, dailyLimit, fromDay);
    }

    /// @inheritdoc IModelBudgets
    function removeModelBudget(string calldata model) external onlyGovernance {
        bytes32 id = _idOf(model);
        uint32 fromDay = _today() + 1;
        _ownLimits[id].push(fromDay, 0);
        emit ModelBudgetRemoved(id, fromDay);
    }

    /// @inheritdoc IModelBudgets
    function setDefaultBudget(uint256 dailyLimit) external onlyGovernance {
        _setDefaultBudget(dailyLimit, _today() + 1);
    }

    /// @inheritdoc IModelBudgets
    function setAccountingRate(address token, uint256 rate) external onlyGovernance {
        _setRate(token, rate, agpt, _rates[token].length() == 0 ? _today() : _today() + 1);
    }

    /// @inheritdoc IModelBudgets
    function setConsumer(address newConsumer) external {
        require(msg.sender == _deployer, ModelBudgets_NotDeployer(msg.sender));
        require(consumer == address(0), ModelBudgets_ConsumerAlreadySet(consumer));
        require(newConsumer != address(0), ModelBudgets_ZeroAddress());
        consumer = newConsumer;
        emit ConsumerSet(newConsumer);
    }

    /// @inheritdoc IModelBudgets
    function consume(bytes32 model, uint32 day, address token, uint128 amount) external returns (bool withinBudget) {
        require(msg.sender == consumer, ModelBudgets_NotConsumer(msg.sender));
        // The limit of a day to come may still change.
        if (day > _today()) return false;
        uint256 rate = rateOf(token, day);
        if (rate == 0) return false;
        uint256 amountAgpt = _convert(amount, rate);
        uint256 spentAgpt = spentOf[model][day] + amountAgpt;
        if (spentAgpt > limitOf(model, day)) return false;

        spentOf[model][day] = spentAgpt;
        emit BudgetConsumed(model, day, amountAgpt, spentAgpt);
        return true;
    }

    /// @inheritdoc IModelBudgets
    function toAgpt(address token, uint128 amount, uint32 day) external view returns (uint256) {
        return _convert(amount, rateOf(token, day));
    }

    /// @inheritdoc IModelBudgets
    function limitOf(bytes32 model, uint32 day) public view returns (uint256) {
        uint256 ownPlusOne = _ownLimits[model].upperLookupRecent(day);
        return ownPlusOne == 0 ? defaultLimitOf(day) : ownPlusOne - 1;
    }

    /// @inheritdoc IModelBudgets
    function defaultLimitOf(uint32 day) public view returns (uint256) {
        return _defaultLimits.upperLookupRecent(day);
    }

    /// @inheritdoc IModelBudgets
    function rateOf(address token, uint32 day) public view returns (uint256) {
        return token == agpt ? RATE_UNIT : _rates[token].upperLookupRecent(day);
    }

    function _setDefaultBudget(uint256 dailyLimit, uint32 fromDay) private {
        require(dailyLimit <= MAX_LIMIT, ModelBudgets_TooLarge(dailyLimit, MAX_LIMIT));
        _defaultLimits.push(fromDay, uint208(dailyLimit));
        emit DefaultBudgetSet(dailyLimit, fromDay);
    }

    /// @dev Takes AGPT's address as an argument, because a constructor cannot read an immutable.
    function _setRate(address token, uint256 rate, address agptToken, uint32 fromDay) private {
        require(token != address(0), ModelBudgets_ZeroAddress());
        require(token != agptToken, ModelBudgets_RateIsFixed(token));
        require(rate <= MAX_RATE, ModelBudgets_TooLarge(rate, MAX_RATE));
        _rates[token].push(fromDay, uint208(rate));
        emit AccountingRateSet(token, rate, fromDay);
    }

    function _today() private view returns (uint32) {
        return uint32(block.timestamp / 1 days);
    }

    /// @dev Two factors of 128 bits each: the product cannot overflow.
    function _convert(uint128 amount, uint256 rate) private pure returns (uint256) {
        return Math.ceilDiv(amount * rate, RATE_UNIT);
    }

    /// @dev The identifier of a name that is neither empty nor too long.
    function _idOf(string calldata name) private pure returns (bytes32) {
        uint256 lengthBytes = bytes(name).length;
        require(
            lengthBytes != 0 && lengthBytes <= MAX_NAME_BYTES,
            ModelBudgets_NameLength(lengthBytes, MAX_NAME_BYTES)
        );
        return keccak256(bytes(name));
    }
}
