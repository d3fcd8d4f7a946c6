"""Decides which release serves whom, and whether a new one may serve all."""
