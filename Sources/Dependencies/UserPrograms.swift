import Base
import Glibc
import Subprocess

/// The directory of the user for programs that Assay installs: `~/.assay`.
public struct UserPrograms: Sendable {
    /// The programs; it comes first on the PATH of programs that Assay starts.
    public let bin: String
    /// Downloads that are not complete yet.
    let downloads: String
    /// Pins that `assay deps pin` has recorded; they come before those of this version of Assay.
    public let list: String

    /// - Parameter home: the user's home directory.
    public init(home: String) {
        bin = "\(home)/.assay/bin"
        downloads = "\(home)/.assay/downloads"
        list = "\(home)/.assay/deps.json"
    }

    /// Of the user of this process; nil when HOME is no absolute path.
    public static var ofThisUser: UserPrograms? {
        guard let home = currentEnvironment()["HOME"], home.hasPrefix("/") else { return nil }
        return UserPrograms(home: home == "/" ? "" : home)
    }

    /// PATH with `bin` as its first directory.
    public func path(before path: String?) -> String {
        let rest = (path ?? "/usr/local/bin:/usr/bin:/bin").split(separator: ":").map(String.init).filter { $0 != bin }
        return ([bin] + rest).joined(separator: ":")
    }

    /// Makes this process, and the programs that it starts, find what is installed. Call it before other threads exist.
    public func putOnPath() {
        setenv("PATH", path(before: currentEnvironment()["PATH"]), 1)
    }

    /// The list in a file; without one, the list of the user over the one of this version of Assay.
    public func dependencies(file: String? = nil) throws(DependencyError) -> DependencyList {
        if let file { return try Self.read(file) }
        let embedded = try DependencyList.embedded()
        guard FileEntry.exists(list) else { return embedded }
        return embedded.overridden(by: try Self.read(list))
    }

    /// The list in a file.
    static func read(_ file: String) throws(DependencyError) -> DependencyList {
        let bytes: [UInt8]
        do throws(FileError) { bytes = try FileReading.bytes(file, limit: 1 << 20) } catch { throw DependencyError(.badInput, "\(error)") }
        return try DependencyList(parsing: bytes, file: file)
    }
}
