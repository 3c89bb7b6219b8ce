"""Visitors of a site and what they click."""
