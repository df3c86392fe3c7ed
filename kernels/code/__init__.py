"""What is compiled: the bodies of kernels, as numba sources and LLVM emitters.

Nothing here is imported unless a kernel has to be compiled; `unbraid.kernels.machine.Kernel` names a
function here, and the modules above offer it on arrays. Arguments are int64: counts and addresses.
Kernels return an int64, and neither allocate nor raise.
"""
