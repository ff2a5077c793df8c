import AssayAPI
import Base
import KubeClient
import KubeCore
import KubeRuntime
import Planning
import SourceSync
import TrialPods

/// What a job needs from the cluster before its first trial: supported fields, a target, overlays, and Secrets.
struct JobRequirements: Sendable {
    let client: KubeClient
    let configuration: OperatorConfiguration
    let targets: Store<EvalTarget>
    let overlays: JobOverlays
    let hosts: HostChecks

    /// Checks everything that a job needs before it can begin.
    ///
    /// - Parameter moment: when the job was first seen, by the monotonic clock: its overlays are looked at after that.
    /// - Parameter canBuild: whether something builds images for a target.
    /// - Returns: the job's overlays at the revisions that it gets.
    func check(
        _ job: EvalJob, _ identity: JobIdentity, since moment: Double, canBuild: (EvalTargetSpec) -> Bool
    ) async throws -> [OverlayPin] {
        let builds = (try? target(of: job, identity)).map(canBuild) ?? true
        try checkSupport(job, canBuild: builds, onHost: (try? target(of: job, identity))?.type == .vm)
        guard job.spec.source.fixtures == nil || overlays.hasCache else {
            throw ReconcileError.stalled(
                .unsupportedField,
                "spec.source.fixtures: fixtures are delivered by the operator's cache service, which this operator does not run; remove the field, "
                    + "or start the operator with --cache-service", on: .ready)
        }
        let target = try target(of: job, identity)
        try await checkPrograms(of: target, for: TargetPrograms.uses(job.spec))
        let pins = try overlays.pins(for: job.spec, in: identity.namespace, since: moment)
        try await checkSecrets(job, identity)
        try checkHost(of: job, identity)
        return pins
    }

    private func checkSupport(_ job: EvalJob, canBuild: Bool, onHost: Bool) throws(ReconcileError) {
        let found = UnsupportedFields.check(
            job.spec, canBuild: canBuild, missingForNetworks: configuration.networkAbility.missing, onHost: onHost)
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

    /// Programs that are missing are reported before anything is created, never by a trial.
    private func checkPrograms(of target: EvalTargetSpec, for uses: Set<TargetPrograms.Use>) async throws(ReconcileError) {
        let needed = TargetPrograms.needed(by: target, for: uses, runsPods: configuration.setting == .laptop)
        guard let problem = TargetPrograms.problem(of: await configuration.programs.look(for: needed)) else { return }
        throw .waiting(.dependencyMissing, problem, on: .targetReady, retryAfterSeconds: 30)
    }

    /// A job begins when its target's host can run trials.
    private func checkHost(of job: EvalJob, _ identity: JobIdentity) throws(ReconcileError) {
        let key = Self.targetKey(of: job.spec, in: identity.namespace)
        switch targets.get(key).flatMap({ hosts.state(of: $0) }) {
        case .fit?, nil: return
        case .checking?:
            throw .waiting(.progressing, "the host of EvalTarget \"\(key.name)\" is being checked", on: .targetReady, retryAfterSeconds: 5)
        case .unfit(_, let why)?:
            throw .waiting(.targetNotReady, "EvalTarget \"\(key.name)\": \(why)", on: .targetReady, retryAfterSeconds: HostChecks.unfitSeconds)
        }
    }

    /// What the host of the job's target can do, as far as it is known; nil for a target of another type.
    func hostAbility(of job: EvalJob, _ target: EvalTargetSpec, _ identity: JobIdentity) -> HostAbility? {
        guard target.type == .vm else { return nil }
        guard case .fit(let engine)? = targets.get(Self.targetKey(of: job.spec, in: identity.namespace)).flatMap({ hosts.state(of: $0) }) else {
            return HostAbility()
        }
        return HostAbility(runsImages: engine != nil)
    }

    static func targetKey(of spec: EvalJobSpec, in namespace: String) -> ObjectKey {
        ObjectKey(namespace: namespace, name: spec.targetRef?.name ?? AssayNames.defaultTarget)
    }

    // MARK: Secrets

    /// Checks that the Secrets which the job's pods will name exist and have the requested keys.
    ///
    /// A pod whose Secret is missing waits without saying why, so the job says what it waits for. Once trials exist, their pods report it.
    private func checkSecrets(_ job: EvalJob, _ identity: JobIdentity) async throws {
        let namespace = identity.namespace
        var known: [String: Set<String>] = [:]
        if let name = job.spec.source.secretRef?.name {
            let keys = try await keys(ofSecret: name, for: "spec.source.secretRef", namespace, &known)
            // A pod would have to mint the token, and would need the app's key for it.
            guard keys?.contains(GitHubApp.idKey) != true || overlays.hasCache else {
                throw ReconcileError.stalled(
                    .unsupportedField,
                    "spec.source.secretRef: the Secret \"\(name)\" is a GitHub App's, whose key no pod gets; start the operator with --cache-service, or "
                        + "use a Secret with a token", on: .ready)
            }
            if keys?.contains(GitHubApp.idKey) == true {
                try await checkPrograms(of: try target(of: job, identity), for: [.gitHubApp])
            }
        }
        if let name = job.spec.artifacts.git?.secretRef?.name {
            _ = try await keys(ofSecret: name, for: "spec.artifacts.git.secretRef", namespace, &known)
        }
        var lists = job.spec.agents.enumerated().map { ("spec.agents[\($0)].env", $1.env) }
        lists.append(("spec.environment.env", job.spec.environment.env))
        for (list, variables) in lists {
            for (place, variable) in variables.enumerated() {
                guard let reference = variable.valueFrom?.secretKeyRef, reference.optional != true else { continue }
                let field = "\(list)[\(place)].valueFrom.secretKeyRef"
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

    /// The keys of a Secret; nil when the operator may not read it.
    private func keys(ofSecret name: String, for field: String, _ namespace: String, _ known: inout [String: Set<String>]) async throws -> Set<
        String
    >? {
        if let keys = known[name] { return keys }
        do {
            let secret = try await client.get(.secrets, ObjectKey(namespace: namespace, name: name))
            let keys = Set((secret["data"]?.object ?? [:]).keys)
            known[name] = keys
            return keys
        } catch {
            // A Secret that the operator may not read does not hold up the job: the node reads it.
            if error.isForbidden { return nil }
            guard error.isNotFound else { throw error }
            throw ReconcileError.waiting(
                .secretNotFound, "\(field): there is no Secret \"\(name)\" in namespace \(namespace); create it", on: .ready, retryAfterSeconds: 10)
        }
    }
}
