"""Convolutions by PyTorch, for `verify bench conv --peer "python3 benches/peers/torch_convolution.py"`.

Needs PyTorch and NumPy.
"""

import peer
import torch

torch.set_num_threads(peer.cores)


class Convolution(peer.Case):
    def __init__(self, request):
        super().__init__(request)
        self.x = torch.from_numpy(self.read("x", request["images"])).requires_grad_()
        self.w = torch.from_numpy(self.read("w", request["filters"])).requires_grad_()
        self.dy = torch.from_numpy(self.read("dy", request["outputs"]))
        self.geometry = request["stride"], request["padding"], request["dilation"]

    def forward(self):
        return torch.nn.functional.conv2d(self.x, self.w, None, *self.geometry)

    def all(self):
        self.x.grad = self.w.grad = None
        y = self.forward()
        y.backward(self.dy)
        return y

    def prepare(self):
        self.write("y", self.all().detach())
        self.write("dx", self.x.grad)
        self.write("dw", self.w.grad)

    def seconds(self, batch):
        self.call = {"forward": self.forward, "all": self.all}[batch["pass"]]
        with torch.set_grad_enabled(batch["pass"] == "all"):
            return super().seconds(batch)


if __name__ == "__main__":
    peer.serve("PyTorch", torch.__version__, Convolution)
