import Base
import Subprocess

/// The user's cache directory, for commands in a directory without `.assay`.
enum UserCache {
    static var directory: String {
        let environment = currentEnvironment()
        if let base = environment["XDG_CACHE_HOME"], base.hasPrefix("/") { return "\(base)/assay" }
        return "\(environment["HOME"] ?? environment["TMPDIR"] ?? "/tmp")/.cache/assay"
    }
}
