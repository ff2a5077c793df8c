import KubeCore

/// Order of resource versions of one resource. Versions that are no decimals cannot be ordered: any change is then newer.
enum VersionOrder {
    static func isNewer(_ version: String, than other: String) -> Bool {
        guard let new = ResourceVersion(version), let old = ResourceVersion(other) else { return version != other }
        return new > old
    }

    /// True when `version` shows at least what `other` showed.
    static func isAtLeast(_ version: String, _ other: String) -> Bool {
        guard let new = ResourceVersion(version), let old = ResourceVersion(other) else { return version == other }
        return new >= old
    }
}
