"""A test against kalshi-mock with nothing but the standard library: an order is filled, and its market settles."""

import json
import os
import subprocess
import unittest
import urllib.parse
import urllib.request

PROGRAM = os.environ.get("KALSHI_MOCK", "kalshi-mock")
MARKET = "KXTEST-26-A"


class OrderTest(unittest.TestCase):
    def setUp(self):
        command = [PROGRAM, "--control", "--json"]
        self.exchange = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.stop)
        self.urls = json.loads(self.exchange.stdout.readline())

    def stop(self):
        self.exchange.terminate()
        self.exchange.communicate()

    def request(self, method, url, body=None, headers=None):
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", **(headers or {})}
        request = urllib.request.Request(url, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=10) as response:
            return json.load(response)

    def control(self, method, path, body=None):
        return self.request(method, self.urls["control_url"] + path, body)

    def trade_api(self, method, path, body=None):
        url = self.urls["base_url"] + path
        to_sign = {"method": method, "path": urllib.parse.urlsplit(url).path}
        headers = self.control("POST", "/sign", to_sign)["headers"]
        return self.request(method, url, body, headers)

    def test_filled_order_is_paid_out(self):
        self.control("PUT", f"/markets/{MARKET}")
        order = {
            "ticker": MARKET,
            "client_order_id": "first",
            "side": "bid",
            "price": "0.4000",
            "count": "10.00",
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
        }
        placed = self.trade_api("POST", "/portfolio/events/orders", order)
        self.assertEqual(placed["remaining_count"], "10.00")

        # The market maker sells to the order.
        trade = {"side": "ask", "price": "0.4000", "count": "10.00"}
        self.control("POST", f"/markets/{MARKET}/trades", trade)
        fills = self.trade_api("GET", f"/portfolio/fills?ticker={MARKET}")["fills"]
        self.assertEqual([fill["order_id"] for fill in fills], [placed["order_id"]])
        self.assertEqual(fills[0]["count_fp"], "10.00")

        self.control("POST", f"/markets/{MARKET}/settle", {"result": "yes"})
        balance = self.trade_api("GET", "/portfolio/balance")["balance"]
        # 10,000 dollars, less 10 contracts at 40 cents, which pay a dollar each. Makers pay no fees here.
        self.assertEqual(balance, 1_000_000 - 10 * 40 + 10 * 100)


if __name__ == "__main__":
    unittest.main()
