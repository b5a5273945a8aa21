"""Config class -> form -> new config."""

from gui.forms.form import Form

__all__ = ["Form"]
