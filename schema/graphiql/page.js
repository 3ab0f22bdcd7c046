// Starts GraphiQL on this server's own endpoint. The key lives in its input field only: it is read at each request and
// stored nowhere, and the Headers tab still wins over it.
"use strict";

const endpoint = new URL("/graphql", location.href);
const socketEndpoint = new URL(endpoint);
socketEndpoint.protocol = endpoint.protocol === "https:" ? "wss:" : "ws:";

function callerHeaders(typed) {
  const key = document.getElementById("key").value.trim();
  return {
    "Accept-Language": document.getElementById("language").value,
    ...(key ? { Authorization: `Bearer ${key}` } : {}),
    ...typed,
  };
}

function isSubscription(parameters, options) {
  const operations = (options.documentAST?.definitions ?? []).filter((node) => node.kind === "OperationDefinition");
  const chosen = operations.find((node) => node.name?.value === parameters.operationName) ?? operations[0];
  return chosen?.operation === "subscription";
}

async function ask(parameters, headers) {
  const response = await fetch(endpoint, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/graphql-response+json", ...headers },
    body: JSON.stringify(parameters),
  });
  return response.json();
}

// One socket per subscription, speaking graphql-transport-ws; GraphiQL takes it as an Observable.
function follow(parameters, headers) {
  return {
    subscribe(observer) {
      const socket = new WebSocket(socketEndpoint, "graphql-transport-ws");
      const say = (message) => socket.send(JSON.stringify(message));
      socket.onopen = () => say({ type: "connection_init", payload: headers });
      socket.onmessage = (event) => {
        const message = JSON.parse(event.data);
        if (message.type === "connection_ack") say({ id: "1", type: "subscribe", payload: parameters });
        else if (message.type === "ping") say({ type: "pong" });
        else if (message.type === "next") observer.next(message.payload);
        else if (message.type === "error") observer.next({ errors: message.payload });
        else if (message.type === "complete") observer.complete();
      };
      socket.onclose = (event) => {
        if (event.code >= 4000) observer.error(new Error(`${event.code} ${event.reason}`));
        else observer.complete();
      };
      return { unsubscribe: () => socket.close(1000) };
    },
  };
}

function fetcher(parameters, options = {}) {
  const headers = callerHeaders(options.headers);
  return isSubscription(parameters, options) ? follow(parameters, headers) : ask(parameters, headers);
}

ReactDOM.createRoot(document.getElementById("graphiql")).render(
  React.createElement(GraphiQL, { fetcher, shouldPersistHeaders: false, defaultEditorToolsVisibility: "variables" }),
);
