// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {KeyRegistry} from "../../../contracts/KeyRegistry.sol";
import {PriceBook} from "../../../contracts/PriceBook.sol";
import {TestBase} from "../helpers/TestBase.sol";

/// @notice Publishes and retires tables, adds and retires keys, and remembers what was said of each second that has passed.
/// @dev This contract is governance and relay. In this file, because Hardhat's runner calls only contracts of the test files.
contract PeriodsHandler is TestBase {
    uint64 public constant START = 1_760_000_000;
    uint256 public constant SUBJECTS = 6;

    PriceBook public book;
    KeyRegistry public registry;
    uint64 public clock = START;
    mapping(string step => uint256 count) public done;
    /// @dev 1: no, 2: yes.
    mapping(uint256 subject => mapping(uint64 at => uint256 answer)) public tableSeen;
    mapping(uint256 subject => mapping(uint64 at => uint256 answer)) public keySeen;

    constructor() {
        vm.warp(START);
        book = PriceBook(create("PriceBook", abi.encode(address(this), rootAt(0))));
        registry = KeyRegistry(create("KeyRegistry", abi.encode(address(this), address(this))));
    }

    function publish(uint256 subject, uint8 ahead) external {
        _pass();
        bytes32 root = rootAt(subject);
        if (book.periodOf(root).from != 0) return;
        book.publishPriceRoot(root, ahead % 2 == 0 ? 0 : clock + (ahead % 8));
        done["publish"]++;
    }

    function retire(uint256 subject, uint8 ahead) external {
        _pass();
        bytes32 root = rootAt(subject);
        PriceBook.Period memory period = book.periodOf(root);
        if (period.from == 0 || period.until != 0) return;
        uint64 earliest = clock + book.MIN_NOTICE();
        if (period.from > earliest) earliest = period.from;
        book.retirePriceRoot(root, ahead % 2 == 0 ? 0 : earliest + (ahead % 8));
        done["retire"]++;
    }

    function addKey(uint256 subject) external {
        _pass();
        if (registry.periodOf(keyAt(subject)).from != 0) return;
        registry.addKey(keyAt(subject));
        done["addKey"]++;
    }

    function retireKey(uint256 subject) external {
        _pass();
        KeyRegistry.Period memory period = registry.periodOf(keyAt(subject));
        if (period.from == 0 || period.until != 0) return;
        registry.retireKey(keyAt(subject));
        done["retireKey"]++;
    }

    function rootAt(uint256 subject) public pure returns (bytes32) {
        return bytes32(1 + (subject % SUBJECTS));
    }

    function keyAt(uint256 subject) public pure returns (address) {
        return wallet(string.concat("key ", vm.toString(subject % SUBJECTS)));
    }

    /// @dev Notes what is said of this second, and goes to the next.
    function _pass() private {
        vm.warp(clock + 1);
        for (uint256 i = 0; i < SUBJECTS; ++i) {
            tableSeen[i][clock] = book.isInForce(rootAt(i), clock) ? 2 : 1;
            keySeen[i][clock] = registry.isValidAt(keyAt(i), clock) ? 2 : 1;
        }
        ++clock;
    }
}

contract PeriodsInvariantTest is TestBase {
    PeriodsHandler private _handler;

    function setUp() external {
        _handler = new PeriodsHandler();
    }

    /// @dev Read by the test runner: only the handler is called.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev Read by the test runner, after each run: a run in which nothing happened proves nothing.
    function afterInvariant() external view {
        assertTrue(_handler.done("publish") > 0, "publish never ran");
        assertTrue(_handler.done("retire") > 0, "retire never ran");
        assertTrue(_handler.done("addKey") > 0, "addKey never ran");
        assertTrue(_handler.done("retireKey") > 0, "retireKey never ran");
        // Here, not as an invariant after every step: what was said once is compared with what is said at the end.
        _checkThePast();
    }

    function invariant_P1_NothingHoldsBeforeItsStart() external view {
        PeriodsHandler handler = _handler;
        for (uint256 i = 0; i < handler.SUBJECTS(); ++i) {
            PriceBook.Period memory table = handler.book().periodOf(handler.rootAt(i));
            assertTrue(table.until == 0 || table.until >= table.from, "a table's end");
            KeyRegistry.Period memory key = handler.registry().periodOf(handler.keyAt(i));
            assertTrue(key.until == 0 || key.until >= key.from, "a key's end");
            assertTrue(key.from == 0 || key.from >= handler.START(), "a key's start");
        }
    }

    function _checkThePast() private view {
        PeriodsHandler handler = _handler;
        for (uint256 i = 0; i < handler.SUBJECTS(); ++i) {
            for (uint64 at = handler.START(); at < handler.clock(); ++at) {
                bool table = handler.book().isInForce(handler.rootAt(i), at);
                assertEq(table ? 2 : 1, handler.tableSeen(i, at), "a table's past");
                bool key = handler.registry().isValidAt(handler.keyAt(i), at);
                assertEq(key ? 2 : 1, handler.keySeen(i, at), "a key's past");
            }
        }
    }
}
