"""Fixtures of this folder; what they are made of is in sites.py."""

from sites import cache, site, wheel

__all__ = ["cache", "site", "wheel"]
