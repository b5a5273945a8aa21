"""Embedding geometry against numpy and closed forms."""

import numpy as np
import pytest
import torch

from lab.measures.embedding import (
    covariance_eigenvalues,
    principal_components,
)


def random_rows(count: int, width: int) -> torch.Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("shape", [(30, 8), (6, 20)])
def test_components_and_spectrum_are_those_of_numpys_svd(shape):
    rows = random_rows(*shape)
    centred = rows.numpy() - rows.numpy().mean(0)
    left, singular, directions = np.linalg.svd(centred, full_matrices=False)
    found = principal_components(rows, 3)
    np.testing.assert_allclose(np.abs(found.coordinates.numpy()), np.abs(left * singular)[:, :3], atol=1e-10)
    np.testing.assert_allclose(found.coordinates, centred @ found.directions.numpy().T, atol=1e-10)
    np.testing.assert_allclose(np.abs(found.directions.numpy()), np.abs(directions[:3]), atol=1e-10)
    np.testing.assert_allclose(found.explained, (singular**2 / (singular**2).sum())[:3], atol=1e-12)
    expected = np.sort(np.linalg.eigvalsh(np.cov(rows.numpy().T)))[::-1][: min(shape)]
    np.testing.assert_allclose(covariance_eigenvalues(rows), expected, atol=1e-10)


def test_the_signs_do_not_flip_between_equal_readings():
    rows = random_rows(30, 8)
    order = torch.randperm(30, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(
        principal_components(rows).coordinates[order], principal_components(rows[order]).coordinates
    )


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: principal_components(random_rows(5, 3), 4), "from 1 to 3"),
        (lambda: principal_components(torch.ones(5, 3)), "all rows are equal"),
        (lambda: covariance_eigenvalues(torch.ones(1, 3)), "1 row"),
    ],
)
def test_geometry_that_does_not_exist_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
