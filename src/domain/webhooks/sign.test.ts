import { expect, it } from 'vitest'
import { sign } from './sign.ts'

// Computed with OpenSSL: printf '1700000000.{"a":1}' | openssl dgst -sha256 -hmac whsec_test
it('signs time and body with either algorithm, in hex', () => {
  const body = '{"a":1}'
  const secret = 'whsec_test'
  expect(sign({ secret, signatureAlgorithm: 'hmac-sha256' }, '1700000000', body)).toBe(
    '38877139021993b830af32feea6e18a8da83eb2f6e49ee50bd9e4cf4ca4d3789',
  )
  expect(sign({ secret, signatureAlgorithm: 'hmac-sha512' }, '1700000000', body)).toBe(
    '6a473fec40e09183a8b53e214fccbb90e7c448d7c0568a1341566c962eba1e2c8700e1a666ddb91333295eaf07e902b0c7c9ff5577ac42e6d1845f0bb3cd9899',
  )
})
