# SPDX-License-Identifier: BSD-2-Clause
"""Builds, dumps and loads a JSON document of 100,000 records three times."""

import json

records = [{"id": i, "name": f"user {i}", "tags": [f"tag {i % 97}", f"tag {i % 89}"],
            "score": i * 0.5, "address": {"street": f"street {i % 1000}", "number": i % 200}}
           for i in range(100000)]
for _ in range(3):
    text = json.dumps(records)
    records = json.loads(text)
assert len(records) == 100000 and records[-1]["id"] == 99999
