// AssayAPITests
