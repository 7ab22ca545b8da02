"""What all tests share: hypothesis without deadlines, since the machines it runs on are noisy."""

from __future__ import annotations

import hypothesis

hypothesis.settings.register_profile("default", deadline=None, derandomize=False, print_blob=True)
hypothesis.settings.load_profile("default")
