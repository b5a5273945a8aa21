"""Spectra against numpy.fft, closed forms and Parseval, in float64."""

import math

import numpy as np
import pytest
import torch

from lab.measures.frequency import (
    amplitudes,
    gaussian_split,
    low_frequency_ratio,
    nudft,
    peaks,
    project,
    relative_error,
    sine_coefficients,
    split_errors,
)


def grid(n):
    return -math.pi + 2 * math.pi * torch.arange(n, dtype=torch.float64) / n


def test_on_a_uniform_periodic_grid_it_is_the_fft_over_n():
    n = 32
    x = 2 * math.pi * torch.arange(n, dtype=torch.float64) / n
    values = torch.randn(n, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    mine = nudft(x, values, torch.arange(n))
    np.testing.assert_allclose(mine.numpy(), np.fft.fft(values.numpy(), axis=0) / n, atol=1e-15)


def test_parseval_holds_on_a_uniform_grid():
    values = torch.randn(33, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    power = amplitudes(grid(33), values, torch.arange(33)).square().sum()
    assert power.item() == pytest.approx(values.square().mean().item(), rel=1e-13)


def test_sine_and_cosine_have_their_closed_forms():
    x = grid(40)
    transform = nudft(x, 3 * torch.sin(6 * x) + torch.cos(2 * x) + 0.25, torch.arange(10))
    expected = torch.zeros(10, dtype=torch.complex128)
    expected[0], expected[2], expected[6] = 0.25, 0.5, -1.5j
    torch.testing.assert_close(transform, expected, atol=1e-15, rtol=0)


def test_scattered_samples_follow_the_sum_of_the_definition_at_any_frequency():
    generator = torch.Generator().manual_seed(1)
    x, y = torch.randn(2, 17, generator=generator, dtype=torch.float64)
    for k in (0.0, 0.37, -5.2):
        direct = np.mean(y.numpy() * np.exp(-1j * k * x.numpy()))
        assert nudft(x, y, torch.tensor([k], dtype=torch.float64)).item() == pytest.approx(direct, rel=1e-13)


def crossing_samples(n):
    """65 non-uniform samples of sin 6x that look like sin x: 20 and 10 chosen among 10000, the rest equispaced."""
    x = np.linspace(-np.pi, np.pi, 10_000)
    near = np.argsort(np.abs(np.sin(x) - np.sin(6 * x)), kind="stable")[:20]
    third = np.argsort(np.abs(np.sin(3 * x) - np.sin(6 * x)), kind="stable")[:10]
    return torch.from_numpy(np.concatenate([x[near], x[third], np.linspace(-np.pi, np.pi, n - 30)]))


@pytest.mark.parametrize(("n", "alias", "peak"), [(65, 0.206, 0.537), (1000, 0.013, 0.502)])
def test_the_alias_of_non_uniform_samples_is_the_published_setting_s(n, alias, peak):
    x = crossing_samples(n)
    found = amplitudes(x, torch.sin(6 * x), torch.tensor([1, 6]))
    np.testing.assert_allclose(found.numpy(), [alias, peak], atol=6e-4)


def test_a_low_frequency_ratio_counts_power_below_the_cutoff():
    x, k = grid(40), torch.arange(21)
    functions = torch.stack([torch.sin(4 * x), torch.sin(x) + torch.sin(4 * x), torch.ones(40)], dim=1)
    transform = nudft(x, functions, k)
    np.testing.assert_allclose(low_frequency_ratio(transform, k, 2).numpy(), [0, 0.5, 1], atol=1e-15)
    np.testing.assert_allclose(low_frequency_ratio(transform, k, 4).numpy(), [1, 1, 1], atol=1e-15)


def test_relative_error_over_time_is_one_unlearned_and_zero_fitted():
    x, k = grid(64), torch.tensor([1, 5])
    target = nudft(x, torch.sin(x) + 0.5 * torch.sin(5 * x), k)
    moments = torch.stack([nudft(x, y, k) for y in (0 * x, torch.sin(x), torch.sin(x) + 0.25 * torch.sin(5 * x))])
    np.testing.assert_allclose(relative_error(target, moments).numpy(), [[1, 1], [0, 1], [0, 0.5]], atol=1e-14)


def test_peaks_are_the_frequencies_of_a_sum_of_sines():
    x = grid(64)
    spectrum = amplitudes(x, torch.sin(x) + 0.3 * torch.sin(4 * x) + 0.01 * torch.sin(9 * x), torch.arange(12))
    assert peaks(spectrum).tolist() == [1, 4]
    assert peaks(torch.tensor([5.0, 1, 1, 4])).tolist() == [0, 3]


def test_sine_coefficients_of_sines_are_a_unit_matrix():
    x = torch.linspace(-1, 1, 65, dtype=torch.float64)
    waves = torch.stack([torch.sin(k * math.pi * x) for k in range(1, 17)])
    torch.testing.assert_close(sine_coefficients(waves, 16), torch.eye(16, dtype=torch.float64), atol=1e-13, rtol=0)
    with pytest.raises(ValueError, match="16 sine coefficients from 33 points"):
        sine_coefficients(waves[:, ::2], 16)


def test_a_plane_wave_is_seen_along_its_own_direction_only():
    generator = torch.Generator().manual_seed(0)
    inputs = math.pi * (2 * torch.rand(20_000, 3, generator=generator, dtype=torch.float64) - 1)
    along, across = torch.tensor([1.0, 0, 0]), torch.tensor([0, 1.0, 0])
    values, k = torch.sin(4 * inputs[:, 0]), torch.tensor([4.0])
    assert amplitudes(project(inputs, 3 * along), values, k).item() == pytest.approx(0.5, abs=0.02)
    assert amplitudes(project(inputs, across), values, k).item() < 0.02


def test_the_default_direction_is_the_principal_one():
    inputs = torch.randn(50, 1, 4, dtype=torch.float64) * torch.tensor([1.0, 1, 9, 1])
    positions = project(inputs)
    centred = inputs[:, 0] - inputs[:, 0].mean(0)
    assert positions.var().item() == pytest.approx(torch.linalg.eigvalsh(centred.T @ centred / 49)[-1].item())


def test_a_gaussian_filter_damps_a_wave_by_its_closed_form_and_the_parts_add_up():
    x = torch.linspace(-12, 12, 961, dtype=torch.float64)
    middle = slice(320, 641)  # away from the ends, where the kernel is cut
    for k, delta in ((1.0, 0.5), (3.0, 0.5), (2.0, 1.0)):
        (split,) = gaussian_split(x[:, None], torch.sin(k * x), [delta])
        np.testing.assert_allclose(
            split.low[middle], math.exp(-((k * delta) ** 2) / 2) * torch.sin(k * x)[middle], atol=1e-9
        )
        torch.testing.assert_close(split.low + split.high, torch.sin(k * x))


def test_split_errors_tell_which_part_is_learned():
    x = torch.linspace(-math.pi, math.pi, 800, dtype=torch.float64)
    low, high = torch.sin(x), 0.5 * torch.sin(20 * x)
    e_low, e_high = split_errors(x[:, None], low + high, low, [0.3])
    assert e_low.item() < 0.03 and e_high.item() == pytest.approx(1.0, abs=0.03)  # the kernel is cut at both ends
    nothing = split_errors(x[:, None], low + high, 0 * x, [0.1, 0.3])
    np.testing.assert_allclose(torch.stack(nothing).numpy(), 1.0, rtol=1e-12)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: nudft(torch.zeros(0), torch.zeros(0), torch.ones(1)), "n >= 1"),
        (lambda: nudft(torch.zeros(3), torch.zeros(4), torch.ones(1)), r"\(3,\) and values \(4,\)"),
        (lambda: project(torch.ones(5, 2)), "5 equal samples"),
        (lambda: project(torch.ones(5, 2), torch.zeros(2)), "direction is zero"),
        (lambda: gaussian_split(torch.zeros(0, 1), torch.zeros(0), [1.0]), "at least one"),
        (lambda: gaussian_split(torch.zeros(2, 1), torch.zeros(2), [0.0]), "width 0.0"),
    ],
)
def test_what_has_no_spectrum_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_a_gpu_spectrum_agrees_with_the_cpu_s():
    x = grid(500)
    y, k = torch.sin(3 * x), torch.arange(20)
    torch.testing.assert_close(nudft(x.cuda(), y.cuda(), k).cpu(), nudft(x, y, k), atol=1e-14, rtol=0)
    cpu, gpu = gaussian_split(x[:, None], y, [0.3])[0], gaussian_split(x[:, None].cuda(), y.cuda(), [0.3])[0]
    torch.testing.assert_close(gpu.low.cpu(), cpu.low)
