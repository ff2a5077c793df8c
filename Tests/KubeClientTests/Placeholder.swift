// KubeClientTests
