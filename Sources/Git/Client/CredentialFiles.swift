import Base
import Glibc

/// Writes the content of a Secret to private files that git and ssh read.
struct CredentialFiles: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case answers, authorities, identity
        case knownHosts = "known-hosts"
    }

    let directory: String
    /// Identifies the Secret in the file names, so that a rotated Secret overwrites its files. If nil, each content gets its own files.
    let secret: String?

    /// Files that have not been written for this long belong to deleted Secrets. Files in use are rewritten every minute.
    private static let keptSeconds = 7 * 86400

    /// - Parameter key: identifies the content.
    func keep(_ bytes: [UInt8], _ kind: Kind, key: String) throws(GitError) -> String {
        try Self.check(directory)
        let path = "\(directory)/\(kind.rawValue)-\(secret ?? key)"
        do {
            try Directory.make(directory, mode: 0o700)
            try FileWriting.replace(path, with: bytes, mode: 0o600, durable: false)
        } catch {
            throw GitError(.storage, "cannot keep a credential in \(directory): \(error)")
        }
        removeOld()
        return path
    }

    private func removeOld() {
        let now = time(nil)
        for name in Directory.names(in: directory) ?? [] where Kind.allCases.contains(where: { name.hasPrefix("\($0.rawValue)-") }) {
            var info = stat()
            let limit = name.contains(".tmp-") ? 3600 : Self.keptSeconds
            if lstat("\(directory)/\(name)", &info) == 0, now - info.st_mtim.tv_sec > limit { unlink("\(directory)/\(name)") }
        }
    }

    static func check(_ path: String) throws(GitError) {
        guard path.hasPrefix("/"), !path.unicodeScalars.contains(where: { $0.value < 0x20 }) else {
            throw GitError(.invalidInput, "a credential's directory must be an absolute path, not \(quoted(path))")
        }
    }
}
