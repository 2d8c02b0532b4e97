"""The threaded engine: guest code as arrays of ops whose native handlers call each other."""
