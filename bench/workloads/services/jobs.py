# SPDX-License-Identifier: BSD-2-Clause
"""Tasks for celery, which need the small application's records: loaded by the first task, or before the pool is forked.

jobs.py COUNT: sends that many tasks to the workers that run, and prints what each says of itself, a line each.
"""

import json
import os
import sys

from celery import Celery

QUEUE = os.environ["SERVICE_QUEUE"]
app = Celery("jobs", broker=f"redis+socket://{QUEUE}", backend=f"redis+socket://{QUEUE}")
app.conf.update(worker_prefetch_multiplier=1, task_acks_late=True, worker_send_task_events=False)

if os.environ.get("SERVICE_PRELOAD"):
    import small  # noqa: F401


@app.task(name="jobs.answer")
def answer(number):
    import small
    return json.loads(small.answer(f"n={number}"))


def main():
    results = [answer.delay(number) for number in range(int(sys.argv[1]))]
    for result in results:
        print(json.dumps(result.get(timeout=120)))


if __name__ == "__main__":
    main()
