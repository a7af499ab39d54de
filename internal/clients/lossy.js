// A proxy in front of the app that loses answers, or gives other ones.

import { once } from "node:events";
import { createServer, request as forward } from "node:http";

// startProxy forwards requests to `target`. For each, `decide(path)` may return "lose", and the app's answer gets lost, or
// {status, headers, body}, which is answered instead. It returns the URL, the paths of the requests so far, and stop.
export async function startProxy(target, decide = () => {}) {
  const paths = [];
  const server = createServer((request, response) => {
    paths.push(request.url);
    const decision = decide(request.url);
    if (decision?.status) {
      request.resume();
      response.writeHead(decision.status, decision.headers).end(decision.body);
      return;
    }
    const { method, url, headers } = request;
    const upstream = forward(new URL(url, target), { method, headers }, (answer) => {
      if (decision === "lose") {
        answer.resume().once("end", () => response.destroy()); // the app has done its work
        return;
      }
      response.writeHead(answer.statusCode, answer.headers);
      answer.pipe(response);
    });
    upstream.once("error", () => response.destroy());
    request.pipe(upstream);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    paths,
    stop() {
      server.close();
      server.closeAllConnections();
    },
  };
}
