"""Full-batch descent by PyTorch, for `verify bench train --peer "python3 benches/peers/torch_training.py"`.

With `--compile`, forward and backward are compiled by `torch.compile`. Needs PyTorch and NumPy.
"""

import sys

import peer
import torch

torch.set_num_threads(peer.cores)
COMPILED = "--compile" in sys.argv


def loss(parameters, layers, x, y):
    """1/2 sum (f(x) - y)^2."""
    *weights, a = parameters
    for w, (skip, scale) in zip(weights, layers):
        above = torch.nn.functional.softplus(torch.nn.functional.linear(x, w))
        x = x.add(above, alpha=scale) if skip else scale * above
    return 0.5 * (x @ a - y).square().sum()


class Training(peer.Training):
    def __init__(self, request):
        super().__init__(request)
        self.parameters = [torch.from_numpy(array).requires_grad_() for array in self.arrays]
        self.weights = [parameter.detach() for parameter in self.parameters]  # the same memory
        self.x, self.y = map(torch.from_numpy, self.samples)
        if COMPILED:
            torch.compiler.reset()  # compile for these shapes, not for any
        self.loss = torch.compile(loss) if COMPILED else loss

    def call(self):
        value = self.loss(self.parameters, self.layers, self.x, self.y)
        gradients = torch.autograd.grad(value, self.parameters)
        with torch.no_grad():
            for parameter, gradient in zip(self.parameters, gradients):
                parameter.add_(gradient, alpha=-self.eta)
        return value.detach()

    def loss_now(self):
        return loss(self.weights, self.layers, self.x, self.y)


if __name__ == "__main__":
    peer.serve("PyTorch-compiled" if COMPILED else "PyTorch", torch.__version__, Training)
