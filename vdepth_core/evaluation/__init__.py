"""Evaluation: arrays in, numbers out; every figure is named with the protocol it was measured under."""
