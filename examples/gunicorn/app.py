# SPDX-License-Identifier: BSD-2-Clause
"""A service as there are many: each worker loads a catalogue and an index over it, and answers requests."""
import json
import os


def read_catalogue(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def index_by_name(products):
    return {product["name"]: product for product in products}


class Prices:
    """What customers pay: filled while requests come in, so that each worker has another part of it."""

    def __init__(self):
        self.known = {}

    def of(self, product):
        if product["id"] not in self.known:
            self.known[product["id"]] = f"{product['price'] * 1.19:.2f} in {os.getpid()}" * 100
        return self.known[product["id"]]


PRODUCTS = read_catalogue(os.environ["CATALOGUE"])
BY_NAME = index_by_name(PRODUCTS)
PRICES = Prices()


def app(environ, start_response):
    first = int(environ["QUERY_STRING"] or 0)
    bodies = [PRICES.of(PRODUCTS[number % len(PRODUCTS)]) for number in range(first, first + 50)]
    start_response("200 OK", [("Content-Type", "text/plain")])
    return ["\n".join(bodies).encode()]
