"""FFTs of any length 2^a 3^b 5^c 7^d from explicit SIMD codelets; `layout` needs NumPy alone."""
