"""A sound made by the rule."""

import numpy as np
import rule

SAMPLES = 41_600


def sound():
    """Two gliding tones in noise, as tests/ears.rs makes it."""
    seconds = np.arange(SAMPLES) / 16_000
    tones = 0.2 * np.sin(2 * np.pi * (150 + 40 * seconds) * seconds) + 0.1 * np.sin(2 * np.pi * (900 + 300 * seconds) * seconds)
    return tones.astype(np.float32) + np.float32(0.02) * rule.uniform("sound", SAMPLES, 1)
