// AssayTesting
