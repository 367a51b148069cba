// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {PriceBook} from "../../contracts/PriceBook.sol";
import {IPriceBook} from "../../contracts/interfaces/IPriceBook.sol";
import {TestBase} from "./helpers/TestBase.sol";

contract PriceBookTest is TestBase {
    uint64 private constant START = 1_760_000_000;
    /// @dev The earliest end of a table that is retired at the start.
    uint64 private constant EARLIEST = START + 10 minutes;
    bytes32 private constant INITIAL = "initial";
    bytes32 private constant ROOT = "root";

    PriceBook private _book;
    address private _governance;

    function setUp() external {
        vm.warp(START);
        _governance = wallet("governance");
        _book = PriceBook(create("PriceBook", abi.encode(_governance, INITIAL)));
    }

    function test_Constructor_TheInitialTableHoldsFromTheDeployment() external {
        vm.expectEmit();
        emit IPriceBook.PriceRootPublished(ROOT, START);
        PriceBook book = PriceBook(create("PriceBook", abi.encode(_governance, ROOT)));
        assertEq(book.governance(), _governance, "governance");
        assertEq(book.isInForce(ROOT, START), true, "from the deployment");
        assertEq(book.isInForce(ROOT, START - 1), false, "not before");
    }

    function test_Constructor_WithoutATable() external {
        PriceBook book = PriceBook(create("PriceBook", abi.encode(_governance, 0)));
        assertEq(book.isInForce(0, START), false, "the empty root never holds");
        assertEq(book.periodOf(0).from, 0, "and was not published");
    }

    function test_Limits_AreThePublishedOnes() external view {
        assertEq(_book.MIN_NOTICE(), 10 minutes, "least notice");
        assertEq(_book.MAX_NOTICE(), 365 days, "longest notice");
    }

    function test_RevertWhen_GovernanceIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceBook.PriceBook_ZeroAddress.selector));
        PriceBook(create("PriceBook", abi.encode(address(0), ROOT)));
    }

    function test_PublishPriceRoot_Now() external {
        _publish(0, START);
        assertEq(_book.isInForce(ROOT, START - 1), false, "before");
        assertEq(_book.isInForce(ROOT, START), true, "now");
        assertEq(_book.isInForce(ROOT, type(uint64).max), true, "no end");
        assertEq(_book.isInForce(INITIAL, START), true, "others hold on");
    }

    function test_PublishPriceRoot_Later() external {
        uint64 from = START + _book.MAX_NOTICE();
        _publish(from, from);
        assertEq(_book.isInForce(ROOT, from - 1), false, "before");
        assertEq(_book.isInForce(ROOT, from), true, "from then on");
    }

    function test_PublishPriceRoot_FromThisSecond() external {
        _publish(START, START);
    }

    function test_RevertWhen_NotPublishedByGovernance() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceBook.PriceBook_NotGovernance.selector, address(this)));
        _book.publishPriceRoot(ROOT, 0);
    }

    function test_RevertWhen_RootIsZero() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceBook.PriceBook_ZeroRoot.selector));
        vm.prank(_governance);
        _book.publishPriceRoot(0, 0);
    }

    function test_RevertWhen_PublishedForThePast() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceBook.PriceBook_TooEarly.selector, START - 1, uint256(START)));
        vm.prank(_governance);
        _book.publishPriceRoot(ROOT, START - 1);
    }

    function test_RevertWhen_PublishedTooFarAhead() external {
        uint64 latest = START + _book.MAX_NOTICE();
        vm.expectRevert(abi.encodeWithSelector(IPriceBook.PriceBook_TooFarAhead.selector, latest + 1, uint256(latest)));
        vm.prank(_governance);
        _book.publishPriceRoot(ROOT, latest + 1);
    }

    function test_RevertGiven_RootIsPublished() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceBook.PriceBook_AlreadyPublished.selector, INITIAL));
        vm.prank(_governance);
        _book.publishPriceRoot(INITIAL, 0);
    }

    function test_RevertGiven_RootIsRetired() external {
        _retire(INITIAL, 0, EARLIEST);
        vm.expectRevert(abi.encodeWithSelector(IPriceBook.PriceBook_AlreadyPublished.selector, INITIAL));
        vm.prank(_governance);
        _book.publishPriceRoot(INITIAL, 0);
        vm.expectRevert(abi.encodeWithSelector(IPriceBook.PriceBook_AlreadyRetired.selector, INITIAL, EARLIEST));
        vm.prank(_governance);
        _book.retirePriceRoot(INITIAL, EARLIEST + 100);
    }

    /// @dev A call that is admitted right after the retirement still names a table in force.
    function test_RetirePriceRoot_AfterTheNotice() external {
        vm.warp(START + 100);
        _retire(INITIAL, 0, EARLIEST + 100);
        assertEq(_book.isInForce(INITIAL, START), true, "the past stays");
        assertEq(_book.isInForce(INITIAL, START + 101), true, "during the notice");
        assertEq(_book.isInForce(INITIAL, EARLIEST + 99), true, "until its end");
        assertEq(_book.isInForce(INITIAL, EARLIEST + 100), false, "no longer");
        assertEq(_book.isInForce(INITIAL, type(uint64).max), false, "never again");
    }

    function test_RetirePriceRoot_Later() external {
        uint64 until = START + _book.MAX_NOTICE();
        _retire(INITIAL, until, until);
        assertEq(_book.isInForce(INITIAL, until - 1), true, "until then");
        assertEq(_book.isInForce(INITIAL, until), false, "no longer");
    }

    function test_RetirePriceRoot_WithTheLeastNotice() external {
        _retire(INITIAL, EARLIEST, EARLIEST);
        assertEq(_book.isInForce(INITIAL, EARLIEST - 1), true, "until then");
        assertEq(_book.isInForce(INITIAL, EARLIEST), false, "no longer");
    }

    function test_RetirePriceRoot_BeforeItHolds() external {
        _publish(EARLIEST + 100, EARLIEST + 100);
        _retire(ROOT, 0, EARLIEST + 100);
        assertEq(_book.isInForce(ROOT, EARLIEST + 99), false, "before");
        assertEq(_book.isInForce(ROOT, EARLIEST + 100), false, "never");
    }

    function test_RevertWhen_NotRetiredByGovernance() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceBook.PriceBook_NotGovernance.selector, address(this)));
        _book.retirePriceRoot(INITIAL, 0);
    }

    function test_RevertWhen_RetiredWithoutNotice() external {
        vm.expectRevert(
            abi.encodeWithSelector(IPriceBook.PriceBook_TooEarly.selector, EARLIEST - 1, uint256(EARLIEST))
        );
        vm.prank(_governance);
        _book.retirePriceRoot(INITIAL, EARLIEST - 1);
    }

    function test_RevertWhen_RetiredBeforeItsStart() external {
        _publish(EARLIEST + 100, EARLIEST + 100);
        vm.expectRevert(
            abi.encodeWithSelector(IPriceBook.PriceBook_TooEarly.selector, EARLIEST + 99, uint256(EARLIEST + 100))
        );
        vm.prank(_governance);
        _book.retirePriceRoot(ROOT, EARLIEST + 99);
    }

    function test_RevertWhen_RetiredTooFarAhead() external {
        uint64 latest = START + _book.MAX_NOTICE();
        vm.expectRevert(abi.encodeWithSelector(IPriceBook.PriceBook_TooFarAhead.selector, latest + 1, uint256(latest)));
        vm.prank(_governance);
        _book.retirePriceRoot(INITIAL, latest + 1);
    }

    function test_RevertGiven_RootIsUnknown() external {
        vm.expectRevert(abi.encodeWithSelector(IPriceBook.PriceBook_Unknown.selector, ROOT));
        vm.prank(_governance);
        _book.retirePriceRoot(ROOT, 0);
    }

    function test_IsInForce_NeverForAnUnknownRoot() external view {
        assertEq(_book.isInForce(ROOT, 0), false, "at zero");
        assertEq(_book.isInForce(ROOT, START), false, "now");
        assertEq(_book.periodOf(ROOT).from, 0, "from");
        assertEq(_book.periodOf(ROOT).until, 0, "until");
    }

    function testFuzz_IsInForce_FromStartToEnd(uint64 from, uint64 until, uint64 at) external {
        from = uint64(bound(from, START, START + 300 days));
        until = uint64(bound(until, from > EARLIEST ? from : EARLIEST, START + 300 days));
        at = uint64(bound(at, from - 1 days, until + 1 days));
        _publish(from, from);
        _retire(ROOT, until, until);
        assertEq(_book.isInForce(ROOT, at), from <= at && at < until, "half-open");
    }

    function _publish(uint64 from, uint64 expected) private {
        vm.expectEmit(address(_book));
        emit IPriceBook.PriceRootPublished(ROOT, expected);
        vm.prank(_governance);
        _book.publishPriceRoot(ROOT, from);
        assertEq(_book.periodOf(ROOT).from, expected, "from");
        assertEq(_book.periodOf(ROOT).until, 0, "no end");
    }

    function _retire(bytes32 root, uint64 until, uint64 expected) private {
        uint64 from = _book.periodOf(root).from;
        vm.expectEmit(address(_book));
        emit IPriceBook.PriceRootRetired(root, expected);
        vm.prank(_governance);
        _book.retirePriceRoot(root, until);
        assertEq(_book.periodOf(root).from, from, "from stays");
        assertEq(_book.periodOf(root).until, expected, "until");
    }
}
