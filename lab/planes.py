"""Where the sections that a run also measures lie: planes from parameters, and how far to look along them."""

import math
from collections.abc import Sequence

import torch

from lab.experiment import UnreadableError
from lab.measures.directions import (
    Params,
    Plane,
    flatten,
    plane_of,
    plane_through,
    principal_plane,
    random_plane,
    stack,
)
from lab.measures.eigen import Eigenpairs
from lab.measures.landscape import Loss

Axes = tuple[tuple[float, float], tuple[float, float]]  # (low, high) along each direction
STEPS = 5.0  # updates that the plane of gradient and update reaches


def random(params: Params, seed: int) -> tuple[Plane, Axes]:
    """Filter-normalised directions, as far as they are long."""
    if not any(p.any() for p in params.values() if p.ndim > 1):
        raise UnreadableError("all weights are zero, so that filters have no length to go by; choose another plane")
    return random_plane(params, seed), ((-1.0, 1.0), (-1.0, 1.0))


def along_eigenvectors(params: Params, pairs: Eigenpairs, loss: float) -> tuple[Plane, Axes]:
    """Two eigenvectors, twice as far as parabolas of their curvatures take to double the loss, |θ| at most."""
    if len(pairs) < 2:
        raise UnreadableError("there is one parameter, so no second eigenvector; choose a section of one direction")
    plain = {name: p.detach() for name, p in params.items()}
    size = float(flatten(plain).norm()) or 1.0
    far = [2 * math.sqrt(2 * loss / abs(h)) if h and loss > 0 else size for h in pairs.values[:2].tolist()]
    plane = plane_of(plain, list(pairs.vectors[:2].to(flatten(plain))), ("eigenvector 1", "eigenvector 2"))
    across, up = (min(max(reach, 1e-3 * size), size) for reach in far)
    return plane, ((-across, across), (-up, up))


def along_update(loss: Loss, params: Params, after: Params) -> tuple[Plane, Axes]:
    """The loss's gradient and an update, five updates far."""
    leaves = {name: p.detach().clone().requires_grad_() for name, p in params.items()}
    with torch.enable_grad():
        parts = torch.autograd.grad(loss(leaves), list(leaves.values()), allow_unused=True)
    pieces = [torch.zeros_like(p) if g is None else g for g, p in zip(parts, leaves.values(), strict=True)]
    gradient, update = flatten(dict(zip(leaves, pieces, strict=True))), flatten(after) - flatten(params)
    length, unit = update.norm(), gradient / gradient.norm().clamp_min(torch.finfo(gradient.dtype).tiny)
    rounding = 4 * torch.finfo(update.dtype).eps * flatten(params).norm()  # of the difference that the update is
    if not (gradient.any() and length > rounding):
        raise UnreadableError("the gradient or the next update is zero, so they span no plane; choose another one")
    if (update - (unit @ update) * unit).norm() <= max(float(rounding), 1e-4 * float(length)):
        raise UnreadableError("the next update lies along the gradient, as in plain gradient descent; choose another")
    plane = plane_of(params, (gradient, update), ("gradient", "update"))
    far = STEPS * float(update.norm())
    return plane, ((-far, far), (-far, far))


def along_path(params: Params, path: Sequence[Params]) -> tuple[Plane, Axes]:
    """The two principal directions of a path to here, and the box around it."""
    points = stack(path)
    try:
        plane, _ = principal_plane(params, points)
    except ValueError as error:
        raise UnreadableError(f"the path so far spans no plane ({error})") from error
    return plane, _box(plane, torch.cat([points, flatten(params)[None]]))


def through_three(params: Params, three: Sequence[Params]) -> tuple[Plane, Axes]:
    """The plane through three points, and the box around them."""
    if len(three) != 3:
        raise UnreadableError(f"a plane goes through three checkpoints, not {len(three)}")
    points = stack(three)
    try:
        plane, _ = plane_through(params, *points)
    except ValueError as error:
        raise UnreadableError("the three checkpoints lie on one line; choose others") from error
    return plane, _box(plane, points)


def _box(plane: Plane, points: torch.Tensor) -> Axes:
    """A quarter beyond the points on every side."""
    where = plane.project(points)[0]
    low, high = where.min(axis=0), where.max(axis=0)
    margin = (high - low).max() / 4
    across, up = ((float(a - margin), float(b + margin)) for a, b in zip(low, high, strict=True))
    return across, up
