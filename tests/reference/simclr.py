"""SimCLRv2's ResNet, projection head and loss in PyTorch, under the names of the published weights'
port. Images and maps are [batch, channels, h, w]; `training` says whose statistics BatchNorm uses."""

import torch
import torch.nn.functional as F


def features(p, image, training, selective=True, blocks=(1, 2), width=4):
    x = stem(p, image, training, selective, width)
    for stage, count in enumerate(blocks):
        for i in range(count):
            stride = 2 if stage > 0 and i == 0 else 1
            name = f"resnet.net.{stage + 1}.blocks.{i}"
            x = bottleneck(p, name, x, training, selective, width << stage, stride, projects=i == 0)
    return x.mean((2, 3))


def stem(p, image, training, selective, width):
    name = "resnet.net.0"
    if selective:
        x = norm_relu(p, f"{name}.1.0", conv(p, f"{name}.0", image, width // 2, 3, 2), training)
        x = norm_relu(p, f"{name}.3.0", conv(p, f"{name}.2", x, width // 2, 3), training)
        x = norm_relu(p, f"{name}.5.0", conv(p, f"{name}.4", x, width, 3), training)
    else:
        x = norm_relu(p, f"{name}.1.0", conv(p, f"{name}.0", image, width, 7, 2), training)
    return F.max_pool2d(x, 3, 2, padding=1)


def bottleneck(p, name, x, training, selective, inner, stride, projects):
    shortcut = x
    if projects and selective:
        shortcut = F.avg_pool2d(F.pad(x, (0, 1, 0, 1)), 2, stride)
        shortcut = conv(p, f"{name}.projection.shortcut.2", shortcut, 4 * inner, 1)
    elif projects:
        shortcut = conv(p, f"{name}.projection.shortcut", x, 4 * inner, 1, stride)
    if projects:
        shortcut = norm(p, f"{name}.projection.bn.0", shortcut, training)
    y = norm_relu(p, f"{name}.net.1.0", conv(p, f"{name}.net.0", x, inner, 1), training)
    if selective:
        y, last = selective_kernel(p, f"{name}.net.2", y, training, inner, stride), ("3", "4.0")
    else:
        y = norm_relu(p, f"{name}.net.3.0", conv(p, f"{name}.net.2", y, inner, 3, stride), training)
        last = "4", "5.0"
    y = norm(p, f"{name}.net.{last[1]}", conv(p, f"{name}.net.{last[0]}", y, 4 * inner, 1), training)
    return F.relu(shortcut + y)


def selective_kernel(p, name, x, training, out, stride):
    y = norm_relu(p, f"{name}.main_conv.1.0", conv(p, f"{name}.main_conv.0", x, 2 * out, 3, stride), training)
    branches = torch.stack(y.chunk(2, 1))
    pooled = branches.sum(0).mean((2, 3), keepdim=True)
    z = conv(p, f"{name}.mixing_conv.0", pooled, max(out // 16, 32), 1)
    z = norm_relu(p, f"{name}.mixing_conv.1.0", z, training)
    z = conv(p, f"{name}.mixing_conv.2", z, 2 * out, 1)
    return (branches * torch.stack(z.chunk(2, 1)).softmax(0)).sum(0)


def project(p, x, training, out=8):
    for layer, width in enumerate((x.shape[1], x.shape[1], out)):
        last = layer == 2
        x = F.linear(x, p.get(f"head.layers.{3 * layer}.weight", width, x.shape[1]))
        x = norm(p, f"head.layers.{3 * layer + 1}", x, training, has_bias=not last)
        x = x if last else F.relu(x)
    return x


def nt_xent(hidden, temperature):
    """The sum of both views' means, as in SimCLR's code."""
    a, b = F.normalize(hidden, dim=1).chunk(2)
    itself = 1e9 * torch.eye(len(a), dtype=hidden.dtype)
    target = torch.arange(len(a))

    def classify(x, other):
        logits = torch.cat([x @ other.T / temperature, x @ x.T / temperature - itself], 1)
        return F.cross_entropy(logits, target)

    return classify(a, b) + classify(b, a)


def conv(p, name, x, out, kernel, stride=1):
    weight = p.get(f"{name}.weight", out, x.shape[1], kernel, kernel)
    return F.conv2d(x, weight, stride=stride, padding=(kernel - 1) // 2)


def norm(p, name, x, training, has_bias=True):
    names = ["running_mean", "running_var", "weight"] + ["bias"] * has_bias
    return F.batch_norm(x, *(p.get(f"{name}.{n}", x.shape[1]) for n in names), training=training)


def norm_relu(p, name, x, training):
    return F.relu(norm(p, name, x, training))
