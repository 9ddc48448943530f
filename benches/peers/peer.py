"""What the programs of this folder share: the conversation that README.md describes, and arrays in files.

Imported first: it says how many threads there are to be before a library that has threads is loaded.
"""

import json
import os
import sys
import time

cores = int(sys.argv[-1]) if sys.argv[-1].isdigit() else 1
# Threads wait for the next call for about a millisecond, which covers a batch, and no longer, since they would take a core
# from whoever is timed next.
os.environ.setdefault("GOMP_SPINCOUNT", "100000")
os.environ["OMP_NUM_THREADS"] = str(cores)

import numpy


class Case:
    """One thing to time: reads its arrays, computes once for the comparison, and then as often as it is asked to."""

    def __init__(self, request):
        self.request = request
        self.type = {"f32": numpy.float32, "f64": numpy.float64}[request["type"]]

    def read(self, name, shape):
        return numpy.fromfile(f"{self.request['folder']}/{name}", self.type).reshape(shape)

    def write(self, name, array):
        numpy.ascontiguousarray(array, self.type).tofile(f"{self.request['folder']}/{name}")

    def prepare(self):
        """Writes what is compared. Returns False when the library cannot compute this."""
        raise NotImplementedError

    def call(self):
        """What is timed."""
        raise NotImplementedError

    def finish(self):
        """Waits until what was called is done."""

    def seconds(self, batch):
        start = time.perf_counter()
        for _ in range(batch["calls"]):
            self.call()
        self.finish()
        return time.perf_counter() - start


class Training(Case):
    """A descent: subclasses turn `arrays` into `weights`, and say what `call`, a step that returns the loss before it, and
    `loss_now` are.
    """

    def __init__(self, request):
        super().__init__(request)
        samples, inputs, width = request["samples"], request["inputs"], request["width"]
        self.layers, self.eta = list(zip(request["skips"], request["scales"])), request["eta"]
        self.names = [f"w{h + 1}" for h in range(len(self.layers))] + ["a"]
        shapes = [(width, inputs)] + [(width, width)] * (len(self.layers) - 1) + [(width,)]
        self.arrays = (self.read(name, shape) for name, shape in zip(self.names, shapes))
        self.samples = self.read("x", (samples, inputs)), self.read("y", samples)

    def prepare(self):
        losses = [float(self.call()) for _ in range(self.request["steps"])]
        self.write("losses", [losses[0], float(self.loss_now())])
        for name, weight in zip(self.names, self.weights):
            self.write(name, weight)


def serve(name, version, case_type):
    """Introduces the library and answers until stdin ends."""

    def answer(**line):
        print(json.dumps(line), flush=True)

    answer(here={"name": name, "version": version})
    try:
        for line in sys.stdin:
            request = json.loads(line)
            if "prepare" in request:
                case = None  # the arrays of the last case go first
                case = case_type(request["prepare"])
                answer(prepared=case.prepare() is not False)
            else:
                seconds = case.seconds(request["batch"])
                if cores > 1:
                    time.sleep(0.01)  # until the other threads rest
                answer(seconds=seconds)
    except Exception as error:
        answer(failed=f"{type(error).__name__}: {error}")
