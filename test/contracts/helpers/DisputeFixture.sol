// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {AuditLog} from "../../../contracts/AuditLog.sol";
import {AutoPayLLM} from "../../../contracts/AutoPayLLM.sol";
import {BillingDisputes} from "../../../contracts/BillingDisputes.sol";
import {KeyRegistry} from "../../../contracts/KeyRegistry.sol";
import {ModelBudgets} from "../../../contracts/ModelBudgets.sol";
import {PriceBook} from "../../../contracts/PriceBook.sol";
import {PriceOracle} from "../../../contracts/PriceOracle.sol";
import {AggregatorV3Interface} from "../../../contracts/interfaces/AggregatorV3Interface.sol";
import {Anchor} from "../../../contracts/interfaces/IAuditLog.sol";
import {AutoPayLLMConfig, Bond, ProviderPayout} from "../../../contracts/interfaces/IAutoPayLLM.sol";
import {
    AnchoredEntry,
    BillingDisputesConfig,
    Dispute,
    DisputeKind,
    DisputeState,
    IBillingDisputes,
    InitialTerms,
    ProvenRow,
    SignedReceipt
} from "../../../contracts/interfaces/IBillingDisputes.sol";
import {InitialRate} from "../../../contracts/interfaces/IModelBudgets.sol";
import {InitialFeed} from "../../../contracts/interfaces/IPriceOracle.sol";
import {CallReceipt, TokenUsage} from "../../../contracts/types/CallReceipt.sol";
import {ChannelId} from "../../../contracts/types/ChannelId.sol";
import {PriceRow} from "../../../contracts/types/PriceRow.sol";
import {ReceiptBatch} from "../../../contracts/types/ReceiptBatch.sol";
import {MockAggregator} from "../mocks/MockAggregator.sol";
import {TestToken} from "../mocks/TestToken.sol";
import {ChannelFixture} from "./ChannelFixture.sol";
import {MerkleTree} from "./MerkleTree.sol";

/// @notice The whole set of contracts around disputes, one channel that paid, and helpers that make evidence and check money.
abstract contract DisputeFixture is ChannelFixture {
    /// @dev Unix seconds of the usual call, and of the usual dispute.
    uint64 internal constant ADMITTED_AT = uint64(START) + 1 hours - 10;
    uint64 internal constant CHARGED_AT = uint64(START) + 1 hours;
    uint64 internal constant NOW = uint64(START) + 2 hours;

    /// @dev Atomic units.
    uint128 internal constant RELAY_BOND = 10_000;
    uint128 internal constant CLAIMANT_BOND = 50;
    uint128 internal constant MIN_PENALTY = 20;
    uint64 internal constant MERGE_DELAY = 24 hours;
    uint96 internal constant SETTLED = 1000;
    /// @dev What the usual usage costs by the table's first row: 18×2 + 5×1 + 4×3 + 3×4 + 8×5 + 2×6 + 7.
    uint128 internal constant FAIR = 124;
    /// @dev What a call costs by the table's second row in the current round.
    uint128 internal constant FAIR_USD = 200;
    uint80 internal constant ROUND = 6;

    AutoPayLLM internal autoPay;
    AuditLog internal auditLog;
    PriceBook internal priceBook;
    KeyRegistry internal keys;
    MockAggregator internal feed;
    BillingDisputes internal disputes;
    address internal relay;
    address internal governance;
    bytes32 internal channelId;
    bytes32 internal priceRoot;
    PriceRow[] internal rows;
    SignedReceipt internal noReceipt;

    /// @dev What money was where before a step.
    struct Money {
        uint256 payer;
        uint256 escrow;
        uint256 business;
        uint256 unbooked;
        uint256 burned;
        uint256 bond;
        uint256 refunded;
    }

    function setUp() public virtual override {
        super.setUp();
        relay = wallet("relay");
        governance = wallet("governance");
        deploy();
        channelId = ChannelId.unwrap(openChannel(payer, address(autoPay), token, DEPOSIT, "a", address(0)));
        collectChecked(SETTLED);
        depositBondChecked(token, RELAY_BOND);
        token.mint(payer, 10 * CLAIMANT_BOND);
        vm.prank(payer);
        token.approve(address(disputes), type(uint256).max);
        vm.warp(NOW);
    }

    /// @dev The contracts, as a deployment makes them; disputes are possible in `token`.
    function deploy() private {
        address usual = address(token);
        rows.push(PriceRow("sim-small", usual, false, 2e6, 1e6, 3e6, 4e6, 5e6, 6e6, 7));
        rows.push(PriceRow("sim-usd", usual, true, 0, 0, 0, 0, 0, 0, 2));
        rows.push(PriceRow("sim-small", address(1), false, 0, 0, 0, 0, 0, 0, 0));
        bytes32[] memory leaves = rowLeaves();
        priceRoot = MerkleTree.root(leaves, 0, leaves.length);

        feed = new MockAggregator(8);
        feed.setRound(ROUND - 2, 1e16, START + 10);
        feed.setRound(ROUND - 1, 2e16, START + 600);
        // A whole token is 100 million dollars, so 0.00000002 dollars are 200 atomic units.
        feed.setRound(ROUND, 1e16, START + 3500);
        InitialFeed[] memory feeds = new InitialFeed[](1);
        feeds[0] = InitialFeed(usual, feed, 1 hours);

        auditLog = AuditLog(create("AuditLog", abi.encode(governance, relay)));
        priceBook = PriceBook(create("PriceBook", abi.encode(governance, priceRoot)));
        keys = KeyRegistry(create("KeyRegistry", abi.encode(governance, relay)));
        autoPay = AutoPayLLM(
            create(
                "AutoPayLLM",
                abi.encode(
                    AutoPayLLMConfig({
                        paymentChannels: channels,
                        auditLog: auditLog,
                        modelBudgets: ModelBudgets(
                            create("ModelBudgets", abi.encode(governance, usual, 1e18, new InitialRate[](0)))
                        ),
                        agpt: IERC20(usual),
                        admin: address(this),
                        relay: relay,
                        guardian: address(0),
                        bondPayout: relay,
                        disputeWindow: MERGE_DELAY + 10 minutes,
                        providers: new ProviderPayout[](0)
                    })
                )
            )
        );
        disputes = BillingDisputes(
            create(
                "BillingDisputes",
                abi.encode(
                    configOf(
                        PriceOracle(
                            create("PriceOracle", abi.encode(governance, AggregatorV3Interface(address(0)), feeds))
                        ),
                        governance,
                        usual
                    )
                )
            )
        );
        autoPay.grantRole(autoPay.DISPUTES_ROLE(), address(disputes));
        payee = address(autoPay);
    }

    function configOf(
        PriceOracle oracle,
        address judge,
        address currency
    ) internal view returns (BillingDisputesConfig memory config) {
        InitialTerms[] memory terms = new InitialTerms[](1);
        terms[0] = InitialTerms(currency, CLAIMANT_BOND, MIN_PENALTY);
        return BillingDisputesConfig(autoPay, priceBook, oracle, keys, judge, MERGE_DELAY, terms);
    }

    /// @dev Lets the relay collect until the channel's settled total is this; checks it.
    function collectChecked(uint96 settled) internal {
        bytes memory claims = defaultClaim("a", settled, settled);
        vm.prank(relay);
        autoPay.collect(address(token), claims);
        assertEq(channels.getChannel(ChannelId.wrap(channelId)).settled, settled, "settled");
    }

    /// @dev Adds to the relay's bond; checks it.
    function depositBondChecked(TestToken currency, uint128 amount) internal {
        uint256 bond = autoPay.bondOf(address(currency)).amount;
        currency.mint(relay, amount);
        vm.prank(relay);
        currency.approve(address(autoPay), amount);
        vm.prank(relay);
        autoPay.depositBond(address(currency), amount);
        assertEq(autoPay.bondOf(address(currency)).amount, bond + amount, "bond");
    }

    /// @dev A receipt of the usual call: honest, if the amount is `FAIR` and the total adds up.
    function receiptOf(
        uint64 sequence,
        uint128 runningTotal,
        uint128 amount
    ) internal view returns (CallReceipt memory receipt) {
        receipt.version = 1;
        receipt.callId = bytes16(uint128(sequence));
        receipt.admittedAtMs = ADMITTED_AT * 1000;
        receipt.chargedAtMs = CHARGED_AT * 1000;
        receipt.payer = payer;
        receipt.channelId = channelId;
        receipt.sequence = sequence;
        receipt.runningTotal = runningTotal;
        receipt.token = address(token);
        receipt.amount = amount;
        receipt.priceRoot = priceRoot;
        receipt.usage = TokenUsage(30, 5, 4, 3, 10, 1, 2);
        receipt.modelAsked = "sim-small";
        receipt.modelServed = "sim-small";
        receipt.provider = "simulated";
    }

    /// @dev The same, of a model priced in dollars.
    function usdReceiptOf(uint128 amount, uint256 round) internal view returns (CallReceipt memory receipt) {
        receipt = receiptOf(1, amount, amount);
        receipt.modelAsked = "sim-usd";
        receipt.oracleRound = round;
    }

    /// @dev As the relay hands it out: in a batch with others, signed right after the charge.
    function signed(CallReceipt memory receipt) internal view returns (SignedReceipt memory) {
        return signedWith(receipt, keyOf("relay"), CHARGED_AT);
    }

    /// @dev The second of three receipts of a batch, signed with a key at a time.
    function signedWith(
        CallReceipt memory receipt,
        uint256 key,
        uint64 at
    ) internal view returns (SignedReceipt memory) {
        bytes memory entry = abi.encode(receipt);
        bytes32[] memory leaves = new bytes32[](3);
        (leaves[0], leaves[1], leaves[2]) = ("before", leafOf(entry), "after");
        ReceiptBatch memory batch = ReceiptBatch(MerkleTree.root(leaves, 0, 3), 3, at * 1000 + 7);
        bytes memory signature = sign(key, autoPay.hashReceiptBatch(batch));
        return SignedReceipt(entry, batch, 1, MerkleTree.path(leaves, 1, 0, 3), signature);
    }

    /// @dev A row of the table, with its proof.
    function proven(uint64 index) internal view returns (ProvenRow memory) {
        bytes32[] memory leaves = rowLeaves();
        return ProvenRow(rows[index], index, uint64(leaves.length), MerkleTree.path(leaves, index, 0, leaves.length));
    }

    function rowLeaves() internal view returns (bytes32[] memory leaves) {
        leaves = new bytes32[](rows.length);
        for (uint256 i = 0; i < rows.length; ++i) leaves[i] = leafOf(abi.encode(rows[i]));
    }

    /// @dev Anchors a log of four, the third of which is this entry, at a time; checks that it is stored.
    function anchored(bytes memory entry, uint64 at) internal returns (AnchoredEntry memory) {
        return anchoredAmong(4, 2, entry, at);
    }

    /// @dev The same with a log of another size, and at another position.
    function anchoredAmong(
        uint64 size,
        uint64 index,
        bytes memory entry,
        uint64 at
    ) internal returns (AnchoredEntry memory) {
        bytes32[] memory leaves = new bytes32[](size);
        for (uint256 i = 0; i < size; ++i) leaves[i] = i == index ? leafOf(entry) : bytes32(i);
        Anchor memory anchor = Anchor(size, auditLog.latestSize(), at, MerkleTree.root(leaves, 0, size), "cid");
        vm.warp(at);
        vm.prank(relay);
        auditLog.anchor(size, anchor.root, "cid");
        assertTrue(auditLog.isAnchored(anchor), "anchored");
        return AnchoredEntry(entry, index, anchor, MerkleTree.path(leaves, index, 0, size));
    }

    /// @dev Answers a challenge of a settlement with a receipt, at its place in the log.
    function answerSettlement(uint256 id, SignedReceipt memory receipt, AnchoredEntry memory place) internal {
        disputes.answerSettlement(id, receipt, place.index, place.anchor, place.path);
    }

    function leafOf(bytes memory entry) internal pure returns (bytes32) {
        return sha256(bytes.concat(hex"00", entry));
    }

    function subjectOf(DisputeKind kind, bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return keccak256(abi.encode(kind, a, b));
    }

    /// @dev The error of a contradiction that was shown before.
    function alreadyDisputed(DisputeKind kind, bytes32 a, bytes32 b) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IBillingDisputes.BillingDisputes_AlreadyDisputed.selector, subjectOf(kind, a, b));
    }

    function noContradiction() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NoContradiction.selector);
    }

    function notComparable() internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IBillingDisputes.BillingDisputes_NotComparable.selector);
    }

    function money() internal view returns (Money memory) {
        return
            Money({
                payer: token.balanceOf(payer),
                escrow: token.balanceOf(address(channels)),
                business: token.balanceOf(address(autoPay)),
                unbooked: autoPay.unbooked(address(token)),
                burned: token.balanceOf(autoPay.BURN_ADDRESS()),
                bond: autoPay.bondOf(address(token)).amount,
                refunded: disputes.refundedOf(channelId)
            });
    }

    /// @dev Checks that a refund and a penalty came from the relay's bond, and from nowhere else.
    function checkPaid(Money memory before, uint256 refund, uint256 penalty, uint256 claimantBond) internal view {
        Money memory now_ = money();
        assertEq(now_.payer, before.payer + refund + claimantBond, "payer got the refund");
        assertEq(now_.burned, before.burned + penalty, "penalty burned");
        assertEq(now_.bond, before.bond - refund - penalty, "both from the bond");
        assertEq(now_.business, before.business - refund - penalty, "nothing else left AutoPayLLM");
        assertEq(now_.unbooked, before.unbooked, "unbooked untouched");
        assertEq(now_.escrow, before.escrow, "escrow untouched");
        assertEq(now_.refunded, before.refunded + refund, "refundedOf");
    }

    /// @dev Checks what a dispute's record says.
    function checkDispute(
        uint256 id,
        DisputeKind kind,
        DisputeState state,
        uint256 amount,
        uint256 frozen,
        uint256 outstanding
    ) internal view {
        Dispute memory dispute = disputes.getDispute(id);
        assertEq(uint256(dispute.kind), uint256(kind), "kind");
        assertEq(uint256(dispute.state), uint256(state), "state");
        assertEq(dispute.channelId, channelId, "channelId");
        assertEq(dispute.payer, payer, "payer");
        assertEq(dispute.token, address(token), "token");
        assertEq(dispute.amount, amount, "amount");
        assertEq(dispute.frozen, frozen, "frozen");
        assertEq(dispute.outstanding, outstanding, "outstanding");
        assertEq(autoPay.bondOf(address(token)).frozen, frozen, "held in AutoPayLLM");
    }
}
