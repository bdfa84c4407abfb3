"""The routes under `/admin`: what people and scripts tell a running host, with an admin key."""

from ninebrains.serving.http.admin.application import make_admin

__all__ = ["make_admin"]
