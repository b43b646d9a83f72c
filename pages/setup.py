"""Look whether all is well, make what is missing, and see and change every setting."""

from __future__ import annotations

from pages.shared.doctor import show_doctor
from pages.shared.frame import reported, require_app, stand
from pages.shared.settings import show_settings

require_app()

stand("Setup")
show_doctor()
with reported():
    show_settings()
