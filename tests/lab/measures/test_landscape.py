"""Sections, planes, projections and rivers against closed forms, in float64."""

import copy
import platform
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from lab.measures.curvature import top_eigenpairs
from lab.measures.directions import (
    Plane,
    flatten,
    from_checkpoint,
    plane_of,
    plane_through,
    principal_plane,
    random_direction,
    random_plane,
    stack,
    trainable,
    unflatten,
)
from lab.measures.hvp import Hessian
from lab.measures.landscape import FunctionalLoss, interpolation, losses, path_losses, refined, section
from lab.measures.river import mountain_shares, river_direction, river_profile, split
from lab.measures.smooth_section import _EVENNESS, _Known, _Lattice, smooth_section

torch_double: dict[str, Any] = {"dtype": torch.float64}


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)).double()


def problem(model):
    torch.manual_seed(1)
    return FunctionalLoss(
        model, nn.functional.mse_loss, torch.randn(20, 3, **torch_double), torch.randn(20, 2, **torch_double)
    )


def bowl(curvatures):
    """L = Σ h θ² / 2 on a parameter in two pieces."""
    like = {"a": torch.zeros(2, **torch_double), "b": torch.zeros(1, 1, **torch_double)}
    h = torch.tensor(curvatures, **torch_double)

    def loss(params):
        theta = torch.cat([params["a"], params["b"].reshape(-1)])
        return (h * theta**2).sum() / 2

    return loss, like


def test_a_section_of_a_quadratic_bowl_is_its_paraboloid():
    loss, like = bowl([1.0, 4.0, 9.0])
    plane = Plane(like, torch.tensor([[1.0, 0, 0], [0, 1.0, 1.0]], **torch_double))
    x, y = np.linspace(-1, 1, 5), np.linspace(-2, 2, 7)
    result = section(loss, plane, [x, y])
    np.testing.assert_allclose(result.values, 0.5 * x[:, None] ** 2 + 6.5 * y**2, rtol=1e-14, atol=1e-15)
    assert result.measured.all() and result.values.shape == (5, 7)


def test_any_batch_gives_the_values_of_a_plain_loop_that_sets_the_parameters():
    model, loss = network(), None
    loss = problem(model)
    plane = random_plane(trainable(model), seed=3)
    axis = np.linspace(-1, 1, 4)
    copied, expected = copy.deepcopy(model), np.empty((4, 4))
    for i, x in enumerate(axis):
        for j, y in enumerate(axis):
            nn.utils.vector_to_parameters(
                flatten(plane.origin) + torch.tensor([x, y]) @ plane.directions, copied.parameters()
            )
            expected[i, j] = nn.functional.mse_loss(copied(loss.inputs), loss.targets).item()
    for batch in (1, 4, 5, 16, None):
        np.testing.assert_allclose(section(loss, plane, [axis, axis], batch=batch).values, expected, rtol=1e-12)


def test_the_centre_of_a_section_is_the_model_s_own_loss_to_the_last_bit():
    model = network().float()
    loss = FunctionalLoss(model, nn.functional.mse_loss, torch.randn(20, 3), torch.randn(20, 2))
    own = nn.functional.mse_loss(model(loss.inputs), loss.targets).item()
    assert section(loss, random_plane(trainable(model), 0), [np.zeros(1), np.zeros(1)], batch=1).values.item() == own


def test_the_live_model_its_batch_norm_buffers_gradients_and_the_generator_stay_as_they_are():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 2))
    x, y = torch.randn(8, 1, 4, 4), torch.randint(0, 2, (8,))
    nn.functional.cross_entropy(model(x), y).backward()
    before = copy.deepcopy([*model.state_dict().values(), *(p.grad for p in model.parameters())])
    random = torch.get_rng_state()
    loss = FunctionalLoss(model, nn.functional.cross_entropy, x, y)
    batched = section(loss, random_plane(trainable(model), 0), [np.linspace(-1, 1, 5)] * 2)
    assert batched.how == "25 at a time"
    looped = section(loss, random_plane(trainable(model), 0), [np.linspace(-1, 1, 5)] * 2, batch=1)
    np.testing.assert_allclose(batched.values, looped.values, rtol=1e-5)
    after = [*model.state_dict().values(), *(p.grad for p in model.parameters())]
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True)) and model.training
    assert torch.equal(random, torch.get_rng_state())


def test_what_vmap_cannot_do_is_evaluated_one_by_one_and_says_why():
    like = {"w": torch.ones(2, **torch_double)}
    plane = Plane(like, torch.eye(2, **torch_double)[:1])
    result = section(lambda p: torch.tensor(p["w"].sum().item()), plane, [np.arange(5.0)])
    assert result.how.startswith("one by one:") and "item()" in result.how
    np.testing.assert_allclose(result.values, 2 + np.arange(5.0))


def test_a_random_loss_an_empty_batch_and_a_loss_per_sample_are_refused():
    model = nn.Sequential(nn.Linear(3, 4), nn.Dropout(0.5), nn.Linear(4, 1))
    x, y = torch.randn(6, 3), torch.randn(6, 1)
    state = torch.get_rng_state()
    plane = random_plane(trainable(model), 0)
    with pytest.raises(ValueError, match="eval mode"):
        section(FunctionalLoss(model, nn.functional.mse_loss, x, y), plane, [np.zeros(3)] * 2)
    with pytest.raises(ValueError, match="batch is empty"):
        FunctionalLoss(model, nn.functional.mse_loss, x[:0], y[:0])
    with pytest.raises(ValueError, match=r"shape \(6, 1\); it must be one number"):
        each = FunctionalLoss(model.eval(), lambda out, y: (out - y) ** 2, x, y)
        section(each, plane, [np.zeros(3)] * 2)
    assert not torch.equal(state, torch.randn(1))  # the session's generator still runs


def test_filters_of_a_random_direction_are_as_long_as_those_of_the_weights():
    params = trainable(nn.Sequential(nn.Conv2d(2, 5, 3), nn.Flatten(), nn.Linear(20, 3)).double())
    direction = unflatten(random_direction(params, torch.Generator().manual_seed(0)), params)
    for name in ("0.weight", "2.weight"):
        norms = [torch.linalg.vector_norm(p[name].flatten(1), dim=1) for p in (params, direction)]
        torch.testing.assert_close(norms[0], norms[1], rtol=1e-12, atol=0)
    assert not direction["0.bias"].any()


def test_tied_and_frozen_parameters_count_once_and_not_at_all():
    model = nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 4), nn.Linear(4, 5, bias=False))
    model[2].weight = model[0].weight
    model[1].requires_grad_(False)
    assert list(trainable(model)) == ["0.weight"]
    loss = FunctionalLoss(model, nn.functional.cross_entropy, torch.arange(5), torch.arange(5))
    values = section(
        loss, Plane(trainable(model), flatten(trainable(model))[None], ("scale",)), [np.array([0.0, 1.0])]
    ).values
    with torch.no_grad():
        model[0].weight *= 2
    assert values[1] == pytest.approx(
        nn.functional.cross_entropy(model(torch.arange(5)), torch.arange(5)).item(), rel=1e-6
    )


def test_principal_plane_of_a_path_in_a_plane_finds_it_and_its_shares():
    like = {"w": torch.zeros(6, **torch_double)}
    u, v = torch.eye(6, **torch_double)[2], torch.eye(6, **torch_double)[4]
    angle = torch.linspace(0, 2 * torch.pi, 41, **torch_double)[:40, None]
    path = 3 * torch.cos(angle) * u + torch.sin(angle) * v
    plane, shares = principal_plane(like, path)
    np.testing.assert_allclose(shares, [0.9, 0.1], rtol=1e-12)
    np.testing.assert_allclose(torch.abs(plane.directions).numpy(), torch.stack([u, v]).numpy(), atol=1e-12)
    coordinates, outside = plane.project(path)
    np.testing.assert_allclose(np.abs(coordinates[:, 0]), 3 * np.abs(torch.cos(angle[:, 0]).numpy()), atol=1e-12)
    assert outside.max() < 1e-24


def test_the_share_outside_a_plane_is_exact_also_for_oblique_directions():
    like = {"w": torch.tensor([1.0, 1, 1], **torch_double)}
    plane = Plane(like, torch.tensor([[1.0, 0, 0], [1.0, 1.0, 0]], **torch_double))
    points = flatten(like) + torch.tensor([[3.0, 2.0, 0], [0, 3.0, 4.0], [0, 0, 0]], **torch_double)
    coordinates, outside = plane.project(points)
    np.testing.assert_allclose(coordinates, [[1, 2], [-3, 3], [0, 0]], atol=1e-14)
    np.testing.assert_allclose(outside, [0, 16 / 25, 0], atol=1e-15)


def test_three_checkpoints_lie_in_their_plane_and_the_section_there_is_their_loss():
    models = [network(seed) for seed in range(3)]
    loss, like = problem(models[0]), trainable(models[0])
    points = stack([trainable(model) for model in models])
    plane, corners = plane_through(like, *points)
    torch.testing.assert_close(plane.points(torch.from_numpy(corners)), points, rtol=1e-12, atol=1e-12)
    own = path_losses(loss, like, points)
    np.testing.assert_allclose(path_losses(loss, like, plane.points(torch.from_numpy(corners))), own, rtol=1e-12)
    for model, value in zip(models, own, strict=True):
        assert value == pytest.approx(nn.functional.mse_loss(model(loss.inputs), loss.targets).item(), rel=1e-12)


def test_the_plane_of_the_top_eigenvectors_has_their_eigenvalues_as_curvatures():
    model = network()
    loss, like = problem(model), trainable(model)
    params = {name: p.requires_grad_() for name, p in trainable(model).items()}
    pairs = top_eigenpairs(Hessian(lambda: loss(params), params.values()), 2, tol=1e-10)
    step = 1e-3
    axis = np.array([-step, 0.0, step])
    values = section(loss, plane_of(like, list(pairs.vectors), ("v₁", "v₂")), [axis, axis]).values
    curvatures = [values[:, 1] @ [1, -2, 1] / step**2, values[1] @ [1, -2, 1] / step**2]
    np.testing.assert_allclose(curvatures, pairs.values, rtol=1e-4)
    assert abs((values[2, 2] - values[2, 0] - values[0, 2] + values[0, 0]) / (4 * step**2)) < 1e-4 * pairs.values[0]


def test_the_plane_of_gradient_and_update_rises_along_the_gradient_alone():
    model = network()
    loss, like = problem(model), trainable(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    gradient = torch.autograd.grad(nn.functional.mse_loss(model(loss.inputs), loss.targets), list(model.parameters()))
    for p, g in zip(model.parameters(), gradient, strict=True):
        p.grad = g
    optimizer.step()
    update = flatten(trainable(model)) - flatten(like)
    flat = torch.cat([g.reshape(-1) for g in gradient])
    plane = plane_of(like, (flat, update), ("gradient", "update"))
    axis = np.array([-1e-5, 1e-5])
    values = section(loss, plane, [axis, axis]).values
    along, across = (values[1] - values[0]).mean() / 2e-5, (values[:, 1] - values[:, 0]).mean() / 2e-5
    assert along == pytest.approx(float(flat.norm()), rel=1e-6) and abs(across) < 1e-6 * along
    assert plane.project((flatten(like) + update)[None])[1] == pytest.approx(0, abs=1e-12)


def test_planes_that_are_none_are_refused():
    like = {"w": torch.zeros(3, **torch_double)}
    u = torch.tensor([1.0, 2, 3], **torch_double)
    for wrong in (lambda: plane_of(like, (u, 2 * u), ("a", "b")), lambda: Plane(like, torch.stack([u, -u]))):
        with pytest.raises(ValueError, match="parallel"):
            wrong()
    with pytest.raises(ValueError, match="record more checkpoints"):
        principal_plane(like, u[None])


def test_a_stored_checkpoint_gives_its_vector_and_another_model_s_is_refused():
    model = network()
    arrays = {f"model/{name}": p.numpy() for name, p in model.state_dict().items()}
    assert torch.equal(from_checkpoint(arrays, trainable(model)), flatten(trainable(model)))
    with pytest.raises(KeyError, match=r"no 'net/0.weight'"):
        from_checkpoint(arrays, trainable(model), prefix="net/")
    with pytest.raises(ValueError, match=r"0.weight is \(8, 3\) in the checkpoint and \(9, 3\)"):
        from_checkpoint(arrays, {"0.weight": torch.zeros(9, 3)})


def test_refinement_keeps_what_it_measured_and_spends_where_the_section_bends():
    like = {"w": torch.zeros(2, **torch_double)}
    plane = Plane(like, torch.eye(2, **torch_double))
    calls = []

    def valley(params):  # a bend along x = 0.3 and flat elsewhere
        calls.append(1)
        return (params["w"][0] - 0.3).abs()

    found = list(refined(valley, plane, [(-1, 1), (-1, 1)], coarse=5, levels=4, share=0.3, batch=1))
    assert [result.values.shape for result in found] == [(5, 5), (9, 9), (17, 17), (33, 33)]
    assert (found[1].values[::2, ::2] == found[0].values).all()
    last = found[-1]
    exact = np.abs(last.axes[0] - 0.3)[:, None] * np.ones(33)
    np.testing.assert_allclose(last.values, exact, atol=0.01)
    assert last.measured.mean() < 0.4 and len(calls) == last.measured.sum() + 4  # one more a level sizes the batch
    straight = last.axes[0] < -0.5
    assert last.measured[straight].sum() == 5  # those of the coarse section, and none since
    everything = list(refined(valley, plane, [(-1, 1), (-1, 1)], coarse=3, levels=3, share=1.0, tol=0))[-1]
    np.testing.assert_allclose(everything.values, np.abs(everything.axes[0] - 0.3)[:, None] * np.ones(9), rtol=1e-12)


def test_a_smooth_section_needs_few_passes_and_tells_its_error():
    model = network()
    loss, plane = problem(model), random_plane(trainable(model), 0)
    axes = [np.linspace(-1, 1, 31), np.linspace(-0.5, 1, 21)]
    exact, smooth = section(loss, plane, axes).values, smooth_section(loss, plane, axes, tol=1e-4)
    assert smooth.passes <= 17**2 + 32 and not smooth.section.measured.any()
    assert np.abs(smooth.section.values - exact).max() <= 3e-4 * np.ptp(exact)
    line = Plane(trainable(model), plane.directions[:1], ("x",))
    one = smooth_section(loss, line, axes[:1], tol=1e-3, nodes=(9,), probes=8)
    np.testing.assert_allclose(one.section.values, section(loss, line, axes[:1]).values, atol=2e-3 * np.ptp(exact))


def test_single_points_of_a_smooth_section_are_those_of_its_grid():
    model = network()
    loss, plane = problem(model), random_plane(trainable(model), 0)
    axes = [np.linspace(-1, 1, 6), np.linspace(-0.5, 1, 5)]
    known = _Known(loss, plane, axes, None)
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 2)
    known.add(_Lattice(5, board=False), grid[:3])
    np.testing.assert_allclose(known.at(grid), known.interpolated().reshape(-1), rtol=1e-12)
    assert known.evaluated == 25 + 1  # of the three points of an edge both its end and its middle are nodes
    exact = section(loss, plane, axes).values
    np.testing.assert_allclose(known.truth(grid), exact.reshape(-1), rtol=1e-12)


class Polynomial(nn.Module):
    """Outputs of total degree 4 in the point, seen through the map that spaces the nodes: degree 4 on the lattice."""

    def __init__(self):
        super().__init__()
        self.where = nn.Parameter(torch.zeros(2, **torch_double))

    def forward(self, x):
        s, t = torch.sin(self.where * np.arcsin(_EVENNESS)) / _EVENNESS
        return x[:, 0] * (s**4 - 2 * s * t**3) + x[:, 1] * (3 * s**2 * t**2 - t + 1)


def test_half_the_points_of_a_lattice_give_every_polynomial_of_low_total_degree():
    model = Polynomial()
    x = torch.randn(4, 2, **torch_double)
    loss = FunctionalLoss(model, nn.functional.mse_loss, x, torch.zeros(4, **torch_double))
    plane = Plane(trainable(model), torch.eye(2, **torch_double))
    axes = [np.linspace(-1, 1, 9)] * 2
    exact = section(loss, plane, axes).values
    for n, whole in ((7, True), (4, False)):  # x_i y_j with i + j even hold all degrees below n - 1
        known = _Known(loss, plane, axes, None)
        known.add(_Lattice(n, board=True), np.zeros((1, 2)))
        error = np.abs(known.interpolated() - exact).max()
        assert (error < 1e-12 * np.ptp(exact)) == whole, error


@pytest.mark.parametrize("activation", [nn.ReLU, nn.Tanh])
def test_all_points_of_a_smooth_section_lie_near_the_tolerance_of_its_probes(activation):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 30), activation(), nn.Linear(30, 30), activation(), nn.Linear(30, 2)).double()
    loss, axes = problem(model), [np.linspace(-0.5, 0.5, 41)] * 2
    for seed in range(3):
        plane = random_plane(trainable(model), seed)
        exact, smooth = section(loss, plane, axes).values, smooth_section(loss, plane, axes)
        true = np.abs(smooth.section.values - exact).max() / np.ptp(exact)
        assert smooth.error <= 1e-3 and true < 2e-3
        assert activation is nn.ReLU or smooth.passes < 0.2 * exact.size


def test_a_smooth_section_that_misses_its_tolerance_evaluates_every_point():
    model = network()
    loss, plane = problem(model), random_plane(trainable(model), 0)
    axes = [np.linspace(-1, 1, 15)] * 2
    result = smooth_section(loss, plane, axes, tol=1e-15)
    assert result.section.measured.all() and result.error == 0.0
    np.testing.assert_array_equal(result.section.values, section(loss, plane, axes).values)


def test_interpolation_runs_from_one_point_to_the_other():
    loss, like = bowl([2.0, 0.0, 0.0])
    position, values = interpolation(
        loss, like, torch.tensor([-1.0, 0, 0]).double(), torch.tensor([1.0, 0, 0]).double(), 5
    )
    np.testing.assert_allclose(values, (2 * position - 1) ** 2)


def test_a_movement_splits_into_mountain_and_river_that_add_up():
    mountains = torch.linalg.qr(torch.randn(7, 3, **torch_double))[0].T
    moved = torch.randn(7, **torch_double)
    hill, river = split(moved, mountains)
    torch.testing.assert_close(hill + river, moved)
    assert (mountains @ river).abs().max() < 1e-14
    shares = mountain_shares(moved, mountains, (0, 1, 3))
    np.testing.assert_allclose(shares[[0, 2]], [0, (hill.square().sum() / moved.square().sum()).item()])
    with pytest.raises(ValueError, match="k = 4 of 3"):
        mountain_shares(moved, mountains, (4,))


def test_in_a_straight_valley_the_hill_loss_is_the_wall_s_quadratic():
    def valley(params):
        x, y = params["w"]
        return 5.0 * y**2 - 0.01 * x

    floor, mountains = {"w": torch.zeros(2, **torch_double)}, torch.tensor([[0.0, 1.0]], **torch_double)
    path = torch.tensor([[1.0, 0.1], [2.0, -0.2]], **torch_double)
    profile = river_profile(valley, floor, path, mountains)
    np.testing.assert_allclose(profile.hill_loss, [0.05, 0.2])
    np.testing.assert_allclose(profile.river_loss, [-0.01, -0.02])
    np.testing.assert_allclose((profile.river, profile.mountain), ([1, 2], [0.1, 0.2]))
    downhill = river_direction(torch.tensor([-0.01, 3.0], **torch_double), mountains, floor)["w"]
    np.testing.assert_allclose(downhill.numpy(), [1, 0])


def test_no_points_give_no_values():
    loss, like = bowl([1.0, 1.0, 1.0])
    assert losses(loss, like, lambda a, b: torch.zeros(b - a, 3), 0)[0].shape == (0,)


FAULTS = """
import resource
import torch
from lab.measures.landscape import Evaluation

def wide(params):
    grown = [params["w"] * torch.ones(1_000_000) for _ in range(4)]
    return sum(grown)[0]

evaluation = Evaluation(wide, {"w": torch.zeros(1)}, torch.zeros(1), batch=1)
faults = []
for _ in range(12):
    evaluation(lambda a, b: torch.zeros(b - a, 1), 1)
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[-5])
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives memory back after every batch")
def test_a_batch_finds_the_memory_of_the_one_before():
    ran = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    assert int(ran.stdout) < 4000  # four times 16 MB in pages of 4 kB are 16,000, were they asked for anew


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_section_agrees_with_the_cpu_s():
    model = network()
    loss, axes = problem(model), [np.linspace(-1, 1, 9)] * 2
    cpu = section(loss, random_plane(trainable(model), 0), axes).values
    moved = copy.deepcopy(model).cuda()
    on_gpu = FunctionalLoss(moved, loss.criterion, loss.inputs.cuda(), loss.targets.cuda())
    np.testing.assert_allclose(section(on_gpu, random_plane(trainable(moved), 0), axes).values, cpu, rtol=1e-10)
