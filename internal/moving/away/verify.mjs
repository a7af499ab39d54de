// Verifies a refresh token of refreshtokens with the app's secret. It needs nothing but Node.
import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

const header = 'eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9';

// verify returns the token's claims, or throws. sub is the user, sid the session, gen the generation; exp and auth_time are in seconds.
export function verify(token, secret, now = Date.now() / 1000) {
  const key = Buffer.from(hkdfSync('sha256', secret, '', 'refreshtokens/refresh-token/HS256/v1', 32));
  const [first, payload, signature, ...rest] = token.split('.');
  const expected = createHmac('sha256', key).update(`${first}.${payload}`).digest('base64url');
  const same = signature?.length === expected.length && timingSafeEqual(Buffer.from(signature), Buffer.from(expected));
  if (first !== header || !same || rest.length > 0) {
    throw new Error('not a refresh token of ours');
  }
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  if (claims.type !== 'refresh' || claims.exp <= now) {
    throw new Error('expired');
  }
  return claims;
}
