// What a page may do, in headless Chromium. Prints {step: what came of it}.
// Usage: node page_client.mjs allowed PAGE_URL API_URL | node page_client.mjs status PAGE_URL...
import { chromium } from "playwright-core";

// Runs inside the page of an allowed origin.
async function useEverything(api) {
  const context = `${api}/api/v1/contexts/page%2Fnotes`;
  const send = async (method, url, body, headers = {}) => {
    const type = method === "PATCH" ? "application/merge-patch+json" : "application/json";
    const answer = await fetch(url, {
      method,
      headers: { "Dyad-User": "ada", "Dyad-Instance": "page", "Content-Type": type, ...headers },
      body: body && JSON.stringify(body),
    });
    const text = await answer.text();
    return {
      status: answer.status, etag: answer.headers.get("ETag"), text,
      link: answer.headers.get("Link"), allow: answer.headers.get("Allow"),
      date: answer.headers.get("Date"), replayed: answer.headers.get("Idempotency-Replayed"),
      code: answer.status >= 400 ? JSON.parse(text).code : null,
    };
  };
  const heard = new Promise((resolve, reject) => {
    const stream = new EventSource(`${api}/api/v1/events/stream`);
    stream.addEventListener("position", () => send("PUT", `${api}/api/v1/contexts/heard`,
      { data: {} }, { "Dyad-User": "local", "If-None-Match": "*" }));
    stream.addEventListener("context-updated", (message) => {
      stream.close();
      resolve(JSON.parse(message.data).data.context.contextKey);
    });
    stream.onerror = () => reject(new Error("the stream broke"));
  });
  const steps = {
    put: await send("PUT", context, { data: { a: 1 } },
      { "If-None-Match": "*", "Idempotency-Key": "op-1" }),
    again: await send("PUT", context, { data: { a: 1 } },
      { "If-None-Match": "*", "Idempotency-Key": "op-1" }),
    patch: await send("PATCH", context, { b: 2 }, { "If-Match": '"9", "1"' }),
    stale: await send("PUT", context, { data: {} }, { "If-Match": '"1"' }),
    read: await send("GET", context),
    unchanged: await send("GET", context, undefined, { "If-None-Match": '"2"' }),
    page: await send("GET", `${api}/api/v1/contexts/page%2Fnotes/history?limit=1`),
    remove: await send("DELETE", context, undefined, { "If-Match": '"2"' }),
    missing: await send("GET", context),
    nowhere: await send("PUT", `${api}/nowhere`, {}),
    traced: await send("GET", `${api}/api/v1/status`, undefined, { "X-Trace": "1" }),
  };
  steps.heard = await heard;
  return steps;
}

// Runs inside the status page, under whatever path it was opened.
async function showItself() {
  const until = async (condition, what) => {
    for (const late = Date.now() + 20000; !condition();) {
      if (Date.now() > late) throw new Error(`in vain for ${what}: ${document.body.innerText}`);
      await new Promise((wake) => setTimeout(wake, 50));
    }
  };
  const text = (id) => document.getElementById(id).textContent;
  await until(() => text("connection").includes("live"), "the stream");
  await until(() => text("indicator").includes("3/3"), "the status");
  const styled = getComputedStyle(document.querySelector("main")).display === "grid";
  const key = `seen-${Math.random()}`;
  await fetch(`api/v1/contexts/${key}`, {
    method: "PUT", headers: { "Content-Type": "application/json" }, body: '{"data":{}}',
  });
  await until(() => text("events").includes(key), "the event");
  const links = [...document.querySelectorAll("footer a")].map((link) => link.href);
  const statuses = await Promise.all(links.map(async (link) => (await fetch(link)).status));
  return { url: location.href, styled, statuses };
}

const [what, ...urls] = process.argv.slice(2);
const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
});
try {
  const page = await browser.newPage();
  const failed = [];
  page.on("console", (message) => message.type() === "error" && failed.push(message.text()));
  if (what === "allowed") {
    await page.goto(urls[0]);
    console.log(JSON.stringify(await page.evaluate(useEverything, urls[1])));
  } else {
    const pages = [];
    for (const url of urls) {
      await page.goto(url);
      pages.push(await page.evaluate(showItself));
    }
    console.log(JSON.stringify({ pages, failed }));
  }
} finally {
  await browser.close();
}
