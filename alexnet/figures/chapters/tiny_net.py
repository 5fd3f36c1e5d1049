"""A network of two inputs that learns in the page, by the paper's update rule, written for PScript (paper 5).

Only numbers, texts, lists and dicts, as `alexnet.figures.sliders.translate_to_javascript` needs. The weights
stand in one list: layer after layer, neuron after neuron, the bias of each last.
"""

import math

PI = math.pi
SIZES = [2, 16, 16, 2]  # inputs, two hidden layers, classes
NUM_EXAMPLES = 128
MAX_STEPS = 1000
LARGEST = 10_000  # a weight beyond this means that the training diverges


def fresh(settings: dict) -> dict:
    """Return a network before its first update: examples, random weights, velocities of zero.

    Args:
        settings: "data", one of "rings" and "spirals"; "std", the standard deviation of the initial weights.
    """
    random = [20_121_203]
    points = [example(settings["data"], k, random) for k in range(NUM_EXAMPLES)]
    weights = []
    for layer in range(len(SIZES) - 1):
        for _j in range(SIZES[layer + 1]):
            row = [settings["std"] * normal(random) for i in range(SIZES[layer])]
            row.append(0.0)
            weights.extend(row)
    state = {
        "points": points,
        "weights": weights,
        "velocities": [0.0 for k in weights],
        "order": list(range(NUM_EXAMPLES)),
        "next": NUM_EXAMPLES,  # in the order; at its end it is shuffled
        "random": random,
        "step": 0,
        "curve": [],
        "before": [],  # the curve of another run, to compare with
        "diverged": 0,
    }
    measure(state, settings["activation"])
    return state


def example(data: str, k: int, random: list[int]) -> list[float]:
    """Return an example: two inputs from about -1 to 1, and its class, 0 or 1, which alternate."""
    label = k % 2
    along = uniform(random)
    if data == "rings":
        radius = 0.4 * math.sqrt(along) if label else 0.65 + 0.3 * along
        angle = 2 * PI * uniform(random)
    else:
        radius = 0.15 + 0.8 * along
        angle = PI * (2.6 * along + label)
    noise = [0.03 * normal(random), 0.03 * normal(random)]
    return [radius * math.cos(angle) + noise[0], radius * math.sin(angle) + noise[1], label]


def uniform(random: list[int]) -> float:
    """Return a random number from 0 to 1; the one number in the list is the generator's state."""
    random[0] = random[0] * 16807 % 2147483647  # of Park and Miller; the product is exact in JavaScript, too
    return random[0] / 2147483647


def normal(random: list[int]) -> float:
    """Return a random number of mean 0 and variance 1: the sum of twelve uniform ones, less its mean."""
    return sum([uniform(random) for k in range(12)]) - 6


def advance(state: dict, settings: dict, steps: int) -> None:
    """Do so many updates, each on the next batch, and measure; stop where the training diverges.

    Args:
        state: from `fresh`, changed in place.
        settings: "activation", "relu" or "tanh"; "rate", "momentum", "decay", "batch".
        steps: updates to do, fewer at the end.
    """
    began = state["step"]
    for _k in range(steps):
        if state["step"] < MAX_STEPS and not state["diverged"]:
            gradients = gradient(state["weights"], batch(state, settings["batch"]), settings["activation"])
            update(state, gradients, settings["rate"], settings["momentum"], settings["decay"])
            state["step"] += 1
    if state["step"] > began:
        measure(state, settings["activation"])


def batch(state: dict, size: int) -> list[list[float]]:
    """Return the examples of the next batch; what does not fill one is left out."""
    order = state["order"]
    if state["next"] + size > len(order):
        state["next"] = 0
        for i in range(len(order)):
            j = i + math.floor(uniform(state["random"]) * (len(order) - i))
            swapped = order[i]
            order[i] = order[j]
            order[j] = swapped
    start = state["next"]
    state["next"] = start + size
    return [state["points"][order[start + k]] for k in range(size)]


def update(state: dict, gradients: list[float], rate: float, momentum: float, decay: float) -> None:
    """Change velocities and weights by the paper's rule: v = 0.9 v - 0.0005 rate w - rate g; w = w + v."""
    weights, velocities = state["weights"], state["velocities"]
    for i in range(len(weights)):
        velocities[i] = momentum * velocities[i] - decay * rate * weights[i] - rate * gradients[i]
        weights[i] = weights[i] + velocities[i]
        if abs(weights[i]) > LARGEST:
            state["diverged"] = 1


def forward(weights: list[float], point: list[float], activation: str) -> list[list[float]]:
    """Return the inputs, the activations of each hidden layer, and the two logits."""
    values, place = [[point[0], point[1]]], 0
    for layer in range(len(SIZES) - 1):
        below, above = values[layer], []
        for _j in range(SIZES[layer + 1]):
            total = weights[place + len(below)]
            for i in range(len(below)):
                total += weights[place + i] * below[i]
            place += len(below) + 1
            above.append(total if layer == len(SIZES) - 2 else activated(total, activation))
        values.append(above)
    return values


def activated(value: float, activation: str) -> float:
    """Apply the activation function."""
    return max(0.0, value) if activation == "relu" else math.tanh(value)


def derivative(output: float, activation: str) -> float:
    """Return the derivative of the activation function where its output is this."""
    if activation == "relu":
        return 1.0 if output > 0 else 0.0
    return 1 - output * output


def probability(logits: list[float]) -> float:
    """Return the softmax of class 1."""
    return 1 / (1 + math.exp(min(700.0, logits[0] - logits[1])))


def gradient(weights: list[float], examples: list[list[float]], activation: str) -> list[float]:
    """Return the gradient of the mean cross-entropy of the examples by backpropagation."""
    result = [0.0 for k in weights]
    for point in examples:
        values = forward(weights, point, activation)
        error = (probability(values[-1]) - point[2]) / len(examples)
        delta, end = [-error, error], len(weights)
        for k in range(len(SIZES) - 1):
            layer = len(SIZES) - 2 - k
            below = values[layer]
            width = len(below) + 1
            lower = [0.0 for k in below]
            end -= width * len(delta)
            for j in range(len(delta)):
                place = end + width * j
                for i in range(len(below)):
                    result[place + i] += delta[j] * below[i]
                    lower[i] += delta[j] * weights[place + i]
                result[place + len(below)] += delta[j]
            delta = [lower[i] * derivative(below[i], activation) for i in range(len(below))]
    return result


def measure(state: dict, activation: str) -> None:
    """Add to the curve: the step, the mean loss in nats and the fraction of all examples misclassified."""
    loss, wrong = 0.0, 0
    for point in state["points"]:
        logits = forward(state["weights"], point, activation)[-1]
        margin = logits[1] - logits[0] if point[2] else logits[0] - logits[1]
        loss += max(0.0, -margin) + math.log(1 + math.exp(-abs(margin)))
        wrong += 1 if margin <= 0 else 0
    state["curve"].append([state["step"], loss / NUM_EXAMPLES, wrong / NUM_EXAMPLES])
