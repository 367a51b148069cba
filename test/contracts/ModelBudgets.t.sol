// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ModelBudgets} from "../../contracts/ModelBudgets.sol";
import {IModelBudgets, InitialRate} from "../../contracts/interfaces/IModelBudgets.sol";
import {TestBase} from "./helpers/TestBase.sol";

contract ModelBudgetsTest is TestBase {
    uint256 private constant START = 1_760_000_000;
    uint32 private constant TODAY = uint32(START / 1 days);
    uint256 private constant DEFAULT_LIMIT = 1_000e18;
    /// @dev 1 USDC (6 decimals) counts 100 AGPT.
    uint256 private constant USDC_RATE = 1e32;
    string private constant NAME = "sim-small";
    bytes32 private constant MODEL = keccak256("sim-small");

    ModelBudgets private _budgets;
    address private _governance;
    address private _agpt;
    address private _usdc;
    address private _autoPayLLM;

    function setUp() external {
        vm.warp(START);
        _governance = wallet("governance");
        _agpt = wallet("AGPT");
        _usdc = wallet("USDC");
        _autoPayLLM = wallet("AutoPayLLM");
        _budgets = ModelBudgets(
            create("ModelBudgets", abi.encode(_governance, _agpt, DEFAULT_LIMIT, _rates(_usdc, USDC_RATE)))
        );
        _budgets.setConsumer(_autoPayLLM);
    }

    // The deployment.

    function test_Constructor_InitialValuesHoldAtOnce() external {
        InitialRate[] memory rates = _rates(_usdc, USDC_RATE);
        vm.expectEmit();
        emit IModelBudgets.AccountingRateSet(_agpt, 1e18, 0);
        vm.expectEmit();
        emit IModelBudgets.DefaultBudgetSet(7, 0);
        vm.expectEmit();
        emit IModelBudgets.AccountingRateSet(_usdc, USDC_RATE, 0);
        ModelBudgets budgets = ModelBudgets(create("ModelBudgets", abi.encode(_governance, _agpt, 7, rates)));
        assertEq(budgets.governance(), _governance, "governance");
        assertEq(budgets.agpt(), _agpt, "agpt");
        assertEq(budgets.consumer(), address(0), "no consumer yet");
        assertEq(budgets.limitOf(MODEL, TODAY), 7, "today");
        assertEq(budgets.limitOf(MODEL, TODAY - 1), 7, "yesterday");
        assertEq(budgets.defaultLimitOf(0), 7, "day 0");
        assertEq(budgets.rateOf(_agpt, TODAY), 1e18, "AGPT");
        assertEq(budgets.rateOf(_usdc, TODAY - 1), USDC_RATE, "USDC");
        assertEq(budgets.rateOf(wallet("unknown"), TODAY), 0, "unknown");
    }

    function test_Limits_AreThePublishedOnes() external view {
        assertEq(_budgets.MAX_LIMIT(), type(uint128).max, "highest limit");
        assertEq(_budgets.MAX_RATE(), type(uint128).max, "highest rate");
        assertEq(_budgets.MAX_NAME_BYTES(), 128, "bytes of a name");
    }

    function test_RevertWhen_GovernanceIsZero() external {
        InitialRate[] memory none = new InitialRate[](0);
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_ZeroAddress.selector));
        ModelBudgets(create("ModelBudgets", abi.encode(address(0), _agpt, 0, none)));
    }

    function test_RevertWhen_AgptIsZero() external {
        InitialRate[] memory none = new InitialRate[](0);
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_ZeroAddress.selector));
        ModelBudgets(create("ModelBudgets", abi.encode(_governance, address(0), 0, none)));
    }

    function test_RevertWhen_InitialLimitIsTooLarge() external {
        InitialRate[] memory none = new InitialRate[](0);
        uint256 maximum = _budgets.MAX_LIMIT();
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_TooLarge.selector, maximum + 1, maximum));
        ModelBudgets(create("ModelBudgets", abi.encode(_governance, _agpt, maximum + 1, none)));
    }

    function test_RevertWhen_InitialRateIsOfAgpt() external {
        InitialRate[] memory rates = _rates(_agpt, 1e18);
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_RateIsFixed.selector, _agpt));
        ModelBudgets(create("ModelBudgets", abi.encode(_governance, _agpt, 0, rates)));
    }

    function test_RevertWhen_InitialRateIsTooLarge() external {
        uint256 maximum = _budgets.MAX_RATE();
        InitialRate[] memory rates = _rates(_usdc, maximum + 1);
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_TooLarge.selector, maximum + 1, maximum));
        ModelBudgets(create("ModelBudgets", abi.encode(_governance, _agpt, 0, rates)));
    }

    // Limits.

    function test_SetModelBudget_HoldsFromTheNextDay() external {
        _setModelBudget(5e18);
        assertEq(_budgets.limitOf(MODEL, TODAY - 1), DEFAULT_LIMIT, "yesterday");
        assertEq(_budgets.limitOf(MODEL, TODAY), DEFAULT_LIMIT, "today");
        assertEq(_budgets.limitOf(MODEL, TODAY + 1), 5e18, "tomorrow");
        assertEq(_budgets.limitOf(MODEL, TODAY + 1000), 5e18, "later");
        assertEq(_budgets.limitOf(keccak256("other"), TODAY + 1), DEFAULT_LIMIT, "another model");
    }

    function test_SetModelBudget_TheLastOfADayHolds() external {
        _setModelBudget(5e18);
        _setModelBudget(3e18);
        assertEq(_budgets.limitOf(MODEL, TODAY + 1), 3e18, "last");
        assertEq(_budgets.limitOf(MODEL, TODAY), DEFAULT_LIMIT, "today");
    }

    function test_SetModelBudget_EachDayKeepsWhatHeld() external {
        _setModelBudget(5e18);
        vm.warp(START + 1 days);
        _setModelBudgetOn(TODAY + 1, 3e18);
        vm.warp(START + 10 days);
        _setModelBudgetOn(TODAY + 10, 9e18);
        assertEq(_budgets.limitOf(MODEL, TODAY), DEFAULT_LIMIT, "day 0");
        assertEq(_budgets.limitOf(MODEL, TODAY + 1), 5e18, "day 1");
        assertEq(_budgets.limitOf(MODEL, TODAY + 2), 3e18, "day 2");
        assertEq(_budgets.limitOf(MODEL, TODAY + 10), 3e18, "day 10");
        assertEq(_budgets.limitOf(MODEL, TODAY + 11), 9e18, "day 11");
    }

    function test_SetModelBudget_ZeroStopsTheModel() external {
        _setModelBudget(0);
        vm.warp(START + 1 days);
        assertEq(_budgets.limitOf(MODEL, TODAY + 1), 0, "limit");
        assertEq(_consume(TODAY + 1, _agpt, 1), false, "nothing fits");
    }

    function test_SetModelBudget_UpToTheBounds() external {
        string memory longest = string(new bytes(_budgets.MAX_NAME_BYTES()));
        uint256 maximum = _budgets.MAX_LIMIT();
        vm.prank(_governance);
        _budgets.setModelBudget(longest, maximum);
        assertEq(_budgets.limitOf(keccak256(bytes(longest)), TODAY + 1), maximum, "limit");
    }

    function test_RevertWhen_ModelBudgetIsNotSetByGovernance() external {
        _expectNotGovernance();
        _budgets.setModelBudget(NAME, 1);
    }

    function test_RevertWhen_ModelBudgetIsTooLarge() external {
        uint256 maximum = _budgets.MAX_LIMIT();
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_TooLarge.selector, maximum + 1, maximum));
        vm.prank(_governance);
        _budgets.setModelBudget(NAME, maximum + 1);
    }

    function test_RevertWhen_NameIsEmpty() external {
        uint256 maximum = _budgets.MAX_NAME_BYTES();
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_NameLength.selector, 0, maximum));
        vm.prank(_governance);
        _budgets.setModelBudget("", 1);
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_NameLength.selector, 0, maximum));
        vm.prank(_governance);
        _budgets.removeModelBudget("");
    }

    function test_RevertWhen_NameIsTooLong() external {
        uint256 maximum = _budgets.MAX_NAME_BYTES();
        string memory name = string(new bytes(maximum + 1));
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_NameLength.selector, maximum + 1, maximum));
        vm.prank(_governance);
        _budgets.setModelBudget(name, 1);
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_NameLength.selector, maximum + 1, maximum));
        vm.prank(_governance);
        _budgets.removeModelBudget(name);
    }

    function test_RemoveModelBudget_TheDefaultHoldsFromTheNextDay() external {
        _setModelBudget(5e18);
        vm.warp(START + 1 days);
        _removeModelBudgetOn(TODAY + 1);
        assertEq(_budgets.limitOf(MODEL, TODAY + 1), 5e18, "today");
        assertEq(_budgets.limitOf(MODEL, TODAY + 2), DEFAULT_LIMIT, "tomorrow");
        vm.prank(_governance);
        _budgets.setDefaultBudget(1);
        assertEq(_budgets.limitOf(MODEL, TODAY + 2), 1, "the default of that day");
    }

    function test_RemoveModelBudget_OfAModelWithoutOne() external {
        _removeModelBudgetOn(TODAY);
        assertEq(_budgets.limitOf(MODEL, TODAY + 1), DEFAULT_LIMIT, "the default, as before");
    }

    function test_RevertWhen_ModelBudgetIsNotRemovedByGovernance() external {
        _expectNotGovernance();
        _budgets.removeModelBudget(NAME);
    }

    function test_SetDefaultBudget_HoldsFromTheNextDay() external {
        vm.expectEmit(address(_budgets));
        emit IModelBudgets.DefaultBudgetSet(8, TODAY + 1);
        vm.prank(_governance);
        _budgets.setDefaultBudget(8);
        assertEq(_budgets.defaultLimitOf(TODAY), DEFAULT_LIMIT, "today");
        assertEq(_budgets.defaultLimitOf(TODAY + 1), 8, "tomorrow");
        assertEq(_budgets.limitOf(MODEL, TODAY + 1), 8, "of a model that nobody named");
    }

    function test_SetDefaultBudget_UpToTheHighest() external {
        uint256 maximum = _budgets.MAX_LIMIT();
        vm.prank(_governance);
        _budgets.setDefaultBudget(maximum);
        assertEq(_budgets.defaultLimitOf(TODAY + 1), maximum, "tomorrow");
    }

    function test_SetDefaultBudget_LeavesModelsWithTheirOwn() external {
        _setModelBudget(5e18);
        vm.prank(_governance);
        _budgets.setDefaultBudget(8);
        assertEq(_budgets.limitOf(MODEL, TODAY + 1), 5e18, "own limit");
    }

    function test_RevertWhen_DefaultBudgetIsNotSetByGovernance() external {
        _expectNotGovernance();
        _budgets.setDefaultBudget(1);
    }

    function test_RevertWhen_DefaultBudgetIsTooLarge() external {
        uint256 maximum = _budgets.MAX_LIMIT();
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_TooLarge.selector, maximum + 1, maximum));
        vm.prank(_governance);
        _budgets.setDefaultBudget(maximum + 1);
    }

    // Rates.

    function test_SetAccountingRate_HoldsAtOnceTheFirstTime() external {
        address token = wallet("DAI");
        _setRate(token, 5, TODAY);
        assertEq(_budgets.rateOf(token, TODAY - 1), 0, "yesterday");
        assertEq(_budgets.rateOf(token, TODAY), 5, "today");
    }

    function test_SetAccountingRate_HoldsFromTheNextDay() external {
        _setRate(_usdc, 5, TODAY + 1);
        assertEq(_budgets.rateOf(_usdc, TODAY), USDC_RATE, "today");
        assertEq(_budgets.rateOf(_usdc, TODAY + 1), 5, "tomorrow");
        _setRate(_usdc, 6, TODAY + 1);
        assertEq(_budgets.rateOf(_usdc, TODAY + 1), 6, "the last of a day");
    }

    function test_SetAccountingRate_ARemovedRateComesBackTheNextDay() external {
        _setRate(_usdc, 0, TODAY + 1);
        vm.warp(START + 1 days);
        assertEq(_consume(TODAY + 1, _usdc, 1), false, "no rate, not within budget");
        _setRate(_usdc, 7, TODAY + 2);
        assertEq(_budgets.rateOf(_usdc, TODAY + 1), 0, "today");
        assertEq(_budgets.rateOf(_usdc, TODAY + 2), 7, "tomorrow");
    }

    function test_RevertWhen_RateIsNotSetByGovernance() external {
        _expectNotGovernance();
        _budgets.setAccountingRate(_usdc, 1);
    }

    function test_RevertWhen_RateIsOfAgpt() external {
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_RateIsFixed.selector, _agpt));
        vm.prank(_governance);
        _budgets.setAccountingRate(_agpt, 1);
    }

    function test_RevertWhen_RateIsOfNoToken() external {
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_ZeroAddress.selector));
        vm.prank(_governance);
        _budgets.setAccountingRate(address(0), 1);
    }

    function test_RevertWhen_RateIsTooLarge() external {
        uint256 maximum = _budgets.MAX_RATE();
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_TooLarge.selector, maximum + 1, maximum));
        vm.prank(_governance);
        _budgets.setAccountingRate(_usdc, maximum + 1);
    }

    function test_ToAgpt_RoundsUp() external {
        assertEq(_budgets.toAgpt(_agpt, 1, TODAY), 1, "AGPT is AGPT");
        assertEq(_budgets.toAgpt(_usdc, 1e6, TODAY), 100e18, "1 USDC");
        assertEq(_budgets.toAgpt(wallet("unknown"), 1e6, TODAY), 0, "no rate");
        address fine = wallet("a token with a rate below one");
        _setRate(fine, 1, TODAY);
        assertEq(_budgets.toAgpt(fine, 0, TODAY), 0, "nothing");
        assertEq(_budgets.toAgpt(fine, 1, TODAY), 1, "never free");
        assertEq(_budgets.toAgpt(fine, 1e18, TODAY), 1, "exactly one");
        assertEq(_budgets.toAgpt(fine, 1e18 + 1, TODAY), 2, "one and a bit");
    }

    function test_ToAgpt_CannotOverflow() external {
        address token = wallet("dear");
        _setRate(token, _budgets.MAX_RATE(), TODAY);
        uint256 most = type(uint128).max;
        uint256 expected = (most * most) / 1e18 + 1;
        assertEq(_budgets.toAgpt(token, type(uint128).max, TODAY), expected, "most of the dearest");
        assertEq(_consume(TODAY, token, type(uint128).max), false, "does not fit, and does not revert");
    }

    // Counting.

    function test_Consume_UpToTheLimitAndNotBeyond() external {
        assertTrue(_consume(TODAY, _agpt, 400e18), "first");
        assertTrue(_consume(TODAY, _agpt, 600e18), "exactly the limit");
        assertEq(_consume(TODAY, _agpt, 1), false, "one more");
        assertEq(_budgets.spentOf(MODEL, TODAY), DEFAULT_LIMIT, "spent");
    }

    function test_Consume_WhatDoesNotFitIsNotCounted() external {
        assertEq(_consume(TODAY, _agpt, uint128(DEFAULT_LIMIT) + 1), false, "too much");
        assertTrue(_consume(TODAY, _agpt, uint128(DEFAULT_LIMIT)), "the whole budget is still there");
    }

    function test_Consume_CountsOtherTokensAtTheirRate() external {
        assertTrue(_consume(TODAY, _usdc, 10e6), "10 USDC are 1,000 AGPT");
        assertEq(_budgets.spentOf(MODEL, TODAY), 1_000e18, "spent");
        assertEq(_consume(TODAY, _usdc, 1), false, "an atomic unit more");
        assertEq(_consume(TODAY, wallet("unknown"), 1), false, "no rate");
    }

    function test_Consume_EachDayByWhatHeldThen() external {
        _setModelBudget(5e18);
        _setRate(_usdc, USDC_RATE / 100, TODAY + 1);
        vm.warp(START + 1 days);
        assertTrue(_consume(TODAY, _usdc, 10e6), "yesterday at yesterday's limit and rate");
        assertTrue(_consume(TODAY + 1, _usdc, 5e6), "today at today's");
        assertEq(_consume(TODAY + 1, _usdc, 1), false, "today's limit");
        assertEq(_budgets.spentOf(MODEL, TODAY), 1_000e18, "spent yesterday");
        assertEq(_budgets.spentOf(MODEL, TODAY + 1), 5e18, "spent today");
    }

    function test_Consume_EachModelForItself() external {
        assertTrue(_consume(TODAY, _agpt, uint128(DEFAULT_LIMIT)), "one model");
        vm.prank(_autoPayLLM);
        assertTrue(_budgets.consume(keccak256("other"), TODAY, _agpt, 1), "another");
    }

    function test_Consume_RefusesADayThatHasNotBegun() external {
        vm.warp((TODAY + 1) * uint256(1 days) - 1);
        assertEq(_consume(TODAY + 1, _agpt, 1), false, "a second before it begins");
        vm.warp((TODAY + 1) * uint256(1 days));
        assertTrue(_consume(TODAY + 1, _agpt, 1), "when it begins");
    }

    function testFuzz_Consume_NeverBeyondTheLimit(uint128[8] calldata amounts, uint128 limit, uint64 rate) external {
        address token = wallet("any");
        _setRate(token, rate, TODAY);
        _setModelBudget(limit);
        vm.warp(START + 1 days);
        uint256 spent = 0;
        for (uint256 i = 0; i < amounts.length; ++i) {
            uint128 amount = uint128(amounts[i] >> (16 * i));
            uint256 converted = _budgets.toAgpt(token, amount, TODAY + 1);
            bool fits = rate != 0 && spent + converted <= limit;
            assertEq(_consume(TODAY + 1, token, amount), fits, "within budget");
            if (fits) spent += converted;
        }
        assertEq(_budgets.spentOf(MODEL, TODAY + 1), spent, "spent");
    }

    function test_RevertWhen_CallerIsNotTheConsumer() external {
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_NotConsumer.selector, address(this)));
        _budgets.consume(MODEL, TODAY, _agpt, 1);
    }

    function test_RevertGiven_NoConsumer() external {
        ModelBudgets budgets = ModelBudgets(
            create("ModelBudgets", abi.encode(_governance, _agpt, 1, new InitialRate[](0)))
        );
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_NotConsumer.selector, _autoPayLLM));
        vm.prank(_autoPayLLM);
        budgets.consume(MODEL, TODAY, _agpt, 1);
    }

    function test_SetConsumer_ByTheDeployer() external {
        ModelBudgets budgets = ModelBudgets(
            create("ModelBudgets", abi.encode(_governance, _agpt, 1, new InitialRate[](0)))
        );
        vm.expectEmit(address(budgets));
        emit IModelBudgets.ConsumerSet(_autoPayLLM);
        budgets.setConsumer(_autoPayLLM);
        assertEq(budgets.consumer(), _autoPayLLM, "consumer");
    }

    function test_RevertWhen_ConsumerIsNotSetByTheDeployer() external {
        ModelBudgets budgets = ModelBudgets(
            create("ModelBudgets", abi.encode(_governance, _agpt, 1, new InitialRate[](0)))
        );
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_NotDeployer.selector, _governance));
        vm.prank(_governance);
        budgets.setConsumer(_autoPayLLM);
    }

    function test_RevertWhen_ConsumerIsZero() external {
        ModelBudgets budgets = ModelBudgets(
            create("ModelBudgets", abi.encode(_governance, _agpt, 1, new InitialRate[](0)))
        );
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_ZeroAddress.selector));
        budgets.setConsumer(address(0));
    }

    function test_RevertGiven_ConsumerIsSet() external {
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_ConsumerAlreadySet.selector, _autoPayLLM));
        _budgets.setConsumer(wallet("another"));
    }

    function _rates(address token, uint256 rate) private pure returns (InitialRate[] memory rates) {
        rates = new InitialRate[](1);
        rates[0] = InitialRate(token, rate);
    }

    function _expectNotGovernance() private {
        vm.expectRevert(abi.encodeWithSelector(IModelBudgets.ModelBudgets_NotGovernance.selector, address(this)));
    }

    function _setModelBudget(uint256 dailyLimit) private {
        _setModelBudgetOn(TODAY, dailyLimit);
    }

    /// @dev Takes the day as an argument, because the optimizer reads `block.timestamp` out of order.
    function _setModelBudgetOn(uint32 day, uint256 dailyLimit) private {
        uint256 held = _budgets.limitOf(MODEL, day);
        vm.expectEmit(address(_budgets));
        emit IModelBudgets.ModelBudgetSet(MODEL, NAME, dailyLimit, day + 1);
        vm.prank(_governance);
        _budgets.setModelBudget(NAME, dailyLimit);
        assertEq(_budgets.limitOf(MODEL, day + 1), dailyLimit, "from the next day");
        assertEq(_budgets.limitOf(MODEL, day), held, "not before");
    }

    function _removeModelBudgetOn(uint32 day) private {
        vm.expectEmit(address(_budgets));
        emit IModelBudgets.ModelBudgetRemoved(MODEL, day + 1);
        vm.prank(_governance);
        _budgets.removeModelBudget(NAME);
        assertEq(_budgets.limitOf(MODEL, day + 1), _budgets.defaultLimitOf(day + 1), "default from the next day");
    }

    function _setRate(address token, uint256 rate, uint32 fromDay) private {
        vm.expectEmit(address(_budgets));
        emit IModelBudgets.AccountingRateSet(token, rate, fromDay);
        vm.prank(_governance);
        _budgets.setAccountingRate(token, rate);
        assertEq(_budgets.rateOf(token, fromDay), rate, "rate");
    }

    /// @dev Consumes as AutoPayLLM; checks that what fits, and nothing else, is counted and told.
    function _consume(uint32 day, address token, uint128 amount) private returns (bool withinBudget) {
        uint256 before = _budgets.spentOf(MODEL, day);
        uint256 converted = _budgets.toAgpt(token, amount, day);
        vm.recordLogs();
        vm.prank(_autoPayLLM);
        withinBudget = _budgets.consume(MODEL, day, token, amount);
        uint256 logs = vm.getRecordedLogs().length;
        assertEq(logs, withinBudget ? 1 : 0, "events");
        assertEq(_budgets.spentOf(MODEL, day) - before, withinBudget ? converted : 0, "counted");
    }
}
