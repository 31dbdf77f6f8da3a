# SPDX-License-Identifier: BSD-2-Clause
"""large-data.py FOLDER SCALE: makes what large.py loads, the same bytes at each call."""

import pathlib
import random
import sys

import joblib
import numpy
from sklearn.ensemble import RandomForestClassifier

folder, scale = pathlib.Path(sys.argv[1]), float(sys.argv[2])
generator = numpy.random.default_rng(1)
columns = 16
table = generator.random((int((128 << 20) * scale) // (8 * columns), columns))
numpy.save(folder / "table.npy", table)
model = RandomForestClassifier(n_estimators=50, random_state=1, n_jobs=1)
model.fit(table[:4000, :8], (table[:4000, :8].sum(axis=1) * 2).astype(int))
joblib.dump(model, folder / "model.joblib")
numbers = random.Random(1)
with open(folder / "rows.csv", "w", encoding="ascii") as file:
    file.write("number,name,city,score\n")
    for row in range(int(300000 * scale)):
        file.write(f"{row},customer {numbers.randrange(10**9)},city {numbers.randrange(5000)},"
                   f"{numbers.random():.6f}\n")
