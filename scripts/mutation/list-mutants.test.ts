import { describe, expect, it } from 'vitest';
import { parseSource } from './compile-contracts.ts';
import { applyMutant, listMutants } from './list-mutants.ts';

const SAMPLE = `pragma solidity 0.8.28;
contract Sample {
    // Umlauts take two bytes each: ü.
    uint256 public constant WAIT = 2 hours;
    address public constant NOBODY = 0x000000000000000000000000000000000000dEaD;
    event Moved(uint256 amount);
    modifier onlyOwner() { _; }
    function move(uint256 amount, bool quick) external onlyOwner {
        require(amount <= 10 && !quick, "no");
        if (quick) amount += 1;
        emit Moved(quick ? amount : amount * 2);
        assembly { amount := add(amount, 32) }
    }
}
`;

function mutantsOf(source: string) {
  return listMutants(source, parseSource(source));
}

describe('listMutants', () => {
  it('lists each change that a test should notice', () => {
    const found = mutantsOf(SAMPLE).map(
      ({ line, operator, original, replacement }) => `${line} ${operator}: ${original} → ${replacement}`,
    );
    expect(found).toMatchInlineSnapshot(`
      [
        "4 number + 1: 2 hours → 3 hours",
        "8 drop modifier: onlyOwner → ",
        "9 drop require: require(amount <= 10 && !quick, "no"); → {}",
        "9 <= → <: <= → <",
        "9 number + 1: 10 → 11",
        "9 && → ||: && → ||",
        "9 drop !: ! → ",
        "10 if true: quick → true",
        "10 if false: quick → false",
        "10 drop assignment: amount += 1; → {}",
        "10 += → -=: += → -=",
        "10 number + 1: 1 → 2",
        "11 drop event: emit Moved(quick ? amount : amount * 2); → {}",
        "11 choose true: quick → true",
        "11 choose false: quick → false",
        "11 * → /: * → /",
        "11 number + 1: 2 → 3",
        "12 number + 1: 32 → 33",
      ]
    `);
  });

  it('gives each an identifier of its own, which does not depend on its line', () => {
    const ids = mutantsOf(SAMPLE).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(mutantsOf(`\n\n${SAMPLE}`).map(({ id }) => id)).toEqual(ids);
    const twice = mutantsOf('function f(uint256 a) pure { require(a != 0); \n require(a != 0); \n }');
    expect(new Set(twice.map(({ id }) => id)).size).toBe(twice.length);
  });

  it('leaves alone what is no change', () => {
    expect(mutantsOf('contract Empty { function f() external pure returns (uint256 a) { return a; } }')).toEqual([]);
  });
});

describe('applyMutant', () => {
  it('changes the one place, whatever stands before it', () => {
    const [mutant] = mutantsOf(SAMPLE).filter(({ operator }) => operator === '<= → <');
    if (mutant === undefined) throw new Error('the comparison is not listed');
    expect(applyMutant(SAMPLE, mutant)).toBe(SAMPLE.replace('amount <= 10', 'amount < 10'));
  });
});
