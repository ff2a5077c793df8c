import AssayAPI
import Base
import EvalModel
import Testing

@testable import TrialPods
@testable import TrialRuntime

private typealias Pods = TrialPodBuilderTests

@Suite("Services in a trial's pod")
struct ServicePodTests {
    private static let services = TaskServices(
        services: [
            TaskService(
                name: "db", image: .own(.named("postgres:17")), env: ["PASSWORD": "${PW}", "HOME$": "a$(B)"], passedEnv: ["MAYBE"],
                user: .init(id: 70, group: 71), check: ServiceCheck(command: ["pg_isready", "-U", "$x"], intervalSec: 2, timeoutSec: 5, retries: 4),
                mounts: [
                    .init(source: .volume("db_data"), target: "/var/lib/db", subpath: "sub"),
                    .init(source: .scratch(inMemory: true, sizeBytes: 1024), target: "/run"),
                ], resources: ServiceResources(cpus: 0.5, cpuLimit: 2, memoryMB: 100, memoryLimitMB: 200)),
            TaskService(
                name: "seed", image: .main, kind: .oneShot, entrypoint: ["sh", "-c", "echo $HOME"], workdir: "/w",
                mounts: [.init(source: .files("seed.sql"), target: "/seed.sql", readOnly: true), .init(source: .files(""), target: "/all")]),
            TaskService(
                name: "web", image: .own(.built(.init(context: "web"))), command: ["serve"],
                mounts: [.init(source: .logs("artifacts"), target: "/logs/artifacts")],
                addedCapabilities: ["NET_BIND_SERVICE"], droppedCapabilities: ["ALL"], hasReadOnlyRoot: true, noNewPrivileges: true),
        ], names: ["db", "seed", "web"], hosts: ["10.0.0.9": ["far"], "127.0.0.1": ["near"]],
        mainMounts: [
            .init(source: .volume("db_data"), target: "/shared", readOnly: true),
            .init(source: .scratch(inMemory: false, sizeBytes: nil), target: "/tmp/x"),
        ])

    private static func pod(_ change: (inout TrialPodRequest) -> Void = { _ in }) throws -> JSONValue {
        try Pods.pod {
            $0.task.environment.hasCompose = true
            $0.task.environment.dockerImage = "task:1"
            $0.task.environment.services = services
            $0.builtImages = [.service("web"): "built/web@sha256:1"]
            $0.jobSpec.environment.env = [
                EnvironmentVariable(name: "PW", valueFrom: .init(secretKeyRef: .init(name: "s", key: "k")))
            ]
            change(&$0)
        }
    }

    @Test("native sidecars and one-shot services follow delivery in their order, and all names are the pod")
    func order() throws {
        let pod = try Self.pod()
        #expect(
            pod.at("spec", "initContainers")?.array?.map { "\($0["name"]?.string ?? "") \($0["restartPolicy"]?.string ?? "-")" }
                == ["repo-cache -", "service-db Always", "service-seed -", "service-web Always"])
        #expect(
            pod.at("spec", "hostAliases")
                == [["ip": "10.0.0.9", "hostnames": ["far"]], ["ip": "127.0.0.1", "hostnames": ["db", "near", "seed", "web"]]])
        #expect(try Pods.pod().at("spec", "hostAliases") == nil)
    }

    @Test("a server: image, variables, probe in whole seconds, user, resources, volumes")
    func server() throws {
        let pod = try Self.pod()
        let db = try Pods.container(pod, "service-db")
        #expect(db["image"] == "postgres:17" && db["command"] == nil && db["args"] == nil)
        #expect(Pods.env(db)["PASSWORD"] == ["secretKeyRef": ["name": "s", "key": "k"]])
        #expect(Pods.env(db)["HOME$"]?.string.map(Pods.expanded) == "a$(B)")
        #expect(Pods.env(db)["MAYBE"] == nil, "the job has no such variable")
        #expect(
            db["startupProbe"]
                == ["exec": ["command": ["pg_isready", "-U", "$$x"]], "periodSeconds": 2, "timeoutSeconds": 5, "failureThreshold": 4])
        #expect(db["securityContext"] == ["runAsUser": 70, "runAsGroup": 71])
        #expect(
            db["resources"] == [
                "requests": ["cpu": "500m", "memory": "100Mi"], "limits": ["cpu": "2", "memory": "200Mi", "ephemeral-storage": "2048Mi"],
            ])
        #expect(
            db["volumeMounts"] == [
                ["mountPath": "/var/lib/db", "name": "volume-0", "subPath": "sub"], ["mountPath": "/run", "name": "scratch-1"],
            ])
        let volumes = pod.at("spec", "volumes")?.array ?? []
        #expect(volumes.contains(["name": "volume-0", "emptyDir": [:]]))
        #expect(volumes.contains(["name": "scratch-0", "emptyDir": [:]]))
        #expect(volumes.contains(["name": "scratch-1", "emptyDir": ["medium": "Memory", "sizeLimit": "1024"]]))
    }

    @Test("a one-shot service, and one with fewer rights")
    func others() throws {
        let pod = try Self.pod()
        let seed = try Pods.container(pod, "service-seed")
        #expect(seed["image"] == "task:1" && seed["command"] == ["sh", "-c", "echo $$HOME"] && seed["workingDir"] == "/w")
        #expect(seed["startupProbe"] == nil && seed["securityContext"] == nil)
        #expect(
            seed["volumeMounts"] == [
                ["mountPath": "/seed.sql", "name": "environment", "subPath": "seed.sql", "readOnly": true],
                ["mountPath": "/all", "name": "environment"],
            ])
        let web = try Pods.container(pod, "service-web")
        #expect(web["image"] == "built/web@sha256:1" && web["args"] == ["serve"])
        #expect(web["resources"]?["requests"] == ["cpu": "100m", "memory": "512Mi"])
        #expect(
            web["securityContext"] == [
                "capabilities": ["add": ["NET_BIND_SERVICE"], "drop": ["ALL"]], "readOnlyRootFilesystem": true, "allowPrivilegeEscalation": false,
            ])
        #expect(web["volumeMounts"] == [["mountPath": "/logs/artifacts", "name": "logs", "subPath": "artifacts"]])
        #expect(throws: TrialError.self) { try Self.pod { $0.builtImages = [:] } }
    }

    @Test("main shares volumes, and delivery writes the files that are mounted")
    func main() throws {
        let pod = try Self.pod()
        let mounts = Pods.mounts(try Pods.container(pod, "trial"))
        #expect(mounts.contains("volume-0=/shared ro") && mounts.contains("scratch-0=/tmp/x"))
        let delivery = try Pods.container(pod, "repo-cache")
        #expect(Pods.mounts(delivery).contains("environment=/assay/environment"))
        let program = try PodProgram(json: (Pods.env(delivery)["ASSAY_PROGRAM"]?.string.map(Pods.expanded) ?? "").utf8, from: "test")
        // All of environment/ has the other part in it.
        #expect(program.delivery.files == [""])
        #expect(program.reportLimitBytes == 12288 / 7)
    }

    @Test("the collector redacts the secrets of services, and mounts the volumes of their artifacts")
    func collector() throws {
        let pod = try Self.pod {
            $0.task.artifacts = [TaskArtifact(source: "/var/lib/db/dump.sql", service: "db"), TaskArtifact(source: "/out")]
        }
        let collector = try Pods.container(pod, "collector")
        #expect(Pods.env(collector)["ASSAY_REDACT"]?.string == "ASSAY_SECRET_0:PASSWORD")
        #expect(Pods.mounts(collector).contains("volume-0=/assay/volumes/volume-0 ro"))
        #expect(!Pods.mounts(try Pods.container(try Self.pod(), "collector")).contains { $0.hasPrefix("volume-") })
        let program = TrialProgram(
            Pods.request {
                $0.task.environment.services = Self.services
                $0.task.artifacts = [TaskArtifact(source: "/var/lib/db/dump.sql", service: "db")]
            })
        #expect(program.verifier.places == [.init(service: "db", source: "/var/lib/db/dump.sql", volume: "volume-0", names: ["sub", "dump.sql"])])
        let taken = program.verifier.taken(program.steps[0])
        #expect(taken.map(\.origin) == [.volume("volume-0", ["sub", "dump.sql"])])
        #expect(taken.map(\.recordedAt) == [["artifacts", "db", "var", "lib", "db", "dump.sql"]])
        let (offers, hands) = (program.steps.offerArtifacts(to: program.verifier), program.steps.handArtifacts(to: program.verifier))
        #expect(!offers && hands)
    }

    @Test("an artifact of a service that is on none of its volumes is refused, as is one of an unknown service")
    func artifacts() {
        func unmet(_ artifact: TaskArtifact) -> [String] {
            TaskRequirements.unmet(
                by: Pods.request {
                    $0.task.environment.services = Self.services; $0.task.artifacts = [artifact]
                }.task)
        }
        #expect(unmet(TaskArtifact(source: "/var/lib/db", service: "db")) == [])
        #expect(unmet(TaskArtifact(source: "/etc/passwd", service: "db")).first?.contains("which is on none of its named volumes") == true)
        #expect(unmet(TaskArtifact(source: "/x", service: "cache")).first?.contains("does not have") == true)
    }

    @Test("the program has the services as containers, which count in the costs")
    func program() throws {
        let program = TrialProgram(
            Pods.request {
                $0.task.environment.services = Self.services
                $0.builtImages = [.service("web"): "built/web@sha256:1"]
            })
        #expect(program.containers.map(\.role) == [.trial, .service("db"), .service("seed"), .service("web")])
        #expect(program[.service("db")]?.resources == .init(cpus: 0.5, memoryMB: 100, memoryLimitMB: 200, storageMB: 2048))
        #expect(program[.service("web")]?.image == "built/web@sha256:1" && program[.service("seed")]?.image == "debian:12")
    }

    @Test("the pod of a task without services is as small as before")
    func size() throws {
        #expect(try Pods.pod().serialized().count < 6 << 10)
    }
}
