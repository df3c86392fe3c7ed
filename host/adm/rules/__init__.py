"""What ADM files have to be: one idea a module, each a function from a `Subject` to findings."""
