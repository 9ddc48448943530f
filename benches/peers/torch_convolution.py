"""Convolutions by PyTorch, for `verify bench conv --peer "python3 benches/peers/torch_convolution.py"`.

Reads a request a line from stdin and answers with a line of JSON; README.md beside this file says what may be asked.
Needs PyTorch and NumPy.
"""

import json
import os
import sys
import time

cores = int(sys.argv[1]) if len(sys.argv) > 1 else 1
# Before the import: threads wait for the next call for about a millisecond, which covers a batch, and no longer, since
# they would take a core from whoever is timed next.
os.environ.setdefault("GOMP_SPINCOUNT", "100000")
os.environ["OMP_NUM_THREADS"] = str(cores)

import numpy
import torch

torch.set_num_threads(cores)


def answer(**line):
    print(json.dumps(line), flush=True)


class Case:
    def __init__(self, request):
        self.type = {"f32": numpy.float32, "f64": numpy.float64}[request["type"]]
        self.folder = request["folder"]
        self.x = self.read("x", request["images"]).requires_grad_()
        self.w = self.read("w", request["filters"]).requires_grad_()
        self.dy = self.read("dy", request["outputs"])
        self.geometry = request["stride"], request["padding"], request["dilation"]

    def read(self, name, shape):
        return torch.from_numpy(numpy.fromfile(f"{self.folder}/{name}", self.type).reshape(shape))

    def write(self, name, tensor):
        tensor.detach().contiguous().numpy().tofile(f"{self.folder}/{name}")

    def forward(self):
        return torch.nn.functional.conv2d(self.x, self.w, None, *self.geometry)

    def all(self):
        self.x.grad = self.w.grad = None
        y = self.forward()
        y.backward(self.dy)
        return y

    def prepare(self):
        self.write("y", self.all())
        self.write("dx", self.x.grad)
        self.write("dw", self.w.grad)

    def batch(self, name, calls):
        call = {"forward": self.forward, "all": self.all}[name]
        with torch.set_grad_enabled(name == "all"):
            start = time.perf_counter()
            for _ in range(calls):
                call()
            seconds = time.perf_counter() - start
        if cores > 1:
            time.sleep(0.01)  # until the other threads rest
        return seconds


def serve():
    case = None
    for line in sys.stdin:
        request = json.loads(line)
        if "prepare" in request:
            case = Case(request["prepare"])
            case.prepare()
            answer(prepared=True)
        else:
            answer(seconds=case.batch(request["batch"]["pass"], request["batch"]["calls"]))


if __name__ == "__main__":
    answer(here={"name": "PyTorch", "version": torch.__version__})
    try:
        serve()
    except Exception as error:
        answer(failed=f"{type(error).__name__}: {error}")
