"""Optional instruments for every experiment that can say its training loss as a function of its parameters.

They are off unless the user asks for them ("also measure"), share the run's measurement budget, and can be read from
stored checkpoints after the run.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from lab.experiment import Experiment, Series, instrument
from lab.views import Curves, Landscape

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor, nn

    from lab.measures.directions import Params
    from lab.measures.eigen import Eigenpairs
    from lab.measures.landscape import Loss
    from lab.measures.warm_start import Start

LEADING, PRODUCTS = 8, 120  # eigenvalues read, with so many Hessian-vector products at most
SAMPLES = 256  # of a larger training set the first so many are looked at
DATA = f"over the first training samples, {SAMPLES} at most"
LANCZOS = f"Lanczos to 1e-3, {PRODUCTS} products at most"
SIDE, REACH = 25, 1.0  # the section's points along each axis, and how far it reaches in lengths of the directions


class AlsoMeasure(Experiment):
    """Sharpness, leading eigenvalues and a loss section, of the loss that :meth:`objective` gives."""

    also_views = (
        Curves(("also_sharpness",), title="Also: sharpness", y_label="λ_max(H)"),
        Curves(("also_eigenvalues",), title="Also: leading eigenvalues", y_label="λ_i(H)", of="eigenvalue"),
        Landscape("also_section", x="also_across", y="also_up", title="Also: landscape here", z_label="L"),
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

    @instrument(
        every=500,
        optional=True,
        series=(
            Series("also_section", "Loss around the parameters", "L", statistic=DATA),
            Series("also_across", "Random direction 1", "α", statistic="filter-normalised, one seed for the run"),
            Series("also_up", "Random direction 2", "β"),
        ),
    )
    def also_landscape(self) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
        """The loss on a random plane through θ (Li et al. 2018): filter-normalised, of one seed at every step."""
        from lab.measures.directions import random_plane
        from lab.measures.hvp import twice_differentiable
        from lab.measures.landscape import section

        if (found := self.objective()) is None:
            return None
        loss, params = found
        if not any(p.any() for p in params.values() if p.ndim > 1):
            return None  # filters of length zero
        axis = np.linspace(-REACH, REACH, SIDE)
        with twice_differentiable():  # the plain kernel of attention, which can be batched over points too
            values = section(loss, random_plane(params, self.config.seed), (axis, axis)).values
        return values.T.astype(np.float32), axis, axis
