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
    /// - Parameter canBuild: whether there is something that builds images.
    public static func check(_ spec: EvalJobSpec, canBuild: Bool = false) -> [UnsupportedField] {
        var found: [UnsupportedField] = []
        if spec.source.fixtures != nil {
            found.append(UnsupportedField("spec.source.fixtures", "fixtures are not delivered yet; remove the field"))
        }
        if spec.overlays?.isEmpty == false {
            found.append(UnsupportedField("spec.overlays", "overlays are not delivered yet; set it to []"))
        }
        if spec.environment.forceBuild, !canBuild {
            found.append(UnsupportedField("spec.environment.forceBuild", "images are not built on a cluster yet; use environment.image"))
        }
        if spec.environment.network.mode != .public {
            found.append(
                UnsupportedField("spec.environment.network.mode", "only public networking is enforced yet; use public"))
        }
        if spec.environment.network.allowedHosts?.isEmpty == false {
            found.append(
                UnsupportedField("spec.environment.network.allowedHosts", "allowlists are not enforced yet; remove it"))
        }
        if spec.verifier.environmentMode != .shared {
            found.append(
                UnsupportedField("spec.verifier.environmentMode", "separate verifiers are not supported yet; use shared"))
        }
        return found
    }

    /// - Parameter onCluster: whether the operator works for a cluster, and not for one machine (`assay run`).
    public static func check(_ spec: EvalTargetSpec, onCluster: Bool = false) -> [UnsupportedField] {
        var found: [UnsupportedField] = []
        if spec.type == .local, onCluster {
            found.append(UnsupportedField("spec.type", "targets of type local are for `assay run` on one machine; use cluster"))
        }
        if spec.type == .vm || spec.type == .ci {
            found.append(UnsupportedField("spec.type", "targets of type \(spec.type.rawValue) do not run trials yet; use cluster"))
        }
        if spec.sync != .oneshot {
            found.append(UnsupportedField("spec.sync", "\(spec.sync.rawValue) is not supported yet; use oneshot"))
        }
        if spec.workdir != nil {
            found.append(UnsupportedField("spec.workdir", "the source is always fetched; remove the field"))
        }
        if spec.host != nil {
            found.append(UnsupportedField("spec.host", "remote hosts are not supported yet; remove the field"))
        }
        if spec.image?.build != nil {
            found.append(UnsupportedField("spec.image.build", "images are not built yet; use image.default"))
        }
        return found
    }

    public static func check(_ spec: OverlaySourceSpec) -> [UnsupportedField] {
        [
            UnsupportedField(
                "spec",
                "overlays are not delivered yet: until they are, jobs in this namespace are Stalled unless their spec.overlays is []; delete this object, "
                    + "or set its spec.suspend to true, and jobs without spec.overlays run")
        ]
    }
}
