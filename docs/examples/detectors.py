"""Spikes, crossings, plateaus and grokking: the same detectors live, row by row, and offline on what was recorded."""

import numpy as np

from lab.measures.detectors import Crossing, GapClosing, Plateau, Spike, crossings, intervals, recovery_steps, spikes

# Adam on L = θ²/2: its second moment forgets, the preconditioned curvature crosses 2/η, and the loss spikes
lr, beta1, beta2, eps, steps = 0.15, 0.9, 0.99, 1e-8, 3000
theta, m, v = 1.0, 0.0, 0.0
loss, sharpness = np.empty(steps), np.empty(steps)
live = Crossing("preconditioned_sharpness", lambda config: 2 / config["lr"]).start({"lr": lr})
first_crossing = None
for t in range(1, steps + 1):
    loss[t - 1] = theta**2 / 2
    m, v = beta1 * m + (1 - beta1) * theta, beta2 * v + (1 - beta2) * theta**2
    denominator = np.sqrt(v / (1 - beta2**t)) + eps
    sharpness[t - 1] = (1 - beta1) / (1 + beta1) / (1 - beta1**t) / denominator
    for event in live.feed(t, sharpness[t - 1]):
        first_crossing = first_crossing or event.step
    theta -= lr * m / (1 - beta1**t) / denominator

step = np.arange(1, steps + 1)
found = spikes(step, loss)
above = crossings(step, sharpness, 2 / lr)
print(f"live: the sharpness first crossed 2/η at step {first_crossing}")
print(f"offline: {len(above)} crossings, lengths {[item.length for item in above][:8]} steps")
print(f"{len(found)} spikes by {Spike('train_loss').parameters()}")
for spike in found[:3]:
    back = recovery_steps(step, loss, spike)
    end = f"back after {back} steps" if back else "never as low again"
    print(f"  step {spike.start}: {spike.numbers['height']:.3g} x the median, {end}")

# Grokking: test accuracy follows train accuracy long after it
train, test = (1 / (1 + np.exp(-(step - middle) / 50)) for middle in (300, 2000))
(delayed,) = intervals(GapClosing(), (step, train), (step, test))
flat = intervals(Plateau("test_accuracy", window=200, tolerance=0.001), (step, test))
print(f"test followed train after {delayed.numbers['delay']} steps; flat from steps {[item.start for item in flat]}")
