// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {ModelBudgets} from "../../../contracts/ModelBudgets.sol";
import {InitialRate} from "../../../contracts/interfaces/IModelBudgets.sol";
import {TestBase} from "../helpers/TestBase.sol";

/// @notice Does random things to budgets, and remembers what they said of each day.
/// @dev This contract is governance and consumer. In this file, because Hardhat's runner calls only contracts of the test files.
contract ModelBudgetsHandler is TestBase {
    uint256 public constant MODELS = 3;
    uint256 public constant TOKENS = 3;
    uint32 public constant FIRST_DAY = 20_000;

    ModelBudgets public budgets;
    uint32 public today = FIRST_DAY;
    mapping(string step => uint256 count) public done;
    mapping(uint256 model => mapping(uint32 day => uint256 amount)) public counted;
    mapping(uint256 model => mapping(uint32 day => uint256 limit)) public limitSeen;
    mapping(uint256 token => mapping(uint32 day => uint256 rate)) public rateSeen;

    constructor() {
        vm.warp(uint256(FIRST_DAY) * 1 days);
        InitialRate[] memory rates = new InitialRate[](1);
        rates[0] = InitialRate(tokenAt(1), 3e18);
        budgets = ModelBudgets(create("ModelBudgets", abi.encode(address(this), tokenAt(0), 1e21, rates)));
        budgets.setConsumer(address(this));
        _note();
    }

    function setModelBudget(uint256 model, uint128 dailyLimit) external {
        _tick();
        budgets.setModelBudget(nameAt(model), dailyLimit >> 48);
        done["setModelBudget"]++;
        _note();
    }

    function removeModelBudget(uint256 model) external {
        _tick();
        budgets.removeModelBudget(nameAt(model));
        done["removeModelBudget"]++;
        _note();
    }

    function setDefaultBudget(uint128 dailyLimit) external {
        _tick();
        budgets.setDefaultBudget(dailyLimit >> 48);
        done["setDefaultBudget"]++;
        _note();
    }

    function setAccountingRate(uint256 token, uint64 rate) external {
        _tick();
        budgets.setAccountingRate(tokenAt(1 + (token % (TOKENS - 1))), rate);
        done["setAccountingRate"]++;
        _note();
    }

    function consume(uint256 model, uint256 token, uint128 amount, bool yesterday) external {
        _tick();
        uint32 day = yesterday && today > FIRST_DAY ? today - 1 : today;
        amount >>= 64;
        uint256 converted = budgets.toAgpt(tokenAt(token), amount, day);
        if (budgets.consume(idAt(model), day, tokenAt(token), amount)) {
            counted[model % MODELS][day] += converted;
            done["within"]++;
        } else {
            done["beyond"]++;
        }
        _note();
    }

    function passADay() external {
        if (today == FIRST_DAY + 12) return;
        ++today;
        _tick();
        done["passADay"]++;
        _note();
    }

    function nameAt(uint256 model) public pure returns (string memory) {
        return string.concat("model ", vm.toString(model % MODELS));
    }

    function idAt(uint256 model) public pure returns (bytes32) {
        return keccak256(bytes(nameAt(model)));
    }

    /// @dev The first is AGPT, the second has a rate from the start, the third gets one later.
    function tokenAt(uint256 token) public pure returns (address) {
        return wallet(string.concat("token ", vm.toString(token % TOKENS)));
    }

    function _tick() private {
        vm.warp(uint256(today) * 1 days + 7 hours);
    }

    /// @dev Invariant M2, at each step: what was said of a day that has begun is not taken back. The one exception is a
    /// token's first rate, which holds at once.
    function _note() private {
        for (uint32 day = FIRST_DAY; day <= today; ++day) {
            for (uint256 i = 0; i < MODELS; ++i) {
                uint256 limit = budgets.limitOf(idAt(i), day);
                assertTrue(
                    (day == today && limitSeen[i][day] == 0) || limit == limitSeen[i][day],
                    "a limit of the past"
                );
                limitSeen[i][day] = limit;
            }
            for (uint256 i = 0; i < TOKENS; ++i) {
                uint256 rate = budgets.rateOf(tokenAt(i), day);
                assertTrue((day == today && rateSeen[i][day] == 0) || rate == rateSeen[i][day], "a rate of the past");
                rateSeen[i][day] = rate;
            }
        }
    }
}

contract ModelBudgetsInvariantTest is TestBase {
    ModelBudgetsHandler private _handler;

    function setUp() external {
        _handler = new ModelBudgetsHandler();
    }

    /// @dev Read by the test runner: only the handler is called.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev Read by the test runner, after each run: a run in which nothing happened proves nothing.
    function afterInvariant() external view {
        assertTrue(_handler.done("setModelBudget") > 0, "setModelBudget never ran");
        assertTrue(_handler.done("removeModelBudget") > 0, "removeModelBudget never ran");
        assertTrue(_handler.done("setDefaultBudget") > 0, "setDefaultBudget never ran");
        assertTrue(_handler.done("setAccountingRate") > 0, "setAccountingRate never ran");
        assertTrue(_handler.done("within") > 0, "nothing was ever within budget");
        assertTrue(_handler.done("beyond") > 0, "nothing was ever beyond it");
        assertTrue(_handler.done("passADay") > 0, "no day ever passed");
    }

    function invariant_M1_SpentWithinTheLimitOfItsDay() external view {
        ModelBudgetsHandler handler = _handler;
        for (uint256 i = 0; i < handler.MODELS(); ++i) {
            for (uint32 day = handler.FIRST_DAY(); day <= handler.today(); ++day) {
                uint256 spent = handler.budgets().spentOf(handler.idAt(i), day);
                assertEq(spent, handler.counted(i, day), "what was within budget, and nothing else");
                assertTrue(spent <= handler.budgets().limitOf(handler.idAt(i), day), "spent beyond the limit");
            }
        }
    }
}
