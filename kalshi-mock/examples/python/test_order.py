# A resting order is filled on kalshi-mock. Needs the standard library only.
import json
import os
import unittest
from subprocess import PIPE, Popen
from urllib.request import Request, urlopen


class OrderTest(unittest.TestCase):
    def setUp(self):
        exchange = Popen([os.environ.get("KALSHI_MOCK", "kalshi-mock"), "--control", "--json"], stdout=PIPE)
        self.addCleanup(exchange.communicate)  # Cleanups run in reverse order.
        self.addCleanup(exchange.terminate)
        self.url = json.loads(exchange.stdout.readline())["control_url"].removesuffix("/mock")

    def request(self, method, path, body=None):
        headers = {"Content-Type": "application/json"}
        if path.startswith("/trade-api/"):
            headers |= self.request("POST", "/mock/sign", {"method": method, "path": path})["headers"]
        data = json.dumps(body).encode() if body else None
        with urlopen(Request(self.url + path, data, headers, method=method), timeout=10) as response:
            return json.load(response)

    def test_resting_order_is_filled(self):
        self.request("PUT", "/mock/markets/KXTEST-26-A")
        order = {"ticker": "KXTEST-26-A", "side": "bid", "price": "0.4000", "count": "10.00"}
        order |= {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}
        placed = self.request("POST", "/trade-api/v2/portfolio/events/orders", order)
        self.request("POST", "/mock/markets/KXTEST-26-A/trades", {"side": "ask", "price": "0.4000", "count": "10.00"})
        [fill] = self.request("GET", "/trade-api/v2/portfolio/fills?ticker=KXTEST-26-A")["fills"]
        self.assertEqual((fill["order_id"], fill["count_fp"]), (placed["order_id"], "10.00"))


if __name__ == "__main__":
    unittest.main()
