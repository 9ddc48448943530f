"""Vector math by PyTorch, for `verify bench elementwise --peer "python3 benches/peers/torch_elementwise.py"`.

Each function is written in the fewest passes that PyTorch has for it, into memory that is there already. Needs PyTorch and
NumPy.
"""

import math

import peer
import torch

torch.set_num_threads(peer.cores)
aten = torch.ops.aten


class Map(peer.Case):
    def __init__(self, request):
        super().__init__(request)
        self.x = torch.from_numpy(self.read("x", request["elements"]))
        self.y, self.ones = torch.empty_like(self.x), torch.ones_like(self.x)
        # Of exp(-x^2) 2 / sqrt(pi).
        self.logarithm = torch.tensor(math.log(2 / math.sqrt(math.pi)), dtype=self.x.dtype)
        x, y, ones = self.x, self.y, self.ones
        self.call = {
            "exp": lambda: torch.exp(x, out=y),
            "softplus": lambda: aten.softplus.out(x, out=y),
            "sigmoid": lambda: torch.sigmoid(x, out=y),
            "tanh": lambda: torch.tanh(x, out=y),
            "erf": lambda: torch.erf(x, out=y),
            "gelu": lambda: aten.gelu.out(x, out=y),
            "silu": lambda: aten.silu.out(x, out=y),
            "softplus'": lambda: torch.sigmoid(x, out=y),
            "sigmoid'": lambda: aten.sigmoid_backward.grad_input(ones, torch.sigmoid(x, out=y), grad_input=y),
            "tanh'": lambda: aten.tanh_backward.grad_input(ones, torch.tanh(x, out=y), grad_input=y),
            "erf'": lambda: torch.addcmul(self.logarithm, x, x, value=-1, out=y).exp_(),
            "gelu'": lambda: aten.gelu_backward.grad_input(ones, x, grad_input=y),
            "silu'": lambda: aten.silu_backward.grad_input(ones, x, grad_input=y),
        }.get(request["function"])

    def prepare(self):
        if self.call is None:
            return False
        self.call()
        self.write("y", self.y)

    def seconds(self, batch):
        with torch.inference_mode():
            return super().seconds(batch)


if __name__ == "__main__":
    peer.serve("PyTorch", torch.__version__, Map)
