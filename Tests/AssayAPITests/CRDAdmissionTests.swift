import Base
import Testing

@testable import KubeSchema

/// A change to a valid object, the field that the refusal names, and a part of the message. nil: accepted.
struct CRDRow: Sendable, CustomStringConvertible {
    let spec: String
    let field: String?
    let message: String
    var description: String { spec.count > 90 ? spec.prefix(90) + "…" : spec }

    init(_ spec: String, _ field: String? = nil, _ message: String = "") {
        self.spec = spec
        self.field = field
        self.message = message
    }
}

@Suite("Objects that the definitions accept and refuse")
struct CRDAdmissionTests {
    static let job: JSONValue = [
        "apiVersion": "assay.dev/v1alpha1", "kind": "EvalJob", "metadata": ["name": "j", "namespace": "n"],
        "spec": [
            "source": ["repo": "https://github.com/acme/bench", "ref": "main"], "datasets": [["path": "tasks"]],
            "agents": [["name": "oracle"]],
        ],
    ]

    /// The object with replaced members of its spec; null removes a member.
    static func change(_ object: JSONValue, _ spec: String) throws -> JSONValue {
        var changed = object
        for (key, value) in try JSONValue(parsing: spec).object ?? [:] { changed.set(["spec", key], to: value.isNull ? nil : value) }
        return changed
    }

    static func check(_ row: CRDRow, _ object: JSONValue) throws {
        let result = try CRDFiles.admit(try change(object, row.spec))
        let faults = result.faults.filter { $0 != .rulesNotChecked }
        guard let field = row.field else {
            #expect(faults == [])
            return
        }
        #expect(faults.contains { $0.field == field && $0.message.contains(row.message) }, "\(faults)")
    }

    static let jobs: [CRDRow] = [
        CRDRow("{}"),
        CRDRow(#"{"source": null}"#, "spec.source", "Required value"), CRDRow(#"{"datasets": []}"#, "spec.datasets", "at least 1 items"),
        CRDRow(#"{"agents": null}"#, "spec.agents", "Required value"), CRDRow(#"{"source": {}}"#, "spec.source.repo", "Required value"),
        // agents
        CRDRow(#"{"agents": [{"name": "a", "execute": "x", "install": "y", "model": "m"}]}"#),
        CRDRow(#"{"agents": [{"name": "oracle", "execute": "x"}]}"#, "spec.agents[0]", "takes neither install nor execute"),
        CRDRow(#"{"agents": [{"name": "oracle", "install": "x"}]}"#, "spec.agents[0]", "takes neither install nor execute"),
        CRDRow(#"{"agents": [{"name": "a"}]}"#, "spec.agents[0]", "execute is required for every agent except oracle"),
        CRDRow(#"{"agents": [{"name": "a", "execute": "x"}, {"name": "a", "execute": "y"}]}"#, "spec.agents[1]", "Duplicate value"),
        CRDRow(#"{"agents": [{"name": "Claude Code (v2)", "execute": "x"}]}"#),
        CRDRow(#"{"agents": [{"name": " a", "execute": "x"}]}"#, "spec.agents[0].name", "should match"),
        CRDRow(#"{"agents": [{"name": "a ", "execute": "x"}]}"#, "spec.agents[0].name", "should match"),
        CRDRow(#"{"agents": [{"name": "../a", "execute": "x"}]}"#, "spec.agents[0].name", "should match"),
        CRDRow(#"{"agents": [{"name": "a\nb", "execute": "x"}]}"#, "spec.agents[0].name", "should match"),
        CRDRow(#"{"datasets": [{"path": "x", "defaultFormat": "rollout"}]}"#),
        CRDRow(
            #"{"datasets": [{"path": "x", "format": "harbor", "defaultFormat": "rollout"}]}"#, "spec.datasets[0]",
            "set either format or defaultFormat"),
        CRDRow(#"{"agents": [{"name": "a", "execute": "x", "env": [{"name": "K", "value": ""}]}]}"#),
        CRDRow(#"{"agents": [{"name": "a", "execute": "x", "env": [{"name": "K", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]}"#),
        CRDRow(
            #"{"agents": [{"name": "a", "execute": "x", "env": [{"name": "K"}]}]}"#, "spec.agents[0].env[0]", "exactly one of value and valueFrom"),
        CRDRow(
            #"{"agents": [{"name": "a", "execute": "x", "env": [{"name": "K", "value": "v", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}}]}]}"#,
            "spec.agents[0].env[0]", "exactly one of value and valueFrom"),
        CRDRow(
            #"{"agents": [{"name": "a", "execute": "x", "env": [{"name": "ASSAY_GATE", "value": "v"}]}]}"#, "spec.agents[0].env[0].name", "reserved"),
        CRDRow(#"{"agents": [{"name": "a", "execute": "x", "env": [{"name": "1K", "value": "v"}]}]}"#, "spec.agents[0].env[0].name", "should match"),
        // datasets
        CRDRow(#"{"datasets": [{}]}"#, "spec.datasets[0]", "exactly one of path, registry and tasks"),
        CRDRow(
            #"{"datasets": [{"path": "a", "name": "n", "tasks": [{"name": "t"}]}]}"#, "spec.datasets[0]", "exactly one of path, registry and tasks"),
        CRDRow(#"{"datasets": [{"name": "d", "version": "1", "registry": {"path": "registry.json"}}]}"#),
        CRDRow(
            #"{"datasets": [{"name": "d", "registry": {"path": "r", "url": "https://h/r"}}]}"#, "spec.datasets[0].registry",
            "exactly one of path and url"),
        CRDRow(#"{"datasets": [{"name": "d", "registry": {}}]}"#, "spec.datasets[0].registry", "exactly one of path and url"),
        CRDRow(#"{"datasets": [{"registry": {"path": "r"}}]}"#, "spec.datasets[0]", "name is required for a registry"),
        CRDRow(#"{"datasets": [{"tasks": [{"name": "t"}]}]}"#), CRDRow(#"{"datasets": [{"name": "d", "tasks": [{"name": "t"}]}]}"#),
        CRDRow(#"{"datasets": [{"path": "a", "version": "1"}]}"#, "spec.datasets[0].version", "version needs registry"),
        CRDRow(#"{"datasets": [{"path": "a", "rewardRule": "harbor"}]}"#),
        CRDRow(#"{"datasets": [{"path": "a", "rewardRule": "strict"}]}"#, "spec.datasets[0].rewardRule", "supported values"),
        CRDRow(#"{"datasets": [{"path": "a", "format": "rollout"}]}"#), CRDRow(#"{"datasets": [{"path": "a", "format": "harbor"}]}"#),
        CRDRow(#"{"datasets": [{"path": "a", "format": "inspect"}]}"#, "spec.datasets[0].format", "supported values"),
        CRDRow(#"{"datasets": [{"path": "a", "format": "rollout", "rewardRule": "rollout"}]}"#, "spec.datasets[0]", "format replaces rewardRule"),
        CRDRow(#"{"datasets": [{"name": "d", "tasks": [{"name": "t"}, {"name": "t"}]}]}"#, "spec.datasets[0].tasks[1]", "Duplicate value"),
        CRDRow(#"{"datasets": [{"name": "d", "tasks": [{"name": "t", "ref": "x"}]}]}"#, "spec.datasets[0].tasks[0].ref", "ref needs repo"),
        // numbers
        CRDRow(#"{"attempts": 0}"#, "spec.attempts", "greater than or equal to 1"),
        CRDRow(#"{"attempts": "3"}"#, "spec.attempts", "must be of type integer"),
        CRDRow(#"{"parallelism": 0}"#), CRDRow(#"{"parallelism": -1}"#, "spec.parallelism", "greater than or equal to 0"),
        CRDRow(#"{"timeoutMultiplier": 0}"#, "spec.timeoutMultiplier", "greater than 0"), CRDRow(#"{"timeoutMultiplier": 0.5}"#),
        CRDRow(#"{"retry": {"multiplier": 0.5}}"#, "spec.retry.multiplier", "greater than or equal to 1"),
        CRDRow(#"{"ttlSecondsAfterFinished": -1}"#, "spec.ttlSecondsAfterFinished", "greater than or equal to 0"),
        // environment, verifier, metrics, artifacts
        CRDRow(#"{"environment": {"image": "rootfs:/"}}"#), CRDRow(#"{"environment": {"image": "-v"}}"#, "spec.environment.image", "should match"),
        CRDRow(#"{"environment": {"preserveEnv": "never"}}"#, "spec.environment.preserveEnv", "supported values"),
        CRDRow(#"{"environment": {"network": {"mode": "allowlist", "allowedHosts": ["*.example.com"]}}}"#),
        CRDRow(
            #"{"environment": {"network": {"mode": "allowlist"}}}"#, "spec.environment.network", "mode allowlist needs allowedHosts"),
        CRDRow(#"{"environment": {"network": {"allowedHosts": ["x"]}}}"#),
        CRDRow(
            #"{"environment": {"network": {"mode": "no-network", "allowedHosts": ["x"]}}}"#, "spec.environment.network",
            "allowedHosts need mode allowlist, or no mode"),
        CRDRow(#"{"environment": {"podTemplate": {"labels": {"assay.dev/job": "x"}}}}"#, "spec.environment.podTemplate.labels", "belong to Assay"),
        CRDRow(
            #"{"environment": {"podTemplate": {"resources": {"limits": {"cpu": 2, "memory": "2Gi"}}, "affinity": {"nodeAffinity": {"x": [1]}}}}}"#),
        CRDRow(
            #"{"environment": {"podTemplate": {"resources": {"limits": {"cpu": "two"}}}}}"#, "spec.environment.podTemplate.resources.limits.cpu",
            "should match"),
        CRDRow(#"{"verifier": {"environmentMode": "none"}}"#, "spec.verifier.environmentMode", "supported values"),
        CRDRow(#"{"metrics": [{"type": "median"}]}"#, "spec.metrics[0].type", "supported values"),
        CRDRow(#"{"artifacts": {"backend": "git"}}"#, "spec.artifacts.git", "backend git needs git.remote"),
        CRDRow(#"{"artifacts": {"backend": "git", "git": {}}}"#, "spec.artifacts.git.remote", "Required value"),
        CRDRow(#"{"artifacts": {"backend": "s3"}}"#, "spec.artifacts.backend", "supported values"),
        CRDRow(#"{"instructionPath": "instruction.md"}"#, "spec.instructionPath", "should match"),
        CRDRow(#"{"instructionPath": "/tmp/../etc/passwd"}"#, "spec.instructionPath", "must not contain .."),
        CRDRow(#"{"overlays": []}"#), CRDRow(#"{"overlays": [{"name": "a"}, {"name": "a"}]}"#, "spec.overlays[1]", "Duplicate value"),
        CRDRow(#"{"targetRef": {"name": "Upper"}}"#, "spec.targetRef.name", "should match"),
    ]

    @Test("jobs", arguments: jobs)
    func admitsJobs(row: CRDRow) throws { try Self.check(row, Self.job) }

    static let targets: [CRDRow] = [
        CRDRow("{}"), CRDRow(#"{"type": "gha-runner"}"#), CRDRow(#"{"type": "moon"}"#, "spec.type", "supported values"),
        CRDRow(#"{"type": "vm"}"#, "spec.host", "a target of type vm needs host"), CRDRow(#"{"type": "azure-vm"}"#, "spec.host", "needs host"),
        CRDRow(#"{"type": "vm", "host": {"address": "10.0.0.5", "user": "assay"}}"#),
        CRDRow(#"{"host": {"address": "h"}}"#, "spec.host", "host goes with type vm only"),
        CRDRow(#"{"type": "vm", "host": {"address": "-oProxyCommand=id"}}"#, "spec.host.address", "should match"),
        CRDRow(#"{"type": "vm", "host": {"address": "h", "user": "-l"}}"#, "spec.host.user", "should match"),
        CRDRow(#"{"type": "local", "sync": "noop", "workdir": "/srv/repo"}"#),
        CRDRow(#"{"type": "gha-runner", "sync": "noop", "workdir": "/srv/repo"}"#),
        CRDRow(#"{"type": "local", "sync": "noop"}"#, "spec.workdir", "name it"),
        CRDRow(#"{"workdir": "/srv/repo"}"#, "spec.workdir", "local, ci and vm only"),
        CRDRow(#"{"type": "ci", "sync": "continuous"}"#, "spec.sync", "a target that stays"),
        CRDRow(#"{"syncOptions": {"mode": "sparse"}}"#, "spec.syncOptions", "mode sparse and sparsePaths must be set together"),
        CRDRow(#"{"syncOptions": {"mode": "sparse", "sparsePaths": ["../x"]}}"#, "spec.syncOptions.sparsePaths[0]", "no component may be .."),
        CRDRow(#"{"type": "cluster", "claim": {"name": "data"}}"#, "spec.claim", "claim goes with type local and sync noop"),
        CRDRow(#"{"type": "local", "sync": "noop", "claim": {"name": "data", "path": "../x"}}"#, "spec.claim.path", "no component may be .."),
        CRDRow(#"{"syncOptions": {"advanced": {"extraArgs": ["a\nb"]}}}"#, "spec.syncOptions.advanced.extraArgs[0]", "should match"),
        CRDRow(#"{"syncOptions": {"refreshInterval": "soon"}}"#, "spec.syncOptions.refreshInterval", "should match"),
        CRDRow(#"{"maxConcurrentTrials": -1}"#, "spec.maxConcurrentTrials", "greater than or equal to 0"),
    ]

    @Test("targets", arguments: targets)
    func admitsTargets(row: CRDRow) throws {
        try Self.check(row, ["apiVersion": "assay.dev/v1alpha1", "kind": "EvalTarget", "metadata": ["name": "t"], "spec": [:]])
    }

    static let overlays: [CRDRow] = [
        CRDRow("{}"), CRDRow(#"{"repo": "https://github.com/acme/tools", "toolsSubdir": "", "skillsSubdir": "."}"#),
        CRDRow(#"{"repo": null}"#, "spec.repo", "Required value"), CRDRow(#"{"toolsSubdir": "/etc"}"#, "spec.toolsSubdir", "should match"),
        CRDRow(#"{"skillsSubdir": "a/../../b"}"#, "spec.skillsSubdir", "no component may be .."),
        CRDRow(#"{"interval": "never"}"#, "spec.interval", "should match"), CRDRow(#"{"interval": "1.5h"}"#),
        CRDRow(#"{"interval": "999ms"}"#, "spec.interval", "must be at least 1s"),
    ]

    @Test("overlays", arguments: overlays)
    func admitsOverlays(row: CRDRow) throws {
        try Self.check(row, ["apiVersion": "assay.dev/v1alpha1", "kind": "OverlaySource", "metadata": ["name": "o"], "spec": ["repo": "acme/tools"]])
    }

    @Test(
        "catalogue 44: a ref that looks like an option or is not a ref",
        arguments: [
            "--upload-pack=touch /tmp/x", "-x", "a..b", "a b", "a\nb", "x.lock", "a//b", "/a", "a/", "a@{1}", "x^", "x:y", "a\\b", "x.", "",
            String(repeating: "x", count: 256),
        ])
    func badRefs(ref: String) throws {
        var job = Self.job
        job.set(["spec", "source", "ref"], to: .string(ref))
        #expect(try CRDFiles.admit(job).faults.contains { $0.field == "spec.source.ref" })
        let task: JSONValue = ["name": "t", "repo": "https://h/x", "ref": .string(ref)]
        job = Self.job
        job.set(["spec", "datasets"], to: [["name": "d", "tasks": [task]]])
        #expect(try CRDFiles.admit(job).faults.contains { $0.description.contains("spec.datasets[0].tasks[0].ref") })
    }

    @Test("refs", arguments: ["main", "v1.2", "feature/x", "0123456789abcdef0123456789abcdef01234567", "refs/heads/a"])
    func goodRefs(ref: String) throws {
        var job = Self.job
        job.set(["spec", "source", "ref"], to: .string(ref))
        #expect(try CRDFiles.admit(job).faults == [])
    }

    @Test(
        "catalogue 45: URLs that run commands, carry credentials or hide control characters",
        arguments: [
            ("ext::sh -c id", "transport helpers"), ("fd::7", "transport helpers"), ("--upload-pack=x", "should match"),
            ("git://h/x", "the scheme must be"),
            ("ftp://h/x", "the scheme must be"), ("https://u:p@h/x", "the URL must not contain credentials"),
            ("https://token@h/x", "the URL must not contain credentials"), ("ssh://u:p@h/x", "the URL must not contain a password"),
            ("https://h/x\ny", "should match"), ("https://h/\u{01}", "should match"), ("", "at least 1 chars long"),
        ])
    func badURLs(url: String, message: String) throws {
        for path in [["spec", "source", "repo"], ["spec", "artifacts", "git", "remote"]] {
            var job = Self.job
            job.set(path, to: .string(url))
            let faults = try CRDFiles.admit(job).faults
            #expect(faults.contains { $0.field == path.joined(separator: ".") && $0.message.contains(message) }, "\(faults)")
        }
        var job = Self.job
        job.set(["spec", "datasets"], to: [["name": "d", "tasks": [["name": "t", "repo": .string(url)]]]])
        #expect(try CRDFiles.admit(job).faults.contains { $0.field == "spec.datasets[0].tasks[0].repo" })
    }

    @Test(
        "URLs",
        arguments: [
            "https://github.com/a/b", "http://127.0.0.1:8080/x.git", "ssh://git@github.com/a/b", "ssh://git@h:2222/a", "git@github.com:a/b.git",
            "/srv/git/b.git", "file:///srv/b", ".", "./x",
        ])
    func goodURLs(url: String) throws {
        var job = Self.job
        job.set(["spec", "source", "repo"], to: .string(url))
        #expect(try CRDFiles.admit(job).faults == [])
        job.set(["spec", "datasets"], to: [["name": "d", "tasks": [["name": "t", "repo": .string(url)]]]])
        #expect(try CRDFiles.admit(job).faults == [])
    }

    @Test(
        "catalogue 49: a Secret is always in the object's own namespace: no field names another namespace",
        arguments: [
            ["spec", "source", "secretRef"], ["spec", "artifacts", "git", "secretRef"],
        ])
    func foreignSecrets(path: [String]) throws {
        var job = Self.job
        job.set(["spec", "artifacts"], to: ["backend": "git", "git": ["remote": "https://github.com/acme/results"]])
        job.set(path, to: ["name": "s"])
        let own = try CRDFiles.admit(job)
        #expect(own.unknown == [] && own.faults == [])
        job.set(path, to: ["name": "s", "namespace": "other"])
        #expect(try CRDFiles.admit(job).unknown.contains { "\($0)".contains("namespace") })
        job.set(path, to: ["name": "other/s"])
        #expect(try CRDFiles.admit(job).faults.contains { $0.field == path.joined(separator: ".") + ".name" })
    }

    @Test(
        "catalogue 46: paths that lead out of their folder",
        arguments: [
            "../x", "a/../b", "a/..", "..", "/abs", ".git/hooks", "a/.GIT/config", "a\u{00}b", "a\nb", "-x", "", String(repeating: "x", count: 5000),
        ])
    func badPaths(path: String) throws {
        var job = Self.job
        job.set(["spec", "datasets"], to: [["path": .string(path)]])
        #expect(try CRDFiles.admit(job).faults.contains { $0.field == "spec.datasets[0].path" })
        job.set(["spec", "datasets"], to: [["name": "d", "tasks": [["name": "t", "path": .string(path)]]]])
        #expect(try CRDFiles.admit(job).faults.contains { $0.description.contains("spec.datasets[0].tasks[0].path") })
    }
}
