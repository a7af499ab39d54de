// Trades a refresh token at the app that still runs refreshtokens.

// exchange returns the user and the session of a refresh token, or null if the app refuses it. Several tabs that exchange one token get the
// same session: make it the unique key of your own.
export async function exchange(app, refreshToken) {
  const answer = await fetch(`${app}/auth/refresh-tokens`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ refreshToken }),
  });
  if (answer.status === 401) {
    return null;
  }
  if (!answer.ok) {
    throw new Error(`the app answered ${answer.status}; the token is still good`);
  }
  const { access } = await answer.json();
  const { sub, sid } = JSON.parse(Buffer.from(access.token.split('.')[1], 'base64url').toString());
  return { user: sub, session: sid };
}
