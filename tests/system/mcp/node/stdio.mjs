// The official TypeScript clients on the standard input and output of `dyad-memory mcp`:
// node stdio.mjs PROGRAM URL [legacy1 | legacy2 | auto | modern]
import { Client as First } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport as FirstStdio } from "@modelcontextprotocol/sdk/client/stdio.js";
import { Client as Second } from "@modelcontextprotocol/client";
import { StdioClientTransport as SecondStdio } from "@modelcontextprotocol/client/stdio";

const [program, url, how] = process.argv.slice(2);
const env = { HOME: process.env.HOME, PATH: process.env.PATH, DYAD_URL: url };
const start = { command: program, args: ["mcp"], env };
const modes = { legacy2: {}, auto: { mode: "auto" }, modern: { mode: { pin: "2026-07-28" } } };
const about = { name: "stdio-" + how, version: "1" };
const client = how === "legacy1"
    ? new First(about)
    : new Second(about, { versionNegotiation: how === "legacy2" ? undefined : modes[how] });
await client.connect(how === "legacy1" ? new FirstStdio(start) : new SecondStdio(start));
const tools = (await client.listTools()).tools.map((tool) => tool.name);
const many = await Promise.all(Array.from({ length: 20 }, () => client.listTools()));
const answer = await client.callTool({ name: tools[0], arguments: { key: "nothing/here" } });
const out = {
    server: client.getServerVersion()?.name,
    version: client.getNegotiatedProtocolVersion?.() ?? "",
    tools,
    many: many.length,
    answered: Array.isArray(answer.content),
};
await client.close();
console.log(JSON.stringify(out));
