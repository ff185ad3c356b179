// The exponential function of a number on the host.
import Glibc

/// e to the power of x; `exp` by itself is the engine's, over tensors.
func exponential(_ x: Double) -> Double { Glibc.exp(x) }
