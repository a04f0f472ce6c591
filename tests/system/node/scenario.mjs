// What every client does, written once: for npm ws and, as source text, for a page in a browser.
// Self-contained, because it travels into the page. Resolves to the list of the steps that held.
export async function scenario(WebSocket, url) {
  const held = [];
  const check = (value, what) => {
    if (!value) throw new Error(what);
  };
  const open = (instance) =>
    new Promise((resolve, reject) => {
      const socket = new WebSocket(url);
      const client = { socket, instance, inbox: [], waiting: [] };
      client.closed = new Promise((done) => socket.addEventListener("close", done));
      socket.addEventListener("error", () => reject(new Error(`cannot connect to ${url}`)));
      socket.addEventListener("message", (event) => {
        client.inbox.push(JSON.parse(event.data));
        client.waiting.splice(0).forEach((wake) => wake());
      });
      socket.addEventListener("open", () => resolve(client));
    });
  const receive = async (client, type) => {
    const late = Date.now() + 20000;
    for (;;) {
      const at = client.inbox.findIndex((message) => message.type === type);
      if (at >= 0) return client.inbox.splice(0, at + 1)[at];
      if (Date.now() > late) throw new Error(`no ${type} came`);
      await new Promise((wake) => {
        client.waiting.push(wake);
        setTimeout(wake, 500);
      });
    }
  };
  let count = 0;
  const user = `user-${Math.random().toString(36).slice(2)}`;
  const send = (client, type, payload) => {
    const id = `${client.instance}-${++count}`;
    client.socket.send(JSON.stringify({
      id, type, userId: user, instanceId: client.instance, timestamp: Date.now(), payload,
    }));
    return id;
  };
  const ping = async (client, payload) => {
    const id = send(client, "ping", payload);
    const pong = await receive(client, "pong");
    check(pong.id === id, "the pong has another id");
    return pong.payload;
  };

  const writer = await open("writer");
  const reader = await open("reader");
  const first = await receive(writer, "connect");
  check(typeof first.payload.clientId === "string", "connect names no client");
  held.push("the connect message comes first");

  await ping(writer, {});
  await ping(reader, {});
  held.push("the first message registers");

  for (let n = 0; n < 50; n++) {
    send(writer, "context-sync", {
      contextKey: `key-${n % 3}`, data: { n, text: "grün 𝄞" }, version: 0, mergeStrategy: "replace",
    });
  }
  for (let n = 0; n < 50; n++) {
    const got = await receive(reader, "context-sync");
    check(got.payload.data.n === n, `${got.payload.data.n} came where ${n} was due`);
    check(got.payload.data.text === "grün 𝄞", "the text was changed");
  }
  held.push("another client sees the writes in order");

  const large = "x".repeat(200000);
  send(writer, "context-sync", {
    contextKey: "large", data: { large }, version: 0, mergeStrategy: "replace",
  });
  check((await receive(reader, "context-sync")).payload.data.large === large, "large data differs");
  held.push("a large message arrives whole");

  check((await ping(writer, { echo: [1, "zwei", null] })).echo[1] === "zwei", "no echo");
  held.push("a JSON ping is answered with its payload");

  send(reader, "state-request", {});
  const state = await receive(reader, "state-response");
  check(state.payload.contexts.length === 4, `${state.payload.contexts.length} contexts`);
  held.push("the state is complete");

  if (writer.socket.ping) {
    const answered = new Promise((resolve) => writer.socket.on("pong", resolve));
    writer.socket.ping("payload");
    check(String(await answered) === "payload", "the pong carries another payload");
    held.push("a protocol ping is answered");
  }

  writer.socket.close(4000, "done");
  const closed = await writer.closed;
  check(closed.code === 4000 && closed.wasClean !== false, `closed with ${closed.code}`);
  reader.socket.close(1000);
  check((await reader.closed).code === 1000, "1000 is not given back");
  held.push("the close code is given back");
  return held;
}
