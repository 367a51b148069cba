// SPDX-License-Identifier: MIT
pragma solidity 0.8.28;

import {Rfc6962} from "../../../contracts/libraries/Rfc6962.sol";
import {MerkleTree} from "../helpers/MerkleTree.sol";
import {TestBase} from "../helpers/TestBase.sol";

contract Rfc6962Test is TestBase {
    uint64 private constant MAX_SIZE = 64;

    function verify(
        bytes32 root,
        uint64 size,
        uint64 index,
        bytes32 leafHash,
        bytes32[] calldata proof
    ) public pure returns (bool) {
        return Rfc6962.verifyInclusion(root, size, index, leafHash, proof);
    }

    function test_HashLeaf_OfNothing() external pure {
        // RFC 6962 test vector of the Certificate Transparency reference implementation.
        assertEq(
            Rfc6962.hashLeaf(""),
            0x6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d,
            "leaf of the empty entry"
        );
    }

    function test_VerifyInclusion_EveryIndexOfEverySize() external view {
        bytes32[] memory leaves = _leaves();
        uint256 checked = 0;
        for (uint64 size = 1; size <= MAX_SIZE; ++size) {
            bytes32 root = MerkleTree.root(leaves, 0, size);
            for (uint64 index = 0; index < size; ++index) {
                bytes32[] memory proof = MerkleTree.path(leaves, index, 0, size);
                require(this.verify(root, size, index, leaves[index], proof), NotTrue("proof"));
                ++checked;
            }
        }
        assertEq(checked, (MAX_SIZE * (MAX_SIZE + 1)) / 2, "pairs");
    }

    function testFuzz_VerifyInclusion_RefusesWhatIsNotThere(uint64 a, uint64 b, uint64 c, uint256 bit) external view {
        bytes32[] memory leaves = _leaves();
        uint64 size = uint64(bound(a, 2, MAX_SIZE));
        uint64 index = uint64(bound(b, 0, size - 1));
        bytes32 root = MerkleTree.root(leaves, 0, size);
        bytes32[] memory proof = MerkleTree.path(leaves, index, 0, size);
        bytes32 leaf = leaves[index];
        bytes32 mask = bytes32(1 << (bit % 256));

        assertEq(this.verify(root ^ mask, size, index, leaf, proof), false, "root");
        assertEq(this.verify(root, size, index, leaf ^ mask, proof), false, "leaf");
        uint64 other = uint64(bound(c, 0, size - 1));
        if (other != index) assertEq(this.verify(root, size, other, leaf, proof), false, "index");
        assertEq(this.verify(root, size, size, leaf, proof), false, "index beyond the end");
        assertEq(this.verify(root, size, type(uint64).max, leaf, proof), false, "greatest index");
        assertEq(this.verify(root, 0, 0, leaf, proof), false, "empty tree");
        assertEq(this.verify(root, size, index, leaf, MerkleTree.append(proof, root)), false, "too long");
        assertEq(this.verify(root, size, index, leaf, _shortened(proof)), false, "too short");
        // A proof that ends below the root, at a node that is claimed to be the root.
        assertEq(this.verify(leaf, size, index, leaf, new bytes32[](0)), false, "below the root");
        // A proof that goes on above the root, and does hash to what is claimed to be the root.
        bytes32 above = Rfc6962.hashNode(mask, root);
        assertEq(this.verify(above, size, index, leaf, MerkleTree.append(proof, mask)), false, "above the root");
        proof[c % proof.length] ^= mask;
        assertEq(this.verify(root, size, index, leaf, proof), false, "sibling");
    }

    function testFuzz_VerifyInclusion_NeverReverts(
        bytes32 root,
        uint64 size,
        uint64 index,
        bytes32 leaf,
        bytes32[] calldata proof
    ) external view {
        bool single = size == 1 && index == 0 && proof.length == 0 && root == leaf;
        assertEq(this.verify(root, size, index, leaf, proof), single, "random proof");
    }

    function _leaves() private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](MAX_SIZE);
        for (uint256 i = 0; i < MAX_SIZE; ++i) leaves[i] = sha256(abi.encodePacked(bytes1(0x00), i));
    }

    function _shortened(bytes32[] memory list) private pure returns (bytes32[] memory shorter) {
        shorter = new bytes32[](list.length - 1);
        for (uint256 i = 0; i < shorter.length; ++i) shorter[i] = list[i];
    }
}
