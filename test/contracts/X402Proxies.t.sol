// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {PermitTransferFrom, TokenPermissions} from "../../contracts/interfaces/IPermit2.sol";
import {ExactWitness} from "../../contracts/interfaces/IX402ExactPermit2Proxy.sol";
import {UptoWitness} from "../../contracts/interfaces/IX402UptoPermit2Proxy.sol";
import {AGPT} from "../../contracts/governance/AGPT.sol";
import {X402ExactPermit2Proxy} from "../../contracts/mocks/X402ExactPermit2Proxy.sol";
import {X402Permit2Proxy} from "../../contracts/mocks/X402Permit2Proxy.sol";
import {X402UptoPermit2Proxy} from "../../contracts/mocks/X402UptoPermit2Proxy.sol";
import {Permit2Fixture} from "./helpers/Permit2Fixture.sol";

/// @notice What the stand-ins do besides what the desk's tests show, as the published ABI and specification say it.
contract X402ProxiesTest is Permit2Fixture {
    uint256 private constant START = 1_760_000_000;
    bytes32 private constant PERMIT_TYPEHASH = keccak256(
        "Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"
    );

    AGPT private _agpt;
    address private _payer;
    address private _shop;

    function setUp() external {
        vm.warp(START);
        placePermit2();
        _payer = wallet("payer");
        _shop = wallet("shop");
        _agpt = AGPT(create("AGPT", abi.encode(_payer, 1000)));
    }

    function test_Constants_AreThoseOfTheSpecification() external view {
        assertEq(address(EXACT_PROXY.PERMIT2()), address(PERMIT2), "exact: PERMIT2");
        assertEq(address(UPTO_PROXY.PERMIT2()), address(PERMIT2), "upto: PERMIT2");
        assertEq(EXACT_PROXY.WITNESS_TYPEHASH(), keccak256("Witness(address to,uint256 validAfter)"), "exact: witness");
        assertEq(
            UPTO_PROXY.WITNESS_TYPEHASH(),
            keccak256("Witness(address to,address facilitator,uint256 validAfter)"),
            "upto: witness"
        );
        assertEq(
            keccak256(bytes(EXACT_PROXY.WITNESS_TYPE_STRING())),
            keccak256(
                "Witness witness)TokenPermissions(address token,uint256 amount)Witness(address to,uint256 validAfter)"
            ),
            "exact: types"
        );
        assertEq(
            keccak256(bytes(UPTO_PROXY.WITNESS_TYPE_STRING())),
            keccak256(
                bytes.concat(
                    "Witness witness)TokenPermissions(address token,uint256 amount)",
                    "Witness(address to,address facilitator,uint256 validAfter)"
                )
            ),
            "upto: types"
        );
    }

    /// @dev A wallet that never sent a transaction pays: one signature approves Permit2, another pays.
    function test_SettleWithPermit_NeedsNoApproval() external {
        X402Permit2Proxy.EIP2612Permit memory approval = _approval(300);
        vm.expectEmit(address(EXACT_PROXY));
        emit X402Permit2Proxy.SettledWithPermit();
        EXACT_PROXY.settleWithPermit(approval, _permit(300, 1), _payer, ExactWitness(_shop, START), _exact(300, 1));
        assertEq(_agpt.balanceOf(_shop), 300, "exact");

        approval = _approval(200);
        vm.expectEmit(address(UPTO_PROXY));
        emit X402Permit2Proxy.SettledWithPermit();
        UPTO_PROXY.settleWithPermit(approval, _permit(200, 2), 50, _payer, _uptoWitness(), _upto(200, 2));
        assertEq(_agpt.balanceOf(_shop), 350, "upto");
    }

    /// @dev Whoever submits a wallet's permit first changes nothing: the approval is there.
    function test_SettleWithPermit_WorksWithAUsedPermit() external {
        X402Permit2Proxy.EIP2612Permit memory approval = _approval(300);
        _agpt.permit(_payer, address(PERMIT2), 300, START, approval.v, approval.r, approval.s);
        EXACT_PROXY.settleWithPermit(approval, _permit(300, 1), _payer, ExactWitness(_shop, START), _exact(300, 1));
        assertEq(_agpt.balanceOf(_shop), 300, "paid");
    }

    function test_RevertWhen_ThePermitsDiffer() external {
        X402Permit2Proxy.EIP2612Permit memory approval = _approval(301);
        bytes memory signature = _exact(300, 1);
        vm.expectRevert(abi.encodeWithSelector(X402Permit2Proxy.Permit2612AmountMismatch.selector));
        EXACT_PROXY.settleWithPermit(approval, _permit(300, 1), _payer, ExactWitness(_shop, START), signature);
    }

    function test_RevertWhen_APartyIsTheZeroAddress() external {
        vm.expectRevert(abi.encodeWithSelector(X402Permit2Proxy.InvalidOwner.selector));
        EXACT_PROXY.settle(_permit(300, 1), address(0), ExactWitness(_shop, START), "");
        vm.expectRevert(abi.encodeWithSelector(X402Permit2Proxy.InvalidDestination.selector));
        EXACT_PROXY.settle(_permit(300, 1), _payer, ExactWitness(address(0), START), "");
    }

    function test_RevertWhen_TheAmountIsNone_OrTooHigh() external {
        vm.expectRevert(abi.encodeWithSelector(X402ExactPermit2Proxy.InvalidAmount.selector));
        EXACT_PROXY.settle(_permit(0, 1), _payer, ExactWitness(_shop, START), "");
        vm.expectRevert(abi.encodeWithSelector(X402UptoPermit2Proxy.AmountExceedsPermitted.selector));
        UPTO_PROXY.settle(_permit(300, 1), 301, _payer, _uptoWitness(), "");
    }

    function _permit(uint256 amount, uint256 nonce) private view returns (PermitTransferFrom memory) {
        return PermitTransferFrom(TokenPermissions(address(_agpt), amount), nonce, START);
    }

    /// @dev The payer's EIP-2612 permit for Permit2.
    function _approval(uint256 value) private view returns (X402Permit2Proxy.EIP2612Permit memory) {
        bytes32 structHash = keccak256(
            abi.encode(PERMIT_TYPEHASH, _payer, address(PERMIT2), value, _agpt.nonces(_payer), START)
        );
        bytes32 digest = keccak256(abi.encodePacked("\x19\x01", _agpt.DOMAIN_SEPARATOR(), structHash));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf("payer"), digest);
        return X402Permit2Proxy.EIP2612Permit(value, START, r, s, v);
    }

    function _exact(uint256 amount, uint256 nonce) private view returns (bytes memory) {
        string memory witnessType = "Witness(address to,uint256 validAfter)";
        return _sign(amount, address(EXACT_PROXY), nonce, witnessType, abi.encode(_shop, START));
    }

    function _upto(uint256 amount, uint256 nonce) private view returns (bytes memory) {
        string memory witnessType = "Witness(address to,address facilitator,uint256 validAfter)";
        return _sign(amount, address(UPTO_PROXY), nonce, witnessType, abi.encode(_uptoWitness()));
    }

    /// @dev This contract is the facilitator.
    function _uptoWitness() private view returns (UptoWitness memory) {
        return UptoWitness(_shop, address(this), START);
    }

    function _sign(
        uint256 amount,
        address spender,
        uint256 nonce,
        string memory witnessType,
        bytes memory witness
    ) private view returns (bytes memory) {
        bytes32 digest = hashPermit(address(_agpt), amount, spender, nonce, START, witnessType, witness);
        return sign(keyOf("payer"), digest);
    }
}
