"""The benchmarks' networks in PyTorch, by the names of tests/bench/workloads.cpp, for the programs beside this file."""
import torch
from torch import nn
from torch.nn import functional

torch.manual_seed(1)


def dense(*sizes, activation):
    layers = []
    for inputs, outputs in zip(sizes, sizes[1:]):
        layers += [nn.Linear(inputs, outputs), activation()]
    return nn.Sequential(*layers[:-1])


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10))


class Residual(nn.Module):
    def __init__(self, inputs, outputs, stride):
        super().__init__()
        self.inner = nn.Sequential(
            nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU(),
            nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False), nn.BatchNorm2d(outputs))
        self.shortcut = nn.Identity()
        if stride != 1 or inputs != outputs:
            self.shortcut = nn.Sequential(nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))

    def forward(self, x):
        return functional.relu(self.inner(x) + self.shortcut(x))


def resnet20():
    layers, inputs = [nn.Conv2d(3, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU()], 16
    for outputs in (16, 32, 64):
        for k in range(3):
            layers.append(Residual(inputs, outputs, 2 if k == 0 and outputs != 16 else 1))
            inputs = outputs
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.lstm, self.out = nn.LSTM(64, 128), nn.Linear(128, 65)

    def forward(self, x):
        return self.out(self.lstm(x)[0])


class Attention(nn.Module):
    def __init__(self, width, heads, length):
        super().__init__()
        self.heads = heads
        self.project, self.out = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.register_buffer("later", torch.ones(length, length, dtype=torch.bool).triu(1))

    def forward(self, x):
        batch, length, width = x.shape
        q, k, v = (part.view(batch, length, self.heads, -1).transpose(1, 2)
                   for part in self.project(x).chunk(3, dim=2))
        scores = (q @ k.transpose(2, 3) / (width // self.heads) ** 0.5).masked_fill(self.later, -torch.inf)
        return self.out((scores.softmax(-1) @ v).transpose(1, 2).reshape(batch, length, width))


class Layer(nn.Module):
    def __init__(self, width, heads, length):
        super().__init__()
        self.attend = nn.Sequential(nn.LayerNorm(width), Attention(width, heads, length))
        self.feed = nn.Sequential(nn.LayerNorm(width), nn.Linear(width, 4 * width), nn.GELU(),
                                  nn.Linear(4 * width, width))

    def forward(self, x):
        x = x + self.attend(x)
        return x + self.feed(x)


class Gpt(nn.Module):
    def __init__(self, layers, characters=65, length=128, width=128, heads=4):
        super().__init__()
        self.token, self.position = nn.Embedding(characters, width), nn.Embedding(length, width)
        self.body = nn.Sequential(*(Layer(width, heads, length) for _ in range(layers)), nn.LayerNorm(width))
        self.head = nn.Linear(width, characters, bias=False)

    def forward(self, ids):
        return self.head(self.body(self.token(ids) + self.position.weight))


class Elementwise(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Parameter(torch.ones(1024)), nn.Parameter(torch.zeros(1024))

    def forward(self, x):
        return (torch.tanh(self.a * x + self.b) * torch.sigmoid(x)).mean()


def classes(*shape, count=10):
    return torch.randint(count, shape)


def cross_entropy(scores, labels):
    return functional.cross_entropy(scores.flatten(0, -2), labels.flatten())


def sgd(**options):
    return lambda parameters: torch.optim.SGD(parameters, **options)


def adam(kind=torch.optim.Adam):
    return lambda parameters: kind(parameters, lr=1e-4)


def xor():
    return torch.tensor([[0.0, 0], [0, 1], [1, 0], [1, 1]]), torch.tensor([[0.0], [1], [1], [0]])


# name: (network, inputs and labels, loss, optimizer)
WORKLOADS = {
    "tiny_b1": lambda: (dense(2, 8, 1, activation=nn.Tanh), *xor(), functional.mse_loss, sgd(lr=0.1)),
    "mlp_b1": lambda: (dense(784, 512, 512, 10, activation=nn.ReLU), torch.randn(1, 784), classes(1), cross_entropy,
                       sgd(lr=1e-3)),
    "mlp_b128": lambda: (dense(784, 512, 512, 10, activation=nn.ReLU), torch.randn(128, 784), classes(128),
                         cross_entropy, adam()),
    "mlp_big_b256": lambda: (dense(1024, 4096, 4096, 1024, activation=nn.ReLU), torch.randn(256, 1024),
                             torch.randn(256, 1024), functional.mse_loss, sgd(lr=1e-3)),
    "lenet_b64": lambda: (lenet(), torch.randn(64, 1, 28, 28), classes(64), cross_entropy, adam()),
    "resnet_b16": lambda: (resnet20(), torch.randn(16, 3, 32, 32), classes(16), cross_entropy,
                           sgd(lr=1e-2, momentum=0.9)),
    "lstm_b32": lambda: (Recurrent(), torch.randn(64, 32, 64), classes(64, 32, count=65), cross_entropy, adam()),
    "gpt_b8": lambda: (Gpt(4), classes(8, 128, count=65), classes(8, 128, count=65), cross_entropy,
                       adam(torch.optim.AdamW)),
    "gpt24_b8": lambda: (Gpt(24), classes(8, 128, count=65), classes(8, 128, count=65), cross_entropy,
                         adam(torch.optim.AdamW)),
    "elementwise": lambda: (Elementwise(), torch.randn(4096, 1024), None, lambda out, _: out, None),
}


class Training:
    """Steps of training of a network."""

    def __init__(self, name, channels_last=False):
        self.network, self.x, self.y, self.loss, optimizer = WORKLOADS[name]()
        if channels_last:
            self.x = in_channels_last(self.network, self.x)
        self.update = optimizer(list(self.network.parameters())) if optimizer else None

    def forget_gradients(self):
        for parameter in self.network.parameters():
            parameter.grad = None

    def step(self):
        self.forget_gradients()
        self.loss(self.network(self.x), self.y).backward()
        if self.update:
            self.update.step()


def inference(name, channels_last=False):
    """The network and its input."""
    network, x = WORKLOADS[name]()[:2]
    network.eval()
    return network, in_channels_last(network, x) if channels_last else x


def in_channels_last(network, x):
    if x.dim() != 4:
        return x
    network.to(memory_format=torch.channels_last)
    return x.to(memory_format=torch.channels_last)
