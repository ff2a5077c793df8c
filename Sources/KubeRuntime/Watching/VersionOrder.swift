import KubeCore

/// The order of the versions of one resource. Versions that are not decimal numbers cannot be ordered; any other version then counts as newer.
enum VersionOrder {
    static func isNewer(_ version: String, than other: String) -> Bool {
        guard let new = ResourceVersion(version), let old = ResourceVersion(other) else { return version != other }
        return new > old
    }

    /// True when `version` is at least as new as `other`.
    static func isAtLeast(_ version: String, _ other: String) -> Bool {
        guard let new = ResourceVersion(version), let old = ResourceVersion(other) else { return version == other }
        return new >= old
    }
}
