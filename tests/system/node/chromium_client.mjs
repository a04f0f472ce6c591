// The scenario inside a page of the server's own origin, in headless Chromium; and from a page of
// another origin, which must be refused. Usage: node chromium_client.mjs PORT FOREIGN_PORT
import { chromium } from "playwright-core";
import { scenario } from "./scenario.mjs";

const [port, foreign] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${port}/`);
  const held = await page.evaluate(
    `(${scenario})(WebSocket, "ws://127.0.0.1:${port}/sync")`);

  await page.goto(`http://127.0.0.1:${foreign}/`);
  const outcome = await page.evaluate(`new Promise((resolve) => {
    const socket = new WebSocket("ws://127.0.0.1:${port}/sync");
    socket.onopen = () => resolve("opened");
    socket.onclose = (event) => resolve("closed " + event.code);
  })`);
  if (outcome === "closed 1006") held.push("a page of another origin is refused");
  console.log(JSON.stringify(held));
} finally {
  await browser.close();
}
