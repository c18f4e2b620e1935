//! Nothing: the package is there for its dependency.
#![forbid(unsafe_code)]
