import Base
import Git
import Glibc

/// Why a site cannot be made: what, where, what to do.
public struct DashboardError: Error, Sendable, Hashable, CustomStringConvertible {
    public let description: String
    public init(_ description: String) { self.description = description }

    init(_ failure: FileError) { self.init("cannot write the site: \(failure.description)" + (failure.isFull ? "; free some space, or name another folder" : "")) }
}

/// The folder of a site: files that replace each other whole, and nothing written that is there already.
struct SiteFolder: Sendable {
    let path: String
    /// Files that were written.
    let written = Locked(0)

    /// Makes the folder, or takes one that is empty or ours.
    init(_ path: String) throws(DashboardError) {
        self.path = path
        if FileEntry.exists(path) {
            guard FileEntry.isDirectory(path) else { throw DashboardError("\(path) is a file, not a folder for a site") }
            let names = Directory.names(in: path) ?? []
            guard names.allSatisfy({ $0.hasPrefix(SiteState.file) }) || names.contains(SiteState.file) else {
                throw DashboardError("\(path) is not empty and holds no dashboard: name a new or an empty folder")
            }
        }
        do throws(FileError) {
            try Directory.make(path)
            // From the first file on, the folder is known as ours.
            let state = "\(path)/\(SiteState.file)"
            if !FileEntry.exists(state) { try FileWriting.replace(state, with: SiteState(template: "").bytes, durable: false) }
        } catch {
            throw DashboardError(error)
        }
    }

    func state() -> SiteState? { FileReading.whole("\(path)/\(SiteState.file)").flatMap { SiteState(parsing: $0) } }

    func save(_ state: SiteState) throws(DashboardError) { try replace(SiteState.file, with: state.bytes) }

    func has(_ file: SitePath) -> Bool { FileEntry.exists("\(path)/\(file.text)") }

    /// Writes the file beside and renames it, unless it holds these very bytes.
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

    /// Removes pages and files of earlier versions that are not among `kept`, and what a killed writer left; nothing that
    /// is not of a form that a site gives its files.
    /// - Returns: how many pages and files went.
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
                rmdir("\(path)/\(inner)")  // fails, as it should, where something is left in it
            } else if let file = SitePath(found: inner) {
                guard !kept.contains(file) else { continue }
                if unlink("\(path)/\(inner)") == 0 { removed += 1 }
            } else if let cut = inner.range(of: ".tmp-"), SitePath(found: String(inner[..<cut.lowerBound])) != nil || inner.hasPrefix(SiteState.file) {
                unlink("\(path)/\(inner)")
            }
        }
        return removed
    }
}

extension String {
    /// Where a text first occurs; without Foundation.
    fileprivate func range(of text: String) -> Range<String.Index>? {
        var at = startIndex
        while at < endIndex {
            if self[at...].hasPrefix(text) { return at..<index(at, offsetBy: text.count) }
            at = index(after: at)
        }
        return nil
    }
}
