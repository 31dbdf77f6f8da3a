# SPDX-License-Identifier: BSD-2-Clause
"""Usage: catalogue.py NUMBER: writes a catalogue of so many products, always the same."""
import json
import sys

json.dump([{"id": number, "name": f"product {number}", "price": number % 977 / 7,
            "text": f"What product {number} is good for. " * 4, "tags": [f"tag {number % 31}", f"shelf {number % 97}"]}
           for number in range(int(sys.argv[1]))], sys.stdout)
