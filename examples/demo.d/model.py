# SPDX-License-Identifier: BSD-2-Clause
"""The model that the demo's workers load: a folder with weights and a vocabulary.

It stands for what real workers load in common: embeddings, lookup tables, rule sets.
"""

import json
import pathlib
import random

LAYER_FLOATS = 256 * 1024  # One MiB of weights a layer.


def make(folder, layers):
    """Writes a model. The same numbers in every run, and no two layers alike."""
    source = random.Random(2024)
    with open(pathlib.Path(folder, "weights.bin"), "wb") as file:
        for _ in range(layers):
            file.write(source.randbytes(LAYER_FLOATS * 4))
    vocabulary = {f"word {number}": number for number in range(20000)}
    pathlib.Path(folder, "vocabulary.json").write_text(json.dumps(vocabulary))


class Model:
    """A model in memory, loaded as a program would that has never heard of ksmalloc."""

    def __init__(self, folder):
        self.layers = []
        with open(pathlib.Path(folder, "weights.bin"), "rb") as file:
            while block := file.read(LAYER_FLOATS * 4):
                self.layers.append(memoryview(block).cast("I"))
        self.vocabulary = json.loads(pathlib.Path(folder, "vocabulary.json").read_text())

    def answer(self, word):
        """Something that reads from each layer: the same answer in each worker."""
        index = self.vocabulary[word]
        for layer in self.layers:
            index = layer[index % len(layer)]
        return index
