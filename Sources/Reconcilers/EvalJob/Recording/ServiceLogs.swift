import Artifacts
import AssayAPI
import Base
import KubeClient
import KubeCore
import Planning
import TrialPods
import TrialRuntime

/// Reads the logs of a trial's services, which only the API server has, and redacts them as the collector redacts the trial's outputs.
///
/// Guarantee: a log that may hold a value of a Secret is kept only when that value is known, and so can be replaced.
struct ServiceLogs: Sendable {
    /// The most that is kept of one service, in bytes.
    static let limit = 1 << 20

    let client: KubeClient

    /// The logs by the names of the services; one that cannot be read has a line that says why.
    func read(_ pod: TrialPod, _ spec: EvalJobSpec) async -> [String: [UInt8]] {
        guard !pod.snapshot.services.isEmpty else { return [:] }
        var logs: [String: [UInt8]] = [:]
        let redactor: Redactor
        do { redactor = try await self.redactor(spec, pod.key) } catch {
            let line = Array("The log is not kept: \(error), so that secrets in it could not be redacted.\n".utf8)
            for service in pod.snapshot.services { logs[service.name] = line }
            return logs
        }
        for service in pod.snapshot.services where service.hasBegun { logs[service.name] = await log(of: service, pod, redactor) }
        return logs
    }

    /// The log of the instance before the last restart, if there was one, and of the last instance.
    private func log(of service: PodSnapshot.Service, _ pod: TrialPod, _ redactor: Redactor) async -> [UInt8] {
        let container = ContainerRole.service(service.name).containerName
        var log: [UInt8] = []
        if service.last != nil {
            log += await instance(container, pod, previous: true, redactor)
            let code = service.last.map { " with \($0.exitCode)" } ?? ""
            log += Array("--- ended\(code) and was started again ---\n".utf8)
        }
        return log + (await instance(container, pod, previous: false, redactor))
    }

    /// Half of what is kept, so that both instances have room.
    private func instance(_ container: String, _ pod: TrialPod, previous: Bool, _ redactor: Redactor) async -> [UInt8] {
        let most = Self.limit / 2
        do {
            let body = try await client.podLog(pod.key, container: container, options: LogOptions(limitBytes: most, previous: previous))
            var stream = Redactor.Stream(redactor)
            var (log, count) = ([UInt8](), 0)
            for try await chunk in body {
                let piece = chunk.prefix(most - count)
                count += piece.count
                log += stream.append(piece)
                // What may be the beginning of a secret is left out.
                if count >= most { return log + Array("\n--- cut after \(most) bytes ---\n".utf8) }
            }
            return log + stream.finish()
        } catch {
            return Array("The log cannot be read: \(error)\n".utf8)
        }
    }

    /// The values of all Secrets that the job gives to its trials, and the trial's tokens for the egress proxy: an agent can send them to a service.
    private func redactor(_ spec: EvalJobSpec, _ pod: ObjectKey) async throws -> Redactor {
        let given = (spec.environment.env + spec.agents.flatMap(\.env)).compactMap { variable in
            variable.valueFrom?.secretKeyRef.map { (name: variable.name, reference: $0) }
        }
        var objects: [String: JSONValue] = [:]
        var secrets: [Redactor.Secret] = []
        for (name, reference) in given {
            if objects[reference.name] == nil {
                objects[reference.name] = try await secret(reference.name, pod.namespace)
            }
            guard let text = objects[reference.name]?.at("data", reference.key)?.string, case .success(let value) = Base64.decode(text) else {
                continue
            }
            secrets.append(.init(name: name, value: value))
        }
        let tokens = try EgressAccess(ofPod: try await client.get(.pods, pod))?.tokens ?? [:]
        secrets += tokens.map { .init(name: $0.key, value: Array($0.value.utf8)) }
        return Redactor(secrets: secrets)
    }

    /// An empty object for a Secret that does not exist: then no service has its value.
    private func secret(_ name: String, _ namespace: String) async throws(KubeError) -> JSONValue {
        do { return try await client.get(.secrets, ObjectKey(namespace: namespace, name: name)) } catch {
            guard error.isNotFound else { throw error }
            return [:]
        }
    }
}
