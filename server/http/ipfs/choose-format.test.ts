import { describe, expect, it } from 'vitest';
import { chooseFormat } from './choose-format.ts';

const choose = (query: string, accept?: string) => chooseFormat(new URLSearchParams(query), accept);
const car = { name: 'car', scope: 'all', entityBytes: null, dups: 'n' };
const carType = 'application/vnd.ipld.car';
const rawType = 'application/vnd.ipld.raw';

describe('the format of an answer', () => {
  it.each<[string, string | undefined, object]>([
    ['format=raw', undefined, { name: 'raw' }],
    ['format=car', undefined, car],
    ['', rawType, { name: 'raw' }],
    ['', '*/*', { name: 'raw' }],
    ['', 'application/*', { name: 'raw' }],
    ['', 'text/html,*/*;q=0.8', { name: 'raw' }],
    ['', carType, car],
    ['', `*/*, ${carType};q=0.1`, car],
    ['', `${carType};q=0.5, ${rawType}`, { name: 'raw' }],
    ['', `${rawType};q=0, ${carType}`, car],
    ['', `APPLICATION/VND.IPLD.CAR; Version=1; order=dfs; dups=y`, { ...car, dups: 'y' }],
    ['', `${carType}; order=unk; dups="y"`, { ...car, dups: 'y' }],
    // What is not served is passed over for what is.
    ['', `${carType};order=foo, ${carType};order=dfs;q=0.5`, car],
    ['', `${carType};version=2, ${rawType};q=0.1`, { name: 'raw' }],
    // The query comes first.
    ['format=car', rawType, car],
    ['format=raw', carType, { name: 'raw' }],
    ['format=car', `${carType}; dups=y`, { ...car, dups: 'y' }],
    ['format=car&car-dups=y', `${carType}; dups=n`, { ...car, dups: 'y' }],
    ['format=car&car-order=dfs', `${carType}; order=foo`, car],
    ['format=car&car-version=1', `${carType}; version=2`, car],
    ['format=car&dag-scope=block', undefined, { ...car, scope: 'block' }],
    ['format=car&dag-scope=entity', undefined, { ...car, scope: 'entity' }],
    ['format=car&entity-bytes=0:*', undefined, { ...car, scope: 'entity', entityBytes: '0:*' }],
    ['format=car&dag-scope=all&entity-bytes=-9:-3', undefined, { ...car, scope: 'entity', entityBytes: '-9:-3' }],
  ])('%s with Accept: %s', (query, accept, format) => {
    expect(choose(query, accept)).toEqual(format);
  });

  it.each<[string, string | undefined]>([
    ['format=tar', undefined],
    ['format=ipns-record', '*/*'],
    ['format=', '*/*'],
    ['', 'text/html'],
    ['', ''],
    ['', `${rawType};q=0`],
    ['', `${carType};version=2`],
    ['', `${carType};order=foo`],
    ['', `${carType};dups=maybe`],
    ['format=car&car-version=2', undefined],
    ['format=car&car-order=foo', undefined],
    ['format=car&car-dups=maybe', undefined],
  ])('%s with Accept: %s is not served', (query, accept) => {
    expect(() => choose(query, accept)).toThrow(expect.objectContaining({ code: 'not_acceptable', status: 406 }));
  });

  it.each<[string, string | undefined]>([
    ['', undefined],
    ['format=car&dag-scope=most', undefined],
    ['format=car&entity-bytes=0', undefined],
    ['format=car&entity-bytes=*:1', undefined],
    ['format=car&entity-bytes=0:"', undefined],
  ])('%s with Accept: %s is a mistake', (query, accept) => {
    expect(() => choose(query, accept)).toThrow(expect.objectContaining({ code: 'invalid_request', status: 400 }));
  });
});
