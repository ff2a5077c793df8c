// EvalFormatsTests
