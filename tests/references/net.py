"""AlexNet composed slowly in numpy: once as the paper's text has it, once as the 2012 code computed it.

Nothing here knows the package: the order of the layers, the towers and the geometry are written out again.
x is (N, C, H, W) or (N, units); parameters is {"conv1.weight": (K, C / towers, R, S), "conv1.bias": (K,)} and
so on; the towers are the first and the second half of the maps.
"""

import numpy as np


def windows(x, size, stride, padding, outside):
    """Lay windows on the padded maps until every pixel is read: (p, q) -> (N, C, size, size).

    The last window may reach beyond the padding; out there it reads `outside`, as in the padding.
    """
    starts = [0]
    while starts[-1] + size < x.shape[2] + 2 * padding:
        starts.append(starts[-1] + stride)
    sides = (padding, padding + size)
    wide = np.pad(x, ((0, 0), (0, 0), sides, sides), constant_values=outside)
    return {
        (p, q): wide[:, :, top : top + size, left : left + size]
        for p, top in enumerate(starts)
        for q, left in enumerate(starts)
    }


def by_windows(x, size, stride, padding, outside, compute):
    """Compute (N, K) from every window; (N, K, P, Q)."""
    values = {pq: compute(window) for pq, window in windows(x, size, stride, padding, outside).items()}
    count = max(p for p, _ in values) + 1
    return np.stack([np.stack([values[p, q] for q in range(count)], -1) for p in range(count)], 2)


def conv_all(x, weight, bias, stride, padding):
    """Every kernel reads all maps."""
    return by_windows(
        x,
        weight.shape[2],
        stride,
        padding,
        0.0,
        lambda window: np.tensordot(window, weight, ([1, 2, 3], [1, 2, 3])) + bias,
    )


def conv_own(x, weight, bias, stride, padding):
    """The first half of the kernels reads the first half of the maps, the second half the second."""
    maps, kernels = x.shape[1] // 2, len(weight) // 2
    first = conv_all(x[:, :maps], weight[:kernels], bias[:kernels], stride, padding)
    second = conv_all(x[:, maps:], weight[kernels:], bias[kernels:], stride, padding)
    return np.concatenate([first, second], 1)


def max_pool(x):
    """3x3 windows, 2 pixels apart (3.4)."""
    return by_windows(x, 3, 2, 0, -np.inf, lambda window: window.max((2, 3)))


def relu(x):
    return np.maximum(x, 0)


def response_norm(x, n, k, alpha, beta):
    """b_i = a_i / (k + alpha * sum of a_j ** 2 over the n maps round i, as far as there are any) ** beta."""
    b = np.empty_like(x)
    last = x.shape[1] - 1
    for i in range(x.shape[1]):
        total = 0.0
        for j in range(max(0, i - n // 2), min(last, i + n // 2) + 1):
            total = total + x[:, j] ** 2
        b[:, i] = x[:, i] / (k + alpha * total) ** beta
    return b


def in_towers(norm, x):
    """Normalise the two halves of the maps apart."""
    half = x.shape[1] // 2
    return np.concatenate([norm(x[:, :half]), norm(x[:, half:])], 1)


def spatial_norm(x):
    """Each activation against the 5x5 pixels round it in its own map: scale 0.001 / 25, power 0.75, k = 1."""
    return x / by_windows(x, 5, 1, 2, 0.0, lambda window: (1 + 0.001 / 25 * (window**2).sum((2, 3))) ** 0.75)


def dense(x, weight, bias):
    return x.reshape(len(x), -1) @ weight.T + bias


def dropped(x, mask):
    """In training what the mask keeps, unscaled; at test (no mask) half of everything (4.2)."""
    return x * 0.5 if mask is None else x * mask


def dense_layers(outputs, x, parameters, masks):
    """fc6, fc7 and fc8 (3.5, 4.2), each added to the outputs by its name."""
    masks = masks or {"fc7": None, "fc8": None}
    p = parameters
    outputs["fc6"] = x = relu(dense(x, p["fc6.weight"], p["fc6.bias"]))
    outputs["fc7"] = x = relu(dense(dropped(x, masks["fc7"]), p["fc7.weight"], p["fc7.bias"]))
    outputs["fc8"] = dense(dropped(x, masks["fc8"]), p["fc8.weight"], p["fc8.bias"])
    return outputs


def paper_net(x, parameters, constants, masks=None):
    """Every layer's output by name, in the order of sections 3.3 to 3.5; constants: n, k, alpha, beta."""
    p, outputs = parameters, {}
    outputs["conv1"] = x = relu(conv_all(x, p["conv1.weight"], p["conv1.bias"], 4, 0))
    outputs["norm1"] = x = response_norm(x, **constants)
    outputs["pool1"] = x = max_pool(x)
    outputs["conv2"] = x = relu(conv_own(x, p["conv2.weight"], p["conv2.bias"], 1, 2))
    outputs["norm2"] = x = response_norm(x, **constants)
    outputs["pool2"] = x = max_pool(x)
    outputs["conv3"] = x = relu(conv_all(x, p["conv3.weight"], p["conv3.bias"], 1, 1))
    outputs["conv4"] = x = relu(conv_own(x, p["conv4.weight"], p["conv4.bias"], 1, 1))
    outputs["conv5"] = x = relu(conv_own(x, p["conv5.weight"], p["conv5.bias"], 1, 1))
    outputs["pool5"] = x = max_pool(x)
    return dense_layers(outputs, x, parameters, masks)


def code2012_net(x, parameters, constants, masks=None):
    """Every layer's output by name, in the order of the 2012 definition of the net; conv5 is still linear."""
    p, outputs = parameters, {}
    divided = constants | {"alpha": constants["alpha"] / constants["n"]}
    outputs["conv1"] = x = conv_all(x, p["conv1.weight"], p["conv1.bias"], 4, 0)
    outputs["norm1"] = x = in_towers(lambda maps: response_norm(maps, **divided), x)
    outputs["pool1"] = x = relu(max_pool(x))
    outputs["conv2"] = x = relu(conv_own(x, p["conv2.weight"], p["conv2.bias"], 1, 2))
    outputs["norm2"] = x = in_towers(lambda maps: response_norm(maps, **divided), x)
    outputs["spatial_norm2"] = x = spatial_norm(x)
    outputs["pool2"] = x = max_pool(x)
    outputs["conv3"] = x = relu(conv_all(x, p["conv3.weight"], p["conv3.bias"], 1, 1))
    outputs["conv4"] = x = relu(conv_own(x, p["conv4.weight"], p["conv4.bias"], 1, 1))
    x = conv_own(x, p["conv5.weight"], p["conv5.bias"], 1, 1)
    outputs["pool5"] = x = relu(max_pool(x))
    return dense_layers(outputs, x, parameters, masks)
