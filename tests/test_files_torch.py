"""Modules of PyTorch against the networks made of them."""

import inspect
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import neuralgebra as na
from neuralgebra.errors import InputError, NeuralgebraError, ShapeError, UnsupportedError, UsageError
from neuralgebra.files.torch_calls import FUNCTIONS, MODULES

torch = pytest.importorskip("torch")
nn, F = torch.nn, torch.nn.functional
DTYPES = (torch.float64, torch.float32)


@pytest.fixture(autouse=True)
def _seed() -> None:
    torch.manual_seed(0)


def randomised(module: Any) -> Any:
    """The module with statistics and parameters that differ from where they start."""
    for m in module.modules():
        if hasattr(m, "running_mean") and m.running_mean is not None:
            m.running_mean.normal_()
            m.running_var.uniform_(0.5, 2)
        if type(m).__name__.endswith(("Norm", "Norm1d", "Norm2d")) and getattr(m, "weight", None) is not None:
            nn.init.normal_(m.weight)
    return module


def agrees(module: Any, shape: tuple[int, ...], given: Any = None, ulps: float = 16, scale: float = 3) -> na.Network:
    """Compare at random points, in each precision that the module has; errors in ulps of the largest output."""
    for dtype in DTYPES[: 2 if list(module.parameters()) else 1]:
        module = randomised(module).to(dtype).eval()
        f = na.from_torch(module, input_shape=given)
        x = scale * torch.randn(20, *shape, dtype=dtype)
        y = module(x.clone()).detach().numpy().reshape(20, -1)
        found = f(x.numpy().reshape(20, -1))
        assert found.dtype == y.dtype
        assert np.abs(found - y).max() <= ulps * np.finfo(y.dtype).eps * max(1, np.abs(y).max())
    return f


ACTIVATIONS = [
    *(nn.ReLU(), nn.LeakyReLU(0.2), nn.PReLU(), nn.PReLU(4, init=0.3), nn.ELU(0.7), nn.SELU(), nn.CELU(0.6)),
    *(nn.GELU(), nn.GELU("tanh"), nn.SiLU(), nn.Mish(), nn.Softplus(), nn.Softplus(2.5), nn.LogSigmoid()),
    *(nn.Sigmoid(), nn.Tanh(), nn.Tanhshrink(), nn.Softshrink(0.3), nn.Softsign(), nn.Hardtanh(-0.5, 0.7)),
    *(nn.Hardsigmoid(), nn.Hardswish(), nn.ReLU6(), nn.Softmax(-1), nn.Softmax(1), nn.LogSoftmax(-1), nn.Softmin(1)),
    *(nn.Identity(), nn.Dropout(), nn.AlphaDropout(), nn.BatchNorm1d(4), nn.BatchNorm1d(4, affine=False)),
    *(nn.LayerNorm(4), nn.LayerNorm(4, elementwise_affine=False), nn.RMSNorm(4), nn.RReLU(), nn.GLU()),
]


@pytest.mark.parametrize("module", ACTIVATIONS, ids=str)
def test_each_layer_without_axes(module: Any) -> None:
    agrees(nn.Sequential(nn.Linear(3, 4), module, nn.Linear(2 if isinstance(module, nn.GLU) else 4, 2)), (3,))


def test_slopes_per_channel_are_kept() -> None:
    module = nn.PReLU(3).double()
    module.weight.data = torch.tensor([0.1, -0.2, 3.0], dtype=torch.float64)
    x = -np.ones((1, 3))
    np.testing.assert_array_equal(na.from_torch(module, input_shape=3)(x), [[-0.1, 0.2, -3.0]])


def test_softplus_is_exact_above_the_threshold_of_pytorch() -> None:
    f = na.from_torch(nn.Softplus().double(), input_shape=1)
    assert 0 < f([[20.5]])[0, 0] - 20.5 < 2.1e-9


@pytest.mark.parametrize("beta", [1, -1, 0.5, 2, 1e3])
@pytest.mark.parametrize("steps", [-1, 0, 1])
def test_softplus_with_a_threshold_that_shows_is_refused(beta: float, steps: int) -> None:
    threshold = math.ceil(-math.log(2.1e-9 * abs(beta))) + steps
    module = nn.Sequential(nn.Linear(1, 40).double(), nn.Softplus(beta, threshold))
    nn.init.uniform_(module[0].weight, -60, 60)
    if steps < 0:
        with pytest.raises(UnsupportedError, match="A higher threshold"):
            na.from_torch(module)
        return
    f, x = na.from_torch(module), torch.linspace(-2, 2, 50, dtype=torch.float64)[:, None]
    difference = np.abs(f(x.numpy()) - module(x).detach().numpy()).max()
    assert difference <= 2.1e-9
    assert na.from_torch(module.float()).dtype == np.float32


def test_softplus_without_a_slope_is_refused() -> None:
    with pytest.raises(UnsupportedError, match="beta=0"):
        na.from_torch(nn.Softplus(0), input_shape=2)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("size", [1e-12, 1e-6, 1e-3])
def test_small_effects_that_a_trace_does_not_see_are_refused(size: float, dtype: Any) -> None:
    class Random(nn.Linear):
        def forward(self, x: Any) -> Any:
            return super().forward(x) + size * torch.randn(2).to(dtype)

    class Growing(nn.Linear):
        calls = 0

        def forward(self, x: Any) -> Any:
            self.calls += 1
            return super().forward(x) * (1 + size * self.calls)

    class FirstCall(Growing):
        def forward(self, x: Any) -> Any:
            self.calls += 1
            return nn.Linear.forward(self, x) + (size if self.calls == 1 else 0)

    for kind in (Random, Growing, FirstCall):
        with pytest.raises(UnsupportedError, match=r"at each call|other values"):
            na.from_torch(kind(2, 2).to(dtype), input_shape=2)


def test_one_output_is_not_measured_by_another() -> None:
    class Other(nn.Module):
        def forward(self, x: Any) -> Any:
            self.calls = getattr(self, "calls", 0) + 1
            small = 1e-6 * x if self.calls == 1 else 1.001e-6 * x
            return torch.cat([1e6 * x, small], 1)

    with pytest.raises(UnsupportedError, match="other values"):
        na.from_torch(Other(), input_shape=2)


def test_rounding_is_not_taken_for_another_function() -> None:
    deep = nn.Sequential(*(m for _ in range(30) for m in (nn.Linear(50, 50), nn.LayerNorm(50), nn.GELU())))
    agrees(deep, (50,), 50, 1e4)
    far = nn.Sequential(nn.BatchNorm1d(3).eval(), nn.Linear(3, 2))
    far[0].running_mean.fill_(1e6)
    assert na.from_torch(far.eval()).shape == (2, 3)
    assert na.from_torch(of(lambda x: (x + 1000) - x - 999), input_shape=3).shape == (3, 3)
    assert na.from_torch(of(lambda x: (x * 1e200) * 1e200), input_shape=2).shape == (2, 2)


def test_weights_are_copied() -> None:
    module = nn.Linear(2, 2).double()
    f = na.from_torch(module)
    before = f([[1.0, 2.0]])
    nn.init.zeros_(module.weight)
    np.testing.assert_array_equal(f([[1.0, 2.0]]), before)


def test_a_sequential_of_linear_layers_is_a_plain_chain() -> None:
    f = na.from_torch(nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Sequential(nn.Linear(5, 2, bias=False))))
    assert [a.shape for a, _ in f.layers_list()] == [(5, 3), (2, 5)]
    assert str(f.dtype) == "float32"


IMAGES = {
    "conv1d": (nn.Sequential(nn.Conv1d(2, 3, 3, dilation=2), nn.Tanh(), nn.MaxPool1d(2)), (2, 11)),
    "conv2d": (nn.Conv2d(2, 4, (3, 2), padding=(1, 0), stride=(2, 1)), (2, 6, 5)),
    "conv3d": (nn.Conv3d(1, 2, 2, bias=False), (1, 3, 4, 3)),
    "groups": (nn.Conv2d(4, 6, 3, groups=2, padding="same"), (4, 3, 3)),
    "batch norm": (nn.BatchNorm2d(3), (3, 2, 4)),
    "batch norm of a sequence": (nn.BatchNorm1d(3), (3, 4)),
    "prelu": (nn.Sequential(nn.Conv2d(3, 3, 1), nn.PReLU(3)), (3, 2, 2)),
    "max pool": (nn.MaxPool2d(3, stride=2, padding=1), (2, 6, 5)),
    "average pool": (nn.AvgPool2d(2, 1, padding=1), (2, 3, 4)),
    "average pool by hand": (nn.AvgPool2d(2, divisor_override=3), (1, 4, 4)),
    "adaptive": (nn.AdaptiveAvgPool2d((1, None)), (2, 4, 3)),
    "flatten": (nn.Sequential(nn.Flatten(2), nn.Linear(6, 2)), (2, 2, 3)),
    "unflatten": (nn.Sequential(nn.Unflatten(1, (2, 3)), nn.Softmax(-1)), (6,)),
    "layer norm": (nn.LayerNorm((3, 4)), (2, 3, 4)),
    "layer norm of rows": (nn.LayerNorm(4), (2, 3, 4)),
    "classifier": (nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8, 3)), (1, 4, 4)),
}


@pytest.mark.parametrize("name", IMAGES)
def test_each_layer_with_axes(name: str) -> None:
    module, shape = IMAGES[name]
    f = agrees(module, shape, shape)
    assert f.input_shape == (shape if len(shape) > 1 else None)


def of(function: Callable[[Any], Any]) -> Any:
    class Of(nn.Module):
        def forward(self, x: Any) -> Any:
            return function(x)

    return Of()


FORWARDS: dict[str, tuple[Callable[[Any], Any], tuple[int, ...]]] = {
    "numbers": (lambda x: (2 * x - 1) / 3 + (1 - x) * 0.5, (3,)),
    "tensors": (lambda x: x + x * torch.tanh(x) - x / (x * x + 1), (3,)),
    "constants": (lambda x: x * torch.tensor([1.0, 2, 3]) + torch.arange(3), (3,)),
    "broadcast": (lambda x: x[:, :1] * x + x.mean(1, keepdim=True) - x.sum(-1, keepdim=True), (3,)),
    "widen": (lambda x: x[:, :1] + torch.ones(4), (3,)),
    "powers": (lambda x: x**3 + x.pow(2) + (x * x + 1) ** -2 + (x * x + 1) ** 0.5 + x**0, (2,)),
    "alpha": (lambda x: torch.add(x, x.relu(), alpha=2) + torch.sub(1, x, alpha=3), (2,)),
    "cat": (lambda x: torch.cat([x, -x, torch.exp(-x * x)], dim=-1), (2,)),
    "stack": (lambda x: torch.stack([x, x.sin()], dim=2).flatten(1), (2,)),
    "slices": (lambda x: x[:, 1:] * x[..., :-1] - x[:, ::2][:, :1], (3,)),
    "one column": (lambda x: x[:, 0] - x[:, 1], (3,)),
    "split": (lambda x: x.chunk(2, dim=1)[0] * x.split([1, 3], dim=1)[0] + torch.split(x, 2, 1)[1], (4,)),
    "view": (lambda x: x.view(x.size(0), -1, 2).transpose(1, 2).reshape(x.shape[0], x.shape[1]), (6,)),
    "squeeze": (lambda x: x.unsqueeze(1).squeeze(1) + x.unsqueeze(-1).squeeze(), (3,)),
    "permute": (lambda x: x.permute(0, 3, 1, 2).contiguous().view(x.size(0), -1), (2, 3, 4)),
    "matmul": (lambda x: x @ x.transpose(1, 2) @ torch.ones(2, 3).double(), (2, 3)),
    "functional": (lambda x: F.gelu(F.silu(x)) + F.softplus(x, beta=2) + F.elu(x, alpha=0.5) + F.hardtanh(x), (3,)),
    "softmax": (lambda x: F.softmax(x, dim=1) + F.log_softmax(x, dim=-1) + torch.softmax(x, 1) + x.softmax(-1), (3,)),
    "clamp": (lambda x: x.clamp(-1, 0.5) + torch.clamp(x, min=-0.3) + x.clamp(max=0.4), (3,)),
    "normal": (lambda x: F.layer_norm(x, (3,)) + F.dropout(x, 0.3, training=False), (3,)),
    "in place": (lambda x: F.relu(x * 2, inplace=True).mul_(3), (3,)),
    "rank": (lambda x: x * x.ndim + x.dim() * x.shape[1] ** 0.5, (3,)),
}


@pytest.mark.parametrize("name", FORWARDS)
def test_a_forward_of_its_own(name: str) -> None:
    function, shape = FORWARDS[name]
    agrees(of(function), shape, shape)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Sequential(nn.Linear(4, 6), nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(6, 4))
        self.scale = nn.Parameter(torch.randn(4))
        self.register_buffer("shift", torch.randn(4))

    def forward(self, x: Any, mask: Any = None) -> Any:
        if mask is not None:
            x = x * mask
        y = self.inner(x)
        y += x
        return y * self.scale + self.shift


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(6, 6) for _ in range(3))
        self.norm = nn.LayerNorm(6)

    def forward(self, x: Any) -> Any:
        batch, length, width = x.shape
        q, k, v = (m(x).view(batch, length, 2, 3).transpose(1, 2) for m in (self.query, self.key, self.value))
        weights = torch.softmax(q @ k.transpose(-2, -1) / math.sqrt(3), dim=-1)
        return self.norm(x + (weights @ v).transpose(1, 2).reshape(batch, length, width))


def test_nested_modules() -> None:
    agrees(nn.Sequential(Residual(), nn.Tanh(), Residual(), nn.Linear(4, 1)), (4,), 4, 40)
    agrees(Attention(), (3, 6), (3, 6), 64)


def test_a_subclass_and_a_parametrised_layer_are_looked_into() -> None:
    class Doubled(nn.Linear):
        def forward(self, x: Any) -> Any:
            return 2 * super().forward(x)

    agrees(Doubled(3, 2), (3,), 3)
    agrees(nn.utils.parametrizations.weight_norm(nn.Linear(3, 2)), (3,), 3)


def test_wrappers_are_taken_off() -> None:
    inner = nn.Linear(3, 2).double()
    x = np.ones((1, 3))
    for wrapped in (nn.DataParallel(inner), torch.compile(inner)):
        np.testing.assert_array_equal(na.from_torch(wrapped)(x), na.from_torch(inner)(x))


def test_derivatives_are_those_of_autograd() -> None:
    module = nn.Sequential(nn.Linear(3, 5), nn.GELU(), nn.Linear(5, 2)).double()
    x = torch.randn(3, dtype=torch.float64)
    expected = torch.autograd.functional.jacobian(module, x).numpy()
    np.testing.assert_allclose(na.from_torch(module).jacobian(x.numpy()), expected, rtol=1e-13)


def test_names_and_shapes() -> None:
    f = na.from_torch(nn.Linear(2, 1), input_names=["a", "b"], output_names=["c"])
    assert (f.input_names, f.output_names) == (("a", "b"), ("c",))
    assert na.from_torch(nn.Tanh(), input_shape=(2, 3)).output_shape == (2, 3)


def test_every_module_of_the_table_exists_and_is_a_known_function() -> None:
    for name, (function, attributes) in MODULES.items():
        assert hasattr(nn, name), name
        assert function in FUNCTIONS
        module = made(getattr(nn, name))
        missing = [a for a in attributes if not hasattr(module, a)]
        assert not missing, name


ARGUMENTS = {
    "normalized_shape": 3,
    "num_features": 2,
    "output_size": 1,
    "unflattened_size": (1, 2),
    **dict.fromkeys(("in_channels", "out_channels", "in_features", "out_features", "kernel_size", "dim"), 2),
}


def made(kind: Any) -> Any:
    """An instance, with arguments where the class demands some."""
    demanded = [p.name for p in inspect.signature(kind).parameters.values() if p.default is p.empty]
    return kind(**{name: ARGUMENTS[name] for name in demanded if name in ARGUMENTS})


# Refusals -----------------------------------------------------------------------------------------------------------


def aliased(x: Any) -> Any:
    y = x
    x = x * 1
    y = x
    x += 1
    return x + y


def viewed(x: Any) -> Any:
    y = x * 2
    z = y.view(x.size(0), -1)
    return y + F.relu(z, inplace=True)


def hooked(which: str) -> Any:
    module = nn.Sequential(nn.Linear(2, 2))
    if which == "hook":
        module[0].register_forward_hook(lambda *a: a[2] * 2)
    elif which == "pre-hook":
        module[0].register_forward_pre_hook(lambda *a: (a[1][0] * 2,))
    else:
        module[0].forward = lambda x: x
    return module


class Counting(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x: Any) -> Any:
        self.calls += 1
        return x * self.calls


REFUSED: dict[str, tuple[Callable[[], Any], Any, type[NeuralgebraError], str]] = {
    "dropout": (lambda: nn.Sequential(nn.Linear(2, 2), nn.Dropout()), None, UnsupportedError, r"module.eval\(\)"),
    "batch norm": (lambda: nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), None, UnsupportedError, "eval"),
    "no statistics": (
        lambda: nn.BatchNorm1d(2, track_running_stats=False).eval(),
        None,
        UnsupportedError,
        "running statistics",
    ),
    "functional dropout": (lambda: of(lambda x: F.dropout(x, 0.5)), 2, UnsupportedError, "eval"),
    "unknown layer": (lambda: nn.Sequential(nn.Bilinear(2, 2, 2)), 2, UnsupportedError, "Bilinear"),
    "recurrent": (lambda: nn.LSTM(2, 2), 2, UnsupportedError, "LSTM"),
    "unknown function": (lambda: of(torch.cumsum), 2, UnsupportedError, "cannot be traced"),
    "unknown function of x": (lambda: of(lambda x: torch.cumsum(x, 1)), 2, UnsupportedError, "cumsum"),
    "branch": (lambda: of(lambda x: x if x.sum() > 0 else -x), 2, UnsupportedError, "branches"),
    "batch size": (lambda: of(lambda x: x * x.size(0)), 2, UnsupportedError, "number of samples"),
    "batch size in clamp": (lambda: of(lambda x: x.clamp(max=x.size(0))), 2, UnsupportedError, "number of samples"),
    "batch mean": (lambda: of(lambda x: x - x.mean(0)), 2, UnsupportedError, "dim=0"),
    "batch sum": (lambda: of(lambda x: x / x.sum()), 2, UnsupportedError, "dim=None"),
    "batch softmax": (lambda: nn.Softmax(0), 2, UnsupportedError, "dim=0"),
    "batch index": (lambda: of(lambda x: x[0]), 2, UnsupportedError, "between samples"),
    "batch flip": (lambda: of(lambda x: x[[1, 0]]), 2, UnsupportedError, "between samples"),
    "batch transposed": (lambda: of(lambda x: x.transpose(0, 1)), 7, UnsupportedError, "between samples"),
    "batch view": (lambda: of(lambda x: x.view(-1)), 2, UnsupportedError, "between samples"),
    "batch flatten": (lambda: nn.Sequential(nn.Linear(2, 2), nn.Flatten(0)), None, UnsupportedError, "between samples"),
    "misaligned": (lambda: of(lambda x: x + x[:, 0]), 2, UnsupportedError, "alike"),
    "in place": (lambda: of(aliased), 2, UnsupportedError, "in place"),
    "in place through a view": (lambda: of(viewed), 2, UnsupportedError, "in place"),
    "hook": (lambda: hooked("hook"), None, UnsupportedError, "hooks"),
    "pre-hook": (lambda: hooked("pre-hook"), None, UnsupportedError, "hooks"),
    "forward": (lambda: hooked("forward"), None, UnsupportedError, "forward"),
    "random": (lambda: of(lambda x: x + torch.randn(2)), 2, UnsupportedError, "at each call"),
    "state": (Counting, 2, UnsupportedError, "at each call"),
    "a number of samples": (lambda: of(lambda x: x.view(7, -1)), 2, UnsupportedError, "shape '.*invalid for input"),
    "two inputs": (lambda: nn.Bilinear(2, 2, 2), 2, UnsupportedError, "Bilinear"),
    "two outputs": (lambda: of(lambda x: (x, x)), 2, UnsupportedError, "one tensor"),
    "half": (lambda: nn.Linear(2, 2).half(), None, UnsupportedError, r"module.float\(\)"),
    "bfloat16": (lambda: nn.Linear(2, 2).bfloat16(), None, UnsupportedError, "float32"),
    "complex": (lambda: nn.Linear(2, 2, dtype=torch.complex64), None, UnsupportedError, "complex64"),
    "meta": (lambda: nn.Linear(2, 2, device="meta"), None, UnsupportedError, "meta"),
    "two dtypes": (
        lambda: nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).double()),
        None,
        UnsupportedError,
        "one dtype",
    ),
    "lazy": (lambda: nn.LazyLinear(2), 2, UnsupportedError, "LazyLinear"),
    "script": (lambda: torch.jit.script(nn.Linear(2, 2)), 2, UnsupportedError, "forward"),
    "sizes": (lambda: nn.Sequential(nn.Linear(2, 3), nn.Linear(2, 2)), None, ShapeError, "2 values expected"),
    "no size": (lambda: nn.Tanh(), None, InputError, "input_shape"),
    "no image size": (lambda: nn.Conv2d(1, 1, 2), None, InputError, "input_shape"),
    "wrong image": (lambda: nn.Conv2d(1, 1, 2), (3, 3), ShapeError, "input_shape"),
    "small image": (lambda: nn.Conv2d(1, 1, 4), (1, 3, 3), ShapeError, "does not fit"),
    "ceil mode": (lambda: nn.MaxPool2d(2, ceil_mode=True), (1, 3, 3), UnsupportedError, "ceil_mode"),
    "padding mode": (
        lambda: nn.Conv1d(1, 1, 2, padding=1, padding_mode="circular"),
        (1, 5),
        UnsupportedError,
        "circular",
    ),
    "input shape": (lambda: nn.Tanh(), (0,), InputError, "positive"),
    "state dict": (lambda: nn.Linear(2, 2).state_dict(), None, UsageError, "live torch.nn.Module"),
    "a class": (lambda: nn.Linear, None, UsageError, "live torch.nn.Module"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused_with_its_reason(name: str) -> None:
    make, shape, error, word = REFUSED[name]
    with pytest.raises(error, match=word) as caught:
        na.from_torch(make(), input_shape=shape)
    assert len(str(caught.value).splitlines()) <= 3


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_weights_that_are_not_finite_are_refused(bad: float) -> None:
    module = nn.Linear(2, 2)
    module.weight.data[0, 0] = bad
    with pytest.raises(InputError, match="NaN or infinity"):
        na.from_torch(module)
