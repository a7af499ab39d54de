// Prints a login of the boilerplate's: two refresh tokens and one of another type, made with the jsonwebtoken package, as a line of JSON each.
// Usage: node dump.js SECRET USER
const jwt = require('jsonwebtoken');

const [secret, user] = process.argv.slice(2);
const now = Math.floor(Date.now() / 1000);
const make = (type, lifetime) => {
  const exp = now + lifetime;
  return { token: jwt.sign({ sub: user, iat: now, exp, type }, secret), type, exp };
};
const month = 30 * 24 * 3600;
for (const made of [make('refresh', month), make('refresh', month + 1), make('resetPassword', 600)]) {
  console.log(JSON.stringify(made));
}
