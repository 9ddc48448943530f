"""Standard normals by PyTorch, for `verify bench normal --peer "python3 benches/peers/torch_normal.py"`.

Needs PyTorch and NumPy.
"""

import numpy
import peer
import torch

torch.set_num_threads(peer.cores)


class Draw(peer.Case):
    def __init__(self, request):
        super().__init__(request)
        self.y = torch.from_numpy(numpy.empty(request["elements"], self.type))
        self.generator = torch.Generator().manual_seed(1)

    def call(self):
        self.y.normal_(generator=self.generator)

    def prepare(self):
        self.call()
        self.write("y", self.y)


if __name__ == "__main__":
    peer.serve("PyTorch", torch.__version__, Draw)
