"""The built-in plugins. They import the contract and kernels only, like anyone else's."""
