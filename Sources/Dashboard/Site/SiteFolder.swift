import Base
import Git
import Glibc

/// Why a site cannot be written: what, where, what to do.
public struct DashboardError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }

    init(_ failure: FileError) {
        self.init("cannot write the site: \(failure.description)" + (failure.isFull ? "; free some space, or name another folder" : ""))
    }
}

/// The folder of a site. Files are replaced atomically, and only when their content changes.
struct SiteFolder: Sendable {
    let path: String
    /// The number of files written.
    let written = Locked(0)

    /// Creates the folder, or uses an existing one that is empty or is a site.
    init(_ path: String) throws(DashboardError) {
        self.path = path
        if FileEntry.exists(path) {
            guard FileEntry.isDirectory(path) else { throw DashboardError("\(path) is a file, not a folder for a site") }
            let names = Directory.names(in: path) ?? []
            guard names.allSatisfy({ $0.hasPrefix(SiteState.file) }) || names.contains(SiteState.file) else {
                throw DashboardError("\(path) is not empty and is not a dashboard: give a new or an empty folder")
            }
        }
        do throws(FileError) {
            try Directory.make(path)
            // Written first, so that the folder is recognised as a site even after a crash.
            let state = "\(path)/\(SiteState.file)"
            if !FileEntry.exists(state) { try FileWriting.replace(state, with: SiteState(template: "").bytes, durable: false) }
        } catch {
            throw DashboardError(error)
        }
    }

    func state() -> SiteState? { FileReading.whole("\(path)/\(SiteState.file)").flatMap { SiteState(parsing: $0) } }

    func save(_ state: SiteState) throws(DashboardError) { try replace(SiteState.file, with: state.bytes) }

    func has(_ file: SitePath) -> Bool { FileEntry.exists("\(path)/\(file.text)") }

    /// Writes a temporary file and renames it, unless the file already has these bytes.
    func write(_ file: SitePath, _ bytes: [UInt8]) throws(DashboardError) {
        if isSame(file, bytes) { return }
        try replace(file.text, with: bytes)
        written.withLock { $0 += 1 }
    }

    private func isSame(_ file: SitePath, _ bytes: [UInt8]) -> Bool {
        var info = stat()
        guard lstat("\(path)/\(file.text)", &info) == 0, info.st_mode & S_IFMT == S_IFREG, info.st_size == bytes.count,
            let old = FileReading.beginning(of: "\(path)/\(file.text)", limit: bytes.count), old.count == bytes.count
        else { return false }
        return old.withUnsafeBytes { a in
            bytes.withUnsafeBytes { b in
                guard let left = a.baseAddress, let right = b.baseAddress else { return a.count == b.count }
                return memcmp(left, right, a.count) == 0
            }
        }
    }

    private func replace(_ name: String, with bytes: [UInt8]) throws(DashboardError) {
        do throws(FileError) {
            let parent = Path.parent(of: "\(path)/\(name)")
            if !FileEntry.isDirectory(parent) { try Directory.make(parent) }
            try FileWriting.replace("\(path)/\(name)", with: bytes, durable: false)
        } catch {
            throw DashboardError(error)
        }
    }

    /// Removes files of earlier versions that are not among `kept`, and temporary files of a killed writer. Files with names
    /// that a site does not use stay.
    /// - Returns: the number of files removed.
    func sweep(keeping kept: Set<SitePath>) -> Int {
        var removed = 0
        for folder in ["", "assets", "job", "data", "run", "raw"] { removed += sweep(folder, kept, isTop: folder.isEmpty) }
        return removed
    }

    private func sweep(_ folder: String, _ kept: Set<SitePath>, isTop: Bool) -> Int {
        var removed = 0
        for name in Directory.names(in: folder.isEmpty ? path : "\(path)/\(folder)") ?? [] {
            let inner = folder.isEmpty ? name : "\(folder)/\(name)"
            var info = stat()
            guard lstat("\(path)/\(inner)", &info) == 0 else { continue }
            if info.st_mode & S_IFMT == S_IFDIR {
                guard !isTop else { continue }
                removed += sweep(inner, kept, isTop: false)
                rmdir("\(path)/\(inner)")  // fails if the folder is not empty, as intended
            } else if let file = SitePath(found: inner) {
                guard !kept.contains(file) else { continue }
                if unlink("\(path)/\(inner)") == 0 { removed += 1 }
            } else if let cut = inner.range(of: ".tmp-"), SitePath(found: String(inner[..<cut.lowerBound])) != nil || inner.hasPrefix(SiteState.file)
            {
                unlink("\(path)/\(inner)")
            }
        }
        return removed
    }
}

extension String {
    /// The first range of a text, without Foundation.
    fileprivate func range(of text: String) -> Range<String.Index>? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(text) { return at..<index(at, offsetBy: text.count) }
            at = index(after: at)
        }
        return nil
    }
}
