import Base
import Glibc

/// The private files through which git and ssh get what a Secret holds.
struct CredentialFiles: Sendable {
    enum Kind: String, Sendable, CaseIterable {
        case answers, authorities, identity
        case knownHosts = "known-hosts"
    }

    let directory: String
    /// Stands for the Secret in the files' names, so that a rotated one replaces its files; nil: each content has its own.
    let secret: String?

    /// Files that nobody has written for so long are of Secrets that are gone: what is in use is written again each minute.
    private static let keptSeconds = 7 * 86400

    /// - Parameter key: of the content.
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
