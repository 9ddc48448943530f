"""Replays in PyTorch what `verify train --dump DIR` has trained: python3 benches/peers/torch_replay.py DIR

The gradients of the first step come from autograd, the loss curve from descent by autograd's gradients, all in f64. A
training in f64 must agree to 1e-12, relative to the largest entry of a gradient and to each loss; one in f32 to 1e-3.
Exit code 0 when all agree, 1 when something differs, 2 when DIR holds no dump. Needs PyTorch and NumPy.
"""

import json
import math
import pathlib
import sys

import numpy
import torch

TOLERANCE = {"f64": 1e-12, "f32": 1e-3}


def softplus(beta):
    # torch's own is linear from a threshold on.
    return lambda z: torch.logaddexp(torch.zeros_like(z), beta * z) / beta


def activation(name):
    name, _, setting = name.partition(":")
    if name == "softplus":
        return softplus(float(setting or 1))
    return {
        "tanh": torch.tanh,
        "sigmoid": torch.sigmoid,
        "erf": torch.erf,
        "gelu": lambda z: z * torch.special.ndtr(z),
        "silu": torch.nn.functional.silu,
        "relu": torch.relu,
        "identity": lambda z: z,
    }[name]


class Training:
    """The network of a dump, at its random start."""

    def __init__(self, folder):
        self.folder = folder
        self.settings = json.loads((folder / "settings.json").read_text())
        if self.settings["schema"] != "fathom.dump/1":
            raise ValueError(f"cannot read schema {self.settings['schema']}")
        self.sigma = activation(self.settings["activation"])
        self.inputs, self.labels = self.tensor("inputs"), self.tensor("labels")
        self.weights = [self.tensor(f"weight_{h + 1}").requires_grad_() for h in range(self.settings["depth"])]
        self.output = self.tensor("output").requires_grad_()

    def array(self, name):
        return numpy.load(self.folder / f"{name}.npy")

    def tensor(self, name):
        return torch.from_numpy(self.array(name).astype(numpy.float64))

    def parameters(self):
        return self.weights + [self.output]

    def loss(self, indices):
        """1/2 sum_i (f(x_i) - y_i)^2 over some samples, f = <a, x^(H)>."""
        features = [self.inputs[indices]]
        for weight, layer in zip(self.weights, self.settings["layers"]):
            padding = [side // 2 for side in weight.shape[2:]]
            z = torch.nn.functional.conv2d(features[-1], weight, padding=padding)
            value = layer["scale"] * self.sigma(z)
            if layer["skip"] is not None:
                value = features[-layer["skip"]] + value
            features.append(value)
        outputs = (features[-1] * self.output).sum(dim=(1, 2, 3))
        return 0.5 * ((outputs - self.labels[indices]) ** 2).sum()

    def gradients(self, indices):
        return torch.autograd.grad(self.loss(indices), self.parameters())

    def batch(self, step):
        """The samples of a step: all, or a part of its epoch's order."""
        n, size = len(self.labels), self.settings["batch"]
        if size is None:
            return torch.arange(n)
        epoch, part = divmod(step, math.ceil(n / size))
        return torch.from_numpy(self.array("order")[epoch][part * size : (part + 1) * size])

    def curve(self, steps):
        """The loss of all samples after so many steps, for each of `steps`."""
        everything = torch.arange(len(self.labels))
        taken, losses = 0, []
        for step in steps:
            while taken < step:
                gradients = self.gradients(self.batch(taken))
                with torch.no_grad():
                    for parameter, gradient in zip(self.parameters(), gradients):
                        parameter -= self.settings["eta"] * gradient
                taken += 1
            with torch.no_grad():
                losses.append(self.loss(everything).item())
        return numpy.array(losses)


def replay(folder):
    """The relative errors, by what they are errors of."""
    training = Training(folder)
    errors = {}
    names = [f"gradient_{h + 1}" for h in range(training.settings["depth"])] + ["gradient_output"]
    for name, gradient in zip(names, training.gradients(training.batch(0))):
        dumped = training.array(name)
        errors[name] = abs(gradient.numpy() - dumped).max() / max(abs(dumped).max(), sys.float_info.min)
    dumped = training.array("loss")
    errors["loss"] = (abs(training.curve(training.array("steps")) - dumped) / dumped).max()
    return training.settings, errors


def main():
    if len(sys.argv) != 2:
        print("usage: torch_replay.py DIR", file=sys.stderr)
        sys.exit(2)
    try:
        settings, errors = replay(pathlib.Path(sys.argv[1]))
    except (OSError, KeyError, ValueError) as error:
        print(f"error: cannot replay {sys.argv[1]}: {error}", file=sys.stderr)
        sys.exit(2)
    tolerance = TOLERANCE[settings["type"]]
    # A NaN is no agreement either.
    wrong = [name for name, error in errors.items() if not error <= tolerance]
    what = f"{settings['arch']} of depth {settings['depth']} and width {settings['width']}, {settings['activation']}"
    for name, error in errors.items():
        mark = "  DIFFERS" if name in wrong else ""
        print(f"{name:<16} {error:.2e}{mark}")
    verdict = f"differs in {', '.join(wrong)}" if wrong else "agrees"
    print(f"{what}: PyTorch {torch.__version__} {verdict}, at a tolerance of {tolerance:g}")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
