"""Turns functions in a small subset of Python into native code through LLVM."""
