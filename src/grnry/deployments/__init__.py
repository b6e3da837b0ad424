"""Deployments: what runs for long, as it is wanted and as it is seen.

A room asks (`service`), the reconciler compares what is wanted with what a deployer observes, and
the deployer starts and stops: this machine's processes today.
"""
