// For the tests: node command.mjs verify TOKEN SECRET, or exchange APP TOKEN.
import { exchange } from './exchange.mjs';
import { verify } from './verify.mjs';

const [command, ...args] = process.argv.slice(2);
const result = await { verify, exchange }[command](...args);
console.log(JSON.stringify(result));
