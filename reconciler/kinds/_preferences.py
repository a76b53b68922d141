"""The preferences of a user, which a manifest sets when the account is created."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import BeforeValidator

from reconciler import natural
from reconciler.manifest.loader import suggest
from reconciler.model.codecs import Codec
from reconciler.model.custom_fields import FALSE, TRUE
from reconciler.model.name_index import Context

YES_OR_NO = ("hide_mail", "no_self_notified", "notify_about_high_priority_issues", "warn_on_leaving_unsaved")
LISTS = ("auto_watch_on", "toolbar_language_options")
PREFERENCES = (
    *YES_OR_NO,
    *LISTS,
    *("comments_sorting", "history_default_tab", "recently_used_projects", "textarea_font", "time_zone"),
)
"""Redmine's `UserPreference#safe_attributes` (5.0 to 6.1), but for queries, which are numbers."""


def _preferences(value: Any) -> Any:
    """A mapping of preferences: Redmine drops a name that it does not know without an error."""
    for name, item in value.items() if isinstance(value, Mapping) else ():
        if name not in PREFERENCES:
            hint = suggest(name, PREFERENCES)
            raise ValueError(f'unknown preference "{name}"{f": {hint}" if hint else ""}')
        if name in YES_OR_NO and str(item).lower() not in TRUE | FALSE:
            raise ValueError(f"{name}: expected true or false")
        if (name in LISTS) != isinstance(item, list):
            raise ValueError(f"{name}: expected a {'list' if name in LISTS else 'string'}")
    return value


Preferences = Annotated[dict[str, Any], BeforeValidator(_preferences)]


class PreferenceCodec(Codec):
    """Texts, lists, and "1" or "0" for yes and no."""

    def canonical(self, value: Any, context: Context) -> Any:
        said = natural.items(value or {})
        return {name: str(item).lower() in TRUE if name in YES_OR_NO else item for name, item in said}

    def encode(self, value: Any, context: Context) -> Any:
        return {name: ("1" if item else "0") if name in YES_OR_NO else item for name, item in value.items()}
