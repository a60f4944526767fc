"""What the report's tests share."""

import pytest

from electra_tf.report import page


@pytest.fixture
def no_pictures(monkeypatch):
    """For tests that read the text alone: drawing is what takes the time."""
    monkeypatch.setattr(page, "_draw_all", lambda runs: [])
