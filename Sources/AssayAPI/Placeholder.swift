// AssayAPI
