import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime

/// What a job needs of the cluster before its first trial: fields that are supported, a target, overlays that are said, Secrets.
struct JobRequirements: Sendable {
    let client: KubeClient
    let configuration: OperatorConfiguration
    let targets: Store<EvalTarget>
    let overlays: Store<OverlaySource>

    /// Everything that a job needs before it can begin.
    func check(_ job: EvalJob, _ identity: JobIdentity) async throws {
        try checkSupport(job)
        _ = try target(of: job, identity)
        try checkOverlays(job, identity)
        try await checkSecrets(job, identity)
    }

    private func checkSupport(_ job: EvalJob) throws(ReconcileError) {
        let found = UnsupportedFields.check(job.spec)
        guard let first = found.first else { return }
        let more = found.count > 1 ? " (and \(found.count - 1) more: \(found.dropFirst().map(\.path).joined(separator: ", ")))" : ""
        throw .stalled(.unsupportedField, first.message + more, on: .ready)
    }

    func target(of job: EvalJob, _ identity: JobIdentity) throws(ReconcileError) -> EvalTargetSpec {
        let key = Self.targetKey(of: job.spec, in: identity.namespace)
        guard let target = targets.get(key) else {
            guard job.spec.targetRef == nil else {
                throw .waiting(
                    .targetNotFound, "there is no EvalTarget \"\(key.name)\" in namespace \(key.namespace); create it or change spec.targetRef",
                    on: .targetReady, retryAfterSeconds: 60)
            }
            return configuration.defaultTarget
        }
        if let field = UnsupportedFields.check(target.spec, onCluster: configuration.setting == .cluster).first {
            throw .waiting(.targetNotReady, "EvalTarget \"\(key.name)\": \(field.message)", on: .targetReady, retryAfterSeconds: 60)
        }
        return target.spec
    }

    static func targetKey(of spec: EvalJobSpec, in namespace: String) -> ObjectKey {
        ObjectKey(namespace: namespace, name: spec.targetRef?.name ?? AssayNames.defaultTarget)
    }

    /// Overlays are not delivered yet: a job that would get some must not run without them unnoticed.
    private func checkOverlays(_ job: EvalJob, _ identity: JobIdentity) throws(ReconcileError) {
        guard job.spec.overlays == nil else { return }
        let names = overlays.entries().filter { $0.key.namespace == identity.namespace && !$0.object.spec.suspend }.map(\.key.name)
        guard names.isEmpty else {
            throw .stalled(
                .unsupportedField,
                "spec.overlays: omitted, it means every OverlaySource of the namespace (\(names.joined(separator: ", "))), and overlays "
                    + "are not delivered yet; set it to [] to run without", on: .overlaysReady)
        }
    }

    // MARK: Secrets

    /// The Secrets that the job's pods will name are there, with the keys that they ask for.
    ///
    /// A pod with a missing Secret waits for it without a word; a job says what it waits for. Once trials exist the pods say it.
    private func checkSecrets(_ job: EvalJob, _ identity: JobIdentity) async throws {
        let namespace = identity.namespace
        var known: [String: Set<String>] = [:]
        if let name = job.spec.source.secretRef?.name { _ = try await keys(ofSecret: name, for: "spec.source.secretRef", namespace, &known) }
        if let name = job.spec.artifacts.git?.secretRef?.name { _ = try await keys(ofSecret: name, for: "spec.artifacts.git.secretRef", namespace, &known) }
        for (position, agent) in job.spec.agents.enumerated() {
            for (place, variable) in agent.env.enumerated() {
                guard let reference = variable.valueFrom?.secretKeyRef, reference.optional != true else { continue }
                let field = "spec.agents[\(position)].env[\(place)].valueFrom.secretKeyRef"
                guard let keys = try await keys(ofSecret: reference.name, for: field, namespace, &known) else { continue }
                guard keys.contains(reference.key) else {
                    throw ReconcileError.waiting(
                        .secretNotFound,
                        "\(field): the Secret \"\(reference.name)\" has no key \"\(reference.key)\"; "
                            + (keys.isEmpty ? "it has none" : "it has: \(keys.sorted().prefix(20).joined(separator: ", "))"),
                        on: .ready, retryAfterSeconds: 10)
                }
            }
        }
    }

    /// nil: it cannot be read.
    private func keys(ofSecret name: String, for field: String, _ namespace: String, _ known: inout [String: Set<String>]) async throws -> Set<String>? {
        if let keys = known[name] { return keys }
        do {
            let secret = try await client.get(.secrets, ObjectKey(namespace: namespace, name: name))
            let keys = Set((secret["data"]?.object ?? [:]).keys)
            known[name] = keys
            return keys
        } catch {
            // Not being allowed to read it is no reason to hold the job up: the node reads it.
            if error.isForbidden { return nil }
            guard error.isNotFound else { throw error }
            throw ReconcileError.waiting(
                .secretNotFound, "\(field): there is no Secret \"\(name)\" in namespace \(namespace); create it", on: .ready, retryAfterSeconds: 10)
        }
    }
}
