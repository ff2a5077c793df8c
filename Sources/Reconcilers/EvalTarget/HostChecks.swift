import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime
import TrialPods
import TrialRuntime

/// Checks the hosts of vm targets, before their first trial and again every few minutes. Each process looks for itself: what an earlier one found says
/// nothing about a machine that may have changed.
final class HostChecks: Sendable {
    enum State: Sendable, Hashable {
        /// The first check has not ended.
        case checking
        /// With the program that runs images there, if any.
        case fit(engine: String?)
        /// Why no trial can run there, and what to do.
        case unfit(Reason, String)
    }

    private struct Key: Hashable {
        let target: ObjectKey
        let uid: String
        let generation: Int
    }

    /// Seconds for which an answer counts.
    static let fitSeconds = 300.0
    static let unfitSeconds = 30.0

    static func seconds(_ state: State) -> Double { if case .fit = state { fitSeconds } else { unfitSeconds } }

    private let client: KubeClient
    private let time: any TimeSource
    private let pool: TaskPool<Key, State>
    /// The last answer for each target, and until when it counts, by the monotonic clock.
    private let answers = Locked<[ObjectKey: (key: Key, state: State, until: Double)]>([:])

    /// - Parameter wake: called when there is an answer for a target.
    init(client: KubeClient, time: any TimeSource, wake: @escaping @Sendable (ObjectKey) -> Void) {
        self.client = client
        self.time = time
        pool = TaskPool(
            width: 8, deadlineSeconds: 300, time: time, late: { _ in .unfit(.hostUnreachable, "the check of the host did not end within 5 minutes") },
            onFinish: { wake($0.target) })
    }

    /// What is known of a target's host; nil for a target of another type. Starts a check when one is due.
    func state(of target: EvalTarget) -> State? {
        guard target.spec.type == .vm, let host = target.spec.host, let uid = target.metadata.uid else {
            forget(target.key)
            return nil
        }
        let key = Key(target: target.key, uid: uid, generation: target.metadata.generation ?? 0)
        let now = time.monotonic()
        if let state = pool.take(key) {
            answers.withLock { $0[key.target] = (key, state, now + Self.seconds(state)) }
        }
        let last = answers.withLock { $0[key.target].flatMap { $0.key == key ? $0 : nil } }
        if last.map({ $0.until <= now }) ?? true {
            pool.start(key, group: uid) { [client] in await Self.check(host, key.target.namespace, client) }
        }
        return last?.state ?? .checking
    }

    func forget(_ target: ObjectKey) { _ = answers.withLock { $0.removeValue(forKey: target) } }

    func stop() async { await pool.stop() }

    private static func check(_ host: HostSpec, _ namespace: String, _ client: KubeClient) async -> State {
        do {
            return .fit(engine: try await HostCheck.run(host.login, try await keys(of: host, namespace, client)))
        } catch let problem as HostCheck.Problem {
            return .unfit(reason(of: problem), problem.message)
        } catch let missing as HostKeys.Missing {
            return .unfit(.secretNotFound, "spec.host: \(missing)")
        } catch let missing as MissingObject {
            return .unfit(.secretNotFound, missing.description)
        } catch {
            return .unfit(.hostUnreachable, "the Secret of spec.host.sshSecretRef cannot be read: \(error)")
        }
    }

    private static func reason(of problem: HostCheck.Problem) -> Reason {
        switch problem {
        case .unreachable: .hostUnreachable
        case .unknownKey: .hostKeyMismatch
        case .loginRefused: .hostLoginRefused
        case .missingPrograms: .dependencyMissing
        case .unfit: .hostUnfit
        }
    }

    private struct MissingObject: Error, CustomStringConvertible {
        let description: String
    }

    private static func keys(of host: HostSpec, _ namespace: String, _ client: KubeClient) async throws -> HostKeys {
        func object(_ type: ResourceType, _ name: String?, _ field: String) async throws -> JSONValue? {
            guard let name else { return nil }
            do { return try await client.get(type, ObjectKey(namespace: namespace, name: name)) } catch {
                guard error.isNotFound else { throw error }
                throw MissingObject(
                    description: "spec.host.\(field): there is no \(type.kind) \"\(name)\" in namespace \(namespace); create it")
            }
        }
        let secret = try await object(.secrets, host.sshSecretRef?.name, "sshSecretRef")
        let map = try await object(.configMaps, host.knownHostsRef?.name, "knownHostsRef")
        return try HostKeys(
            secret: SecretData.bytes(of: secret ?? [:]), map: (map?["data"]?.object ?? [:]).compactMapValues { $0.string.map { Array($0.utf8) } })
    }
}
