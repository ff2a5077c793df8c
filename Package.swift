// swift-tools-version: 6.0
import PackageDescription

// The house of docs/design.md: a target imports only targets listed above it. `Tests/HouseTests` holds the
// imports in Sources to this list; SwiftPM itself refuses cycles.

let package = Package(
    name: "assay",
    products: [.executable(name: "assay", targets: ["assay"])],
    targets: [
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CYAML", pkgConfig: "yaml-0.1", providers: [.apt(["libyaml-dev"])]),
        .target(name: "CShims", dependencies: ["CCurl"], linkerSettings: [.linkedLibrary("curl")]),
        .target(name: "Base"),
        .target(name: "Subprocess", dependencies: ["CShims", "Base"]),
        .target(name: "HTTPTransport", dependencies: ["CCurl", "CShims", "Base"]),
        .target(name: "Tracing", dependencies: ["Base", "HTTPTransport"]),
        .target(name: "Dependencies", dependencies: ["Base", "Subprocess", "HTTPTransport"]),
        .target(name: "Registry", dependencies: ["Base", "HTTPTransport"]),
        .target(name: "HTTPServing", dependencies: ["Base"]),
        .target(name: "Egress", dependencies: ["CShims", "Base", "HTTPServing"]),
        .target(name: "YAML", dependencies: ["CYAML", "Base"], linkerSettings: [.linkedLibrary("yaml")]),
        .target(name: "TOML", dependencies: ["Base"]),
        .target(name: "KubeCore", dependencies: ["Base"]),
        .target(name: "KubeClient", dependencies: ["Base", "Subprocess", "HTTPTransport", "YAML", "KubeCore"]),
        .target(name: "KubeRuntime", dependencies: ["Base", "HTTPTransport", "KubeCore", "KubeClient"]),
        .target(name: "EvalModel", dependencies: ["Base"]),
        .target(name: "EvalFormats", dependencies: ["Base", "YAML", "TOML", "EvalModel"]),
        .target(name: "Git", dependencies: ["CShims", "Base", "Subprocess"]),
        .target(
            name: "SourceSync",
            dependencies: ["CShims", "Base", "Subprocess", "HTTPTransport", "HTTPServing", "EvalModel", "EvalFormats", "Git"]),
        .target(name: "Artifacts", dependencies: ["CShims", "Base", "Subprocess", "EvalModel", "Git"]),
        .target(
            name: "Dashboard", dependencies: ["Base", "HTTPServing", "EvalModel", "Git", "Artifacts"],
            exclude: ["Assets/app.js", "Assets/style.css", "Assets/icon.svg"]),
        .target(
            name: "TrialRuntime",
            dependencies: ["CShims", "Base", "Subprocess", "HTTPTransport", "Registry", "EvalModel", "EvalFormats", "Git", "SourceSync"],
            exclude: ["Remote/Script", "Runner/Script", "Runner/as-user.c", "Runner/as-user.x86_64.hex", "Runner/as-user.aarch64.hex"]),
        .target(name: "AssayAPI", dependencies: ["Base", "KubeCore", "EvalModel"]),
        .target(
            name: "TrialPods", dependencies: ["Base", "Egress", "KubeCore", "EvalModel", "Git", "SourceSync", "AssayAPI", "TrialRuntime"]),
        .target(
            name: "Planning",
            dependencies: [
                "Base", "HTTPTransport", "Dependencies", "EvalModel", "EvalFormats", "Git", "SourceSync", "AssayAPI", "TrialRuntime", "TrialPods",
            ]),
        .target(
            name: "Reconcilers",
            dependencies: [
                "Base", "Tracing", "HTTPServing", "Egress", "Registry", "KubeCore", "KubeClient", "KubeRuntime", "EvalModel", "EvalFormats", "Git",
                "SourceSync",
                "Artifacts", "AssayAPI", "TrialRuntime", "TrialPods", "Planning",
            ]),
        .target(
            name: "Rollout",
            dependencies: ["Base", "HTTPTransport", "YAML", "EvalModel", "EvalFormats", "Git", "SourceSync", "AssayAPI", "Artifacts"]),
        .target(name: "CEL", dependencies: ["Base"]),
        .target(name: "KubeSchema", dependencies: ["Base", "CEL"]),
        .target(name: "APIServer", dependencies: ["Base", "HTTPServing", "YAML", "KubeCore", "CEL", "KubeSchema"]),
        .target(
            name: "PodmanNode",
            dependencies: ["Base", "Subprocess", "HTTPTransport", "KubeCore", "KubeClient", "KubeRuntime"]),
        .target(name: "Operations", dependencies: ["HTTPServing"]),
        .target(
            name: "AssayTesting",
            dependencies: ["CShims", "Base", "Subprocess", "HTTPTransport", "KubeCore", "KubeClient", "KubeRuntime", "Git"]),
        .executableTarget(
            name: "assay",
            dependencies: [
                "CShims", "Base", "Subprocess", "HTTPTransport", "Tracing", "Dependencies", "Egress", "YAML", "KubeCore", "KubeClient", "KubeRuntime",
                "EvalModel", "EvalFormats", "Git", "SourceSync", "Artifacts", "Dashboard", "AssayAPI", "TrialRuntime", "TrialPods", "Planning",
                "Reconcilers",
                "Rollout", "APIServer", "PodmanNode", "Operations",
            ]),
        .executableTarget(
            name: "benchmarks",
            dependencies: [
                "Base", "Subprocess", "YAML", "KubeCore", "KubeClient", "EvalModel", "Git", "Artifacts", "AssayAPI", "TrialRuntime",
                "APIServer", "AssayTesting",
            ],
            path: "Benchmarks"),

        .testTarget(name: "HouseTests", dependencies: ["Base"]),
        .testTarget(name: "BaseTests", dependencies: ["Base"]),
        .testTarget(name: "SubprocessTests", dependencies: ["Base", "Subprocess"]),
        .testTarget(name: "HTTPTransportTests", dependencies: ["Base", "Subprocess", "HTTPTransport", "AssayTesting"]),
        .testTarget(name: "TracingTests", dependencies: ["Base", "HTTPTransport", "Tracing", "AssayTesting"]),
        .testTarget(name: "DependenciesTests", dependencies: ["Base", "Dependencies", "AssayTesting"]),
        .testTarget(name: "RegistryTests", dependencies: ["Base", "Subprocess", "Registry", "AssayTesting"]),
        .testTarget(name: "HTTPServingTests", dependencies: ["Base", "HTTPServing", "AssayTesting"]),
        .testTarget(name: "EgressTests", dependencies: ["Base", "Subprocess", "Egress", "AssayTesting", "assay"]),
        .testTarget(name: "YAMLTests", dependencies: ["Base", "YAML"]),
        .testTarget(name: "TOMLTests", dependencies: ["Base", "TOML"], resources: [.copy("Fixtures")]),
        .testTarget(name: "KubeClientTests", dependencies: ["Base", "HTTPTransport", "KubeCore", "KubeClient", "AssayTesting"]),
        .testTarget(name: "KubeRuntimeTests", dependencies: ["Base", "KubeCore", "KubeClient", "KubeRuntime", "AssayTesting"]),
        .testTarget(name: "EvalFormatsTests", dependencies: ["Base", "EvalModel", "EvalFormats"], resources: [.copy("Fixtures")]),
        .testTarget(name: "GitTests", dependencies: ["Base", "Subprocess", "Git", "AssayTesting"]),
        .testTarget(
            name: "SourceSyncTests",
            dependencies: ["Base", "Subprocess", "HTTPTransport", "HTTPServing", "EvalModel", "EvalFormats", "Git", "SourceSync", "AssayTesting"]),
        .testTarget(
            name: "DashboardTests", dependencies: ["Base", "Subprocess", "HTTPServing", "EvalModel", "Git", "Artifacts", "Dashboard"],
            resources: [.copy("Browser")]),
        // A process for tests that need many writers, or that kill one.
        .executableTarget(name: "ledger-writer", dependencies: ["Base", "EvalModel", "Git", "Artifacts"], path: "Tests/LedgerWriter"),
        .testTarget(
            name: "ArtifactsTests", dependencies: ["Base", "Subprocess", "EvalModel", "Git", "Artifacts", "AssayTesting"]),
        // By themselves: fifty processes leave no room for tests that hold others to a clock.
        .testTarget(name: "LedgerProcessTests", dependencies: ["Base", "Subprocess", "Git", "ledger-writer"]),
        .testTarget(name: "AssayAPITests", dependencies: ["Base", "YAML", "KubeCore", "EvalModel", "AssayAPI", "KubeSchema"]),
        .testTarget(
            name: "TrialRuntimeTests",
            dependencies: ["Base", "Subprocess", "HTTPServing", "EvalModel", "Git", "SourceSync", "TrialRuntime", "AssayTesting"]),
        .testTarget(
            name: "TrialPodsTests",
            dependencies: ["Base", "KubeCore", "EvalModel", "SourceSync", "AssayAPI", "TrialRuntime", "TrialPods", "AssayTesting"],
            resources: [.copy("Fixtures")]),
        // A process for tests that let it hang, and restart it.
        .executableTarget(
            name: "operator-process",
            dependencies: ["Base", "KubeClient", "KubeRuntime", "AssayAPI", "TrialPods", "Reconcilers", "Operations"], path: "Tests/OperatorProcess"),
        .testTarget(
            name: "ReconcilersTests",
            dependencies: [
                "Base", "Subprocess", "HTTPTransport", "Tracing", "YAML", "KubeCore", "KubeClient", "KubeRuntime", "EvalModel", "EvalFormats", "Git",
                "SourceSync", "Artifacts",
                "AssayAPI",
                "Egress", "TrialRuntime", "TrialPods", "Planning", "Reconcilers", "Operations", "APIServer", "AssayTesting", "operator-process",
            ],
            exclude: ["Records/expected", "Chart/Fixtures"]),
        .testTarget(
            name: "RolloutTests",
            dependencies: [
                "Base", "Subprocess", "YAML", "EvalModel", "EvalFormats", "Git", "SourceSync", "AssayAPI", "Artifacts", "Rollout", "AssayTesting",
            ]),
        .testTarget(name: "CELTests", dependencies: ["Base", "CEL", "KubeSchema"]),
        .testTarget(name: "KubeSchemaTests", dependencies: ["Base", "KubeSchema"]),
        .testTarget(
            name: "APIServerTests",
            dependencies: [
                "Base", "Subprocess", "HTTPTransport", "HTTPServing", "KubeCore", "KubeClient", "KubeSchema", "APIServer", "AssayTesting",
            ],
            resources: [.copy("Fixtures")]),
        .testTarget(
            name: "assayTests",
            dependencies: [
                "Base", "Subprocess", "HTTPTransport", "YAML", "KubeCore", "EvalModel", "EvalFormats", "Artifacts", "AssayAPI", "Planning", "Rollout",
                "APIServer", "AssayTesting", "assay",
            ],
            resources: [.copy("Help")]),
        .testTarget(
            name: "PodmanNodeTests", dependencies: ["Base", "Subprocess", "KubeCore", "KubeClient", "APIServer", "PodmanNode", "AssayTesting"],
            resources: [.copy("Fixtures")]),
        .testTarget(
            name: "OperationsTests",
            dependencies: ["Base", "HTTPTransport", "KubeCore", "KubeClient", "KubeRuntime", "Operations", "AssayTesting"]),
        .testTarget(name: "ChartTests", dependencies: ["Base", "Subprocess", "YAML", "EvalFormats", "AssayTesting"], exclude: ["Fixtures"]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "Base", "Subprocess", "HTTPServing", "YAML", "KubeCore", "KubeClient", "Artifacts", "Git", "SourceSync", "EvalModel", "TrialRuntime",
                "AssayAPI",
                "AssayTesting",
            ],
            exclude: ["Fixtures"]),
    ]
)
