// A test against kalshi-mock without any package: an order is filled, and its market settles.

import assert from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, test } from "node:test";

const program = process.env.KALSHI_MOCK ?? "kalshi-mock";
const market = "KXTEST-26-A";

let exchange: ChildProcess;
let urls: { base_url: string; control_url: string };

beforeEach(async () => {
  exchange = spawn(program, ["--control", "--json"], { stdio: ["ignore", "pipe", "inherit"] });
  for await (const line of createInterface({ input: exchange.stdout! })) {
    urls = JSON.parse(line);
    break;
  }
});

afterEach(() => {
  exchange.kill();
});

async function request(method: string, url: string, body?: object, headers?: Record<string, string>): Promise<any> {
  const response = await fetch(url, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  });
  const result = await response.json();
  assert.ok(response.ok, `${method} ${url}: ${response.status} ${JSON.stringify(result)}`);
  return result;
}

function control(method: string, path: string, body?: object): Promise<any> {
  return request(method, urls.control_url + path, body);
}

async function tradeApi(method: string, path: string, body?: object): Promise<any> {
  const url = urls.base_url + path;
  const { headers } = await control("POST", "/sign", { method, path: new URL(url).pathname });
  return request(method, url, body, headers);
}

test("a filled order is paid out", async () => {
  await control("PUT", `/markets/${market}`);
  const placed = await tradeApi("POST", "/portfolio/events/orders", {
    ticker: market,
    client_order_id: "first",
    side: "bid",
    price: "0.4000",
    count: "10.00",
    time_in_force: "good_till_canceled",
    self_trade_prevention_type: "taker_at_cross",
  });
  assert.equal(placed.remaining_count, "10.00");

  // The market maker sells to the order.
  await control("POST", `/markets/${market}/trades`, { side: "ask", price: "0.4000", count: "10.00" });
  const { fills } = await tradeApi("GET", `/portfolio/fills?ticker=${market}`);
  assert.equal(fills.length, 1);
  assert.equal(fills[0].order_id, placed.order_id);
  assert.equal(fills[0].count_fp, "10.00");

  await control("POST", `/markets/${market}/settle`, { result: "yes" });
  const { balance } = await tradeApi("GET", "/portfolio/balance");
  // 10,000 dollars, less 10 contracts at 40 cents, which pay a dollar each. Makers pay no fees here.
  assert.equal(balance, 1_000_000 - 10 * 40 + 10 * 100);
});
