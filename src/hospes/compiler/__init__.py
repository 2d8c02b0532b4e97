"""Turns functions in a small subset of Python into native code through LLVM.

The subset (tests/compiler has each rule with the words of its refusal):

- Numbers are integers. Every expression has a range (width.py); `+ - * ~ <<` and negation may leave
  64 bits, and then have to be wrapped (`u64`, `s64`, `u32`, ...) before they are compared, shifted
  right, returned, passed on, or kept in a variable. A store to a field wraps by itself.
- Both sides of a comparison are u64, or both are s64; a comparison has two sides.
- A shift amount lies in 0..63, an index in its array, an operand of the vocabulary in the range it
  is defined for: mask them where that cannot be seen.
- `and`/`or` of other values than 0 and 1 are tests, not values.
- Statements: assignment (one target, or as many values as targets; augmented), if, while, return,
  raise, pass, and `for` over a constant range, which is unrolled and whose counter means nothing
  outside. A variable is assigned on every path that leads to where it is read.
- All paths of a function return a value, or none does.
- Names: variables, integer constants and enumerations of the module, fields of the state `h`, and
  functions imported by name. No recursion.
- An @inline function becomes part of its caller, and may raise, jump and reach guest memory where
  the caller may. Any other is a native function: u64 arguments, and no exceptions.
"""
