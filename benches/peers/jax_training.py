"""Full-batch descent by JAX, for `verify bench train --peer "python3 benches/peers/jax_training.py"`.

A step is one compiled function, whose new weights take the place of the old ones. Needs JAX and NumPy.
"""

import os

import peer

# Before the import: how many threads there are to be.
os.environ["NPROC"] = os.environ["PJRT_NPROC"] = str(peer.cores)
if peer.cores == 1:
    os.environ["XLA_FLAGS"] = os.environ.get("XLA_FLAGS", "") + " --xla_cpu_multi_thread_eigen=false"
os.environ["JAX_PLATFORMS"] = "cpu"

import jax
import jax.numpy as jnp


class Training(peer.Training):
    def __init__(self, request):
        super().__init__(request)
        layers, eta = self.layers, self.eta
        self.weights = [jnp.array(array) for array in self.arrays]
        self.x, self.y = map(jnp.asarray, self.samples)

        def loss(parameters, x, y):
            *weights, a = parameters
            for w, (skip, scale) in zip(weights, layers):
                above = scale * jax.nn.softplus(x @ w.T)
                x = x + above if skip else above
            return 0.5 * jnp.sum((x @ a - y) ** 2)

        def step(parameters, x, y):
            value, gradients = jax.value_and_grad(loss)(parameters, x, y)
            return value, [weight - eta * gradient for weight, gradient in zip(parameters, gradients)]

        self.loss, self.step = jax.jit(loss), jax.jit(step, donate_argnums=0)

    def call(self):
        value, self.weights = self.step(self.weights, self.x, self.y)
        return value

    def loss_now(self):
        return self.loss(self.weights, self.x, self.y)

    def finish(self):
        jax.block_until_ready(self.weights)


if __name__ == "__main__":
    peer.serve("JAX", jax.__version__, Training)
