"""Towers on devices of their own, replicas of a network, and the processes that hold them (paper 3.2)."""
