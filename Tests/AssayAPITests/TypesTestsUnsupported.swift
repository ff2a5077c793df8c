import AssayAPI
import Testing

@Suite("Fields that are not supported yet")
struct UnsupportedFieldTests {
    struct JobCase: Sendable {
        var path: String
        var change: @Sendable (inout EvalJobSpec) -> Void
    }

    static let jobCases: [JobCase] = [
        .init(path: "spec.source.fixtures.cachePath") { $0.source.fixtures = FixturesSpec(cachePath: "cache") },
        .init(path: "spec.environment.forceBuild") { $0.environment.forceBuild = true },
        .init(path: "spec.environment.network.mode") { $0.environment.network.mode = .noNetwork },
    ]

    @Test("are reported with their path and advice", arguments: jobCases)
    func jobs(_ it: JobCase) {
        var spec = EvalJobSpec(source: SourceSpec(repo: "r"))
        #expect(UnsupportedFields.check(spec).isEmpty)
        it.change(&spec)
        let found = UnsupportedFields.check(spec, missingForNetworks: "there is no proxy")
        #expect(found.map(\.path) == [it.path])
        #expect(found.first?.why.isEmpty == false)
    }

    @Test("fields that this version uses are supported")
    func supported() {
        var spec = EvalJobSpec(source: SourceSpec(repo: "r", ref: "main", secretRef: LocalReference(name: "s")))
        spec.overlays = [LocalReference(name: "o")]
        spec.datasets = [
            DatasetSpec(path: "tasks", include: ["a*"]), DatasetSpec(registry: RegistrySpec(path: "registry.json"), name: "d"),
            DatasetSpec(tasks: [TaskSpec(name: "t", repo: "other")], name: "inline", rewardRule: .harbor),
        ]
        spec.environment = EnvironmentSpec(
            image: "i", preserveEnv: .onFailure, overrideCPUs: 2, podTemplate: PodTemplate(runtimeClassName: "gvisor"))
        spec.verifier = VerifierSpec(overrideTimeoutSec: 5, maxTimeoutSec: 6, disable: true, endAgentProcesses: true)
        spec.ttlSecondsAfterFinished = 60
        spec.activeDeadlineSeconds = 60
        #expect(UnsupportedFields.check(spec).isEmpty)
        spec.environment.forceBuild = true
        #expect(UnsupportedFields.check(spec, canBuild: true).isEmpty)
    }

    @Test("of targets")
    func others() {
        #expect(UnsupportedFields.check(EvalTargetSpec()).isEmpty)
        #expect(UnsupportedFields.check(EvalTargetSpec(type: .local, image: TargetImageSpec(default: "i"))).isEmpty)
        for type in [EvalTargetSpec.Kind.local, .ci] {
            #expect(UnsupportedFields.check(EvalTargetSpec(type: type)).isEmpty)
            #expect(UnsupportedFields.check(EvalTargetSpec(type: type), onCluster: true).map(\.path) == ["spec.type"])
        }
        let spec = EvalTargetSpec(
            type: .vm, sync: .noop, workdir: "/w", host: HostSpec(address: "h"),
            image: TargetImageSpec(build: BuildSpec(registry: "r.example.com/t", builderImage: "b")), cost: CostSpec(cpuHour: 1))
        #expect(
            UnsupportedFields.check(spec).map(\.path)
                == ["spec.sync", "spec.host.sshSecretRef", "spec.image.build"])
        let host = HostSpec(address: "h", sshSecretRef: LocalReference(name: "key"))
        for sync in [EvalTargetSpec.Sync.oneshot, .continuous] {
            #expect(UnsupportedFields.check(EvalTargetSpec(type: .vm, sync: sync, host: host)).isEmpty)
        }
        #expect(UnsupportedFields.check(EvalTargetSpec(type: .vm, host: host), onCluster: true).map(\.path) == ["spec.type"])
        let template = EvalTargetSpec(type: .vm, host: host, podTemplate: PodTemplate(runtimeClassName: "gvisor"))
        #expect(UnsupportedFields.check(template).map(\.path) == ["spec.podTemplate"])
        var job = EvalJobSpec(source: SourceSpec(repo: "r"))
        job.environment.podTemplate = PodTemplate(runtimeClassName: "gvisor")
        job.environment.preserveEnv = .always
        #expect(UnsupportedFields.check(job).isEmpty)
        #expect(UnsupportedFields.check(job, onHost: true).map(\.path) == ["spec.environment.podTemplate", "spec.environment.preserveEnv"])
        let user = HostSpec(address: "h", user: "azureuser", sshSecretRef: LocalReference(name: "key"))
        #expect(UnsupportedFields.check(EvalTargetSpec(type: .vm, host: user)).map(\.path) == ["spec.host.user"])
        #expect(UnsupportedFields.check(EvalTargetSpec(type: .local, sync: .noop, workdir: "/w")).isEmpty)
        #expect(UnsupportedFields.check(EvalTargetSpec(type: .local, sync: .noop)).map(\.path) == ["spec.workdir"])
        #expect(
            UnsupportedFields.check(EvalTargetSpec(type: .local, sync: .noop, syncOptions: SyncOptions(), workdir: "/w")).map(\.path)
                == ["spec.syncOptions"])
        #expect(UnsupportedFields.check(EvalTargetSpec(sync: .continuous, syncOptions: SyncOptions(mode: .full)), onCluster: true).isEmpty)
        let claim = ClaimSpec(name: "data", path: "evals")
        #expect(UnsupportedFields.check(EvalTargetSpec(type: .local, sync: .noop, claim: claim), onCluster: true).isEmpty)
        #expect(UnsupportedFields.check(EvalTargetSpec(type: .local, sync: .noop, claim: claim)).map(\.path) == ["spec.claim"])
        #expect(UnsupportedFields.check(EvalTargetSpec(type: .cluster, sync: .noop, claim: claim), onCluster: true).map(\.path) == ["spec.claim"])
        #expect(
            UnsupportedFields.check(EvalTargetSpec(type: .local, sync: .noop, workdir: "/w", claim: claim), onCluster: true).map(\.path)
                == ["spec.claim"])
        let advanced = SyncOptions(advanced: .init(extraArgs: ["--one=two"]))
        for (type, sync) in [(EvalTargetSpec.Kind.cluster, EvalTargetSpec.Sync.continuous), (.local, .oneshot), (.ci, .oneshot), (.vm, .continuous)] {
            let found = UnsupportedFields.check(EvalTargetSpec(type: type, sync: sync, syncOptions: advanced)).map(\.path)
            #expect(found.contains("spec.syncOptions.advanced"), "\(type) \(sync)")
        }
    }
}
