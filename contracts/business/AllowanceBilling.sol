// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IAutoPayLLM} from "../interfaces/IAutoPayLLM.sol";
import {IModelBudgets} from "../interfaces/IModelBudgets.sol";
import {GuardianStops} from "./GuardianStops.sol";
import {ProviderCredits} from "./ProviderCredits.sol";

/// @title AllowanceBilling
/// @notice The part of AutoPayLLM that charges calls to AGPT allowances: the blueprint's `executeLLMCall`.
/// @dev Records hold amounts below 2^96 AGPT wei (79 billion AGPT), so that each takes one slot.
abstract contract AllowanceBilling is ProviderCredits, GuardianStops {
    /// @dev A user's cap, and what calls took on the day of the last one.
    struct DailySpending {
        uint96 cap;
        uint96 spent;
        uint32 day;
        bool isCapped;
    }

    /// @dev What a call id paid. The digest tells a repeat from another call; 160 bits of it cannot be forged.
    struct PaidCall {
        uint160 digest;
        uint96 cost;
    }

    /// @inheritdoc IAutoPayLLM
    uint256 public constant TOKENS_PER_AGPT = 1250;

    /// @dev Price of one billing unit, AGPT wei. 1250 divides 10^18: nothing is rounded, and no call is free.
    uint256 private constant UNIT_PRICE = 1 ether / TOKENS_PER_AGPT;

    /// @dev Most units whose price fits a record.
    uint256 private constant MAX_UNITS = type(uint96).max / UNIT_PRICE;

    /// @inheritdoc IAutoPayLLM
    IModelBudgets public immutable modelBudgets;

    mapping(address user => DailySpending spending) private _spendingOf;
    mapping(bytes16 callId => PaidCall call) private _paidCalls;

    constructor(IModelBudgets budgets) {
        require(address(budgets) != address(0), AutoPayLLM_ZeroAddress());
        modelBudgets = budgets;
    }

    /// @inheritdoc IAutoPayLLM
    function executeLLMCall(
        address user,
        string calldata provider,
        uint256 tokensUsed
    ) external nonReentrant onlyActiveRelay returns (uint256 agptCost) {
        agptCost = _priceOf(tokensUsed);
        _charge(user, provider, bytes32(0), bytes16(0), tokensUsed, agptCost);
    }

    /// @inheritdoc IAutoPayLLM
    function executeLLMCall(
        address user,
        string calldata provider,
        string calldata model,
        uint256 units,
        bytes16 callId
    ) external nonReentrant onlyActiveRelay returns (uint256 agptCost) {
        // Check: a repeat is answered and moves nothing.
        agptCost = _priceOf(units);
        bytes32 modelId = keccak256(bytes(model));
        uint160 digest = uint160(uint256(keccak256(abi.encode(user, keccak256(bytes(provider)), modelId, units))));
        PaidCall storage paid = _paidCalls[callId];
        if (paid.cost != 0) {
            require(paid.digest == digest, AutoPayLLM_CallIdReused(callId));
            return agptCost;
        }

        // Effect: the call id is used.
        (paid.digest, paid.cost) = (digest, uint96(agptCost));

        // Interaction: the budget (a contract chosen at deployment), then the payment.
        uint32 today = uint32(block.timestamp / 1 days);
        require(
            modelBudgets.consume(modelId, today, address(agpt), uint128(agptCost)),
            AutoPayLLM_OverBudget(modelId, today, agptCost)
        );
        _charge(user, provider, modelId, callId, units, agptCost);
    }

    /// @inheritdoc IAutoPayLLM
    function setDailyCap(uint256 cap) external {
        DailySpending storage spending = _spendingOf[msg.sender];
        spending.isCapped = cap != type(uint128).max;
        if (spending.isCapped) {
            require(cap <= type(uint96).max, AutoPayLLM_AmountTooLarge(cap, type(uint96).max));
            spending.cap = uint96(cap);
        }
        emit DailyCapSet(msg.sender, cap);
    }

    /// @inheritdoc IAutoPayLLM
    function costOfCall(bytes16 callId) external view returns (uint256) {
        return _paidCalls[callId].cost;
    }

    /// @inheritdoc IAutoPayLLM
    function dailyCapOf(address user) external view returns (uint256 cap, uint256 spentToday) {
        DailySpending memory spending = _spendingOf[user];
        cap = spending.isCapped ? spending.cap : type(uint128).max;
        if (spending.day == block.timestamp / 1 days) spentToday = spending.spent;
    }

    /// @dev Takes a price from a user's allowance to a provider's credit.
    function _charge(
        address user,
        string calldata provider,
        bytes32 modelId,
        bytes16 callId,
        uint256 units,
        uint256 cost
    ) private {
        // Check and effect: the day's cap, and the provider's credit.
        _spend(user, cost);
        bytes32 providerId = keccak256(bytes(provider));
        bytes32 id = keccak256(abi.encode(user, provider));
        _addApiCredit(id, providerId, _requirePayout(providerId), cost);
        emit LLMCallExecuted(user, providerId, modelId, callId, id, units, cost);

        // Interaction: the payment, of which all must arrive.
        uint256 received = _pull(address(agpt), user, cost);
        require(received == cost, AutoPayLLM_PaymentNotReceived(received, cost));
    }

    /// @dev Counts a cost against the user's cap of today.
    function _spend(address user, uint256 cost) private {
        DailySpending memory spending = _spendingOf[user];
        uint32 today = uint32(block.timestamp / 1 days);
        uint256 total = (spending.day == today ? spending.spent : 0) + cost;
        uint256 cap = spending.isCapped ? spending.cap : type(uint96).max;
        require(total <= cap, AutoPayLLM_DailyCapExceeded(user, total, cap));
        spending.spent = uint96(total);
        spending.day = today;
        _spendingOf[user] = spending;
    }

    /// @dev The price of billing units, AGPT wei.
    function _priceOf(uint256 units) private pure returns (uint256) {
        require(units != 0, AutoPayLLM_ZeroAmount());
        require(units <= MAX_UNITS, AutoPayLLM_AmountTooLarge(units, MAX_UNITS));
        return units * UNIT_PRICE;
    }
}
