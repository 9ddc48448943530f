"""Standard normals by NumPy, for `verify bench normal --peer "python3 benches/peers/numpy_normal.py"`.

Needs NumPy.
"""

import numpy
import peer


class Draw(peer.Case):
    def __init__(self, request):
        super().__init__(request)
        self.y = numpy.empty(request["elements"], self.type)
        self.generator = numpy.random.default_rng(1)

    def call(self):
        self.generator.standard_normal(dtype=self.type, out=self.y)

    def prepare(self):
        self.call()
        self.write("y", self.y)


if __name__ == "__main__":
    peer.serve("NumPy", numpy.__version__, Draw)
