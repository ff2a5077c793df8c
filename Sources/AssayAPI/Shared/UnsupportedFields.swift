/// A field that the schema has but this version does not support yet. An object that uses one is `Stalled`
/// (`Reason.unsupportedField`), because the result would not mean what the user intended.
public struct UnsupportedField: Sendable, Hashable {
    /// For example `spec.source.fixtures`.
    public var path: String
    public var why: String

    public init(_ path: String, _ why: String) {
        self.path = path
        self.why = why
    }

    public var message: String { "\(path): \(why)" }
}

/// Which fields of an object are not supported yet.
public enum UnsupportedFields {
    /// - Parameters:
    ///   - canBuild: whether something builds images for the job's target.
    ///   - missingForNetworks: what the operator lacks to restrict the networks of trials; nil: nothing.
    ///   - onHost: whether the job's trials run on the host of a vm target.
    public static func check(
        _ spec: EvalJobSpec, canBuild: Bool = false, missingForNetworks: String? = nil, onHost: Bool = false
    ) -> [UnsupportedField] {
        var found: [UnsupportedField] = []
        if spec.source.fixtures?.cachePath != nil {
            found.append(
                UnsupportedField("spec.source.fixtures.cachePath", "fixtures are kept in the operator's cache directory; remove the field"))
        }
        if spec.environment.forceBuild, !canBuild {
            found.append(
                UnsupportedField(
                    "spec.environment.forceBuild",
                    "nothing builds images for the job's EvalTarget; set its spec.image.build, or use environment.image"))
        }
        if let mode = spec.environment.network.mode, mode != .public, let missing = missingForNetworks {
            found.append(UnsupportedField("spec.environment.network.mode", missing))
        }
        if onHost, spec.environment.podTemplate != nil {
            found.append(UnsupportedField("spec.environment.podTemplate", Self.noPodTemplate))
        }
        if onHost, spec.environment.preserveEnv != .never {
            found.append(
                UnsupportedField(
                    "spec.environment.preserveEnv", "the EvalTarget has type vm, whose host keeps nothing of a trial that is over; remove the field"))
        }
        return found
    }

    /// - Parameter onCluster: true for an operator on a cluster, false on one machine (`assay run`).
    public static func check(_ spec: EvalTargetSpec, onCluster: Bool = false) -> [UnsupportedField] {
        var found: [UnsupportedField] = []
        if spec.claim != nil {
            if !onCluster {
                found.append(UnsupportedField("spec.claim", "a PersistentVolumeClaim is on a cluster; name a directory of this machine in workdir"))
            } else if spec.type != .local || spec.sync != .noop || spec.workdir != nil {
                found.append(UnsupportedField("spec.claim", "it goes with type local and sync noop, and without workdir"))
            }
        }
        if spec.type == .ci || spec.type == .local && spec.claim == nil, onCluster {
            found.append(
                UnsupportedField(
                    "spec.type",
                    "targets of type \(spec.type.rawValue) are for `assay run` on one machine, whose files a cluster does not have; use cluster"
                        + (spec.type == .local ? ", or name a PersistentVolumeClaim in claim" : "")))
        }
        if spec.type == .vm { found += host(spec, onCluster: onCluster) }
        if spec.sync == .noop, spec.workdir == nil, spec.claim == nil {
            found.append(UnsupportedField("spec.workdir", "sync noop uses the directory that is named here; add it"))
        }
        if spec.sync == .noop, spec.syncOptions != nil {
            found.append(UnsupportedField("spec.syncOptions", "sync noop fetches nothing; remove the field"))
        }
        if spec.syncOptions?.advanced != nil {
            found.append(
                UnsupportedField(
                    "spec.syncOptions.advanced",
                    "its arguments are for another program that keeps sources up to date; Assay does that itself; remove the field"))
        }
        if spec.workdir != nil, spec.sync != .noop {
            found.append(UnsupportedField("spec.workdir", "only sync noop uses it: sync \(spec.sync.rawValue) fetches the source; remove the field"))
        }
        return found
    }

    private static let noPodTemplate =
        "the pods of trials on a host (type vm) hold only the connection, so that nothing of it would apply to the trials; remove the field"

    private static func host(_ spec: EvalTargetSpec, onCluster: Bool) -> [UnsupportedField] {
        var found: [UnsupportedField] = []
        if onCluster {
            found.append(UnsupportedField("spec.type", "targets of type vm are for `assay run`, not yet for an operator on a cluster; use cluster"))
        }
        if spec.sync == .noop {
            found.append(
                UnsupportedField("spec.sync", "sync noop on a target of type vm is not supported yet: no directory of the host is read; use oneshot"))
        }
        if spec.host?.sshSecretRef == nil {
            found.append(UnsupportedField("spec.host.sshSecretRef", "without a Secret with the ssh key no connection is made; add it"))
        }
        if let user = spec.host?.user, user != "root" {
            found.append(UnsupportedField("spec.host.user", "must be root, who gives each trial a user of its own; \"\(user)\" cannot"))
        }
        if spec.podTemplate != nil { found.append(UnsupportedField("spec.podTemplate", noPodTemplate)) }
        if spec.image?.build != nil {
            found.append(UnsupportedField("spec.image.build", "nothing is built for a host, which gets its images from registries; remove the field"))
        }
        return found
    }
}
