"""Log-mel energies and MFCCs: librosa's numbers, and the same bits from a stream."""

import numpy as np
import pytest

from seqjax.data.sound import spectra
from seqjax.data.sound.spectra import Spectra
from seqjax.errors import UserError

SAMPLES = (np.random.default_rng(0).normal(size=9_001) * 0.1).astype(np.float32)


@pytest.mark.parametrize(
    ("rate", "window", "hop", "bands", "lowest"), [(8_000, 256, 80, 40, 60.0), (16_000, 400, 160, 64, 0.0)]
)
def test_spectra_are_librosas(rate, window, hop, bands, lowest):
    librosa = pytest.importorskip("librosa")
    hear = Spectra(rate, window, hop, bands, lowest)
    options = {"sr": rate, "n_fft": window, "n_mels": bands, "fmin": lowest, "fmax": rate / 2}
    np.testing.assert_allclose(
        spectra.mel_weights(rate, window, bands, lowest, rate / 2), librosa.filters.mel(**options), atol=1e-8
    )
    mel = librosa.feature.melspectrogram(y=SAMPLES, hop_length=hop, center=False, **options)
    found = hear(SAMPLES)
    assert found.shape == (hear.frames(len(SAMPLES)), bands) == mel.T.shape
    np.testing.assert_allclose(found, np.log(np.maximum(mel.T, 1e-10)), atol=2e-5)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(mel, top_db=None), n_mfcc=13).T
    cepstra = Spectra(rate, window, hop, bands, lowest, coefficients=13)
    assert cepstra.features == 13
    np.testing.assert_allclose(cepstra(SAMPLES), mfcc, atol=2e-4)


def test_the_transform_of_mfccs_is_scipys():
    from scipy.fft import dct

    energies = Spectra()(SAMPLES).astype(np.float64) * 10 / np.log(10)
    expected = dct(energies, norm="ortho")[:, :20]
    np.testing.assert_allclose(Spectra(coefficients=20)(SAMPLES), expected, atol=1e-4)


@pytest.mark.parametrize("coefficients", [None, 13])
@pytest.mark.parametrize("chunk", [1, 7, 64, 100_000])
def test_a_stream_gives_the_bits_of_the_whole(chunk, coefficients, monkeypatch):
    hear = Spectra(coefficients=coefficients)
    monkeypatch.setattr(spectra, "BLOCK", 1000)
    whole = hear(SAMPLES)
    monkeypatch.setattr(spectra, "BLOCK", 10)
    found = spectra.Hearing(hear)
    size = chunk * 13  # samples at a time, none of hop's multiples
    parts = [found(SAMPLES[k : k + size]) for k in range(0, len(SAMPLES), size)]
    assert np.array_equal(np.concatenate(parts), whole)


def test_a_frame_is_known_when_its_window_has_been_heard():
    hear = Spectra()
    changed = SAMPLES.copy()
    changed[5 * 80 + 256 :] += 1
    assert np.array_equal(hear(changed)[:6], hear(SAMPLES)[:6])
    assert not np.array_equal(hear(changed)[6], hear(SAMPLES)[6])
    assert hear.frames(255) == 0
    assert hear(SAMPLES[:255]).shape == (0, 40)
    assert np.array_equal(hear.of_clip(SAMPLES[:100])[0], hear(np.pad(SAMPLES[:100], (0, 156)))[0])
    assert hear(np.zeros(256, np.float32))[0, 0] == pytest.approx(np.log(1e-10))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rate": 0}, "rate"),
        ({"bands": 200}, "bands=200: band .+ lies between two lines of a window of 256"),
        ({"highest": 5000.0}, "bands from 60 to 5000 Hz: choose within 0 to 4000"),
        ({"lowest": 4000.0}, "choose within"),
        ({"coefficients": 41}, "coefficients=41: there are only 40 bands"),
        ({"coefficients": 0}, "coefficients"),
    ],
)
def test_numbers_that_make_no_sense_are_named(options, said):
    with pytest.raises(UserError, match=said):
        Spectra(**options)
