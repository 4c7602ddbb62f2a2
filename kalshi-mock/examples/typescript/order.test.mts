// A resting order is filled on kalshi-mock. Needs node only.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { test } from "node:test";

test("a resting order is filled", async (t) => {
  const exchange = spawn(process.env.KALSHI_MOCK ?? "kalshi-mock", ["--control", "--json"]);
  t.after(() => exchange.kill());
  const { control_url } = JSON.parse((await once(createInterface(exchange.stdout), "line"))[0]);

  async function request(method: string, path: string, body?: object): Promise<any> {
    const signed = path.startsWith("/trade-api/") && (await request("POST", "/mock/sign", { method, path })).headers;
    const headers = { "Content-Type": "application/json", ...signed };
    const response = await fetch(new URL(path, control_url), { method, headers, body: JSON.stringify(body) });
    assert.ok(response.ok, `${method} ${path}: ${response.status}`);
    return response.json();
  }

  await request("PUT", "/mock/markets/KXTEST-26-A");
  const order = { ticker: "KXTEST-26-A", side: "bid", price: "0.4000", count: "10.00" };
  const conditions = { time_in_force: "good_till_canceled", self_trade_prevention_type: "taker_at_cross" };
  const placed = await request("POST", "/trade-api/v2/portfolio/events/orders", { ...order, ...conditions });
  await request("POST", "/mock/markets/KXTEST-26-A/trades", { side: "ask", price: "0.4000", count: "10.00" });
  const { fills } = await request("GET", "/trade-api/v2/portfolio/fills?ticker=KXTEST-26-A");
  assert.deepEqual(fills.map((fill: any) => [fill.order_id, fill.count_fp]), [[placed.order_id, "10.00"]]);
});
