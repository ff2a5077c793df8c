// KubeRuntimeTests
