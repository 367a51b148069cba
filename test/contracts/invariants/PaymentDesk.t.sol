// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Refund} from "../../../contracts/interfaces/IAutoPayLLM.sol";
import {SignedPayment} from "../../../contracts/interfaces/IPaymentDesk.sol";
import {PaymentDesk} from "../../../contracts/PaymentDesk.sol";
import {AutoPayLLM} from "../../../contracts/AutoPayLLM.sol";
import {DeskFixture} from "../helpers/DeskFixture.sol";
import {AuthorizedToken} from "../mocks/AuthorizedTokens.sol";

/// @notice Random steps of three payers, a relay, and strangers that submit payments first. What must be refused is
/// tried, too.
/// @dev In this file, because Hardhat's runner calls only contracts of the test files.
contract PaymentDeskHandler is DeskFixture {
    enum Way {
        Authorization,
        Exact,
        Upto
    }

    /// @dev A payment that somebody else submitted, or that its payer cancelled.
    struct Waiting {
        SignedPayment payment;
        bytes signature;
        Way way;
        bool cancelled;
    }

    uint256 public gifts;
    /// @dev Submitted by somebody else, and not attributed yet.
    uint256 public stranded;
    uint256 public received;
    uint256 public refunded;
    mapping(address payer => uint256 amount) public receivedFrom;
    mapping(address payer => uint256 amount) public strandedOf;
    mapping(address payer => uint256 amount) public refundedTo;
    mapping(address payer => uint256 amount) public mintedTo;
    mapping(string step => uint256 count) public done;

    Waiting[] private _waiting;
    uint256 private _nonces;

    constructor() {
        setUp();
        for (uint256 i = 0; i < 3; ++i) approvePermit2(usdc, payerAt(i));
    }

    /// @dev The runner takes it for a step, too: then it does nothing.
    function setUp() public override {
        if (address(paymentDesk) == address(0)) super.setUp();
    }

    function accept(uint96 amount, uint96 charge, uint256 who, uint8 how) external {
        Way way = Way(how % 3);
        (SignedPayment memory payment, bytes memory signature) = _sign(amount, who, way);
        uint256 taken = way == Way.Upto ? bound(charge, 1, payment.amount) : payment.amount;
        bytes memory call = _acceptance(payment, signature, way, taken);
        assertEq(handOnChecked(call, payment, 0), taken, "received");
        _count(payment.from, taken);
        // A second time is refused.
        vm.prank(relay);
        (bool again, ) = address(paymentDesk).call(call);
        assertTrue(!again, "once");
        done[
            way == Way.Authorization
                ? "authorization"
                : way == Way.Exact
                    ? "exact"
                    : "upto"
        ]++;
    }

    /// @dev Somebody submits an exact payment before the relay does, whose acceptance then fails.
    function submitFirst(uint96 amount, uint256 who, bool byPermit2) external {
        Way way = byPermit2 ? Way.Exact : Way.Authorization;
        (SignedPayment memory payment, bytes memory signature) = _sign(amount, who, way);
        if (byPermit2) submitExact(payment, signature);
        else submitAuthorization(payment, signature);
        stranded += payment.amount;
        strandedOf[payment.from] += payment.amount;
        _waiting.push(Waiting(payment, signature, way, false));
        vm.prank(relay);
        (bool accepted, ) = address(paymentDesk).call(_acceptance(payment, signature, way, payment.amount));
        assertTrue(!accepted, "not accepted");
        done["submitFirst"]++;
    }

    /// @dev A payer cancels; the relay, which looks, does not attribute it.
    function cancel(uint96 amount, uint256 who, bool byUpto) external {
        Way way = byUpto ? Way.Upto : Way.Authorization;
        (SignedPayment memory payment, bytes memory signature) = _sign(amount, who, way);
        uint256 nonce = uint256(payment.nonce);
        if (byUpto) {
            vm.prank(payment.from);
            (bool cancelled, ) = address(PERMIT2).call(
                abi.encodeWithSignature(
                    "invalidateUnorderedNonces(uint256,uint256)",
                    nonce >> 8,
                    uint256(1) << (nonce & 0xff)
                )
            );
            assertTrue(cancelled, "cancelled");
        } else {
            usdc.cancel(payment.from, payment.nonce);
        }
        vm.prank(relay);
        (bool accepted, ) = address(paymentDesk).call(_acceptance(payment, signature, way, payment.amount));
        assertTrue(!accepted, "not accepted");
        done["cancel"]++;
    }

    function attribute(uint256 seed) external {
        if (_waiting.length == 0) return;
        uint256 index = seed % _waiting.length;
        Waiting memory waiting = _waiting[index];
        bytes memory call =
            waiting.way == Way.Exact
                ? abi.encodeCall(paymentDesk.attributePermit2, (waiting.payment, waiting.signature))
                : abi.encodeCall(paymentDesk.attributeAuthorization, (waiting.payment, waiting.signature));
        uint256 amount = waiting.payment.amount;
        assertEq(handOnChecked(call, waiting.payment, amount), amount, "received");
        _count(waiting.payment.from, amount);
        stranded -= amount;
        strandedOf[waiting.payment.from] -= amount;
        vm.prank(relay);
        (bool again, ) = address(paymentDesk).call(call);
        assertTrue(!again, "once");
        _waiting[index] = _waiting[_waiting.length - 1];
        _waiting.pop();
        done["attribute"]++;
    }

    function refund(uint256 amount, uint256 who) external {
        address to = payerAt(who);
        uint256 refundable = autoPay.refundableOf(address(usdc), to);
        if (refundable == 0) return;
        // More than the wallet paid is refused, whatever others paid.
        Refund[] memory refunds = refundTo(to, uint128(refundable + 1));
        vm.prank(relay);
        (bool tooMuch, ) = address(autoPay).call(abi.encodeCall(autoPay.book, (address(usdc), noSpends, refunds, 0)));
        assertTrue(!tooMuch, "no more than it paid");
        amount = bound(amount, 1, refundable);
        refunds = refundTo(to, uint128(amount));
        vm.prank(relay);
        autoPay.book(address(usdc), noSpends, refunds, 0);
        refunded += amount;
        refundedTo[to] += amount;
        done["refund"]++;
    }

    function give(uint96 amount) external {
        gifts += amount;
        usdc.mint(address(paymentDesk), amount);
        done["give"]++;
    }

    function payerAt(uint256 index) public pure returns (address) {
        return wallet(_nameAt(index));
    }

    function theDesk() external view returns (PaymentDesk) {
        return paymentDesk;
    }

    function theBusiness() external view returns (AutoPayLLM) {
        return autoPay;
    }

    function theToken() external view returns (AuthorizedToken) {
        return usdc;
    }

    function _nameAt(uint256 index) private pure returns (string memory) {
        return ["first payer", "second payer", "third payer"][index % 3];
    }

    /// @dev A new payment of a payer that has the money.
    function _sign(
        uint96 amount,
        uint256 who,
        Way way
    ) private returns (SignedPayment memory payment, bytes memory signature) {
        address from = payerAt(who);
        uint256 key = keyOf(_nameAt(who));
        payment = SignedPayment(address(usdc), from, bound(amount, 1, 1e24), FROM, UNTIL, bytes32(++_nonces));
        usdc.mint(from, payment.amount);
        mintedTo[from] += payment.amount;
        if (way == Way.Authorization) signature = signAuthorization(payment, key);
        if (way == Way.Exact) signature = signExact(payment, key);
        if (way == Way.Upto) signature = signUpto(payment, address(paymentDesk), key);
    }

    function _acceptance(
        SignedPayment memory payment,
        bytes memory signature,
        Way way,
        uint256 amount
    ) private view returns (bytes memory) {
        if (way == Way.Authorization) return abi.encodeCall(paymentDesk.acceptAuthorization, (payment, signature));
        if (way == Way.Exact) return abi.encodeCall(paymentDesk.acceptPermit2, (payment, signature));
        return abi.encodeCall(paymentDesk.acceptUpto, (payment, amount, signature));
    }

    function _count(address from, uint256 amount) private {
        received += amount;
        receivedFrom[from] += amount;
    }
}

contract PaymentDeskInvariantTest {
    PaymentDeskHandler private _handler;

    error Violated(string what, uint256 actual, uint256 expected);

    function setUp() external {
        _handler = new PaymentDeskHandler();
    }

    /// @dev Read by the test runner.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    /// @dev Read by the test runner, after each run: a run in which nothing happened proves nothing.
    function afterInvariant() external view {
        string[8] memory steps = [
            "authorization",
            "exact",
            "upto",
            "submitFirst",
            "cancel",
            "attribute",
            "refund",
            "give"
        ];
        for (uint256 i = 0; i < steps.length; ++i) require(_handler.done(steps[i]) != 0, Violated(steps[i], 0, 1));
    }

    function invariant_S1_TheDeskHoldsOnlyWhatStrangersSent() external view {
        address desk = address(_handler.theDesk());
        _same(_handler.theToken().balanceOf(desk), _handler.gifts() + _handler.stranded(), "held by the desk");
        _same(_handler.theToken().allowance(desk, address(_handler.theBusiness())), 0, "allowance");
    }

    function invariant_S2_EachWalletPaidWhatWasCreditedToIt() external view {
        AuthorizedToken token = _handler.theToken();
        uint256 total = 0;
        for (uint256 i = 0; i < 3; ++i) {
            address payer = _handler.payerAt(i);
            uint256 refundable = _handler.theBusiness().refundableOf(address(token), payer);
            uint256 refunded = _handler.refundedTo(payer);
            _same(refundable + refunded, _handler.receivedFrom(payer), "refundable and refunded");
            uint256 paid = _handler.mintedTo(payer) + refunded - token.balanceOf(payer);
            _same(paid, _handler.receivedFrom(payer) + _handler.strandedOf(payer), "paid");
            total += refundable;
        }
        _same(total + _handler.refunded(), _handler.received(), "of all together");
    }

    function invariant_S3_AutoPayHoldsWhatItCounts() external view {
        AuthorizedToken token = _handler.theToken();
        AutoPayLLM business = _handler.theBusiness();
        uint256 held = token.balanceOf(address(business));
        _same(held, business.unbooked(address(token)), "held by AutoPayLLM");
        _same(held, _handler.received() - _handler.refunded(), "received and not refunded");
    }

    function _same(uint256 actual, uint256 expected, string memory what) private pure {
        require(actual == expected, Violated(what, actual, expected));
    }
}
