// The scenario with npm ws. Usage: node ws_client.mjs PORT; prints the steps that held as JSON.
import WebSocket from "ws";
import { scenario } from "./scenario.mjs";

const held = await scenario(WebSocket, `ws://127.0.0.1:${process.argv[2]}/sync`);
console.log(JSON.stringify(held));
