"""Optional instruments for every experiment that can say its training loss as a function of its parameters.

They are off unless the user asks for them ("also measure"), share the run's measurement budget, and can be read from
stored checkpoints after the run.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lab.experiment import Experiment, Series, StoredStates, UnreadableError, instrument
from lab.state import StateError, capture, restore, stored_config
from lab.views import Curves, Landscape

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from torch import Tensor, nn

    from lab.measures.directions import Params, Plane
    from lab.measures.eigen import Eigenpairs
    from lab.measures.landscape import Loss
    from lab.measures.warm_start import Start
    from lab.planes import Axes

LEADING, PRODUCTS = 8, 120  # eigenvalues read, with so many Hessian-vector products at most
SAMPLES = 256  # of a larger training set the first so many are looked at
DATA = f"over the first training samples, {SAMPLES} at most"
LANCZOS = f"Lanczos to 1e-3, {PRODUCTS} products at most"
SIDE = 51  # a section's points along each axis
MOST_STATES = 12  # of a path: each is set up anew

Picture = tuple[np.ndarray, np.ndarray, np.ndarray]
_RANDOM = ("Random direction 1", "α"), ("Random direction 2", "β"), "filter-normalised, one seed for the run"
_EIGEN = ("Along eigenvector 1", "α₁"), ("Along eigenvector 2", "α₂"), "distance in θ"
_UPDATE = ("Along the gradient", "α"), ("Along the update, less its part there", "β"), "distance in θ"
_PATH = ("Principal direction 1", "α₁"), ("Principal direction 2", "α₂"), "distance in θ from here"
_THREE = ("Towards the second checkpoint", "α"), ("Towards the third", "β"), "distance in θ from the first"


def _plane(name: str, label: str, directions: tuple[tuple[str, str], tuple[str, str], str]) -> tuple[Series, ...]:
    """The series of a section: values, and coordinates along its two directions."""
    across, up, statistic = directions
    prefix = "also_" if name == "section" else f"also_{name}_"
    return (
        Series(f"{prefix}section", label, "L", statistic=DATA),
        Series(f"{prefix}across", *across, statistic=statistic),
        Series(f"{prefix}up", *up, statistic=statistic),
    )


def _state_of(stored: StoredStates, step: int) -> Mapping[str, np.ndarray]:
    try:
        return stored.checkpoint(step)
    except (KeyError, StateError) as error:
        raise UnreadableError(f"the run has no checkpoint at step {step}") from error


class AlsoMeasure(Experiment):
    """Sharpness, leading eigenvalues and loss sections, of the loss that :meth:`objective` gives."""

    also_views = (
        Curves(("also_sharpness",), title="Also: sharpness", y_label="λ_max(H)"),
        Curves(("also_eigenvalues",), title="Also: leading eigenvalues", y_label="λ_i(H)", of="eigenvalue"),
        *(
            Landscape(f"also_{name}", x=f"also_{x}", y=f"also_{y}", title=f"Also: {title}", z_label="L")
            for name, x, y, title in (
                ("section", "across", "up", "landscape, random plane"),
                ("eigen_section", "eigen_across", "eigen_up", "landscape, top eigenvectors"),
                ("update_section", "update_across", "update_up", "landscape, gradient and update"),
                ("path_section", "path_across", "path_up", "landscape, plane of the path"),
                ("checkpoint_section", "checkpoint_across", "checkpoint_up", "landscape, three checkpoints"),
            )
        ),
    )

    also_samples: ClassVar[int] = SAMPLES

    @abstractmethod
    def objective(self) -> tuple[Loss, Params] | None:
        """The training loss on fixed data, and copies of the parameters where it stands; None: not in this scene."""

    def loss_of(
        self, model: nn.Module, criterion: Callable[[Tensor, Tensor], Tensor], inputs: Tensor, targets: Tensor
    ) -> tuple[Loss, Params]:
        """The objective of a module that is trained on ``criterion(model(inputs), targets)``."""
        from lab.measures.directions import trainable
        from lab.measures.landscape import FunctionalLoss

        first = slice(self.also_samples)
        return FunctionalLoss(model, criterion, inputs[first], targets[first]), trainable(model)

    def _eigenpairs(self, count: int, start: Start | None = None) -> Eigenpairs | None:
        from lab.measures.curvature import top_eigenpairs
        from lab.measures.hvp import Hessian

        if (found := self.objective()) is None:
            return None
        loss, params = found[0], {name: p.requires_grad_() for name, p in found[1].items()}
        hessian = Hessian(lambda: loss(params), params.values())
        return top_eigenpairs(hessian, count, start=start, max_hvps=PRODUCTS, strict=False)

    @instrument(
        "Sharpness", every=100, symbol="λ_max(H)", unit="L/θ²", statistic=DATA, estimator=LANCZOS, optional=True
    )
    def also_sharpness(self) -> float | None:
        """λ_max, starting from where the last reading ended: mostly one product instead of fifteen."""
        if (found := self._eigenpairs(1, self.memory.get("also_sharpness"))) is None:
            return None
        self.memory["also_sharpness"] = dict(found.start)
        return float(found.values[0])

    @instrument(
        "Leading eigenvalues of the Hessian",
        every=200,
        symbol="λ",
        unit="L/θ²",
        statistic=DATA,
        estimator=LANCZOS,
        optional=True,
    )
    def also_eigenvalues(self) -> np.ndarray | None:
        """The largest ones, descending, shape (LEADING,); from scratch, since a start would fill the checkpoints."""
        found = self._eigenpairs(LEADING)
        return None if found is None else found.values

    @instrument(every=500, optional=True, series=_plane("section", "Landscape: random plane", _RANDOM))
    def also_landscape(self) -> Picture | None:
        """The loss on a random plane through θ (Li et al. 2018): filter-normalised, of one seed at every step."""
        from lab.planes import random

        return self._picture(lambda params: random(params, self.config.seed))

    @instrument(every=1000, optional=True, series=_plane("eigen", "Landscape: top eigenvectors", _EIGEN))
    def also_eigenvector_plane(self) -> Picture | None:
        """The loss along the two leading eigenvectors of the Hessian, as far as their parabolas double it, twice."""
        from lab.planes import along_eigenvectors

        if (found := self._eigenpairs(2)) is None:
            return None
        return self._picture(lambda params: along_eigenvectors(params, found, float(self._loss_here())))

    @instrument(every=1000, optional=True, series=_plane("update", "Landscape: gradient and update", _UPDATE))
    def also_update_plane(self) -> Picture | None:
        """The loss along its gradient and the run's next update, a twin of the run having taken that."""
        from lab.planes import along_update

        if (found := self.objective()) is None:
            return None
        after = self._twin(capture(self), step=True)
        return self._picture(lambda params: along_update(found[0], params, after))

    @instrument(every=1000, optional=True, series=_plane("path", "Landscape: plane of the path", _PATH))
    def also_path_plane(self) -> Picture | None:
        """The loss in the plane of the trajectory's two principal directions, as far as checkpoints tell it."""
        from lab.planes import along_path

        if self.objective() is None:
            return None
        return self._picture(lambda params: along_path(params, [self._twin(state) for state in self._states()]))

    @instrument(
        every=1000,
        optional=True,
        series=_plane("checkpoint", "Landscape: through three checkpoints", _THREE),
        choice="three steps, which have a checkpoint already or are computed again afterwards; "
        "without them the first checkpoint, the middle one and here",
    )
    def also_checkpoint_plane(self) -> Picture | None:
        """The loss in the plane through three checkpoints (Garipov et al. 2018)."""
        from lab.planes import through_three

        if self.objective() is None:
            return None
        states = self._states(self.chosen.get("also_checkpoint_plane"))
        if len(states) > 3:
            states = [states[0], states[len(states) // 2], states[-1]]
        return self._picture(lambda params: through_three(params, [self._twin(state) for state in states]))

    def _loss_here(self) -> Tensor:
        found = self.objective()
        assert found is not None, "asked only where there is one"
        return found[0](dict(found[1]))

    def _picture(self, place: Callable[[Params], tuple[Plane, Axes]]) -> Picture | None:
        """Values on a grid of the plane that ``place`` gives at θ, and its axes."""
        from lab.measures.hvp import twice_differentiable
        from lab.measures.landscape import FunctionalLoss
        from lab.measures.smooth_section import quick_section

        if (found := self.objective()) is None:
            return None
        loss, params = found
        plane, (across, up) = place(params)
        side = SIDE if isinstance(loss, FunctionalLoss) else max(SIDE // 2 | 1, 3)  # there every point is evaluated
        axes = np.linspace(*across, side), np.linspace(*up, side)
        with twice_differentiable():  # the plain kernel of attention, which can be batched over points too
            values = quick_section(loss, plane, axes).values
        return values.T.astype(np.float32), *axes

    def _states(self, steps: Sequence[int] | None = None) -> list[Mapping[str, np.ndarray]]:
        """States stored before, evenly thinned to ``MOST_STATES``, and the one here; or those of the given steps."""
        stored = self.stored
        known = [] if stored is None else [step for step in stored.checkpoints() if step <= self.now]
        if stored is not None and steps:
            return [_state_of(stored, step) for step in steps]
        before = [step for step in known if step < self.now]
        if stored is None or len(before) < 2:
            raise UnreadableError(f"a plane needs two checkpoints before this step, and there are {len(before)}")
        chosen = np.unique(np.linspace(0, len(before) - 1, min(len(before), MOST_STATES)).round().astype(int))
        return [*(stored.checkpoint(before[i]) for i in chosen), capture(self)]

    def _twin(self, state: Mapping[str, np.ndarray], *, step: bool = False) -> Params:
        """The parameters in a stored state, or a step after it."""
        twin = type(self)(type(self).Config.parse(stored_config(state)), str(self.device))
        twin.setup()
        restore(twin, state)
        twin.now = self.now
        if step:
            twin.step()
        found = twin.objective()
        if found is None:
            raise UnreadableError("there is no one loss in that state")
        return found[1]
